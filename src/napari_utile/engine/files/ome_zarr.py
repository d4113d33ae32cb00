"""Read OME-Zarr (0.1 to 0.5, zarr formats 2 and 3) without loading it."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile, brief, lazy
from napari_utile.engine.files.space import Said, space_of
from napari_utile.engine.files.tiff_series import notes_on_series, number_of_series
from napari_utile.engine.files.unfinished import refuse_unfinished
from napari_utile.engine.planes.naming import asked_axes, name_axes
from napari_utile.engine.words import counted

_METADATA_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_AXES_BEFORE_0_3 = "TCZYX"


class NoImageChosen(UtileError):
    """A plate or a well was given where one of its images must be."""


def is_zarr(path: Path) -> bool:
    """Tell whether `path` is a folder that holds a zarr group or array."""
    return any(os.path.isfile(path / name) for name in _METADATA_FILES)


def is_ome_image(path: Path) -> bool:
    """Tell whether a folder is one image of OME-Zarr: a field of a plate, an image of a collection."""
    for name in (".zattrs", "zarr.json"):
        try:
            values = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        attributes = values.get("attributes", values) if isinstance(values, dict) else {}
        if isinstance(attributes, dict) and "multiscales" in {**attributes, **attributes.get("ome", {})}:
            return True
    return False


def collected_images(path: Path) -> tuple[str, ...]:
    """Give the folders of the images inside a plate, a well or a collection; none where it is something else."""
    if not is_zarr(path) or is_ome_image(path):
        return ()
    try:
        return tuple(name for name in zarr_series(path) if is_ome_image(path / name))
    except UtileError:
        return ()


def zarr_series(path: Path) -> tuple[str, ...]:
    """Name the images in a zarr folder: several of a collection, a plate or a well.

    Raises
    ------
    UtileError
        When the folder is damaged.
    """
    try:
        node: Any = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return ()
        return tuple(image.name for image in _images(node, ome_attributes(node), path))
    except Exception as error:  # damaged metadata raise KeyError, TypeError, JSONDecodeError ...
        raise UtileError(f"Cannot read {path.name}: its metadata are damaged ({brief(error)}).") from error


@dataclass(frozen=True, eq=False)
class _Image:
    """One image of a group: what it is called, its group (None: it is missing), its entry of the metadata."""

    name: str
    group: Any
    multiscale: Mapping[str, Any]


def read_ome_zarr(path: Path, *, axes: str | None = None, series: str | None = None) -> ImageFile:
    """Open the full resolution of an image in an OME-Zarr folder [1]_.

    Parameters
    ----------
    path : Path
        A zarr group with `multiscales` metadata, a bioformats2raw collection, a plate, a well, or a bare zarr
        array.
    axes : str, optional
        What the axes are, whatever the metadata say.
    series : str, optional
        Number or name of the image, where there are several; the first by default. Of a plate or a well one
        must be chosen; they are called after well and field, such as ``A/1/0``.

    Returns
    -------
    ImageFile
        Its `data` is a dask array, read where it is indexed.

    Raises
    ------
    UtileError
        When the folder is damaged, has no chunks at all, is a plate of which no image was chosen, or holds
        Python objects.

    References
    ----------
    .. [1] Moore et al., OME-Zarr: a cloud-optimized bioimaging file format with international community
       support, Histochemistry and Cell Biology 160:223 (2023). https://ngff.openmicroscopy.org
    """
    refuse_unfinished(path)
    try:
        return _read(path, axes, series)
    except UtileError:
        raise
    except Exception as error:  # damaged metadata raise KeyError, TypeError, JSONDecodeError ...
        raise UtileError(f"Cannot read {path.name}: its metadata are damaged ({brief(error)}).") from error


def _read(path: Path, asked: str | None, wanted: str | None) -> ImageFile:
    node: Any = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        if wanted not in (None, "0"):
            raise UtileError(f"{path.name} has no series {wanted}: it is one image.")
        return _image_file(node, path, _dimension_names(node), asked)
    attributes = ome_attributes(node)
    images = list(_images(node, attributes, path))
    names = tuple(image.name for image in images)
    if "multiscales" not in attributes and ("plate" in attributes or "well" in attributes) and not wanted:
        what = "a plate" if "plate" in attributes else "a well"
        if not names:
            raise UtileError(f"{path.name} is {what} that lists no images.")
        raise NoImageChosen(
            f"{path.name} is {what} of {counted(len(images), 'image')}: choose one of the image folders inside it, "
            f"such as {path.name}/{names[0]}."
        )
    if not images:
        raise UtileError(_nothing(node, attributes, path))
    number = number_of_series(wanted, names, path.name) if wanted is not None else 0
    image = images[number]
    if image.group is None:
        raise UtileError(f"Cannot read {path.name}: its image {image.name} is missing.")
    dataset = image.multiscale["datasets"][0]
    data = image.group.get(str(dataset["path"]))
    if not isinstance(data, zarr.Array):
        raise UtileError(f"Cannot read {path.name}: its full resolution, {dataset['path']}, is missing.")
    dataset, data = _largest(image, dataset, data)
    entries = axis_entries(image.multiscale, data.ndim)
    scale = scale_of(dataset, data.ndim) * scale_of(image.multiscale, data.ndim)
    made = _image_file(data, path, [entry.get("name") for entry in entries], asked)
    said: dict[str, Said] = {
        letter: (float(step), entry.get("unit"))
        for letter, step, entry in zip(made.axes, scale, entries, strict=True)
    }
    # A time without a unit is none, and steps of 1 without one say nothing; nor does Z where Y and X do not.
    silent = "TZYX" if all(said[axis] == (1.0, None) for axis in "YX") else "T"
    space = space_of({axis: each for axis, each in said.items() if each[1] or axis not in silent})
    return ImageFile(
        made.data,
        made.axes,
        space.pixel_size,
        space.unit,
        path,
        steps=space.steps,
        notes=(*notes_on_series(number, names), *made.notes, *space.notes),
        series=names,
        chosen=number,
        guessed=made.guessed,
    )


def _largest(image: _Image, first: Mapping[str, Any], data: Any) -> tuple[Mapping[str, Any], Any]:
    """Take the largest resolution, where one that comes later in the list is larger than the first."""
    for dataset in image.multiscale["datasets"][1:]:
        other = image.group.get(str(dataset["path"]))
        if isinstance(other, zarr.Array) and other.ndim == data.ndim and other.size > data.size:
            first, data = dataset, other
    return first, data


def _image_file(array: Any, path: Path, names: Any, asked: str | None) -> ImageFile:
    refuse_objects(array, path)
    if asked:
        axes, guessed = asked_axes(asked, array.shape, path.name), False
    else:
        axes, guessed = name_axes(array.shape, names, path.name)
    return ImageFile(
        lazy(array, path), axes, None, None, path, notes=absent_chunks(array, path), guessed=guessed
    )


def absent_chunks(array: Any, path: Path) -> tuple[str, ...]:
    """Count chunks that were never written: legal, and read as the fill value.

    Raises
    ------
    UtileError
        Where all are absent.
    """
    stored = array.shards or array.chunks
    total = math.prod(-(-size // side) for size, side in zip(array.shape, stored, strict=True))
    present = _count_chunks(Path(str(array.store.root)) / array.path, array.ndim + 1)
    if present >= total or total == 0:
        return ()
    what = "shards" if array.shards else "chunks"
    if present == 0:
        raise UtileError(f"Cannot read {path.name}: all of its {total} {what} are absent.")
    fill = array.fill_value
    said = 0 if fill is None else fill
    return (f"{total - present} of {total} {what} absent, read as {said}",)


def _count_chunks(folder: Path, deepest: int) -> int:
    """Count the files of chunks, called ``0.1``, ``0/1`` or ``c/0/1``, however many an array announces."""
    count, waiting = 0, [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                if set(entry.name) - set("c.0123456789"):
                    continue
                if entry.is_dir():
                    waiting += [(here / entry.name, depth + 1)] * (depth < deepest)
                else:
                    count += 1
    return count


def _images(group: Any, attributes: Mapping[str, Any], path: Path) -> Iterator[_Image]:
    """List the images of a group: its own multiscales, a collection's, a plate's, a well's."""
    multiscales = attributes.get("multiscales") or []
    if not isinstance(multiscales, list) or not all(
        isinstance(each, Mapping) and each.get("datasets") for each in multiscales
    ):
        raise ValueError("multiscales does not list images with their resolutions")
    for number, multiscale in enumerate(multiscales):
        name = str(multiscale.get("name") or f"series {number}")
        yield _Image(name if len(multiscales) > 1 else path.stem, group, multiscale)
    if multiscales:
        return
    if "plate" in attributes:
        for well in attributes["plate"].get("wells", ()):
            child = group.get(str(well["path"]))
            if child is None:
                yield _Image(str(well["path"]), None, {})
            else:
                yield from _fields(child, f"{well['path']}/")
    elif "well" in attributes:
        yield from _fields(group, "")
    elif "bioformats2raw.layout" in attributes:
        listed = ome_attributes(group["OME"]).get("series") if "OME" in group else None
        paths = listed or sorted((key for key in group.group_keys() if key.isdecimal()), key=int)
        yield from _named_images(group, [str(each) for each in paths], "")


