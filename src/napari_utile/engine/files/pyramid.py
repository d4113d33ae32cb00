"""All resolutions of an OME-Zarr image, with its channels and its labels, opened without reading any pixel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import lazy
from napari_utile.engine.files.names import image_name
from napari_utile.engine.files.ome_zarr import axis_entries, is_zarr, ome_attributes, refuse_objects, scale_of
from napari_utile.engine.files.unfinished import refuse_unfinished
from napari_utile.engine.planes.naming import name_axes
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.planes.units import canonical_unit
from napari_utile.engine.windows import Window

VERSIONS = ("0.4", "0.5")


@dataclass(frozen=True)
class Channel:
    """One channel as the file shows it: its name, ``RRGGBB`` and grey limits where they are given."""

    name: str
    colour: str | None = None
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Pyramid:
    """An image at several resolutions.

    Attributes
    ----------
    name : str
    levels : tuple of dask arrays
        The largest first; all have the same axes.
    axes : str
        One letter an axis.
    scale, translation : tuple of float
        Of the largest level, for each axis.
    units : tuple of str or None
    channels : tuple of Channel
        Empty where the file does not describe them.
    labels : tuple of Pyramid
        Label images of this image.
    placed : bool
        Whether the file says where the first pixel lies: by a scale and a translation.
    """

    name: str
    levels: tuple[Any, ...]
    axes: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    units: tuple[str | None, ...]
    channels: tuple[Channel, ...] = ()
    labels: tuple["Pyramid", ...] = ()
    placed: bool = False


def has_pyramid(path: Path) -> bool:
    """Tell, from its metadata alone, whether a folder is an OME-Zarr image of version 0.4 or 0.5."""
    if not is_zarr(path):
        return False
    for file in ("zarr.json", ".zattrs"):
        try:
            values = json.loads((path / file).read_text(encoding="utf-8"))
            values = values.get("attributes", values)
            ome = values.get("ome", values)
            multiscale = ome["multiscales"][0]
            return str(ome.get("version") or multiscale.get("version")) in VERSIONS
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
    return False


def read_pyramid(path: Path) -> Pyramid:
    """Open an OME-Zarr image of version 0.4 or 0.5.

    Raises
    ------
    UtileError
        If its metadata are damaged, a level is missing, or it holds Python objects.
    """
    refuse_unfinished(path)
    try:
        return _read(zarr.open_group(path, mode="r"), path, image_name(path))
    except UtileError:
        raise
    except Exception as error:
        raise UtileError(f"Cannot read {path.name}: its metadata are damaged ({error}).") from error


def pyramid_of(planes: SelectedPlanes) -> Pyramid | None:
    """Open selected planes of an image at the resolutions that have them; None where only the largest can be read.

    Raises
    ------
    UtileError
        See `read_pyramid`.
    """
    image, selection = planes.image, planes.selection
    shape = dict(zip(image.axes, image.data.shape, strict=True))
    in_part = planes.region not in (None, Window.whole((shape["Y"], shape["X"])))
    if in_part or selection.axes or selection.series or selection.project or not has_pyramid(image.path):
        return None
    whole = read_pyramid(image.path)
    if whole.levels[0].shape != image.data.shape:
        return None
    chosen = [whole.axes.index(axis) for axis, taken in planes.entries.items() if len(taken) < shape[axis]]
    every = [
        replace(planes, image=replace(image, data=level)).as_image()
        for level in whole.levels
        if all(level.shape[place] == image.data.shape[place] for place in chosen)
    ]
    kept = [whole.axes.index(axis) for axis in every[0].axes]
    return replace(
        whole,
        levels=tuple(each.data for each in every if each.axes == every[0].axes),
        axes=every[0].axes,
        scale=tuple(whole.scale[place] for place in kept),
        translation=tuple(whole.translation[place] for place in kept),
        units=tuple(whole.units[place] for place in kept),
        labels=(),
    )


def _read(group: Any, path: Path, name: str) -> Pyramid:
    attributes = ome_attributes(group)
    multiscale = attributes["multiscales"][0]
    levels = []
    for dataset in multiscale["datasets"]:
        level = group.get(str(dataset["path"]))
        if not isinstance(level, zarr.Array):
            raise UtileError(f"Cannot read {path.name}: its resolution {dataset['path']} is missing.")
        refuse_objects(level, path)
        levels.append(level)
    ndim = levels[0].ndim
    entries = axis_entries(multiscale, ndim)
    axes, _ = name_axes(levels[0].shape, [entry.get("name") for entry in entries], path.name)
    first = multiscale["datasets"][0]
    scale = scale_of(first, ndim) * scale_of(multiscale, ndim)
    return Pyramid(
        name,
        tuple(lazy(level, path) for level in levels),
        axes,
        tuple(float(step) if np.isfinite(step) and step > 0 else 1.0 for step in scale),
        _translation(first, ndim),
        tuple(canonical_unit(entry.get("unit")) for entry in entries),
        _channels(attributes.get("omero")),
        tuple(_labels(group, path)),
        {"scale", "translation"}
        <= {entry.get("type") for entry in first.get("coordinateTransformations") or ()},
    )


def _translation(dataset: Mapping[str, Any], ndim: int) -> tuple[float, ...]:
    for entry in dataset.get("coordinateTransformations") or ():
        if entry.get("type") == "translation" and len(entry.get("translation", ())) == ndim:
            return tuple(map(float, entry["translation"]))
    return (0.0,) * ndim


def _channels(omero: Any) -> tuple[Channel, ...]:
    """Read what OMERO's metadata say; they are written by many tools, and what makes no sense is left out."""
    channels = []
    for number, entry in enumerate((omero or {}).get("channels") or ()):
        colour, window = str(entry.get("color") or ""), entry.get("window") or {}
        is_colour = len(colour) == 6 and not set(colour.lower()) - set("0123456789abcdef")
        channels.append(
            Channel(
                str(entry.get("label") or f"channel {number}"),
                colour if is_colour else None,
                _limits(window.get("start"), window.get("end")),
            )
        )
    return tuple(channels)


def _limits(low: Any, high: Any) -> tuple[float, float] | None:
    usable = isinstance(low, int | float) and isinstance(high, int | float) and low < high
    return (float(low), float(high)) if usable else None


def _labels(group: Any, path: Path) -> list[Pyramid]:
    folder = group.get("labels")
    if not isinstance(folder, zarr.Group):
        return []
    found = []
    for name in ome_attributes(folder).get("labels") or ():
        child = folder.get(str(name))
        if isinstance(child, zarr.Group) and ome_attributes(child).get("multiscales"):
            made = _read(child, path / "labels" / str(name), str(name))
            if made.levels[0].dtype.kind in "bui":
                found.append(made)
    return found
