"""Files of microscope vendors: Nikon .nd2, Zeiss .czi, Leica .lif; each plane is read where it is indexed.

They are read by packages of the extra ``formats``: nd2, czifile and liffile, all under the BSD licence and without
compiled parts of their own.
"""

import itertools
import math
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask.array
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile, brief, usable_length, usable_pixel_size
from napari_utile.engine.files.tiff_series import notes_on_series, number_of_series
from napari_utile.engine.planes.naming import asked_axes

READERS = {".nd2": "nd2", ".czi": "czifile", ".lif": "liffile"}
"""The package that reads files of a suffix."""

_LETTERS = "TZCYXS"


@dataclass(frozen=True, eq=False)
class _Series:
    """One image of a file: `read` gives the plane (Y, X) or (Y, X, S) at an index of the other axes."""

    name: str
    sizes: Mapping[str, int]
    dtype: np.dtype[Any]
    read: Callable[[dict[str, int]], NDArray[Any]]
    close: Callable[[], None]
    spacing: Mapping[str, float | None] = field(default_factory=dict)
    """Micrometres between entries of Z, Y and X; seconds between those of T."""
    notes: tuple[str, ...] = ()
    missing: tuple[int, int] = (0, 1)
    """How many planes were never written, of how many."""


class _Planes:
    """What dask reads from: an array of planes, one of which is decoded at a time."""

    def __init__(self, series: _Series) -> None:
        self._series, self._lock = series, threading.Lock()
        self._outer = [axis for axis in series.sizes if axis in "TZC"]
        self.shape = tuple(series.sizes.values())
        self.dtype, self.ndim = series.dtype, len(self.shape)

    def __getitem__(self, key: tuple[slice | int, ...]) -> NDArray[Any]:
        count = len(self._outer)
        whole = tuple(slice(each, each + 1) if isinstance(each, int) else each for each in key)
        picked = [range(*each.indices(size)) for each, size in zip(whole[:count], self.shape, strict=False)]
        with self._lock:
            planes = [
                self._series.read(dict(zip(self._outer, index, strict=True)))[whole[count:]]
                for index in itertools.product(*picked)
            ]
        made = np.stack(planes).reshape(*map(len, picked), *planes[0].shape).astype(self.dtype, copy=False)
        return made[tuple(0 if isinstance(each, int) else slice(None) for each in key)]


def read_vendor(
    path: Path, *, axes: str | None = None, series: str | None = None, accept_missing: bool = False
) -> ImageFile:
    """Open one image of a vendor's file without reading its pixels.

    Parameters
    ----------
    path : Path
        With a suffix of `READERS`.
    axes : str, optional
        What the axes are, whatever the file says.
    series : str, optional
        Number or name of the image, where the file holds several positions, scenes or series; the first by default.
    accept_missing : bool
        Read planes that were never written as 0, instead of refusing.

    Raises
    ------
    UtileError
        If the reader is not installed, the file is damaged, or it holds no such image.
    """
    suffix = path.suffix.lower()
    if not find_spec(READERS[suffix]):
        raise UtileError(
            f'{path.name} needs a reader that is not installed: pip install "napari-utile[formats]".'
        )
    try:
        found = {".nd2": _nd2, ".czi": _czi, ".lif": _lif}[suffix](path)
        if not found:
            raise UtileError(f"{path.name} holds no image.")
        names = tuple(each.name for each in found)
        try:
            number = number_of_series(series, names, path.name) if series is not None else 0
            lost, total = found[number].missing
            if lost and not accept_missing:
                raise UtileError(
                    f"{lost} of {total} planes are missing in {path.name}: the acquisition was stopped."
                )
            return _image_file(path, found[number], names, number, axes)
        except BaseException:
            found[0].close()
            raise
    except UtileError:
        raise
    except Exception as error:  # the readers raise struct.error, KeyError, ParseError, AssertionError ...
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error


def _image_file(
    path: Path, chosen: _Series, names: tuple[str, ...], number: int, asked: str | None
) -> ImageFile:
    planes = _Planes(chosen)
    weakref.finalize(planes, chosen.close)
    chunks = tuple(1 if axis in "TZC" else size for axis, size in chosen.sizes.items())
    data = dask.array.from_array(planes, chunks=chunks, name=False)
    size, unit = usable_pixel_size(chosen.spacing.get("Y"), chosen.spacing.get("X"), "µm")
    units = {"Z": "µm", "T": "s"}
    lengths = {axis: usable_length(chosen.spacing.get(axis), "µm" if axis == "Z" else None) for axis in units}
    return ImageFile(
        data,
        asked_axes(asked, data.shape, path.name) if asked else "".join(chosen.sizes),
        size,
        unit,
        path,
        steps={
            axis: (length, units[axis]) for axis, length in lengths.items() if length and axis in chosen.sizes
        },
        notes=(*notes_on_series(number, names), *chosen.notes, *_lost(*chosen.missing)),
        series=names,
        chosen=number,
    )


def _lost(count: int, total: int) -> tuple[str, ...]:
    return (f"{count} of {total} planes missing, read as 0",) if count else ()


