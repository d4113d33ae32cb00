"""Simulated rod-shaped bacteria in phase contrast: dark bodies with bright halos, in crowded microcolonies."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_SIZE = 360
_COUNTS = (3, 8, 16, 30, 50)
_TRIES = 400


def simulate_rods(seed: int, size: int = _SIZE) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw one microcolony.

    Parameters
    ----------
    seed : int
    size : int
        Rows and columns.

    Returns
    -------
    image : (size, size) float32 array
        The background is about 1.
    labels : (size, size) int32 array
    """
    rng = np.random.default_rng((seed, 5))
    labels = _colony(rng, size)
    inside = labels > 0
    depth = np.zeros(labels.shape, np.float32)
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is not None:
            own = np.pad(labels[window] == label, 1)
            deep = ndimage.distance_transform_edt(own)[1:-1, 1:-1]
            cell = own[1:-1, 1:-1]
            depth[window][cell] = (np.sqrt(deep / deep.max()) * rng.uniform(0.8, 1.1))[cell]
    body = inside.astype(np.float32)
    halo = np.clip(ndimage.gaussian_filter(body, rng.uniform(2, 4)) - 0.2, 0, None) * ~inside
    around = ndimage.gaussian_filter(body, rng.uniform(5, 10)) * ~inside
    image = 1 + rng.uniform(0.2, 0.9) * halo - rng.uniform(0.3, 0.6) * depth
    image += rng.uniform(0, 0.3) * around - rng.uniform(0, 0.15) * inside
    image = ndimage.gaussian_filter(image, rng.uniform(0.7, 1.6))
    image += ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 1.2) * rng.uniform(0, 0.05)
    image += rng.normal(0, rng.uniform(0.005, 0.04), image.shape)
    return image.astype(np.float32), labels


def _colony(rng: np.random.Generator, size: int) -> NDArray[np.int32]:
    """Place rods end to end or side by side, each beside one that is there."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    width, count = rng.uniform(7, 12), int(rng.choice(_COUNTS))
    placed: list[tuple[NDArray[np.float64], float, float]] = []
    for _ in range(_TRIES):
        if len(placed) == count:
            break
        length, angle = width * rng.uniform(1.2, 4.5), rng.uniform(0, np.pi)
        if not placed:
            centre = size / 2 + rng.normal(0, size / 18, 2)
        elif rng.random() < 0.04:
            centre = rng.uniform(0.2 * size, 0.8 * size, 2)
        else:
            there, its_angle, its_length = placed[rng.integers(len(placed))]
            angle = its_angle + rng.normal(0, 0.12)
            along = np.array([np.sin(its_angle), np.cos(its_angle)])
            across = np.array([along[1], -along[0]])
            side = rng.choice([-1, 1])
            if rng.random() < 0.4:
                gap = (its_length + length) / 2 + width * rng.uniform(0.98, 1.2)
                centre = there + side * gap * along + across * rng.normal(0, 1)
            else:
                shift = along * rng.uniform(-0.5, 0.5) * its_length
                centre = there + side * width * rng.uniform(0.98, 1.15) * across + shift
        if not ((centre > 8) & (centre < size - 8)).all():
            continue
        direction = np.sin(angle), np.cos(angle)
        dy, dx = y - centre[0], x - centre[1]
        along_axis = np.clip(dy * direction[0] + dx * direction[1], -length / 2, length / 2)
        distance = np.hypot(dy - along_axis * direction[0], dx - along_axis * direction[1])
        rod = distance < width / 2 * rng.uniform(0.92, 1.02)
        if (labels[rod] > 0).mean() > 0.06:
            continue
        placed.append((np.asarray(centre), angle, length))
        labels[rod & (labels == 0)] = len(placed)
    return labels
