"""Overlap-tile: the plan of the tiles as a value, and the mirror at the image border.

Tiles are windows of the plane's own coordinates whose corners lie on the network's pooling grid, counted from the
plane's corner whatever the region. So a pixel's value depends on the image alone, not on the plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from napari_utile.engine.windows import Window

if TYPE_CHECKING:
    from napari_utile.engine.networks.network import Network

LARGE_TILE = 64 << 20
"""Bytes of features of which a process fetches fresh memory; smaller blocks are used again and again."""

FETCHED_ONCE_IN = 4_000_000
"""Pixels over which the fetching of memory is shared out: beyond, tiles and so memory do not grow with the image."""


@dataclass(frozen=True)
class Tile:
    """One run of the network.

    Attributes
    ----------
    outer : Window
        What the network reads, in plane coordinates; parts beyond the plane are mirrored.
    local : Window
        What is kept of the network's output, in output coordinates.
    inner : Window
        Where that lies in the plane.
    """

    outer: Window
    local: Window
    inner: Window

    @property
    def key(self) -> tuple[int, ...]:
        """The tile as four numbers: what a cache needs."""
        return self.inner.start + self.outer.shape


@dataclass(frozen=True)
class TilePlan:
    """Which tiles to run, and what it will cost.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the plane.
    region : Window
        The part of the plane that is wanted.
    tiles : tuple of Tile
        They cover the region, without overlap.
    output : tuple of int
        Rows and columns the network gives for each tile.
    gflop : float
        Arithmetic of all tiles (10^9 floating point operations).
    bytes : int
        Memory for the features of one tile.
    """

    shape: tuple[int, int]
    region: Window
    tiles: tuple[Tile, ...]
    output: tuple[int, int]
    gflop: float
    bytes: int

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)


@dataclass(frozen=True)
class TileBudget:
    """What one tile may cost.

    Attributes
    ----------
    memory_bytes : int
        For the features of one tile.
    number_bytes : int
        Bytes of one feature.
    most_gflop : float
        The arithmetic of one tile at most, as long as the smallest tile allows.
    fetch_gflop_per_mb : float
        The arithmetic that the device does in the time in which it fetches a fresh megabyte of memory; 0 leaves the
        least arithmetic.
    """

    memory_bytes: int
    number_bytes: int = 4
    most_gflop: float = float("inf")
    fetch_gflop_per_mb: float = 0.0


def plan_tiles(
    shape: tuple[int, int],
    network: "Network",
    budget: TileBudget,
    *,
    region: Sequence[slice] | None = None,
    tile: int | None = None,
) -> TilePlan:
    """Plan the tiles that are done first, among those that fit the memory.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the plane.
    network : Network
        Gives geometry and cost.
    budget : TileBudget
    region : Window or (slice, slice), optional
        The part of the plane that is wanted; all of it by default.
    tile : int, optional
        Output pixels a side. Tiles of a given size lie on one lattice of the plane, so that plans for different
        regions share them; the size is rounded to a legal one.

    Returns
    -------
    TilePlan

    Raises
    ------
    ValueError
        If the plane is empty, the region is empty or not inside the plane.
    """
    region = Window.part_of(shape, region)
    _check_region(shape, region)
    if tile is not None:
        output = (_lattice_output(network, tile),) * 2
        return _laid_out(shape, network, region, output, budget.number_bytes, on_lattice=True)
    on_grid = tuple(start % network.geometry.grid for start in region.start)
    output = _quickest(ref(network), on_grid, region.shape, budget)
    return _laid_out(shape, network, region, output, budget.number_bytes, on_lattice=False)


def halve(plan: TilePlan, network: "Network", tile: Tile) -> TilePlan:
    """Plan one tile again with tiles of half its size: what to do when memory runs out.

    Raises
    ------
    MemoryError
        If the tile cannot be halved.
    """
    geometry = network.geometry
    halves = tuple(geometry.output_at_least(-(-(n - 2 * geometry.halo) // 2)) for n in tile.outer.shape)
    if halves == plan.output:
        raise MemoryError(
            "There is not enough memory for even the smallest tile of this model; close other programs."
        )
    return _laid_out(plan.shape, network, tile.inner, (halves[0], halves[1]), 4, on_lattice=False)


def _check_region(shape: tuple[int, int], region: Window) -> None:
    if min(shape) < 1:
        raise ValueError(f"The image is empty: it has {shape[0]} x {shape[1]} pixels.")
    for size, part in zip(shape, region, strict=True):
        if not 0 <= part.start < part.stop <= size:
            raise ValueError(f"The region {part.start}:{part.stop} does not lie inside {size} pixels.")


class _Choice(NamedTuple):
    gflop: float
    tiles: int
    output: tuple[int, int]


@lru_cache(256)  # blocks and clicks ask for the same again and again
def _quickest(
    known: "ref[Network]", start: tuple[int, ...], shape: tuple[int, ...], budget: TileBudget
) -> tuple[int, int]:
    """Return the output size that is done first, among those that fit: arithmetic and fresh memory both take time.

    Parameters
    ----------
    known : reference to a Network
    start : tuple of int
        Of the region, from the network's grid on.
    shape : tuple of int
    budget : TileBudget
    """
    network = known()
    assert network is not None
    rows, columns = (_sizes(network, first + size) for first, size in zip(start, shape, strict=True))
    numbers = budget.memory_bytes // budget.number_bytes
    share = min(1.0, FETCHED_ONCE_IN / (shape[0] * shape[1]))
    best, least = (0, 0), float("inf")
    while True:
        choice = _least_arithmetic(network, rows, columns, numbers, budget.most_gflop)
        features = network.largest_features(choice.output)
        fresh = max(0, features * budget.number_bytes - LARGE_TILE)
        cost = share * choice.gflop + budget.fetch_gflop_per_mb * fresh / 1e6
        if cost < least:
            best, least = choice.output, cost
        if budget.fetch_gflop_per_mb * fresh == 0 or share * choice.gflop >= least or features > numbers:
            return best
        numbers = min(numbers * 2 // 3, features - 1)


def _least_arithmetic(
    network: "Network",
    rows: Sequence[tuple[int, int]],
    columns: Sequence[tuple[int, int]],
    numbers: int,
    most_gflop: float,
) -> _Choice:
    """Return the output size with the least arithmetic in all, among those that fit; else the smallest.

    More tiles on one axis leave room for fewer on the other, so one walk along the front of what just fits meets
    all sizes worth trying.
    """
    best: _Choice | None = None
    first = len(columns) - 1

    def choice(row: tuple[int, int], column: tuple[int, int]) -> _Choice:
        output, count = (row[1], column[1]), row[0] * column[0]
        return _Choice(count * network.flops(output) / 1e9, count, output)

    for row in rows:
        while first > 0 and _fits(network, (row[1], columns[first - 1][1]), numbers, most_gflop):
            first -= 1
        for column in columns[first : first + 12]:
            if _fits(network, (row[1], column[1]), numbers, most_gflop):
                found = choice(row, column)
                best = found if best is None else min(best, found)
    return best or choice(rows[-1], columns[-1])


def _sizes(network: "Network", length: int) -> list[tuple[int, int]]:
    """Return (number of tiles, output size) for every size worth trying along an axis, the largest first."""
    geometry = network.geometry
    found: dict[int, int] = {}
    count = 1
    while True:
        # (count - 1) whole steps and one last full output cover the length
        steps, rest = divmod(geometry.smallest, geometry.grid)
        missing = length - rest - count * steps * geometry.grid
        size = geometry.smallest + max(0, -(-missing // (count * geometry.grid))) * geometry.grid
        if size // geometry.grid == 0:  # too small to step by
            size += geometry.grid
        found.setdefault(size, count)
        if size <= 2 * geometry.grid or count >= 4096:
            return [(count, size) for size, count in found.items()]
        count += 1


def _fits(network: "Network", output: tuple[int, int], numbers: int, most_gflop: float) -> bool:
    return network.largest_features(output) <= numbers and network.flops(output) <= most_gflop * 1e9


def _lattice_output(network: "Network", tile: int) -> int:
    geometry = network.geometry
    output = geometry.output_at_least(tile)
    return output if output >= geometry.grid else output + geometry.grid


def _laid_out(
    shape: tuple[int, int],
    network: "Network",
    region: Window,
    output: tuple[int, int],
    number_bytes: int,
    *,
    on_lattice: bool,
) -> TilePlan:
    axes = [
        list(_along(size, part, extent, network.geometry.grid, network.geometry.halo, on_lattice))
        for size, part, extent in zip(shape, region, output, strict=True)
    ]
    tiles = tuple(Tile(*map(Window, y, x)) for y in axes[0] for x in axes[1])
    gflop = len(tiles) * network.flops(output) / 1e9
    return TilePlan(shape, region, tiles, output, gflop, network.largest_features(output) * number_bytes)


def _along(
    size: int, part: slice, output: int, grid: int, halo: int, on_lattice: bool
) -> Iterator[tuple[slice, slice, slice]]:
    """Yield outer, local and inner slices along one axis."""
    step = max(output // grid * grid, 1)
    start = part.start // step * step if on_lattice else part.start // grid * grid
    stop = size if on_lattice else part.stop  # lattice tiles are kept whole, so that a cache can hold them
    while start < part.stop:
        last = not on_lattice and start + output >= part.stop
        end = min(start + (output if last else step), stop)
        first = start if on_lattice else max(start, part.start)
        yield (
            slice(start - halo, start + output + halo),
            slice(first - start, end - start),
            slice(first, end),
        )
        start = end if last else start + step
