"""Whether a model fits an image: how sure it is of its cells, beside what its card says of images that it knows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.models.card import ModelCard

if TYPE_CHECKING:
    from napari_utile.engine.segmentation import Segmentation

LEAST_CELLS = 3
"""Fewer cells do not show whether a model fits: a colony seen from afar looks like one large cell."""
LEAST_SHARE = 0.3
"""Of the cells that another model finds; of fewer a model may be sure by chance."""
_USUAL_THRESHOLD = 0.6
"""For models that name none, beside others that do not look right."""
_NEARLY, _SPECKS = 0.1, 4.0
"""Beside a model that lacks this much more at most, one whose cells cover so many times less sees specks in them."""


@dataclass(frozen=True)
class Fit:
    """How well a model fits an image.

    Attributes
    ----------
    model : str
        Its name.
    confidence : float or None
        How deep the model sees the cells (see `depth_score`), or, where it predicts no distances, how sure it is of
        them (see `score_of`); less what a size takes that follows the magnification (see `CellSize.drift`). None where
        no cell was found.
    threshold : float or None
        What images that the model knows reach, from its card; None where nobody measured it.
    cells : int
        Cells that were rated.
    whole : bool
        Whether they are all that there are; False where windows of the image were looked at.
    """

    model: str
    confidence: float | None
    threshold: float | None
    cells: int
    whole: bool = False

    @property
    def looks_right(self) -> bool | None:
        """Whether the image looks like those that the model knows; None where that cannot be said."""
        if self.confidence is None or self.threshold is None:
            return None
        if self.confidence < self.threshold:
            return False
        return None if self.whole and self.cells < LEAST_CELLS else True

    @property
    def too_few(self) -> bool:
        """Whether the model is sure of what it found, but that is one or two cells."""
        return self.looks_right is None and self.confidence is not None and self.threshold is not None

    @property
    def rank(self) -> tuple[int, float]:
        """What models are sorted by: whether they look right, then how sure they are of their cells.

        How far a confidence lies above its threshold says less: thresholds of models for many kinds of images are low.
        Of models that do not look right the one that lacks least is the better guess: a model that is sure of much that
        it does not know asks for more.
        """
        if self.confidence is None:
            return 0, 0.0
        return (2, self.confidence) if self.looks_right else (1, -self.lack)

    @property
    def lack(self) -> float:
        """How much surer the model would have to be for the image to look right; below 0 where it is."""
        if self.confidence is None:
            return math.inf
        return (_USUAL_THRESHOLD if self.threshold is None else self.threshold) - self.confidence

    def __str__(self) -> str:
        """Say it as a user is told."""
        if self.confidence is None:
            return "no cells found"
        if self.too_few:
            found = "one cell was" if self.cells == 1 else f"{self.cells} cells were"
            return (
                f"only {found} found, too few to say whether {self.model} fits; a group of small cells can look like "
                "one large cell: is the cell size right?"
            )
        if self.looks_right is None:
            return f"confidence {self.confidence:.2f}"
        if self.looks_right:
            return f"confidence {self.confidence:.2f}, as on the images that {self.model} knows"
        digits = 2 if f"{self.confidence:.2f}" != f"{self.threshold:.2f}" else 4
        return (
            f"this does not look like what {self.model} was trained on "
            f"(confidence {self.confidence:.{digits}f}, at least {self.threshold:.{digits}f} expected)"
        )


WITH_ANY_MODEL = (
    "fit the settings to a few cells (utile fit), grow cells from their nuclei (utile segment --seeds), or train on a "
    "few painted ones (utile fine-tune)"
)
"""What a user is told where no model fits."""
WHAT_TO_DO = f"try another model (utile models suggest), {WITH_ANY_MODEL}"
"""What a user is told where a model does not fit."""


@dataclass(frozen=True)
class Suggestion:
    """A model at the cell size that suits it best in an image.

    Attributes
    ----------
    card : ModelCard
    size : CellSize
    fit : Fit
    little : str
        What it sees, in words, where that is so little beside what other models see that it may be sure of it by
        chance, see `beside`; else empty.
    """

    card: ModelCard
    size: CellSize
    fit: Fit
    little: str = ""

    @property
    def not_rated(self) -> str:
        """Why the model never looked at the image; empty where it did."""
        if self.size.trials:
            return ""
        sizeless = self.card.object_diameter is None
        return (
            "it does not say how large its cells are" if sizeless else "the image has no room for its cells"
        )

    @property
    def by_chance(self) -> bool:
        """Whether it may be sure of what it sees by chance."""
        return bool(self.little)

    @property
    def looks_right(self) -> bool:
        """Whether the image looks right to it, and not by chance."""
        return bool(self.fit.looks_right) and not self.by_chance

    @property
    def rank(self) -> tuple[bool, int, int, float]:
        """What models are sorted by: see `Fit.rank`; those that may be sure by chance come last.

        Of models to which an image looks right, one that reads more of its channels comes first: it has seen the
        colours that the others took for grey.
        """
        level, value = self.fit.rank
        return not self.by_chance, level, self.card.needed_inputs if self.fit.looks_right else 0, value

    @property
    def cells(self) -> float:
        """How many cells were rated, where all models look at as many windows."""
        return self.fit.cells / (self.size.best.looks if self.size.best else 1)

    @property
    def covered(self) -> float:
        """The area of those cells (square pixels)."""
        best = self.size.best
        return self.cells * math.pi / 4 * (best.diameter or 0.0) ** 2 if best else 0.0

    def __str__(self) -> str:
        """Say how well it fits as a user is told."""
        if self.not_rated:
            return f"not rated, as {self.not_rated}"
        return f"{self.fit}{f', but of {self.little}' if self.fit.looks_right and self.little else ''}"


def best_first(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Sort models by how well they fit an image, those last that may be sure by chance."""
    return sorted(beside(suggestions), key=lambda each: each.rank, reverse=True)


