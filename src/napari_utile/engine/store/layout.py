"""The arrays of a store and its OME-Zarr metadata, version 0.5 [1]_ or 0.4.

The root image is the foreground probability (uint8), beside it ``labels/cells`` with the same levels. A block writes
its part of every level by itself: a shard of level k (of version 0.4, which has no shards, a chunk) is a block at that
level, so each has one writer.

References
----------
.. [1] https://ngff.openmicroscopy.org/0.5
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.models.outputs import Output, channels_of
from napari_utile.engine.planes.units import ome_axis
from napari_utile.engine.store.durable import make_durable, reading
from napari_utile.engine.windows import Window

if TYPE_CHECKING:
    from napari_utile.engine.store.plan import StorePlan

VERSIONS = ("0.5", "0.4")
"""Of OME-Zarr, the usual one first."""
CELLS, MASK, CLASSES = "labels/cells", "labels/mask", "labels/classes"
OUTPUTS = "outputs"
UNLINKED = f"{HOME}/unlinked"
"""The labels of each plane by itself, at full resolution, for as long as planes are not linked."""
_CHUNK, _SMALLEST_LEVEL, _SMALLEST_SHARD = 512, 512, 8
_ZSTD = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
"""Half the time of the usual level, and files of the same size."""
_MOST = 65535
_BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
"""What every reader of version 0.4 knows."""


@dataclass(frozen=True)
class Space:
    """Where the pixels of a store lie.

    Attributes
    ----------
    shape : tuple of int
        Of the full resolution: in a store stacked axes, then Y and X; in an image in whatever order it has.
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

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[self.axes.index("Y")], self.shape[self.axes.index("X")]

    def step(self, level: int) -> tuple[int, ...]:
        """How many pixels of the full resolution one of a coarser level is wide along each axis."""
        return tuple(2**level if letter in "YX" else 1 for letter in self.axes)


def levels_of(shape: Sequence[int], side: int) -> int:
    """Return how many resolutions a plane (Y, X) has, each half of the one before."""
    count = 1
    while max(shape) >> (count - 1) > _SMALLEST_LEVEL and side >> count >= _SMALLEST_SHARD:
        count += 1
    return count


def output_images(
    plan: "StorePlan",
    outputs: Sequence[Output],
    foreground: NDArray[np.float32],
    values: NDArray[np.float32] | None,
    shape: tuple[int, ...],
) -> dict[str, NDArray[Any]]:
    """Give all images that a store keeps of a block's outputs, as they are kept.

    Parameters
    ----------
    plan : StorePlan
    outputs : sequence of Output
        The network's.
    foreground : (y, x) float32 array
        The cell probability; one pixel where it is the same everywhere.
    values : (C, y, x) float32 array or None
        All outputs, likewise; None where the plan keeps none.
    shape : (int, int)
        Of the block.

    Returns
    -------
    dict
        By their groups: (y, x) uint8 array, (C, y, x) float32 or uint16 arrays.
    """
    images: dict[str, NDArray[Any]] = {"": np.broadcast_to(as_bytes(foreground), shape)}
    if plan.outputs and values is not None:
        kept: NDArray[Any] = as_uint16(values) if plan.outputs == "uint16" else values
        kept = np.broadcast_to(kept, (len(kept), *shape))
        images |= {f"{OUTPUTS}/{each.name}": kept[channels_of(outputs, each.name)] for each in outputs}
    return images


def label_images(
    plan: "StorePlan", labels: NDArray[np.integer[Any]], kinds: NDArray[np.uint8] | None
) -> dict[str, NDArray[Any]]:
    """Give all images of labels that a store keeps.

    Parameters
    ----------
    plan : StorePlan
    labels : (y, x) integer array
        The cells.
    kinds : (y, x) uint8 array or None
        The class of each of their pixels, where the plan has several.

    Returns
    -------
    dict
        By their groups.
    """
    images: dict[str, NDArray[Any]] = {CELLS: labels}
    if plan.with_mask:
        images[MASK] = (labels > 0).view(np.uint8)
    if plan.classes:
        assert kinds is not None
        images[CLASSES] = kinds
    return images


