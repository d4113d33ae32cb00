"""A simulated two-channel film: nuclei and cell bodies that drift and turn, with truth that keeps its ids."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from simulation.cell_shapes import CellShape, draw_labels, smooth_noise
from simulation.simulate import (
    PRESETS,
    SimulationParams,
    dome,
    draw_cells,
    edge_distance,
    expose,
    record,
)

_BODY = 1.75
"""How many times wider than its nucleus a cell is."""
_DAUGHTER = 0.75
"""How wide a daughter is, of its mother's width: a little more than half of the area."""


@dataclass(frozen=True, eq=False)
class SimulatedFilm:
    """A simulated film and its truth.

    Attributes
    ----------
    images : (T, 2, Y, X) uint16 array
        Channel 0 shows the nuclei, channel 1 the cell bodies.
    nuclei, bodies : (T, Y, X) int32 arrays
        0 = background; a cell has the same id in both and in every frame.
    parents : dict of int to int
        A cell that came out of a division -> the cell that divided.
    """

    images: NDArray[np.uint16]
    nuclei: NDArray[np.int32]
    bodies: NDArray[np.int32]
    parents: dict[int, int]


@dataclass(frozen=True, eq=False)
class _Life:
    """A cell as it was born, in which frames it lives, and what it does from one frame to the next."""

    cell: CellShape
    born: int
    ends: int
    step: NDArray[np.float64]
    turn: float

    def at(self, frame: int) -> CellShape | None:
        """Return the cell in a frame; None where it does not live."""
        age = frame - self.born
        if not self.born <= frame < self.ends:
            return None
        return self.cell.moved(age * self.step[0], age * self.step[1], age * self.turn)


def simulate_film(
    params: SimulationParams | None = None, frames: int = 6, speed: float = 2.0, dividing: float = 0.0
) -> SimulatedFilm:
    """Draw a film of moving cells.

    Parameters
    ----------
    params : SimulationParams, optional
        Of the nuclei, whose kind is ``"nuclei"``.
    frames : int
        Number of frames, at least 1.
    speed : float
        Typical step (pixels a frame).
    dividing : float
        Share of the cells that divide, each once.

    Returns
    -------
    SimulatedFilm

    Raises
    ------
    ValueError
        When there are no frames.
    """
    if frames < 1:
        raise ValueError(f"A film has at least one frame, got {frames}.")
    params = params or PRESETS["nuclei"]
    rng = np.random.default_rng(params.seed)
    # Placed by their bodies, so that nuclei keep apart.
    wide = replace(params, diameter=params.diameter * _BODY)
    cells = [cell.scaled(1 / _BODY) for cell in draw_cells(wide, rng)]
    steps = rng.normal(0, speed / np.sqrt(2), (len(cells), 2))
    turns = rng.normal(0, 0.05, len(cells))
    lives = [_Life(cell, 0, frames, step, turn) for cell, step, turn in zip(cells, steps, turns, strict=True)]
    parents = _divide(lives, frames, dividing, np.random.default_rng([params.seed, 3]))
    shape = (params.height, params.width)
    images = np.empty((frames, 2, *shape), np.uint16)
    nuclei, bodies = np.empty((2, frames, *shape), np.int32)
    for frame in range(frames):
        nuclei[frame], bodies[frame] = _draw([life.at(frame) for life in lives], shape)
        # The same light in every frame; only the camera's noise differs.
        light = expose(nuclei[frame], params, np.random.default_rng([params.seed, 1]))
        images[frame, 0] = record(light, params, rng)
        body_light = _body_light(nuclei[frame], bodies[frame], params)
        images[frame, 1] = record(body_light, params, rng)
    return SimulatedFilm(images, nuclei, bodies, parents)


def _divide(lives: list[_Life], frames: int, share: float, rng: np.random.Generator) -> dict[int, int]:
    """Let some cells end in a division, and add their daughters, which move apart along the mother's long axis."""
    parents = {}
    for number in range(len(lives)):
        if frames < 3 or rng.random() >= share:
            continue
        life = lives[number]
        frame = int(rng.integers(1, frames - 1))
        mother = life.at(frame)
        assert mother is not None
        lives[number] = replace(life, ends=frame)
        long, short = mother.semi_axes
        angle = mother.angle + (0 if long >= short else np.pi / 2)
        along = np.array([np.sin(angle), np.cos(angle)]) * np.sqrt(long * short)
        for side in (-1, 1):
            daughter = mother.scaled(_DAUGHTER).moved(*(side * 0.8 * along))
            step = life.step + side * 0.15 * along
            lives.append(_Life(daughter, frame, frames, step, life.turn))
            parents[len(lives)] = number + 1
    return parents


def _draw(
    cells: list[CellShape | None], shape: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Draw the cells that live, each with its place in the list, from 1, as its id."""
    alive = [(number, cell) for number, cell in enumerate(cells, start=1) if cell is not None]
    ids = np.array([0, *(number for number, _ in alive)], np.int32)
    bodies, _ = draw_labels([cell.scaled(_BODY) for _, cell in alive], shape)
    nuclei, _ = draw_labels([cell for _, cell in alive], shape)
    nuclei[nuclei != bodies] = 0  # a nucleus stays inside its own cell
    return ids[nuclei], ids[bodies]


def _body_light(
    nuclei: NDArray[np.int32], bodies: NDArray[np.int32], params: SimulationParams
) -> NDArray[np.float32]:
    rng = np.random.default_rng([params.seed, 2])
    mottle = 1 + params.texture * smooth_noise(rng, bodies.shape, params.diameter / 10)
    stain = np.exp(0.2 * rng.standard_normal(int(bodies.max(initial=0)) + 1))
    stain[0] = 0
    thickness = dome(edge_distance(bodies), 0.5 * params.diameter)
    scene = stain[bodies] * (0.25 + 0.75 * thickness) * mottle * np.where(nuclei > 0, 0.45, 0.8) + 0.1
    return np.asarray(ndimage.gaussian_filter(scene, params.blur or 1e-3), np.float32)
