"""Which model segments an image: the one that is asked for, or a specialist that is surer of what it sees.

A specialist has learnt from other kinds of images that they are not its own, so it is sure of its own kind only.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.confidence import Suggestion, beside, best_first, fit_at
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.inference.cell_size import CellSize
    from napari_utile.engine.models.card import ModelCard

T = TypeVar("T")

LEAST_SHARE = 0.5
"""A specialist must find so many of the cells that the model asked for finds: it may be sure of a few by chance."""


def measured_and_chosen(
    params: SegmentParams, measure: "Callable[[SegmentParams], Generator[T, None, CellSize]]"
) -> "Generator[T, None, CellSize]":
    """Measure the cells by the model asked for and by its specialists, and choose the one that is surest.

    A specialist is taken where it is surer and the image looks right to it, unless it finds few of the cells that
    another finds (see `beside`). Where the image looks wrong to the model asked for and no specialist is surer, the
    better guess is one that needs the channels that were named beyond those that the model asked for needs, such as
    nuclei in tissue, or else the one that lacks least.

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
    seen = [_seen(asked, replace(size, model=params.model))]
    for name in asked.left_to:
        try:
            card = card_of(name)
            seen.append(_seen(card, replace((yield from measure(replace(params, model=name))), model=name)))
        except UtileError:  # deleted, or it needs channels that the image lacks
            continue
    own, *others = beside(seen)
    sure = [
        each
        for each in others
        if each.card.confidence is not None
        and each.size.sureness >= each.card.confidence
        and each.size.sureness > own.size.sureness
        and each.cells >= LEAST_SHARE * own.cells
        and not each.by_chance
    ]
    if sure:
        return max(sure, key=lambda each: each.size.sureness).size
    if asked.confidence is None or (own.size.confidence or 0.0) >= asked.confidence:
        return own.size
    needing = [
        each for each in seen if each.size.best and asked.needed_inputs < each.card.needed_inputs == named
    ]
    return (needing or best_first(seen))[0].size


def _seen(card: "ModelCard", size: "CellSize") -> Suggestion:
    return Suggestion(card, size, fit_at(size, card))
