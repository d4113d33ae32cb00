"""Which model segments an image: the one that is asked for, or a specialist that is surer of what it sees.

A specialist has learnt from other kinds of images that they are not its own, so it is sure of its own kind only.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.inference.cell_size import CellSize

T = TypeVar("T")

LEAST_SHARE = 0.5
"""A specialist must find so many of the cells that the model asked for finds: it may be sure of a few by chance."""


def measured_and_chosen(
    params: SegmentParams, measure: "Callable[[SegmentParams], Generator[T, None, CellSize]]"
) -> "Generator[T, None, CellSize]":
    """Measure the cells by the model asked for and by its specialists, and choose the one that is surest.

    A specialist is taken only where the image looks right to it and it finds about as many cells. Where it looks right
    to none, one that needs the channels that were named beyond those that the model asked for needs, such as nuclei in
    tissue, is the better guess.

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
    asked, named = card_of(params.model), len(params.channels or ())
    size = yield from measure(params)
    chosen, highest = replace(size, model=params.model), size.sureness
    asked_for = _cells(size)
    looks_wrong = asked.confidence is not None and (size.confidence or 0.0) < asked.confidence
    guess: CellSize | None = None
    for name in asked.specialists:
        try:
            card = card_of(name)
            size = yield from measure(replace(params, model=name))
        except UtileError:  # deleted, or it needs channels that the image lacks
            continue
        sure = card.confidence is not None and size.sureness >= card.confidence and size.sureness > highest
        if sure and _cells(size) >= LEAST_SHARE * asked_for:
            chosen, highest = replace(size, model=name), size.sureness
        elif looks_wrong and size.best and asked.needed_inputs < card.needed_inputs == named:
            guess = replace(size, model=name)
    return guess if guess is not None and chosen.model == params.model else chosen


def _cells(size: "CellSize") -> int:
    return size.best.cells if size.best else 0
