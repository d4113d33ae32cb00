"""How a foreign network wants its grey values, in terms of U-Tile's limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.description import Step
from napari_utile.engine.planes.normalize import FIXED, SPREAD, Normalization
from napari_utile.engine.words import counted


@dataclass(frozen=True)
class GreyValues:
    """A rule for the limits, and what the network reads of values that are 0 and 1 at these: gain x value + offset.

    Attributes
    ----------
    rule : Normalization
    gain, offset : tuple of float
        One a channel.
    ends : tuple of float
        What the network's input is clipped to; empty: nothing.
    said : str
        The rule in words.
    """

    rule: Normalization
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    ends: tuple[float, ...] = ()
    said: str = ""


def by_percentiles(channels: int, low: float = 1.0, high: float = 99.8) -> GreyValues:
    """Make two percentiles 0 and 1."""
    rule = Normalization(low, max(high, 50.0), "percentiles")
    said = f"percentiles {low:g} and {high:g} become 0 and 1"
    return GreyValues(rule, (1.0,) * channels, (0.0,) * channels, said=said)


def by_spread(channels: int) -> GreyValues:
    """Make the mean 0 and a standard deviation 1."""
    gain, offset = (2 * SPREAD,) * channels, (-SPREAD,) * channels
    return GreyValues(
        Normalization(rule="spread"), gain, offset, said="the mean becomes 0, the standard deviation 1"
    )


def as_they_are(gain: Sequence[float], offset: Sequence[float]) -> GreyValues:
    """Each grey value is multiplied by a gain and an offset is added."""
    factor, added = (", ".join(dict.fromkeys(f"{each:g}" for each in values)) for values in (gain, offset))
    said = f"grey values x {factor} + {added}"
    return GreyValues(
        Normalization(rule="fixed"), tuple(FIXED * each for each in gain), tuple(offset), said=said
    )


def grey_values_of(steps: Sequence[Step], channels: int) -> GreyValues:
    """Read a package's preprocessing.

    Raises
    ------
    UtileError
        If a step is unknown, or something is scaled after it was clipped.
    """
    found = as_they_are((1.0,) * channels, (0.0,) * channels)
    is_scaled = False
    for step in steps:
        if step.name in ("ensure_dtype",):
            continue
        if step.name == "clip":
            low, high = step.kwargs.get("min"), step.kwargs.get("max")
            ends = (-1e30 if low is None else float(low), 1e30 if high is None else float(high))
            found = GreyValues(found.rule, found.gain, found.offset, ends, found.said)
        elif found.ends:
            raise UtileError(f"The network's grey values are scaled ({step.name}) after they were clipped.")
        elif step.name in ("scale_range", "zero_mean_unit_variance") and not is_scaled:
            found, is_scaled = _measured(step, channels), True
        elif step.name in ("scale_linear", "fixed_zero_mean_unit_variance") or "mean" in step.kwargs:
            found, is_scaled = _multiplied(found, *_linear(step, channels)), True
        else:
            raise UtileError(
                f"The network's grey values are prepared by {step.name!r}, which U-Tile does not know here."
            )
    return found


def _measured(step: Step, channels: int) -> GreyValues:
    if step.kwargs.get("mode") == "fixed" and "mean" in step.kwargs:  # format 0.4
        return _multiplied(as_they_are((1.0,) * channels, (0.0,) * channels), *_linear(step, channels))
    if step.kwargs.get("mode") == "per_dataset":
        raise UtileError("The network's grey values are scaled by all images of a data set at once.")
    if step.name == "zero_mean_unit_variance":
        return by_spread(channels)
    low, high = (
        float(step.kwargs.get(f"{end}_percentile", usual)) for end, usual in (("min", 0), ("max", 100))
    )
    if low > 50 or high < 50:
        raise UtileError(f"The network's grey values are scaled by the percentiles {low:g} and {high:g}.")
    return by_percentiles(channels, low, high)


def _linear(step: Step, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return gain and offset of each channel."""
    kwargs = step.kwargs
    if "mean" in kwargs:
        means, deviations = (_each(kwargs[name], channels) for name in ("mean", "std"))
        gain = tuple(1 / each for each in deviations)
        return gain, tuple(-mean * factor for mean, factor in zip(means, gain, strict=True))
    return _each(kwargs.get("gain", 1.0), channels), _each(kwargs.get("offset", 0.0), channels)


def _each(value: float | Sequence[float], channels: int) -> tuple[float, ...]:
    values = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    if len(values) not in (1, channels):
        raise UtileError(
            f"The network's grey values are scaled for {counted(len(values), 'channel')}; it has {channels}."
        )
    return values * channels if len(values) == 1 else values


def _multiplied(found: GreyValues, gain: tuple[float, ...], offset: tuple[float, ...]) -> GreyValues:
    """Return another gain and offset after those that are there."""
    gains = tuple(a * b for a, b in zip(found.gain, gain, strict=True))
    offsets = tuple(a * b + c for a, b, c in zip(found.offset, gain, offset, strict=True))
    if found.rule.rule == "fixed":
        return as_they_are(tuple(each / FIXED for each in gains), offsets)
    return GreyValues(found.rule, gains, offsets, found.ends, f"{found.said}, then scaled")
