"""The arrays of a store and its OME-Zarr metadata, version 0.5 [1]_.

The root image is the foreground probability (uint8), beside it ``labels/cells`` with the same levels. A block writes
its part of every level by itself: a shard of level k is a block at that level, so each has one writer.

References
----------
.. [1] https://ngff.openmicroscopy.org/0.5
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.models.outputs import Output, channels_of
from napari_utile.engine.planes.units import ome_axis
from napari_utile.engine.store.durable import make_durable, reading
from napari_utile.engine.windows import Window

CELLS, MASK = "labels/cells", "labels/mask"
OUTPUTS = "outputs"
UNLINKED = f"{HOME}/unlinked"
"""The labels of each plane by itself, at full resolution, for as long as planes are not linked."""
_CHUNK, _SMALLEST_LEVEL, _SMALLEST_SHARD = 256, 512, 8
_MOST = 65535


@dataclass(frozen=True)
class Space:
    """Where the pixels of a store lie.

    Attributes
    ----------
    shape : tuple of int
        Of the full resolution: stacked axes, then Y and X.
    axes : str
        A letter each.
    scale, translation : tuple of float
        Of a step along each axis, and of the first pixel.
    units : tuple of str or None
    """

    shape: tuple[int, ...]
    axes: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    units: tuple[str | None, ...]


def levels_of(shape: Sequence[int], side: int) -> int:
    """Return how many resolutions a plane (Y, X) has, each half of the one before."""
    count = 1
    while max(shape) >> (count - 1) > _SMALLEST_LEVEL and side >> count >= _SMALLEST_SHARD:
        count += 1
    return count


def create_arrays(
    place: Path, space: Space, side: int, *, with_mask: bool = False, linked: bool = False
) -> None:
    """Make the empty arrays of a store, and say what its root image is; that there are labels is said at the end."""
    root = zarr.create_group(place, zarr_format=3, overwrite=False)
    labels = root.create_group(CELLS)
    mask = root.create_group(MASK) if with_mask else None
    names = [letter.lower() for letter in space.axes]
    for level in range(levels_of(space.shape[-2:], side)):
        plane = [
            -(-size >> level) if size % (1 << level) == 0 else (size >> level) + 1
            for size in space.shape[-2:]
        ]
        outer, shard = space.shape[:-2], side >> level
        chunk = min(_CHUNK, shard)
        options: dict[str, Any] = {
            "shape": (*outer, *plane),
            "chunks": (*(1 for _ in outer), chunk, chunk),
            "shards": (*(1 for _ in outer), shard, shard),
            "dimension_names": names,
            "config": {"write_empty_chunks": True},
        }
        root.create_array(str(level), dtype="uint8", **options)
        labels.create_array(str(level), dtype="int32", **options)
        if mask is not None:
            mask.create_array(str(level), dtype="uint8", **options)
        if linked and level == 0:
            zarr.create_array(place / UNLINKED / "0", dtype="int32", **options)
    root.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale_of(space, side, "probability", "mean")]}


def create_outputs(place: Path, space: Space, side: int, outputs: Sequence[Output], dtype: str) -> None:
    """Make the empty arrays in which a store keeps a network's outputs, each an image with channels."""
    root = zarr.open_group(place, mode="r+").create_group(OUTPUTS)
    outer = space.shape[:-2]
    names = [letter.lower() for letter in space.axes]
    axes = [ome_axis(letter, unit) for letter, unit in zip(space.axes, space.units, strict=True)]
    for output in outputs:
        made = root.create_group(output.name)
        ones, chunk = (1,) * (len(outer) + 1), min(_CHUNK, side)
        made.create_array(
            "0",
            dtype=dtype,
            shape=(*outer, output.channels, *space.shape[-2:]),
            chunks=(*ones, chunk, chunk),
            shards=(*ones, side, side),
            dimension_names=[*names[:-2], "c", *names[-2:]],
            config={"write_empty_chunks": True},
        )
        place_of = [
            {"type": kind, kind: [*values[:-2], first, *values[-2:]]}
            for kind, values, first in (("scale", space.scale, 1.0), ("translation", space.translation, 0.0))
        ]
        multiscale: dict[str, Any] = {
            "name": output.name,
            "axes": [*axes[:-2], {"name": "c", "type": "channel"}, *axes[-2:]],
            "datasets": [{"path": "0", "coordinateTransformations": place_of}],
        }
        made.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}


