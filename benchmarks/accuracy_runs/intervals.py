"""How certain a share or a mean is, and the difference of two, by resampling images (95 % percentile bootstrap).

Images, not cells, are drawn: the cells of one image are not independent.
"""

from dataclasses import dataclass

import numpy as np

SAMPLES = 5000


@dataclass(frozen=True, eq=False)
class PerImage:
    """What a score is made of, image by image: its value is the sum of `parts` over the sum of `wholes`.

    Attributes
    ----------
    parts : (N,) array
        For a mean over images their scores (0 where undefined), for a share of cells how many of an image's cells.
    wholes : (N,) array
        1 (0 where undefined), or the image's number of cells.
    """

    parts: np.ndarray
    wholes: np.ndarray

    @classmethod
    def mean(cls, scores: np.ndarray) -> "PerImage":
        """Of scores (N,), or (seeds, N): an image counts with its mean over the seeds."""
        scores = np.atleast_2d(np.asarray(scores, float)).mean(axis=0)
        return cls(np.nan_to_num(scores), (~np.isnan(scores)).astype(float))

    @classmethod
    def share(cls, parts: np.ndarray, wholes: np.ndarray) -> "PerImage":
        """Of counts (N,), or (seeds, N): all seeds are counted together."""
        return cls(
            np.atleast_2d(np.asarray(parts, float)).sum(axis=0),
            np.atleast_2d(np.asarray(wholes, float)).sum(axis=0),
        )

    @property
    def value(self) -> float:
        """The mean, or the share."""
        return _ratio(self.parts.sum(), self.wholes.sum())


@dataclass(frozen=True)
class Interval:
    """A value, or a difference, and the ends of the interval that holds 95 % of the resampled ones."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval of a difference leaves out 0."""
        return self.low > 0 or self.high < 0


def interval(score: PerImage, minus: PerImage | None = None) -> Interval:
    """Estimate a score, or its difference to another one's on the same images (paired), by resampling images."""
    images = score.parts.size
    drawn = np.random.default_rng(0).integers(0, images, (SAMPLES, images))
    values = _resampled(score, drawn)
    value = score.value
    if minus is not None:
        values, value = values - _resampled(minus, drawn), value - minus.value
    if np.isnan(value):
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _resampled(score: PerImage, drawn: np.ndarray) -> np.ndarray:
    return _ratio(score.parts[drawn].sum(axis=1), score.wholes[drawn].sum(axis=1))


def _ratio(parts, wholes):
    with np.errstate(invalid="ignore"):
        return np.divide(parts, wholes)
