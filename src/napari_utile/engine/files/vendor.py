"""Files of microscope vendors: Nikon .nd2, Zeiss .czi, Leica .lif; each plane is read where it is indexed.

They are read by packages of the extra ``formats``: nd2, czifile and liffile, all under the BSD licence and without
compiled parts of their own.
"""

import itertools
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.czi import czi_images
from napari_utile.engine.files.image_file import ImageFile, brief
from napari_utile.engine.files.lazy_planes import PlaneSeries, lazy_planes
from napari_utile.engine.files.space import space_of
from napari_utile.engine.files.tiff_series import notes_on_series, number_of_series
from napari_utile.engine.planes.naming import asked_axes

READERS = {".nd2": "nd2", ".czi": "czifile", ".lif": "liffile"}
"""The package that reads files of a suffix."""

_LETTERS = "TZCYXS"


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
        opened, images_of = _OPENED[suffix]
        file = getattr(import_module(READERS[suffix]), opened)(path)
        try:
            found = images_of(file)
            if not found:
                raise UtileError(f"{path.name} holds no image.")
            names = tuple(each.name for each in found)
            number = number_of_series(series, names, path.name) if series is not None else 0
            lost, total = found[number].missing
            if lost and not accept_missing:
                raise UtileError(
                    f"{lost} of {total} planes are missing in {path.name}: the acquisition was stopped."
                )
            return _image_file(path, found[number], names, number, axes)
        except BaseException:
            file.close()
            raise
    except UtileError:
        raise
    except Exception as error:  # the readers raise struct.error, KeyError, ParseError, AssertionError ...
        raise UtileError(f"Cannot read {path.name}: the file is damaged ({brief(error)}).") from error


def _image_file(
    path: Path, chosen: PlaneSeries, names: tuple[str, ...], number: int, asked: str | None
) -> ImageFile:
    data = lazy_planes(chosen)
    units = {"Y": "µm", "X": "µm", "Z": "µm", "T": "s"}
    known = {axis: (chosen.spacing.get(axis), unit) for axis, unit in units.items() if axis in chosen.sizes}
    space = space_of(known)
    return ImageFile(
        data,
        asked_axes(asked, data.shape, path.name) if asked else "".join(chosen.sizes),
        space.pixel_size,
        space.unit,
        path,
        steps=space.steps,
        notes=(*notes_on_series(number, names), *chosen.notes, *_lost(*chosen.missing), *space.notes),
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


def _nd2_images(file: Any) -> list[PlaneSeries]:
    data = file.to_dask(wrapper=False)  # reads from the open file
    voxel = file.voxel_size()
    spacing: dict[str, float | None] = {"Z": voxel.z, "Y": voxel.y, "X": voxel.x, "T": _nd2_period(file)}

    missing = _nd2_missing(file)
    names = {"P": "position"}
    dims = {names.get(axis, axis): size for axis, size in file.sizes.items()}
    return [
        PlaneSeries(
            name.strip() or "image",
            sizes,
            np.dtype(file.dtype),
            partial(_plane_in, data, dims),
            file.close,
            spacing,
            missing=missing,
            fixed=fixed,
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


def _lif_images(file: Any) -> list[PlaneSeries]:
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
            return _plane_in(image.asarray(), image.dims, index)

        spacing = {axis: _step(image.coords.get(axis), 1 if axis == "T" else 1e6) for axis in "TZYX"}
        found += [
            PlaneSeries(name, sizes, np.dtype(image.dtype), read, file.close, spacing, fixed=fixed)
            for name, fixed, sizes in _divided(image.name, dims)
        ]
    return found


def _plane_in(data: Any, axes: Iterable[str], index: Mapping[str, int]) -> NDArray[Any]:
    """Take a plane (Y, X) or (Y, X, S) out of all pixels of a file, whose axes may be in any order."""
    kept = [axis for axis in axes if axis not in index]
    plane = np.asarray(data[tuple(index.get(axis, slice(None)) for axis in axes)])
    return plane.transpose([kept.index(axis) for axis in "YXS" if axis in kept])


def _step(places: Any, factor: float) -> float | None:
    return None if places is None or len(places) < 2 else abs(float(places[1] - places[0])) * factor


_OPENED = {
    ".nd2": ("ND2File", _nd2_images),
    ".czi": ("CziFile", czi_images),
    ".lif": ("LifFile", _lif_images),
}
"""What opens a file of a suffix in the package that reads it, and what describes the images of an open one."""
