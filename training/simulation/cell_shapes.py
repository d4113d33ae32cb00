"""Shapes of simulated cells: smooth star-convex outlines, placed apart or in contact, labelled exactly."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.windows import Window

_MODES = np.arange(2, 6)
"""Fourier modes of an outline: 2 bends it, 5 is the finest bump."""
_TRIALS = 60


@dataclass(frozen=True, eq=False)
class CellShape:
    """One star-convex cell.

    Attributes
    ----------
    y, x : float
        Centre (pixels).
    semi_axes : (float, float)
        Of the ellipse (pixels).
    angle : float
        Direction of the first semi-axis (radians).
    cosines, sines : (M,) arrays
        Relative amplitudes of the outline's Fourier modes 2, 3 ...
    """

    y: float
    x: float
    semi_axes: tuple[float, float]
    angle: float
    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]

    @property
    def reach(self) -> float:
        """A radius (pixels) that the outline never leaves."""
        bumps = float(np.abs(self.cosines).sum() + np.abs(self.sines).sum())
        return max(self.semi_axes) * (1 + bumps)

    def radius(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the distance (pixels) from the centre to the outline in a direction (radians)."""
        theta = np.asarray(direction) - self.angle
        a, b = self.semi_axes
        ellipse = a * b / np.hypot(b * np.cos(theta), a * np.sin(theta))
        phase = theta[..., None] * _MODES
        bumps = np.cos(phase) @ self.cosines + np.sin(phase) @ self.sines
        radius: NDArray[np.float64] = ellipse * np.maximum(1 + bumps, 0.3)
        return radius

    def moved(self, dy: float, dx: float, turn: float = 0.0) -> "CellShape":
        """Give the same cell elsewhere (pixels, radians)."""
        return replace(self, y=self.y + dy, x=self.x + dx, angle=self.angle + turn)

    def scaled(self, factor: float) -> "CellShape":
        """Give a larger or smaller cell of the same outline."""
        a, b = self.semi_axes
        return replace(self, semi_axes=(a * factor, b * factor))


def random_cell(
    rng: np.random.Generator, diameter: float, spread: float, elongation: float, roughness: float
) -> CellShape:
    """Draw a cell at the origin.

    Parameters
    ----------
    rng : Generator
    diameter : float
        Typical diameter (pixels).
    spread : float
        Relative standard deviation of the diameter.
    elongation : float
        Largest ratio of the long to the short axis, at least 1.
    roughness : float
        Relative height of the bumps of the outline; 0 gives an ellipse.
    """
    radius = 0.5 * diameter * float(np.clip(rng.normal(1, spread), 0.4, 1.9))
    ratio = np.sqrt(rng.uniform(1, elongation))
    scale = roughness / (_MODES - 1.0)
    return CellShape(
        0.0,
        0.0,
        (radius * ratio, radius / ratio),
        float(rng.uniform(0, 2 * np.pi)),
        rng.normal(0, 1, _MODES.size) * scale,
        rng.normal(0, 1, _MODES.size) * scale,
    )


def place_cells(
    rng: np.random.Generator,
    cells: list[CellShape],
    shape: tuple[int, int],
    touching: float,
    gap: float = 2.0,
) -> list[CellShape]:
    """Place cells at random, some of them in contact with one that is there already.

    Parameters
    ----------
    rng : Generator
    cells : list of CellShape
        Their own centres are ignored.
    shape : (int, int)
        Rows and columns of the field.
    touching : float
        Share of the cells that are put against another one.
    gap : float
        Least distance (pixels) between cells that do not touch.

    Returns
    -------
    list of CellShape
        Those for which there was room; their centres lie inside the field.
    """
    placed: list[CellShape] = []
    discs = np.empty((len(cells), 3))  # y, x, reach of what is placed
    for cell in cells:
        for _ in range(_TRIALS):
            host = placed[rng.integers(len(placed))] if placed and rng.random() < touching else None
            if host is None:
                candidate = cell.moved(rng.uniform(0, shape[0]), rng.uniform(0, shape[1]))
            else:
                candidate = _against(rng, cell, host)
            inside = 0 <= candidate.y < shape[0] and 0 <= candidate.x < shape[1]
            if not inside:
                continue
            occupied = discs[: len(placed)]
            distances = np.hypot(candidate.y - occupied[:, 0], candidate.x - occupied[:, 1])
            near = np.flatnonzero(distances < candidate.reach + occupied[:, 2] + gap)
            if _has_room(candidate, [placed[index] for index in near], gap, host):
                discs[len(placed)] = candidate.y, candidate.x, candidate.reach
                placed.append(candidate)
                break
    return placed


