"""Small pictures of cells that are known exactly."""

import numpy as np

CELLS = ((20, 22), (20, 60), (50, 25), (52, 70), (52, 84))
"""Centres of bright discs on (80, 110) pixels; the last two touch."""


def discs(shape, *centres, radius=8.0, rim=4.0):
    """Draw a (Y, X) probability: 1 inside discs, falling to 0 over a rim."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.min([np.hypot(y - cy, x - cx) for cy, cx in centres], axis=0)
    return np.clip(0.5 + (radius - away) / rim, 0, 1).astype(np.float32)


def label_discs(shape, *cells):
    """Draw (Y, X) labels, 1 for the first disc of (row, column, radius); a later disc covers an earlier one."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (row, column, radius) in enumerate(cells, start=1):
        labels[np.hypot(y - row, x - column) <= radius] = number
    return labels


def bright_discs(shape=(80, 110), centres=CELLS, radius=8.5):
    """Draw a (Y, X) uint8 image of bright discs."""
    return (200 * discs(shape, *centres, radius=radius, rim=2.0)).astype(np.uint8)
