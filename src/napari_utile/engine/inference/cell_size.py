"""What was measured of the cells of an image: their size, and how sure a model is of them at each magnification."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_utile.engine.words import rescaled, three_digits

STEADY, DRIFT_WEIGHT = 0.4, 0.3
"""How far the diameter may follow the magnification without a price, and the price of an octave an octave beyond it.

Of 149 presses on `val` images it follows by 0.55 at most in nine of ten where a model finds half of the cells or more,
and by 0.61 or more in three of four where it finds less than a third."""

OFF_WEIGHT, FEW_WEIGHT = 0.4, 0.4
"""What an octave between the cells found and those that the model knows takes from the fit of a magnification, and what
a single cell takes; n cells take that over the root of n."""


@dataclass(frozen=True)
class SizeTrial:
    """What a model made of windows of an image at one magnification.

    Attributes
    ----------
    magnification : float
        Pixels of the network to one pixel of the image.
    cells : int
        Cells that no window cuts.
    sureness : float
        The mean confidence of the cells, 0..1, see `confidences`.
    diameter : float or None
        Median diameter of the cells, in pixels of the image; None without cells.
    score : float
        How the model is rated by them, see `score_of`.
    depth : float or None
        How deep the model sees the cells, see `depth_score`; None where it predicts no distances.
    octaves : float
        Between the diameter of the cells, as the network sees them, and that of the cells that it knows.
    looks : float
        In how many times as many windows as at other magnifications the cells were found.
    """

    magnification: float
    cells: int
    sureness: float
    diameter: float | None
    score: float
    depth: float | None = None
    octaves: float = 0.0
    looks: float = 1.0

    @property
    def fit(self) -> float:
        """By which magnifications are compared: sure and deep cells, as large as the model knows them, and many."""
        sure = self.sureness if self.depth is None else (self.sureness + self.depth) / 2
        return sure - OFF_WEIGHT * self.octaves - FEW_WEIGHT / math.sqrt(max(self.cells, 1))


@dataclass(frozen=True)
class CellSize:
    """A measured cell size.

    Attributes
    ----------
    diameter : float or None
        Pixels of the image; None where no size decides how the model sees it.
    trials : tuple of SizeTrial
        Every magnification that was tried, the coarsest first.
    origin : str
        Where the diameter comes from, in words; why there is none.
    model : str
        The model that was chosen to segment the image, where there was a choice (see `measured_and_chosen`).
    zoom : float
        How many times larger than it is the model sees the image where there is no diameter.
    """

    diameter: float | None
    trials: tuple[SizeTrial, ...] = ()
    origin: str = "measured"
    model: str = ""
    zoom: float = 1.0

    @property
    def best(self) -> SizeTrial | None:
        """The trial that fits best; None where no cell was found."""
        return best_of(self.trials)

    @property
    def drift(self) -> float:
        """By how many octaves the diameter shrinks with an octave of magnification, around the best one; 0..1.

        What a model knows has one size, however it is magnified. What it finds at its own size at every
        magnification is not there.
        """
        best = self.best
        if best is None:
            return 0.0
        near = [
            each
            for each in self.trials
            if each.diameter and best.magnification / 2.01 < each.magnification < best.magnification * 2.01
        ]
        zoom = np.log2([each.magnification for each in near])
        sizes = np.log2([each.diameter or 1.0 for each in near])
        cells = np.array([each.cells for each in near], np.float64)
        zoom -= np.average(zoom, weights=cells)
        spread_of = float(cells @ zoom**2)
        return float(np.clip(-(cells @ (zoom * sizes)) / spread_of, 0, 1)) if spread_of else 0.0

    @property
    def unsteadiness(self) -> float:
        """What the drift takes from the confidence that the model fits."""
        return DRIFT_WEIGHT * max(0.0, self.drift - STEADY)

    @property
    def confidence(self) -> float | None:
        """How sure the model is of the cells of the image; None where it found none."""
        return self.sureness - self.unsteadiness if self.best else None

    @property
    def sureness(self) -> float:
        """How sure the model is at the best magnification, whatever it finds at others; 0 without cells."""
        best = self.best
        if best is None:
            return 0.0
        return best.score if best.depth is None else best.depth

    def __str__(self) -> str:
        """Say it in words."""
        if self.diameter is None:
            return f"the image is {rescaled(self.zoom) or 'used as it is'}: {self.origin}"
        return f"cells about {three_digits(self.diameter)} px across, {self.origin}"


def best_of(trials: Sequence[SizeTrial]) -> SizeTrial | None:
    """Return the trial that fits best; None where no cell was found."""
    return max((each for each in trials if each.cells), key=lambda each: each.fit, default=None)