def beside(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Judge models beside one another: some see so little that they may be sure of it by chance.

    They see few cells where another finds many, or specks within what another, that knows the image nearly as well,
    sees as cells.
    """
    return [replace(each, little=_little(each, suggestions)) for each in suggestions]


def _little(one: Suggestion, every: Sequence[Suggestion]) -> str:
    fit = one.fit
    if one.cells < LEAST_SHARE * max(each.cells for each in every):
        return "far fewer cells than another model finds"
    least, lack = max(LEAST_CELLS, one.cells / 2), fit.lack + _NEARLY
    specks = any(
        each.fit.lack <= lack and each.cells >= least and each.covered >= _SPECKS * one.covered
        for each in every
    )
    return "much smaller things than another model finds" if specks else ""


def fit_of(made: "Segmentation", size: CellSize | None = None) -> Fit:
    """Rate a finished segmentation; large ones by blocks of it.

    Parameters
    ----------
    made : Segmentation
    size : CellSize, optional
        What was measured of the image before.

    Returns
    -------
    Fit
    """
    card = made.model.card
    score, cells = made.rated()
    if score is not None and size is not None:
        score -= size.unsteadiness
    return Fit(card.name, score, card.confidence, cells, whole=True)


def overall(fits: Sequence[Fit]) -> Fit:
    """Return how well a model fits a stack: the mean over its planes, each as often as it has cells."""
    rated = [each for each in fits if each.confidence is not None]
    cells = sum(each.cells for each in rated)
    if not rated:
        return fits[0]
    mean = sum(each.cells * (each.confidence or 0.0) for each in rated) / cells
    return Fit(rated[0].model, mean, rated[0].threshold, cells, whole=True)


def fit_at(size: CellSize, card: ModelCard) -> Fit:
    """Rate a model by what a measurement of the cell size saw of the image."""
    best = size.best
    return Fit(card.name, size.confidence, card.confidence, best.cells if best else 0)
