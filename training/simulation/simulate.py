"""Simulated microscope images of cells with exact ground truth, for samples, tests and benchmarks.

A stand-in, named as such: what a model scores here says nothing about real images.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.parameters import Bounds, check_bounds
from simulation.cell_shapes import (
    CellShape,
    draw_labels,
    place_cells,
    random_cell,
    smooth_noise,
)

KINDS = ("nuclei", "phase", "dic", "brightfield")


@dataclass(frozen=True)
class SimulationParams:
    """What a simulated field shows and how well the microscope sees it."""

    kind: Annotated[
        str,
        Bounds(choices=KINDS, help="Fluorescent nuclei, or cells in phase contrast, DIC or brightfield."),
    ] = "nuclei"
    height: Annotated[int, Bounds(1, 65_536, unit="px", help="Rows of the image.")] = 512
    width: Annotated[int, Bounds(1, 65_536, unit="px", help="Columns of the image.")] = 512
    cells: Annotated[int, Bounds(0, 1_000_000, help="Cells to place; fewer where there is no room.")] = 80
    diameter: Annotated[float, Bounds(4, 1000, unit="px", help="Typical diameter of a cell.")] = 28.0
    spread: Annotated[float, Bounds(0, 0.5, help="Relative standard deviation of the diameter.")] = 0.15
    elongation: Annotated[float, Bounds(1, 5, help="Largest ratio of long to short axis.")] = 1.7
    roughness: Annotated[float, Bounds(0, 0.2, help="Relative height of the bumps of an outline.")] = 0.03
    touching: Annotated[float, Bounds(0, 1, help="Share of the cells put against another one.")] = 0.15
    texture: Annotated[float, Bounds(0, 1, help="Relative contrast inside a cell.")] = 0.15
    blur: Annotated[float, Bounds(0, 20, unit="px", help="Standard deviation of the optical blur.")] = 1.1
    photons: Annotated[
        float, Bounds(1, 1e6, help="Photons a pixel of a typical cell collects: fewer are noisier.")
    ] = 400.0
    read_noise: Annotated[
        float, Bounds(0, 1000, help="Standard deviation of the camera's noise (electrons).")
    ] = 4.0
    uneven_light: Annotated[float, Bounds(0, 0.9, help="Relative loss of light towards the edges.")] = 0.15
    debris: Annotated[int, Bounds(0, 100_000, help="Specks that are not cells.")] = 8
    seed: Annotated[int, Bounds(0, 2**63 - 1, help="The same seed gives the same image.")] = 0

    def __post_init__(self) -> None:
        check_bounds(self)


PRESETS = {
    "nuclei": SimulationParams(),
    "clustered_nuclei": SimulationParams(cells=130, touching=0.85, spread=0.2, roughness=0.04),
    "phase": SimulationParams(
        kind="phase",
        cells=60,
        diameter=44,
        spread=0.2,
        elongation=2.2,
        roughness=0.08,
        touching=0.7,
        photons=2500,
    ),
    "dic": SimulationParams(kind="dic", cells=40, diameter=48, elongation=1.6, touching=0.4, photons=2500),
    "brightfield_yeast": SimulationParams(
        kind="brightfield", cells=90, diameter=26, elongation=1.25, roughness=0.01, touching=0.6, photons=2500
    ),
}
"""Named fields. All are simulated; `dic` and `brightfield_yeast` stand in for images that could not be had."""


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """A simulated image and its truth.

    Attributes
    ----------
    image : (Y, X) uint16 array
    labels : (Y, X) int32 array
        0 = background, 1..N = cells; touching cells share a border without a gap, each cell is one piece.
    params : SimulationParams
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    params: SimulationParams


def simulate(params: SimulationParams | str = "nuclei", **changes: object) -> SimulatedImage:
    """Draw cells as a microscope would see them.

    Parameters
    ----------
    params : SimulationParams or str
        Parameters, or the name of a preset.
    **changes
        Fields to change, for example ``seed=3``.

    Returns
    -------
    SimulatedImage

    Raises
    ------
    ValueError
        For an unknown preset or a parameter out of bounds.

    Examples
    --------
    >>> field = simulate("nuclei", height=64, width=96, cells=5)
    >>> field.image.shape, int(field.labels.max()) <= 5
    ((64, 96), True)
    """
    if isinstance(params, str):
        if params not in PRESETS:
            raise ValueError(f"There is no preset {params!r}; choose one of {', '.join(PRESETS)}.")
        params = PRESETS[params]
    params = replace(params, **changes)
    rng = np.random.default_rng(params.seed)
    cells = draw_cells(params, rng)
    labels, _ = draw_labels(cells, (params.height, params.width))
    labels = consecutive(labels)
    return SimulatedImage(record(expose(labels, params, rng), params, rng), labels, params)


