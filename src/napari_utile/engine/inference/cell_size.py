"""What was measured of the cells of an image: their size, and how sure a model is of them at each magnification."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_utile.engine.words import three_digits

STEADY, DRIFT_WEIGHT = 0.4, 0.3
"""How far the diameter may follow the magnification without a price, and the price of an octave an octave beyond it.

Of 150 measurements of `val` images it follows by 0 to 0.46 where a model knows the cells (by up to 0.7 in four), and by
0.5 to 1 where it does not."""


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
        By which magnifications are compared.
    depth : float or None
        How deep the model sees the cells, see `depth_score`; None where it predicts no distances.
    """

    magnification: float
    cells: int
    sureness: float
    diameter: float | None
    score: float
    depth: float | None = None


@dataclass(frozen=True)
class CellSize:
    """A measured cell size.

    Attributes
    ----------
    diameter : float or None
        Pixels of the image; None where it is best used as it is.
    trials : tuple of SizeTrial
        Every magnification that was tried, the coarsest first.
    origin : str
        Where the diameter comes from, in words; why there is none.
    model : str
        The model that was chosen to segment the image, where there was a choice (see `measured_and_chosen`).
    """

    diameter: float | None
    trials: tuple[SizeTrial, ...] = ()
    origin: str = "measured"
    model: str = ""

    @property
    def best(self) -> SizeTrial | None:
        """The trial with the highest score; None where no cell was found."""
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
            return f"the image is used as it is: {self.origin}"
        return f"cells about {three_digits(self.diameter)} px across, {self.origin}"


def best_of(trials: Sequence[SizeTrial]) -> SizeTrial | None:
    """Return the trial with the highest score; None where no cell was found."""
    return max((each for each in trials if each.cells), key=lambda each: each.score, default=None)
