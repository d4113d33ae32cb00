"""Which model fits an image, and what each makes of a part of it, off the GUI thread; sizes are measured once."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.fitting.ranking import RatedModel, Ratings, models_to_rate, ranked
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.cell_size import limits_of, measured_steps
from napari_utile.session.measured import Stack
from napari_utile.session.state import Session

PICTURED = 256
"""Rows and columns of what is in view that every model segments in a moment."""
_COLOURS = np.array(
    [(255, 96, 64), (64, 200, 96), (80, 144, 255), (255, 208, 48), (224, 96, 255), (48, 216, 216)]
)
_TINT = 0.5

Picture = np.ndarray[Any, np.dtype[np.uint8]]


def channels_for(card: ModelCard, chosen: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Give a model the channels that were chosen for another one; those of the image as they come where it needs more.

    Examples
    --------
    >>> from napari_utile.engine.models.catalogue import card_of
    >>> nuclei = card_of("nuclei")
    >>> channels_for(nuclei, (2, 0)), channels_for(nuclei, None)
    ((2,), None)
    """
    needed = sum(not each.optional for each in card.inputs)
    return None if chosen is None or len(chosen) < needed else chosen[: len(card.inputs)]


def suggest_job(session: Session, params: SegmentParams, stack: Stack) -> Generator[Ratings, None, Ratings]:
    """Rate every model on the planes on which cells are measured.

    Parameters
    ----------
    params : SegmentParams
        Channels, device and precision are used.
    """

    def measure(name: str, card: ModelCard) -> Generator[None, None, CellSize]:
        wished = replace(params, model=name, channels=channels_for(card, params.channels), diameter="auto")
        return (yield from measured_steps(session, stack, wished, own_size=True))

    return (yield from ranked(models_to_rate(session.model), measure))


def pictures_job(
    session: Session,
    params: SegmentParams,
    stack: Stack,
    plane: ImagePlane,
    window: Window,
    models: Sequence[RatedModel],
) -> Generator[tuple[str, Picture] | None, None, None]:
    """Segment a window by each model at its best cell size.

    Yields
    ------
    (str, (y, x, 3) uint8 array) or None
        A model's name and its picture; None is a point to stop at.
    """
    for rated in models:
        yield None
        if rated.suggestion is None or rated.problem:
            continue
        channels = channels_for(rated.suggestion.card, params.channels)
        wished = replace(
            params,
            model=rated.name,
            channels=channels,
            diameter=rated.suggestion.size.diameter,
            instances=None,
        )
        try:
            model = session.load_model(rated.name)
            limits = limits_of(session, wished, stack)
            run = Run(segment_steps(plane, wished, model=model, region=window, limits=limits))
            made = yield from run.yielding(None)
        except UtileError:  # the list says it
            continue
        grey = made.limits.apply(np.asarray(made.plane.data[:, *window]))[0]
        yield rated.name, _tinted(grey, made.labels)


def _tinted(grey: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Picture:
    """Paint cells over grey values 0 to 1."""
    base = np.repeat(255 * np.clip(np.nan_to_num(grey), 0, 1)[..., None], 3, axis=-1)
    colours = _COLOURS[labels % len(_COLOURS)]
    picture = np.where((labels > 0)[..., None], (1 - _TINT) * base + _TINT * colours, base)
    return picture.astype(np.uint8)
