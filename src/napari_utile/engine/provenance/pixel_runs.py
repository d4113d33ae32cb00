"""Masks as JSON can hold them: the lengths of runs of pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def run_lengths_of(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Give the lengths of the runs of pixels outside and inside a mask, in turn; the first run is outside.

    Parameters
    ----------
    mask
        (Y, X) boolean, read row by row.
    """
    flat = np.concatenate([[False], mask.ravel(), [not mask.ravel()[-1]] if mask.size else [True]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return tuple(np.diff(ends, prepend=0).tolist())


def mask_of(runs: Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Make the mask that `run_lengths_of` was given.

    Raises
    ------
    ValueError
        If the runs do not cover the shape.
    """
    if min(runs, default=0) < 0 or sum(runs) != shape[0] * shape[1]:
        raise ValueError(f"runs of {sum(runs)} pixels do not cover {shape[0]} x {shape[1]}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(shape)
