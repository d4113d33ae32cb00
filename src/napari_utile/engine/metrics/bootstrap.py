"""Paired bootstrap: whether a difference between two segmentations means something."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Difference:
    """Mean difference between paired scores with its confidence interval.

    Attributes
    ----------
    mean
        Of second minus first.
    low, high
        Ends of the interval; NaN with fewer than two pairs.
    pairs
        How many images or cells were compared.
    confidence
        Of the interval.
    """

    mean: float
    low: float
    high: float
    pairs: int
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    first: ArrayLike, second: ArrayLike, samples: int = 5000, confidence: float = 0.95, seed: int = 0
) -> Difference:
    """Estimate how certain the mean difference of paired scores is by resampling the pairs [1]_.

    Parameters
    ----------
    first, second
        (N,) scores of the same images, or of the same cells, by two methods. Pairs with a NaN are left out.
    samples
        How often the N pairs are drawn with replacement.
    confidence
        Share of the resampled means that the interval holds (percentile interval).
    seed
        Of the random draws; the same seed gives the same interval.

    Returns
    -------
    Difference
        Of second minus first.

    Raises
    ------
    ValueError
        If the lengths differ, or `samples` or `confidence` make no sense.

    References
    ----------
    .. [1] Efron, Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall (1993), chapter 13.
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(
            f"paired scores must be two lists of the same length, got {one.shape} and {other.shape}"
        )
    if samples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"samples must be at least 1 and confidence in (0, 1), got {samples} and {confidence}"
        )
    differences = (other - one)[~np.isnan(other - one)]
    pairs = differences.size
    mean = float(differences.mean()) if pairs else math.nan
    if pairs < 2:
        return Difference(mean, math.nan, math.nan, pairs, confidence)
    random = np.random.default_rng(seed)
    means = np.empty(samples)
    block = max(1, 2_000_000 // pairs)
    for start in range(0, samples, block):
        size = min(block, samples - start)
        means[start : start + size] = differences[random.integers(0, pairs, (size, pairs))].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(mean, float(low), float(high), pairs, confidence)