def kept_images(plan: "StorePlan", outputs: Sequence[Output]) -> dict[str, NDArray[Any]]:
    """Give a pixel of every image that a store keeps: their groups, types and channels."""
    probability, kinds = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.uint8)
    values = np.zeros((sum(each.channels for each in outputs), 1, 1), np.float32)
    labels = label_images(plan, kinds.astype(np.int32), kinds)
    return output_images(plan, outputs, probability, values, (1, 1)) | labels


def create_arrays(place: Path, plan: "StorePlan", outputs: Sequence[Output] = ()) -> None:
    """Make the empty arrays of a store, and say what its images are; that there are labels is said at the end."""
    space, side, version = plan.space, plan.side, plan.ome_zarr
    root = zarr.create_group(place, zarr_format=3 if version == "0.5" else 2, overwrite=False)
    for group, pixel in kept_images(plan, outputs).items():
        made = root.create_group(group) if group else root
        channels = pixel.shape[:-2]
        letters = f"{space.axes[:-2]}{'C' * len(channels)}{space.axes[-2:]}"
        for level in range(1 if channels else levels_of(space.plane, side)):
            shape = [-(-size // step) for size, step in zip(space.shape, space.step(level), strict=True)]
            options = _options(version, (*shape[:-2], *channels, *shape[-2:]), side >> level, letters)
            made.create_array(str(level), dtype=pixel.dtype, **options)
        if channels:
            made.attrs.update(ome_metadata(version, _multiscale_of_channels(space, Path(group).name)))
    if plan.linking.axis:
        unlinked = _options(VERSIONS[0], space.shape, side, space.axes)
        zarr.create_array(place / UNLINKED / "0", dtype="int32", zarr_format=3, **unlinked)
    root.attrs.update(ome_metadata(version, multiscale_of(space, side, "probability", "mean")))


def _options(version: str, shape: Sequence[int], side: int, axes: str) -> dict[str, Any]:
    """Give how an array is divided whose last two axes blocks of this side write."""
    outer, chunk = (1,) * (len(shape) - 2), min(_CHUNK, side)
    common = {"shape": tuple(shape), "config": {"write_empty_chunks": True}}
    if version == "0.4":
        keys = {"name": "v2", "separator": "/"}
        return {**common, "chunks": (*outer, side, side), "compressors": _BLOSC, "chunk_key_encoding": keys}
    return {
        **common,
        "chunks": (*outer, chunk, chunk),
        "shards": (*outer, side, side),
        "compressors": _ZSTD,
        "dimension_names": [letter.lower() for letter in axes],
    }


def ome_metadata(
    version: str, multiscale: dict[str, Any], source: str | None = None, words: Sequence[str] = ()
) -> dict[str, Any]:
    """Give the attributes of an image; with `source`, where their image lies, of labels, and what 1, 2 ... mean."""
    label: dict[str, Any] = {} if source is None else {"source": {"image": source}}
    if words:
        label["properties"] = [{"label-value": number, "class": word} for number, word in enumerate(words, 1)]
    if version == "0.5":
        more = {"image-label": label} if label else {}
        return {"ome": {"version": version, "multiscales": [multiscale], **more}}
    more = {"image-label": {"version": version, **label}} if label else {}
    return {"multiscales": [{"version": version, **multiscale}], **more}


def labels_metadata(version: str, names: Sequence[str]) -> dict[str, Any]:
    """Give the attributes of a folder of labels."""
    labels = list(names)
    return {"ome": {"version": version, "labels": labels}} if version == "0.5" else {"labels": labels}


def _multiscale_of_channels(space: Space, name: str) -> dict[str, Any]:
    """Describe an image with channels, which has one level."""
    axes = [ome_axis(letter, unit) for letter, unit in zip(space.axes, space.units, strict=True)]
    place_of = [
        {"type": kind, kind: [*values[:-2], first, *values[-2:]]}
        for kind, values, first in (("scale", space.scale, 1.0), ("translation", space.translation, 0.0))
    ]
    return {
        "name": name,
        "axes": [*axes[:-2], {"name": "c", "type": "channel"}, *axes[-2:]],
        "datasets": [{"path": "0", "coordinateTransformations": place_of}],
    }


def as_bytes(foreground: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a probability as the store shows it: 255 is certain."""
    return np.rint(np.clip(np.nan_to_num(foreground), 0, 1) * 255).astype(np.uint8)


def as_uint16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return outputs (0..1) as a store may keep them: 65535 is 1."""
    kept: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(values), 0, 1) * np.float32(_MOST)).astype(
        np.uint16
    )
    return kept


def from_uint16(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return what `as_uint16` gave as values 0..1."""
    return values.astype(np.float32) / np.float32(_MOST)


def levels_in(
    place: Path, group: str, window: Window, block: NDArray[Any]
) -> Iterator[tuple[Path, Window, NDArray[Any]]]:
    """Give what a block is at every level of an image of a store.

    Parameters
    ----------
    place : Path
    group : str
        Empty for the root image.
    window : Window
        Where the block lies in its plane; it is one of the store's blocks.
    block : (y, x) or (C, y, x) array
        Labels become coarser by taking every second pixel, other values by the mean of four.

    Yields
    ------
    folder : Path
        Of the level's array.
    window : Window
        Where the block lies there.
    block : array
    """
    level = 0
    while (folder := place / group / str(level)).is_dir():
        if level:
            block = block[::2, ::2] if group else _halved(block)
            start = [first // 2 for first in window.start]
            window = Window.span(
                start, (first + size for first, size in zip(start, block.shape, strict=True))
            )
        yield folder, window, block
        level += 1


def write_levels(
    place: Path, group: str, index: Sequence[int], window: Window, block: NDArray[Any]
) -> list[Path]:
    """Write a block into every level of an image of a store, see `levels_in`; return the files."""
    written: list[Path] = []
    for folder, where, pixels in levels_in(place, group, window, block):
        with reading(str(folder)):
            array = _writable(folder)
            array[(*index, ..., *where)] = pixels
        channels = np.ndindex(pixels.shape[:-2])
        written += [_file_of(array, folder, (*index, *channel), where) for channel in channels]
    return written


def _writable(folder: Path) -> Any:
    """Open an array to be written; what was read of it is kept, as every block writes every level.

    Raises
    ------
    OSError
        If it is gone.
    """
    new, old = folder / "zarr.json", folder / ".zarray"
    found = (new if new.exists() else old).stat()
    return _opened(folder, (found.st_ino, found.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _opened(folder: Path, seen: tuple[int, int]) -> Any:
    del seen
    return zarr.open_array(folder, mode="r+").with_config({"write_empty_chunks": True})


def _file_of(array: Any, folder: Path, index: Sequence[int], window: Window) -> Path:
    """Return the file that holds a block of an array."""
    sides = (array.shards or array.chunks)[-2:]
    at = (start // side for start, side in zip(window.start, sides, strict=True))
    return folder.joinpath(*(["c"] if array.shards else []), *map(str, (*index, *at)))


def _halved(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of each four pixels, rounded."""
    even = np.pad(block, [(0, size % 2) for size in block.shape], mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def mark_complete(place: Path, plan: "StorePlan") -> None:
    """Say what the labels are: the last thing that is written, so where it is, all is there."""
    root, version = zarr.open_group(place, mode="r+"), plan.ome_zarr
    nothing = np.zeros((1, 1), np.uint8)
    there = list(label_images(plan, nothing, nothing))
    names = [Path(group).name for group in there]
    file = "zarr.json" if version == "0.5" else ".zattrs"
    for group, name in zip(there, names, strict=True):
        multiscale = multiscale_of(plan.space, plan.side, name, "nearest")
        words = plan.classes if group == CLASSES else ()
        root[group].attrs.update(ome_metadata(version, multiscale, "../../", words))
    make_durable(place / group / file for group in there)
    root["labels"].attrs.update(labels_metadata(version, names))
    make_durable([place / "labels" / file])


def multiscale_of(space: Space, side: int, name: str, how: str) -> dict[str, Any]:
    """Describe the levels of an image, as OME-Zarr wants it; `how` says what a coarser pixel is of four."""
    datasets = []
    for level in range(levels_of(space.plane, side)):
        step = space.step(level)
        scale = [size * many for size, many in zip(space.scale, step, strict=True)]
        start = [
            first + (many - 1) / 2 * size
            for first, many, size in zip(space.translation, step, space.scale, strict=True)
        ]
        transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": start}]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    axes = [ome_axis(letter, unit) for letter, unit in zip(space.axes, space.units, strict=True)]
    return {"name": name, "axes": axes, "datasets": datasets, "type": how}