def _against(rng: np.random.Generator, cell: CellShape, host: CellShape) -> CellShape:
    """Put a cell against its host: their outlines overlap a little, which `draw_labels` turns into a shared border."""
    direction = rng.uniform(0, 2 * np.pi)
    distance = _centre_distance(cell, host, direction) * rng.uniform(0.86, 0.97)
    return cell.moved(host.y + distance * np.sin(direction), host.x + distance * np.cos(direction))


def _centre_distance(cell: CellShape, host: CellShape, direction: float) -> float:
    there = host.radius(np.array(direction))
    return float(there + cell.radius(np.array(direction + np.pi)))


def _has_room(cell: CellShape, neighbours: list[CellShape], gap: float, host: CellShape | None) -> bool:
    for other in neighbours:
        if other is host:
            continue
        dy, dx = cell.y - other.y, cell.x - other.x
        distance = np.hypot(dy, dx)
        # Against anything but its host a touching cell may press as well, a free one keeps its distance.
        needed = _centre_distance(cell, other, float(np.arctan2(dy, dx)))
        if distance < (needed * 0.84 if host is not None else needed + gap):
            return False
    return True


def draw_labels(
    cells: list[CellShape], shape: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Draw cells; where outlines overlap, each pixel goes to the cell whose outline is relatively farther away.

    Parameters
    ----------
    cells : list of CellShape
    shape : (int, int)
        Rows and columns.

    Returns
    -------
    labels : (Y, X) int32 array
        0 = background; i + 1 = ``cells[i]``. Each label is one piece; a cell outside the field or quite covered by
        others has no pixel.
    level : (Y, X) float32 array
        Distance from the centre of the pixel's cell, relative to its outline: 0 at the centre, 1 at the outline, inf
        in the background.
    """
    labels = np.zeros(shape, np.int32)
    level = np.full(shape, np.inf, np.float32)
    for index, cell in enumerate(cells):
        window = _window(cell, shape)
        if window is None:
            continue
        y, x = np.ogrid[window]
        dy, dx = y - cell.y, x - cell.x
        relative = (np.hypot(dy, dx) / cell.radius(np.arctan2(dy, dx))).astype(np.float32)
        nearer = (relative <= 1) & (relative < level[window])
        level[window][nearer] = relative[nearer]
        labels[window][nearer] = index + 1
    _keep_largest_pieces(labels, level)
    return labels, level


def _window(cell: CellShape, shape: tuple[int, int]) -> Window | None:
    reach, centre = cell.reach + 1, (cell.y, cell.x)
    around = Window.span((int(c - reach) for c in centre), (int(c + reach) + 2 for c in centre))
    inside = around.clipped(shape)
    return inside if inside.size else None


def _keep_largest_pieces(labels: NDArray[np.int32], level: NDArray[np.float32]) -> None:
    """Turn what a neighbour cut off into background, in place, so that every label is one 4-connected piece."""
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        pieces, count = ndimage.label(labels[window] == label)
        if count > 1:
            largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
            lost = (pieces > 0) & (pieces != largest)
            labels[window][lost] = 0
            level[window][lost] = np.inf


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    """Give Gaussian noise (Y, X) of unit standard deviation, smooth over `sigma` pixels."""
    # Made on a coarser grid where it is smooth anyway: as good, and many times faster.
    step = max(1, int(sigma / 2))
    coarse = tuple(-(-size // step) + 8 for size in shape)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), sigma / step)
    if step > 1:
        noise = ndimage.zoom(noise, step, order=1)
    noise = noise[4 : 4 + shape[0], 4 : 4 + shape[1]]
    spread = float(noise.std())
    smooth: NDArray[np.float32] = (noise / spread if spread > 0 else noise).astype(np.float32)
    return smooth