def _divided(name: str, dims: Mapping[str, int]) -> list[tuple[str, dict[str, int], dict[str, int]]]:
    """Make a series of each entry of axes that an image does not have: positions, tiles, views.

    Returns the name, the index along those axes, and the sizes of the others in the order T, Z, C, Y, X, S.
    """
    others = [axis for axis, size in dims.items() if axis not in _LETTERS and size > 1]
    fixed = {axis: 0 for axis in dims if axis not in _LETTERS}
    sizes = {axis: dims[axis] for axis in _LETTERS if axis in dims}
    made = []
    for index in itertools.product(*(range(dims[axis]) for axis in others)):
        where = "".join(f" {axis}{number}" for axis, number in zip(others, index, strict=True))
        made.append((f"{name}{where}", {**fixed, **dict(zip(others, index, strict=True))}, sizes))
    return made


def _nd2(path: Path) -> list[_Series]:
    import nd2

    file = nd2.ND2File(path)
    try:
        return _nd2_images(file)
    except BaseException:
        file.close()
        raise


def _nd2_images(file: Any) -> list[_Series]:
    data = file.to_dask(wrapper=False)  # reads from the open file
    voxel = file.voxel_size()
    spacing: dict[str, float | None] = {"Z": voxel.z, "Y": voxel.y, "X": voxel.x, "T": _nd2_period(file)}

    def reader(fixed: dict[str, int]) -> Callable[[dict[str, int]], NDArray[Any]]:
        def read(index: dict[str, int]) -> NDArray[Any]:
            place = {**fixed, **index}
            kept = [axis for axis in order if axis not in place]
            plane = np.asarray(data[tuple(place.get(axis, slice(None)) for axis in order)])
            return plane.transpose([kept.index(axis) for axis in "YXS" if axis in kept])

        return read

    missing = _nd2_missing(file)
    names = {"P": "position"}
    dims = {names.get(axis, axis): size for axis, size in file.sizes.items()}
    order = list(dims)
    return [
        _Series(
            name.strip() or "image",
            sizes,
            np.dtype(file.dtype),
            reader(fixed),
            file.close,
            spacing,
            (),
            missing,
        )
        for name, fixed, sizes in _divided("", dims)
    ]


def _nd2_missing(file: Any) -> tuple[int, int]:
    """Count frames that are not in the file: its reader gives them as zeros."""
    total = int(file.attributes.sequenceCount)
    offsets = getattr(getattr(file, "_rdr", None), "_frame_offsets", None)
    if offsets is None:  # files of before 2007
        return 0, total
    stored = file.attributes.compressionType is None or file.attributes.compressionType == "none"
    needed = file.attributes.widthBytes * file.attributes.heightPx if stored else 1
    end = Path(file.path).stat().st_size
    return sum(number not in offsets or offsets[number] + needed > end for number in range(total)), total


def _nd2_period(file: Any) -> float | None:
    for loop in file.experiment:
        period = getattr(loop.parameters, "periodMs", None)
        if period:
            return float(period) / 1000
    return None


def _lif(path: Path) -> list[_Series]:
    import liffile

    file = liffile.LifFile(path)
    try:
        return _lif_images(file)
    except BaseException:
        file.close()
        raise


def _lif_images(file: Any) -> list[_Series]:
    found = []
    for image in file.images:
        dims = dict(zip(image.dims, image.shape, strict=True))
        if not {"Y", "X"} <= set(dims):
            continue  # line scans, spectra at a point

        def read(index: dict[str, int], image: Any = image) -> NDArray[Any]:
            inner = image.dims[-3:] if image.dims[-1] == "S" else image.dims[-2:]
            if tuple(inner[:2]) == ("Y", "X"):
                return np.asarray(
                    image.frame(**{axis: at for axis, at in index.items() if axis in image.dims})
                )
            whole = image.asarray()
            kept = [axis for axis in image.dims if axis not in index]
            plane = whole[tuple(index.get(axis, slice(None)) for axis in image.dims)]
            return np.asarray(plane.transpose([kept.index(axis) for axis in "YXS" if axis in kept]))

        spacing = {axis: _step(image.coords.get(axis), 1 if axis == "T" else 1e6) for axis in "TZYX"}
        for name, fixed, sizes in _divided(image.name, dims):

            def plane_of(
                index: dict[str, int], read: Any = read, fixed: dict[str, int] = fixed
            ) -> NDArray[Any]:
                plane: NDArray[Any] = read({**fixed, **index})
                return plane

            found.append(_Series(name, sizes, np.dtype(image.dtype), plane_of, file.close, spacing))
    return found


def _step(places: Any, factor: float) -> float | None:
    return None if places is None or len(places) < 2 else abs(float(places[1] - places[0])) * factor


def _czi(path: Path) -> list[_Series]:
    import czifile

    file = czifile.CziFile(path)
    try:
        return _czi_images(file)
    except BaseException:
        file.close()
        raise


def _czi_images(file: Any) -> list[_Series]:
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
) -> _Series:
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
    return _Series(
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