def draw_cells(params: SimulationParams, rng: np.random.Generator) -> list[CellShape]:
    """Draw and place the cells of a field; some may reach over its edge."""
    shapes = [
        random_cell(rng, params.diameter, params.spread, params.elongation, params.roughness)
        for _ in range(params.cells)
    ]
    return place_cells(
        rng, shapes, (params.height, params.width), params.touching, gap=0.12 * params.diameter
    )


def consecutive(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumber labels 1..N, keeping their order."""
    present = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    present[np.unique(labels)] = 1
    present[0] = 0
    numbers = np.cumsum(present, dtype=np.int32) * present
    renumbered: NDArray[np.int32] = numbers[labels]
    return renumbered


def expose(
    labels: NDArray[np.int32], params: SimulationParams, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give the light (Y, X) that reaches the camera from labelled cells, about 1 in a cell.

    Parameters
    ----------
    labels : (Y, X) int32 array
        0 = background, 1..N = cells.
    params : SimulationParams
        Its `kind` and what concerns light and optics.
    rng : Generator
    """
    depth = edge_distance(labels)
    light_field = illumination(labels.shape, params.uneven_light, rng)
    light = nuclear_light if params.kind == "nuclei" else transmitted_light
    scene = light(labels, depth, params, rng)
    scene = ndimage.gaussian_filter(scene, params.blur) if params.blur > 0 else scene
    return np.asarray(scene * light_field, np.float32)


def edge_distance(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Give the distance (Y, X), in pixels, of every cell pixel to the nearest pixel of anything else.

    Beyond the image border nothing is known, and the cell is taken to go on.
    """
    padded = np.pad(labels, 1, mode="edge")
    inner = padded[1:-1, 1:-1]
    at_edge = inner == 0
    for shifted in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        at_edge = at_edge | (shifted != inner)
    if not at_edge.any():
        return np.full(labels.shape, max(labels.shape), np.float32)
    distance: NDArray[np.float32] = ndimage.distance_transform_edt(~at_edge).astype(np.float32)
    return np.where(labels > 0, distance + 0.5, 0).astype(np.float32)


def nuclear_light(
    labels: NDArray[np.int32], depth: NDArray[np.float32], params: SimulationParams, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give the fluorescence (Y, X) of stained nuclei; a typical one is about 1.

    Chromatin is mottled, nucleoli are dark, a few nuclei are condensed and bright; out-of-focus light surrounds all.
    """
    debris = specks(labels, params, rng, size=0.05)
    thickness = dome(depth, 0.30 * params.diameter / 2)
    chromatin = 0.6 * smooth_noise(rng, labels.shape, params.diameter / 14)
    chromatin += 0.7 * smooth_noise(rng, labels.shape, params.diameter / 6)
    nucleoli = np.clip(smooth_noise(rng, labels.shape, params.diameter / 11) - 1.3, 0, 1)
    texture = np.clip(1 + params.texture * (chromatin - 3 * nucleoli), 0.2, None)
    cytoplasm = 0.01 * np.clip(1 + smooth_noise(rng, labels.shape, params.diameter), 0, None)
    # Drawn last and in the order of the labels: in a film a nucleus keeps its brightness while others come and go.
    character = rng.standard_normal((int(labels.max(initial=0)) + 1, 2))
    brightness = np.exp(0.28 * character[:, 0]) * np.where(character[:, 1] > 1.75, 1.8, 1.0)
    brightness[0] = 0
    scene = debris + brightness[labels] * (0.35 + 0.65 * thickness) * texture
    haze = ndimage.gaussian_filter(scene, params.diameter / 2.2, truncate=3)
    return np.asarray(scene + 0.10 * haze + cytoplasm + 0.12, np.float32)


def transmitted_light(
    labels: NDArray[np.int32], depth: NDArray[np.float32], params: SimulationParams, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give the brightness (Y, X) of unstained cells on a ground of 1.

    All three contrasts come from one map of optical thickness: phase contrast subtracts it and gives back its
    coarse part, which makes dark bodies and bright halos; DIC shows its slope along a diagonal; brightfield out of
    focus shows its curvature, which makes rings.
    """
    debris = specks(labels, params, rng, size=0.06)
    ground = 0.008 * smooth_noise(rng, labels.shape, params.diameter / 3)
    granules = np.clip(smooth_noise(rng, labels.shape, max(1.0, params.diameter / 24)) - 1.2, 0, None)
    organelles = smooth_noise(rng, labels.shape, params.diameter / 7)
    texture = 1 + params.texture * organelles + 2.2 * params.texture * granules
    amount = np.clip(rng.normal(1, 0.15, int(labels.max(initial=0)) + 1), 0.5, 1.5)
    amount[0] = 0
    thickness = 0.8 * debris + amount[labels] * dome(depth, 0.5 * params.diameter / 2) * texture
    if params.kind == "phase":
        halo = ndimage.gaussian_filter(thickness, 0.16 * params.diameter, truncate=3)
        scene = 1 - 0.62 * (thickness - 1.05 * halo)
    elif params.kind == "dic":
        fine = ndimage.gaussian_filter(thickness, 0.03 * params.diameter)
        dy, dx = np.gradient(fine) if min(labels.shape) > 1 else (fine * 0, fine * 0)
        scene = 1 + 0.11 * params.diameter * (dy + dx) / np.sqrt(2)
    else:
        curvature = (
            ndimage.gaussian_laplace(thickness, 0.075 * params.diameter) * (0.075 * params.diameter) ** 2
        )
        scene = 1 + 0.9 * curvature + 0.06 * thickness
    return np.asarray(np.clip(scene + ground, 0.05, None), np.float32)


def dome(depth: NDArray[np.float32], rim: float) -> NDArray[np.float32]:
    """Give the relative thickness of cells: it rises from 0 at the edge to 1 at `rim` pixels inside."""
    away = 1 - np.clip(depth / rim, 0, 1)
    return np.where(depth > 0, np.sqrt(np.clip(1 - away**2, 0, 1)), 0).astype(np.float32)


def specks(
    labels: NDArray[np.int32], params: SimulationParams, rng: np.random.Generator, size: float
) -> NDArray[np.float32]:
    """Give debris (Y, X): small bright specks in the background, `size` times a diameter in standard deviation."""
    points = np.zeros(labels.shape, np.float32)
    rows = rng.integers(0, labels.shape[0], params.debris)
    columns = rng.integers(0, labels.shape[1], params.debris)
    np.add.at(points, (rows, columns), rng.uniform(0.3, 1.2, params.debris).astype(np.float32))
    points[labels > 0] = 0
    sigma = max(0.7, size * params.diameter)
    blurred: NDArray[np.float32] = ndimage.gaussian_filter(points, sigma) * np.float32(2 * np.pi * sigma**2)
    return blurred


def illumination(shape: tuple[int, ...], loss: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Give the relative light (Y, X): brightest at a point near the centre, weaker by `loss` at a corner."""
    centre = rng.uniform(0.35, 0.65, 2)
    y = (np.arange(shape[0])[:, None] + 0.5) / shape[0] - centre[0]
    x = (np.arange(shape[1])[None, :] + 0.5) / shape[1] - centre[1]
    light: NDArray[np.float32] = (1 - loss * np.clip((y**2 + x**2) / 0.5, 0, 1)).astype(np.float32)
    return light


def record(
    scene: NDArray[np.float32], params: SimulationParams, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Give what a 16-bit camera records: shot noise of the photons, noise of the read-out, an offset of 100."""
    electrons = rng.poisson(np.clip(scene, 0, None) * params.photons).astype(np.float32)
    electrons += rng.normal(0, params.read_noise, scene.shape).astype(np.float32)
    # Two grey values an electron, as sCMOS cameras have.
    return np.clip(np.rint(2 * electrons + 100), 0, 65_535).astype(np.uint16)