def write_outputs(
    place: Path, outputs: Sequence[Output], index: Sequence[int], window: Window, values: NDArray[np.float32]
) -> list[Path]:
    """Write a block (C, y, x) of a network's outputs into a store; return the files."""
    written: list[Path] = []
    for output in outputs:
        folder = place / OUTPUTS / output.name / "0"
        with reading(str(folder)):
            array: Any = zarr.open_array(folder, mode="r+").with_config({"write_empty_chunks": True})
            kept = values[channels_of(outputs, output.name)]
            array[(*index, slice(None), *window)] = kept if array.dtype == np.float32 else as_uint16(kept)
        at = [start // side for start, side in zip(window.start, array.shards[-2:], strict=True)]
        written += [
            folder.joinpath("c", *map(str, (*index, channel, *at))) for channel in range(output.channels)
        ]
    return written


def as_uint16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return outputs (0..1) as a store may keep them: 65535 is 1."""
    kept: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(values), 0, 1) * np.float32(_MOST)).astype(
        np.uint16
    )
    return kept


def from_uint16(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return what `as_uint16` gave as values 0..1."""
    return values.astype(np.float32) / np.float32(_MOST)


def write_levels(
    place: Path, group: str, index: Sequence[int], window: Window, block: NDArray[Any]
) -> list[Path]:
    """Write a block into every level of an image of a store.

    Parameters
    ----------
    place : Path
    group : str
        Empty for the root image.
    index : sequence of int
        Of the plane along the stacked axes.
    window : Window
        Where the block lies in the plane; it is one of the store's blocks.
    block : (y, x) array
        Labels become coarser by taking every second pixel, other values by the mean of four.

    Returns
    -------
    list of Path
        The files that were written.
    """
    written, level = [], 0
    while (folder := place / group / str(level)).is_dir():
        with reading(str(folder)):
            array: Any = zarr.open_array(folder, mode="r+").with_config({"write_empty_chunks": True})
            array[(*index, *window)] = block
        chunk = (
            *index,
            *(start // side for start, side in zip(window.start, array.shards[-2:], strict=True)),
        )
        written.append(folder.joinpath("c", *map(str, chunk)))
        block = block[::2, ::2] if group else _halved(block)
        start = [first // 2 for first in window.start]
        window = Window.span(start, (first + size for first, size in zip(start, block.shape, strict=True)))
        level += 1
    return written


def _halved(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of each four pixels, rounded."""
    even = np.pad(block, [(0, size % 2) for size in block.shape], mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def mark_complete(place: Path, space: Space, side: int) -> None:
    """Say what the labels are: the last thing that is written, so where it is, all is there."""
    root = zarr.open_group(place, mode="r+")
    there = [group for group in (CELLS, MASK) if (place / group).is_dir()]
    names = [Path(group).name for group in there]
    for group, name in zip(there, names, strict=True):
        root[group].attrs["ome"] = {
            "version": "0.5",
            "multiscales": [multiscale_of(space, side, name, "nearest")],
            "image-label": {"source": {"image": "../../"}},
        }
    make_durable(place / group / "zarr.json" for group in there)
    root["labels"].attrs["ome"] = {"version": "0.5", "labels": names}
    make_durable([place / "labels" / "zarr.json"])


def multiscale_of(space: Space, side: int, name: str, how: str) -> dict[str, Any]:
    """Describe the levels of an image, as OME-Zarr wants it; `how` says what a coarser pixel is of four."""
    datasets = []
    for level in range(levels_of(space.shape[-2:], side)):
        step = [1.0] * (len(space.axes) - 2) + [2.0**level] * 2
        scale = [size * many for size, many in zip(space.scale, step, strict=True)]
        start = [
            first + (many - 1) / 2 * size
            for first, many, size in zip(space.translation, step, space.scale, strict=True)
        ]
        transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": start}]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    axes = [ome_axis(letter, unit) for letter, unit in zip(space.axes, space.units, strict=True)]
    return {"name": name, "axes": axes, "datasets": datasets, "type": how}