def _fields(well: Any, before: str) -> Iterator[_Image]:
    entries = ome_attributes(well).get("well", {}).get("images", ())
    yield from _named_images(well, [str(entry["path"]) for entry in entries], before)


def _named_images(group: Any, paths: list[str], before: str) -> Iterator[_Image]:
    for each in paths:
        child = group.get(each)
        found = ome_attributes(child).get("multiscales") if isinstance(child, zarr.Group) else None
        yield _Image(f"{before}{each}", child if found else None, found[0] if found else {})


def _nothing(group: Any, attributes: Mapping[str, Any], path: Path) -> str:
    labels = attributes.get("labels")
    if isinstance(labels, list) and labels:
        inside = ", ".join(str(name) for name in labels[:8])
        return f"{path.name} is a folder of labels: choose one of {inside} inside it."
    if "bioformats2raw.layout" in attributes:
        return f"{path.name} is a collection that holds no image."
    inside = ", ".join(sorted(group.keys())[:8])
    choose = f"; choose one of what is inside it ({inside})" if inside else " and empty"
    return f"{path.name} is a zarr folder without OME-Zarr image metadata (multiscales){choose}."


def ome_attributes(group: Any) -> Mapping[str, Any]:
    """Give the OME metadata of a group."""
    attributes: Mapping[str, Any] = group.attrs.asdict()
    ome = attributes.get("ome")  # 0.5 and later put everything under this key
    return ome if isinstance(ome, Mapping) else attributes


