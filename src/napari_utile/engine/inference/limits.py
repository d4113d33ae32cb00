"""The grey values that a network sees as 0 and 1: measured on a plane, or once for all planes of a stack."""

from collections.abc import Sequence
from dataclasses import replace

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits, Normalization
from napari_utile.engine.planes.numbers import refuse_without_numbers
from napari_utile.engine.planes.preprocessing import preprocessed
from napari_utile.engine.planes.stack import stack_limits
from napari_utile.engine.segment_params import SegmentParams


def seen_plane(plane: ImagePlane, params: SegmentParams, card: ModelCard) -> ImagePlane:
    """Return the channels that the network reads, preprocessed; grey limits and scale come after.

    Raises
    ------
    UtileError
        If the channels do not fit.
    """
    return preprocessed(card.shown(plane, params.channels), params.preprocess)


def limits_of(seen: Sequence[ImagePlane], params: SegmentParams, card: ModelCard) -> IntensityLimits:
    """Measure the limits that planes share.

    Parameters
    ----------
    seen : sequence of ImagePlane
        From `seen_plane`; one, or several of a stack.
    params : SegmentParams
        Percentiles, and whether channels share their limits.
    card : ModelCard

    Raises
    ------
    UtileError
        If no pixel holds a number. Of a stack whose planes have their own limits, one may be missing.
    """
    normalization = card.normalization
    if params.percentiles is not None:
        normalization = Normalization(*params.percentiles, rule="percentiles")
    limits = stack_limits(seen, normalization)
    if params.limits == "stack" and max(limits.high) <= min(limits.low):
        refuse_without_numbers(seen)
    return limits if params.channel_limits == "each" else _shared(limits)


def limits_of_stack(
    planes: Sequence[ImagePlane], params: SegmentParams, card: ModelCard
) -> IntensityLimits | None:
    """Measure the limits of a stack; None where every plane has its own.

    Parameters
    ----------
    planes : sequence of ImagePlane
        Of the stack, some of its planes; with all channels.
    params, card
        As for `limits_of`.

    Raises
    ------
    UtileError
        If no pixel of any of the planes holds a number.
    """
    if params.limits == "stack" and len(planes) < 2:
        return None
    seen = [seen_plane(plane, params, card) for plane in planes]
    if params.limits == "stack":
        return limits_of(seen, params, card)
    refuse_without_numbers(seen)  # where a plane has its own, it may be missing, but not all of them
    return None


def _shared(limits: IntensityLimits) -> IntensityLimits:
    """Give all channels one pair of limits; those that are even everywhere, such as missing ones, do not count."""
    pairs = [(low, high) for low, high in zip(limits.low, limits.high, strict=True) if high > low]
    if not pairs:
        return limits
    count = len(limits.low)
    return replace(
        limits,
        low=(min(low for low, _ in pairs),) * count,
        high=(max(high for _, high in pairs),) * count,
    )
