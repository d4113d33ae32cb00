"""Which model fits an image: every model is measured on it, and they are ranked. Known without torch."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import card_of, list_models
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.words import capitalised

if TYPE_CHECKING:
    from napari_utile.engine.inference.cell_size import CellSize
    from napari_utile.engine.inference.confidence import Fit, Suggestion
    from napari_utile.engine.models.card import ModelCard
    from napari_utile.engine.models.library import Model

NOT_KNOWN = "electron micrographs, dense tissue sections or thin, spread cells in phase contrast"
"""What no bundled model knows well; the README and the known issues say the same."""
# Below what looks right, above what does not.
_NOT_RATED = (True, 2, -1, 0.0)


@dataclass(frozen=True)
class RatedModel:
    """A model, and how well it fits an image.

    Attributes
    ----------
    name : str
        What `Session.model` takes: a name, or the path of a file.
    title : str
        For people.
    suggestion : Suggestion or None
        Its fit and the cell size that was measured; None where it could not be rated.
    problem : str
        Why it cannot be used with this image, in a sentence; empty where it can.
    card : ModelCard or None
        Of a model that is loaded; read from its file by default.
    """

    name: str
    title: str
    suggestion: "Suggestion | None" = None
    problem: str = ""
    card: "ModelCard | None" = None

    @property
    def fit(self) -> "Fit | None":
        """How well it fits; None where that could not be measured."""
        return self.suggestion.fit if self.suggestion and not self.suggestion.not_rated else None

    @property
    def diameter(self) -> float | None:
        """How large its cells are in the image; None where it finds none. Pixels."""
        if self.suggestion is None or self.suggestion.size.best is None:
            return None
        return self.suggestion.size.diameter or self.suggestion.size.best.diameter

    def in_words(self) -> str:
        """Say how well it fits."""
        if self.problem:
            return f"Cannot be used: {self.problem}"
        fit = self.fit
        if fit is None:
            return capitalised(f"{self.suggestion or 'not rated'}.")
        if fit.confidence is None:
            return "No cells found."
        if fit.threshold is None:
            return f"Confidence {fit.confidence:.2f}; what to expect is not known."
        word = "Looks right" if fit.looks_right else "Does not look right"
        if fit.looks_right and self.suggestion and self.suggestion.little:
            word = f"Sure of {self.suggestion.little}"
        return f"{word}: {fit.confidence:.2f}, expected {fit.threshold:.2f}."


@dataclass(frozen=True)
class Ratings:
    """What is known so far.

    Attributes
    ----------
    models : tuple of RatedModel
        Those that were rated, the best first, those that cannot be used last.
    total : int
        How many there will be.
    next_title : str
        The model that is being rated; empty at the end.
    """

    models: tuple[RatedModel, ...]
    total: int
    next_title: str = ""

    @property
    def any_looks_right(self) -> bool:
        """Whether a model looks right for the image."""
        return any(each.suggestion is not None and each.suggestion.looks_right for each in self.models)


def ranked(
    models: Sequence[RatedModel], measure: "Callable[[str, ModelCard], Generator[Any, None, CellSize]]"
) -> Generator[Ratings, None, Ratings]:
    """Rate models by how sure they are of the cells of an image, each at its best cell size; the best come first.

    Parameters
    ----------
    models : sequence of RatedModel
        Not rated yet; those with a problem stay as they are.
    measure : callable
        Measures the cells of the image by the model of a name and a card, see `measure_size`.

    Yields
    ------
    Ratings
        What is known so far; a point to stop at.
    """
    rated: list[RatedModel] = []
    for each in models:
        so_far = Ratings(_best_first(rated), len(models), each.title)
        yield so_far
        if not each.problem:
            try:
                each = yield from _rated(each, measure, so_far)
            except UtileError as error:
                each = replace(each, problem=str(error))
        rated.append(each)
    return Ratings(_best_first(rated), len(models))


def _rated(
    model: RatedModel,
    measure: "Callable[[str, ModelCard], Generator[Any, None, CellSize]]",
    so_far: Ratings,
) -> Generator[Ratings, None, RatedModel]:
    from napari_utile.engine.inference.confidence import Suggestion, fit_at

    card = model.card or card_of(model.name)
    size = yield from Run(measure(model.name, card)).yielding(so_far)
    return replace(model, suggestion=Suggestion(card, size, fit_at(size, card)))


def suggest(
    planes: "ImagePlane | Sequence[ImagePlane]",
    models: "Sequence[Model]",
    params: "SegmentParams | None" = None,
) -> "Run[Ratings, list[Suggestion]]":
    """Rank models by how well they fit an image, each at its best cell size.

    Parameters
    ----------
    planes : ImagePlane or sequence of ImagePlane
    models : sequence of Model
        Those that need more channels than the image has are left out.
    params : SegmentParams, optional
        Channels, device and precision are used.

    Returns
    -------
    Run
        Yields `Ratings`; its result is each `Suggestion`, the best first.
    """
    return Run(
        _suggest([planes] if isinstance(planes, ImagePlane) else planes, models, params or SegmentParams())
    )


def _suggest(
    planes: Sequence[ImagePlane], models: "Sequence[Model]", params: SegmentParams
) -> "Generator[Ratings, None, list[Suggestion]]":
    from napari_utile.engine.inference.limits import limits_of_stack
    from napari_utile.engine.inference.size import measure_size

    loaded = {each.card.name: each for each in models}

    def measure(name: str, _: "ModelCard") -> "Generator[Any, None, CellSize]":
        model = loaded[name]
        limits = limits_of_stack(planes, params, model.card)
        return (yield from measure_size(planes, model, params, limits=limits, own_size=True))

    unrated = [RatedModel(name, each.card.title, card=each.card) for name, each in loaded.items()]
    ratings = yield from ranked(unrated, measure)
    return [each.suggestion for each in ratings.models if each.suggestion is not None]


def models_to_rate(chosen: str = "") -> list[RatedModel]:
    """List every model that may be suggested; a user's go before bundled ones of the same name, `chosen` first.

    Parameters
    ----------
    chosen : str
        Name or file of a model that is rated in any case.
    """
    every = {each.name: each for each in list_models()}
    listed = [
        RatedModel(name, (each.card.title if each.card else "") or name, problem=each.problem or "")
        for name, each in every.items()
        if name == chosen or not (each.card and each.card.teaching)
    ]
    if chosen and chosen not in every:  # a file
        listed.insert(0, RatedModel(chosen, Path(chosen).name))
    return sorted(listed, key=lambda each: each.name != chosen)


def _best_first(rated: list[RatedModel]) -> tuple[RatedModel, ...]:
    """Sort models; one that may be sure of what it sees by chance comes later."""
    from napari_utile.engine.inference.confidence import beside

    known = {each.name: each.suggestion for each in rated if each.suggestion and each.fit}
    judged = dict(zip(known, beside([*known.values()]), strict=True))
    marked = [replace(each, suggestion=judged.get(each.name, each.suggestion)) for each in rated]

    def rank(each: RatedModel) -> tuple[bool, tuple[bool, int, int, float]]:
        return not each.problem, each.suggestion.rank if each.suggestion and each.fit else _NOT_RATED

    return tuple(sorted(marked, key=rank, reverse=True))
