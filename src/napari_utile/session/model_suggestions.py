"""Which model fits an image: every model is measured on it, off the GUI thread, and they are ranked."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import card_of, list_models
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.session.cell_size import Stack, measured_steps

if TYPE_CHECKING:
    from napari_utile.engine.fitting.confidence import Fit, Suggestion
    from napari_utile.session.state import Session

__all__ = ["RatedModel", "Ratings", "suggest_job"]

# Below what looks right, above what does not.
_NOT_RATED = (2, -1.0)


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
    """

    name: str
    title: str
    suggestion: "Suggestion | None" = None
    problem: str = ""

    @property
    def fit(self) -> "Fit | None":
        """How well it fits; None where that could not be measured."""
        return self.suggestion.fit if self.suggestion and self.suggestion.size.trials else None

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
            return "Not rated, as it does not rescale images."
        if fit.confidence is None:
            return "No cells found."
        if fit.threshold is None:
            return f"Confidence {fit.confidence:.2f}; what to expect is not known."
        word = "Looks right" if fit.looks_right else "Does not look right"
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
        return any(each.fit is not None and each.fit.looks_right for each in self.models)


def suggest_job(session: "Session", params: SegmentParams, stack: Stack) -> Generator[Ratings, None, Ratings]:
    """Rate every model on the planes on which cells are measured; sizes that are known are not measured again.

    Parameters
    ----------
    session : Session
    params : SegmentParams
        Channels, device and precision are used.
    stack : Stack
    """
    listed = _models(session.model)
    rated: list[RatedModel] = []
    for name, title, problem in listed:
        so_far = Ratings(_best_first(rated), len(listed), title)
        yield so_far
        try:
            if problem:
                raise UtileError(problem)
            rating = Run(_suggestion_steps(session, replace(params, model=name), stack))
            for _ in rating:
                yield so_far
            rated.append(RatedModel(name, title, rating.result))
        except UtileError as error:
            rated.append(RatedModel(name, title, problem=str(error)))
    return Ratings(_best_first(rated), len(listed))


def _suggestion_steps(
    session: "Session", params: SegmentParams, stack: Stack
) -> "Generator[None, None, Suggestion]":
    from napari_utile.engine.fitting.confidence import Suggestion, fit_at

    card = card_of(params.model)
    channels = params.channels and params.channels[: len(card.inputs)]
    wished = replace(params, channels=channels, diameter="auto")
    size = yield from measured_steps(session, stack, wished)
    return Suggestion(card, size, fit_at(size, card))


def _models(chosen: str) -> list[tuple[str, str, str]]:
    """Return name, title and problem of every model; the user's go before bundled ones of the same name."""
    every = {each.name: each for each in list_models()}
    every = {
        name: each for name, each in every.items() if name == chosen or not (each.card and each.card.teaching)
    }
    listed = [
        (name, (each.card.title if each.card else "") or name, each.problem or "")
        for name, each in every.items()
    ]
    if chosen not in every:  # a file
        listed.insert(0, (chosen, Path(chosen).name, ""))
    return sorted(listed, key=lambda each: each[0] != chosen)


def _best_first(rated: list[RatedModel]) -> tuple[RatedModel, ...]:
    def rank(each: RatedModel) -> tuple[bool, tuple[int, float]]:
        return not each.problem, each.fit.rank if each.fit else _NOT_RATED

    return tuple(sorted(rated, key=rank, reverse=True))
