"""Which model segments an image: the one that is asked for, or a specialist that is surer of what it sees."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.inference.size import CellSize
    from napari_utile.engine.models.card import ModelCard

T = TypeVar("T")

CLEARLY = 0.05
"""A specialist is taken where its margin (see `margin`) lies above that of the model asked for by this much."""


def margin(score: float, threshold: float | None) -> float:
    """Return how far a score lies above what a model's card asks for: 1 is certain, below 0 does not look right.

    Parameters
    ----------
    score : float
        0..1, see `score_of`.
    threshold : float or None
        The card's `confidence`.

    Examples
    --------
    >>> margin(0.75, 0.5)
    0.5
    """
    least = threshold or 0.0
    return (score - least) / (1 - least)


def measured_and_chosen(
    params: SegmentParams, measure: "Callable[[SegmentParams], Generator[T, None, CellSize]]"
) -> "Generator[T, None, CellSize]":
    """Measure the cells by the model asked for and by its specialists, and choose the one that is to be used.

    Parameters
    ----------
    params : SegmentParams
        The model asked for.
    measure : callable
        Measures by the model that the parameters name, see `measure_size`.

    Returns
    -------
    CellSize
        Of the chosen model, which it names.

    Raises
    ------
    UtileError
        If the model asked for cannot be used.
    """
    card = card_of(params.model)
    size = yield from measure(params)
    chosen, highest = replace(size, model=params.model), _margin_of(card, size) + CLEARLY
    for name in card.specialists:
        try:
            known = card_of(name)
            size = yield from measure(replace(params, model=name))
        except UtileError:  # deleted, or it needs channels that the image lacks
            continue
        if known.confidence is not None and _margin_of(known, size) > highest:
            chosen, highest = replace(size, model=name), _margin_of(known, size)
    return chosen


def _margin_of(card: "ModelCard", size: "CellSize") -> float:
    return margin(size.best.score if size.best else 0.0, card.confidence)
