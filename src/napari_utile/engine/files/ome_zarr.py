"""Read OME-Zarr (0.1 to 0.5, zarr formats 2 and 3) without loading it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile, brief, lazy, usable_pixel_size

_METADATA_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_AXES_BEFORE_0_3 = "TCZYX"


def is_zarr(path: Path) -> bool:
    """Tell whether `path` is a folder that holds a zarr group or array."""
    return path.is_dir() and any((path / name).is_file() for name in _METADATA_FILES)


def read_ome_zarr(path: Path) -> ImageFile:
    """Open the full resolution of the first image in an OME-Zarr folder [1]_.

    Parameters
    ----------
    path : Path
        A zarr group with `multiscales` metadata, a bioformats2raw collection (its first image is taken), or a
        bare zarr array.

    Returns
    -------
    ImageFile
        Its `data` is a dask array, read where it is indexed.

    Raises
    ------
    UtileError
        When the folder is damaged, holds a plate, or holds Python objects.

    References
    ----------
    .. [1] Moore et al., OME-Zarr: a cloud-optimized bioimaging file format with international community
       support, Histochemistry and Cell Biology 160:223 (2023). https://ngff.openmicroscopy.org
    """
    try:
        return _read(path)
    except UtileError:
        raise
    except Exception as error:  # damaged metadata raise KeyError, TypeError, JSONDecodeError ...
        raise UtileError(f"Cannot read {path.name}: its metadata are damaged ({brief(error)}).") from error


def _read(path: Path) -> ImageFile:
    node: Any = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        _refuse_objects(node, path)
        axes = "YXS" if node.ndim == 3 and node.shape[-1] in (3, 4) else _AXES_BEFORE_0_3[-node.ndim :]
        return ImageFile(lazy(node), axes, None, None, path)
    attributes = _ome_attributes(node)
    if "bioformats2raw.layout" in attributes and "multiscales" not in attributes:
        node = node["0"]
        attributes = _ome_attributes(node)
    if "plate" in attributes or "well" in attributes:
        raise UtileError(f"{path.name} is a plate of many images: choose one of the image folders inside it.")
    multiscales = attributes.get("multiscales")
    if not multiscales:
        raise UtileError(f"{path.name} is a zarr folder without OME-Zarr image metadata (multiscales).")
    multiscale = multiscales[0]
    dataset = multiscale["datasets"][0]
    data = node[str(dataset["path"])]
    if not isinstance(data, zarr.Array):
        raise UtileError(f"Cannot read {path.name}: its full resolution, {dataset['path']}, is missing.")
    _refuse_objects(data, path)
    axes, units = _axes(multiscale, data.ndim)
    scale = _scale(dataset, data.ndim) * _scale(multiscale, data.ndim)
    pixel_size, unit = None, None
    if "Y" in axes and "X" in axes:
        y, x = axes.index("Y"), axes.index("X")
        pixel_size, unit = usable_pixel_size(scale[y], scale[x], units[y])
    return ImageFile(lazy(data), axes, pixel_size, unit, path)


def _ome_attributes(group: Any) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = group.attrs.asdict()
    ome = attributes.get("ome")  # 0.5 and later put everything under this key
    return ome if isinstance(ome, Mapping) else attributes


def _axes(multiscale: Mapping[str, Any], ndim: int) -> tuple[str, list[str | None]]:
    """Give one letter and one unit an axis; 0.1 and 0.2 name none, 0.3 gives strings, later ones objects."""
    axes = multiscale.get("axes")
    if not axes:
        return _AXES_BEFORE_0_3[-ndim:], [None] * ndim
    entries = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in axes]
    letters = "".join(str(entry["name"])[0].upper() for entry in entries)
    return letters, [entry.get("unit") for entry in entries]


def _scale(metadata: Mapping[str, Any], ndim: int) -> np.ndarray:
    for transformation in metadata.get("coordinateTransformations") or ():
        if transformation.get("type") == "scale" and len(transformation.get("scale", ())) == ndim:
            return np.asarray(transformation["scale"], dtype=float)
    return np.ones(ndim)


def _refuse_objects(array: "zarr.Array[Any]", path: Path) -> None:
    """Refuse arrays whose decoding would unpickle, before any chunk is read."""
    if np.dtype(array.dtype).kind in "OV" or "pickle" in str(array.metadata.to_dict()).lower():
        raise UtileError(f"{path.name} holds Python objects instead of pixels; such files are not opened.")
