"""Zeiss .czi: tiles by their place, joined to planes; each is decoded where it is indexed."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.files.lazy_planes import PlaneSeries


def czi_images(file: Any) -> list[PlaneSeries]:
    """Describe the images of a file: one for each scene, view or other axis that images do not have."""
    entries = [_Tile.of(entry) for entry in file.filtered_subblock_directory]
    dtype = np.dtype(file.dtype)
    spacing = _czi_spacing(file.metadata(raw=True) or "")
    names = sorted({axis for tile in entries for axis in tile.index if axis not in "TZC"})
    found = []
    for key in sorted({tuple(tile.index.get(axis, 0) for axis in names) for tile in entries}):
        tiles = [tile for tile in entries if tuple(tile.index.get(axis, 0) for axis in names) == key]
        found.append(_czi_series(file, key, names, tiles, dtype, spacing))
    return found


@dataclass(frozen=True, eq=False)
class _Tile:
    """A block of pixels of a .czi: where it lies, and its entry in the directory."""

    index: dict[str, int]
    top: int
    left: int
    height: int
    width: int
    samples: int
    entry: Any

    @staticmethod
    def of(entry: Any) -> "_Tile":
        start = dict(zip(entry.axes, entry.start, strict=True))
        shape = dict(zip(entry.axes, entry.shape, strict=True))
        # The letter S stands for scenes here, the digit 0 for colour samples.
        index = {("scene" if axis == "S" else axis): at for axis, at in start.items() if axis not in "YX0"}
        return _Tile(index, start["Y"], start["X"], shape["Y"], shape["X"], shape.get("0", 1), entry)

    def pixels(self) -> NDArray[Any]:
        return _czi_pixels(self.entry).reshape(self.height, self.width, self.samples)


def _czi_series(
    file: Any,
    key: tuple[int, ...],
    names: list[str],
    tiles: list[_Tile],
    dtype: np.dtype[Any],
    spacing: dict[str, float | None],
) -> PlaneSeries:
    top, left = min(tile.top for tile in tiles), min(tile.left for tile in tiles)
    height = max(tile.top + tile.height for tile in tiles) - top
    width = max(tile.left + tile.width for tile in tiles) - left
    samples = max(tile.samples for tile in tiles)
    first = {axis: min(tile.index.get(axis, 0) for tile in tiles) for axis in "TZC"}
    sizes = {axis: max(tile.index.get(axis, 0) for tile in tiles) - first[axis] + 1 for axis in "TZC"}
    sizes = {axis: size for axis, size in sizes.items() if any(axis in tile.index for tile in tiles)}
    by_plane: dict[tuple[int, ...], list[_Tile]] = {}
    for tile in tiles:
        by_plane.setdefault(tuple(tile.index.get(axis, 0) - first[axis] for axis in sizes), []).append(tile)
    total = math.prod(sizes.values())

    def read(index: dict[str, int]) -> NDArray[Any]:
        plane = np.zeros((height, width, samples), dtype)
        for tile in by_plane.get(tuple(index.get(axis, 0) for axis in sizes), ()):
            y, x = tile.top - top, tile.left - left
            plane[y : y + tile.height, x : x + tile.width] = tile.pixels()
        return plane if samples > 1 else plane[..., 0]

    most = max(map(len, by_plane.values()))
    where = " ".join(f"{axis} {number}" for axis, number in zip(names, key, strict=True))
    return PlaneSeries(
        where or "image",
        {**sizes, "Y": height, "X": width, **({"S": samples} if samples > 1 else {})},
        dtype,
        read,
        file.close,
        spacing,
        (f"{most} tiles joined where the microscope placed them",) if most > 1 else (),
        (total - len(by_plane), total),
    )


def _czi_pixels(entry: Any) -> NDArray[Any]:
    """Decode a block; Zstandard, which the reader lacks, here."""
    block = entry.data_segment()
    if entry.compression not in (5, 6):
        return np.asarray(block.data())
    import imagecodecs

    raw = block.data(raw=True)
    start = raw[0] if entry.compression == 6 else 0
    data = np.frombuffer(imagecodecs.zstd_decode(raw[start:]), np.uint8)
    if entry.compression == 6 and start >= 3 and raw[2] & 1:  # low bytes first, then the high ones
        data = np.ascontiguousarray(data.reshape(2, -1).T).ravel()
    pixels: NDArray[Any] = data.view(np.dtype(entry.dtype[-2:])).reshape(entry.stored_shape)
    return pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]] if pixels.shape[-1] in (3, 4) else pixels


def _czi_spacing(metadata: str) -> dict[str, float | None]:
    """Read the distances between pixels, which are stored in metres."""
    import xml.etree.ElementTree as ElementTree

    try:
        root = ElementTree.fromstring(metadata)
    except ElementTree.ParseError:
        return {}
    found: dict[str, float | None] = {}
    for distance in root.iterfind(".//Scaling/Items/Distance"):
        value = distance.findtext("Value")
        if value:
            found[str(distance.get("Id"))] = float(value) * 1e6
    return found