def _dimension_names(array: Any) -> Any:
    """Give the names that zarr 3, or xarray in zarr 2, store beside an array."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.asdict().get("_ARRAY_DIMENSIONS")
    return names if isinstance(names, (list, tuple)) and len(names) == array.ndim else None


def axis_entries(multiscale: Mapping[str, Any], ndim: int) -> list[Mapping[str, Any]]:
    """Give what is said of each axis; 0.1 and 0.2 name none, 0.3 gives strings, later ones objects."""
    axes = multiscale.get("axes")
    if not axes:
        return [{"name": letter} for letter in _AXES_BEFORE_0_3[-ndim:]]
    entries = [entry if isinstance(entry, Mapping) else {"name": entry} for entry in axes]
    if len({str(entry["name"]) for entry in entries}) != ndim or len(entries) != ndim:
        raise ValueError(f"it must name {ndim} axes, each otherwise")
    # The type says what a name may not: dimension names are free, and channels have a type of their own.
    in_space = [place for place, entry in enumerate(entries) if entry.get("type") == "space"]
    names: list[object] = [
        {"time": "t", "channel": "c"}.get(str(entry.get("type")), entry.get("name")) for entry in entries
    ]
    unknown = [place for place in in_space if letter_of(names[place]) not in ("Z", "Y", "X")]
    free = [letter for letter in "xyz" if letter.upper() not in map(letter_of, names)]
    for place, letter in zip(reversed(unknown), free, strict=False):
        names[place] = letter
    return [
        {**entry, "name": name, "unit": entry.get("unit") if isinstance(entry.get("unit"), str) else None}
        for entry, name in zip(entries, names, strict=True)
    ]


def scale_of(metadata: Mapping[str, Any], ndim: int) -> np.ndarray:
    """Give how large a step along each axis is, 1 where the metadata do not say."""
    for transformation in metadata.get("coordinateTransformations") or ():
        if transformation.get("type") == "scale" and len(transformation.get("scale", ())) == ndim:
            return np.asarray(transformation["scale"], dtype=float)
    return np.ones(ndim)


def refuse_objects(array: "zarr.Array[Any]", path: Path) -> None:
    """Refuse arrays whose decoding would unpickle, before any chunk is read."""
    if np.dtype(array.dtype).kind in "OV" or "pickle" in str(array.metadata.to_dict()).lower():
        raise UtileError(f"{path.name} holds Python objects instead of pixels; such files are not opened.")
