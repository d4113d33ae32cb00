"""Simulated rod-shaped bacteria: microcolonies that grew, divided and pushed one another.

Rods are spherocylinders of one width a colony. In phase contrast the image is their phase seen sharp, less the same
phase seen blurred, which gives the halo around a colony and the pale cells within it; some images are of fluorescence.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_SIZE = 360
_COUNTS = (4, 8, 17, 30, 50)
_POINTS = np.linspace(-0.5, 0.5, 9)
"""Places along a rod where others push it, as shares of its length."""
_FLUORESCENT = 0.2
"""Share of the images."""
_OUTLINED = 0.93
"""People outline a rod where it is half as dark as in its middle: that far from its axis, as a share of its radius."""


def simulate_rods(seed: int, size: int = _SIZE) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw microcolonies.

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
    rng = np.random.default_rng((seed, 6))
    width = rng.uniform(10, 18)
    labels, depth = _drawn(*_grown(rng, size, width), size, width * rng.uniform(0.98, 1.14))
    strength = rng.uniform(0.8, 1.1, labels.max() + 1).astype(np.float32)
    phase = depth * ndimage.maximum_filter(strength[labels] * (labels > 0), 3)
    sharp = ndimage.gaussian_filter(phase, width * rng.uniform(0.05, 0.13))
    if rng.random() < _FLUORESCENT:
        image = 1 + rng.uniform(1, 6) * sharp
    else:
        near = ndimage.gaussian_filter(phase, width * rng.uniform(0.35, 0.8))
        far = ndimage.gaussian_filter(phase, width * rng.uniform(1, 3))
        image = 1 - rng.uniform(0.3, 0.7) * (sharp - rng.uniform(0.3, 1.6) * near - rng.uniform(0, 0.7) * far)
        image += _rings(rng, size) * rng.uniform(0, 0.15)
    image *= (
        1 + rng.uniform(0, 0.2) * ndimage.gaussian_filter(rng.normal(0, 1, image.shape), size / 6) * size / 2
    )
    image += ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 1.2) * rng.uniform(0, 0.05)
    image += rng.normal(0, rng.uniform(0.002, 0.03), image.shape)
    return image.astype(np.float32), labels


def _grown(
    rng: np.random.Generator, size: int, width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Let rods grow, divide and push: their middles, angles, and lengths between the centres of their caps."""
    count, founders = int(rng.choice(_COUNTS)), int(rng.choice([1, 1, 2, 3]))
    middle = size / 2 + rng.normal(0, size / 8 if founders > 1 else size / 20, (founders, 2))
    angle = rng.uniform(0, np.pi, founders)
    longest = width * rng.uniform(2.5, 5)
    length = longest * rng.uniform(0.5, 1, founders)
    for _ in range(2000):
        if len(length) >= count:
            break
        length = length + longest * rng.uniform(0.02, 0.06, len(length))
        ripe = length > longest * rng.normal(1, 0.08, len(length))
        if ripe.any():
            axis = np.stack([np.sin(angle[ripe]), np.cos(angle[ripe])], 1)
            half = np.maximum((length[ripe] - width) / 2, 0.3 * width)
            shift = axis * ((half + width) / 2)[:, None]
            middle = np.concatenate([middle[~ripe], middle[ripe] - shift, middle[ripe] + shift])
            angle = np.concatenate([angle[~ripe], *(angle[ripe] + rng.normal(0, 0.08, (2, ripe.sum())))])
            length = np.concatenate([length[~ripe], half, half])
        for _ in range(6):
            middle, angle = _pushed(middle, angle, length, width)
    for _ in range(40):
        middle, angle = _pushed(middle, angle, length, width)
    return middle, angle, length


def _pushed(
    middle: NDArray[np.float64], angle: NDArray[np.float64], length: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move and turn rods a little away from where they overlap."""
    axis = np.stack([np.sin(angle), np.cos(angle)], 1)
    along = length[:, None] * _POINTS
    places = middle[:, None] + along[..., None] * axis[:, None]
    apart = places[:, :, None] - middle  # from the middle of each other rod
    beside = np.clip((apart * axis).sum(-1), -length / 2, length / 2)
    apart = apart - beside[..., None] * axis
    distance = np.maximum(np.sqrt((apart**2).sum(-1)), 1e-6)
    overlap = np.clip(width - distance, 0, None)
    overlap[np.arange(len(length)), :, np.arange(len(length))] = 0
    push = (apart / distance[..., None] * overlap[..., None]).sum(2)  # (rods, places, 2)
    touched = np.maximum((overlap > 0).any(2).sum(1), 1)
    move = push.sum(1) / touched[:, None]
    turn = (along * (push[..., 0] * axis[:, None, 1] - push[..., 1] * axis[:, None, 0])).sum(1)
    turn /= touched * ((length / 2) ** 2 + width**2)
    return middle + 0.4 * move, angle + 0.4 * np.clip(turn, -0.2, 0.2)


def _drawn(
    middle: NDArray[np.float64],
    angle: NDArray[np.float64],
    length: NDArray[np.float64],
    size: int,
    width: float,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Draw rods: their outlines as people draw them, and how thick the nearest one is at each pixel, 0 to 1."""
    place = np.stack(np.mgrid[:size, :size].astype(np.float32), -1)
    nearest = np.full((size, size), np.inf, np.float32)
    labels = np.zeros((size, size), np.int32)
    for label, (centre, turned, long) in enumerate(zip(middle, angle, length, strict=True), start=1):
        axis = np.array([np.sin(turned), np.cos(turned)], np.float32)
        apart = place - centre.astype(np.float32)
        beside = np.clip(apart @ axis, -long / 2, long / 2)
        distance = np.hypot(*np.moveaxis(apart - beside[..., None] * axis, -1, 0))
        own = (distance < width / 2) & (distance < nearest)
        labels[own] = label
        nearest[own] = distance[own]
    depth = np.sqrt(np.clip(1 - (nearest / (width / 2)) ** 2, 0, 1))
    labels[nearest > _OUTLINED * width / 2] = 0
    return labels, depth.astype(np.float32)


def _rings(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Draw dust that is out of focus."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    dust = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(0, 6)):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(2, 12)
        distance = np.hypot(y - centre[0], x - centre[1])
        dust += (
            rng.choice([-1, 1]) * np.cos(np.clip(distance / radius, 0, 2) * np.pi) * (distance < 2 * radius)
        )
    return dust
