"""What the names of files say: which belong to one image, and which are results and not images.

One rule for files, folders and patterns, and for every command. A name is divided into the image that it belongs to
and what a tool added: an ending (``cells_labels.tif``, ``cells_cp_masks.png``) or, as in the Cell Tracking Challenge,
a beginning (``mask000.tif`` and ``man_seg000.tif`` belong to ``t000.tif``).
"""

import os
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path

from napari_utile.engine.arrays import PATHS
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, is_store

RESULT_ENDINGS = ("_labels", "_probability", "_mask", "_classes", "_truth")
"""Endings of files that this program makes of an image and writes beside it."""

LABEL_ENDINGS = (
    "_labels",
    "_label",
    "_masks",
    "_cp_masks",
    "_pred",
    "_prediction",
    "_seg",
    "_segmentation",
    "_instances",
)
"""What tools append to an image's name to name its labels."""

PICTURE_ENDINGS = ("_probability", "_probabilities", "_outlines", "_cp_outlines", "_flows")
"""What tools append to an image's name to name pictures that are neither images nor labels."""

RECIPE_ENDING = "_recipe.json"
"""What `utile segment` appends to the name of an image for its recipe."""

STORE_RECIPE = "recipe.json"
"""What the recipe of a store is called, which lies in it."""

CELLS = "_cells.csv"
"""What follows an image's name in the table of its cells."""

_KNOWN_ENDINGS = sorted({*LABEL_ENDINGS, *RESULT_ENDINGS, *PICTURE_ENDINGS}, key=len, reverse=True)

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
# The Cell Tracking Challenge numbers the planes of a time-lapse: t000.tif in 01, man_seg000.tif in 01_GT/SEG,
# man_track000.tif in 01_GT/TRA, mask000.tif in 01_RES.
_CHALLENGE = re.compile(r"(t|mask|man_seg|man_track)(\d{3,})")
_BEGINNING = re.compile(r"(masks?|labels?|lab|seg|images?|img|im)([-_ ]?)(?=\d|(?<=[-_ ]).)(.+)")
LABEL_BEGINNINGS = ("mask", "masks", "label", "labels", "lab", "seg", "man_seg", "man_track")
"""What tools put before an image's name, or its number, to name its labels."""


def as_path(given: object, what: str = "an image") -> Path:
    """Give a path of a script as one of this system; ``~`` is the home folder where nothing is called so.

    Raises
    ------
    UtileError
        If it is no path, or an address in the web.

    Examples
    --------
    >>> as_path(b"cells.tif").name
    'cells.tif'
    """
    if not isinstance(given, PATHS):
        raise UtileError(f"The path of {what} is a text such as 'cells.tif'; got {type(given).__name__}.")
    text = os.fsdecode(given)
    if "\0" in text:
        raise UtileError(f"{text!r} cannot be a path.")
    if os.path.lexists(text):
        return Path(text)
    if _ADDRESS.match(text):
        raise UtileError(f"{text} is an address: nothing is downloaded here, give the path of a file.")
    return Path(os.path.expanduser(text))


def image_name(path: Path) -> str:
    """Give a file's name without its image suffixes: ``cells`` for ``cells.ome.tif``.

    An image inside a zarr folder is called after both: ``plate_A_1_0`` for ``plate.ome.zarr/A/1/0``.
    """
    zarr = next((parent for parent in path.parents if parent.suffix.lower() == ".zarr"), None)
    stem = path.stem if zarr is None else zarr.stem
    stem = stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem
    return stem if zarr is None else "_".join([stem, *path.relative_to(zarr).parts])


def shown_name(path: Path) -> str:
    """Give what people call an image: the name of its file, or where it lies in a folder of many."""
    inside = any(parent.suffix.lower() == ".zarr" for parent in path.parents)
    return image_name(path) if inside else path.name


def name_and_ending(path: Path) -> tuple[str, str]:
    """Divide ``cells_labels.ome.tif`` into ``cells`` and ``_labels``; the ending is given in small letters."""
    stem = image_name(path)
    for ending in _KNOWN_ENDINGS:
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            return stem[: -len(ending)], ending
    return stem, ""


def recipe_place(labels: Path) -> Path:
    """Name the recipe of labels, whether it is there or not: of a store, or an array in it, the store's own."""
    store = next((place for place in (labels, *labels.parents[:2]) if is_store(place)), None)
    if store is not None:
        return store / STORE_RECIPE
    return labels.with_name(f"{name_and_ending(labels)[0]}{RECIPE_ENDING}")


def beginning_and_name(name: str) -> tuple[str, str]:
    """Divide ``mask_3`` into ``mask`` and ``3``, ``man_seg007`` into ``man_seg`` and ``007``; else the first is empty.

    Numbers keep their zeros, letters become small.
    """
    name = name.lower()
    if found := _CHALLENGE.fullmatch(name):
        return found[1], found[2]
    if found := _BEGINNING.fullmatch(name):
        return found[1], found[3]
    return "", name


@dataclass(frozen=True)
class Sorted:
    """Images, and the results that lay among them and are left out."""

    images: tuple[Path, ...]
    results: tuple[Path, ...]


def results_apart(paths: Iterable[Path]) -> Sorted:
    """Tell images from the results that were made of them, by this program or another.

    A file is a result where its name has an ending or a beginning of `name_and_ending` and `beginning_and_name`, and

    - an image with its name without that is among `paths`, in the same folder or, for the Cell Tracking Challenge, in
      the folder that the results' folder is named after; or, of labels, in any folder; or
    - a recipe of this program lies beside it, or, of labels, a table of their cells.

    A store that this program wrote is a result as well. A single path is taken for what the user meant.

    Parameters
    ----------
    paths : iterable of Path

    Returns
    -------
    Sorted
        Both in the given order.
    """
    every = list(paths)
    if len(every) < 2:
        return Sorted(tuple(every), ())
    present = {(path.parent, image_name(path).lower()) for path in every}
    names = {name for _, name in present}
    results = [path for path in every if _is_result(path, present, names)]
    apart = set(results)
    return Sorted(tuple(path for path in every if path not in apart), tuple(results))


def _is_result(path: Path, present: Set[tuple[Path, str]], names: Set[str]) -> bool:
    if os.path.isdir(path / HOME):
        return True
    name, ending = name_and_ending(path)
    has_image = name.lower() in names if ending in LABEL_ENDINGS else (path.parent, name.lower()) in present
    if ending and (has_image or _has_recipe(path.parent, name) or table_beside(path)):
        return True
    beginning, number = beginning_and_name(image_name(path))
    if beginning not in LABEL_BEGINNINGS:
        return False
    images = {
        number,
        *(f"{image}{mark}{number}" for image in ("t", "img", "image", "im") for mark in ("", "_", "-")),
    }
    return any((folder, image) in present for folder in _image_folders(path.parent) for image in images)


def table_beside(path: Path) -> Path | None:
    """Find the table of labels that this program wrote, also where no recipe made them; None where there is none."""
    name, ending = name_and_ending(path)
    table = path.with_name(f"{name}{CELLS}")
    of_file = ending == "_labels" and path.suffix.lower() in (".tif", ".tiff")
    return table if of_file and os.path.isfile(table) else None


def _has_recipe(folder: Path, name: str) -> bool:
    return os.path.isfile(folder / f"{name}{RECIPE_ENDING}")


def _image_folders(folder: Path) -> list[Path]:
    """Give the folders in which the image of a file in `folder` may lie: 01 for 01_RES and 01_GT/SEG."""
    folders = [folder]
    results = folder.parent if folder.name in ("SEG", "TRA") else folder
    stem, mark, kind = results.name.rpartition("_")
    if mark and stem and kind in ("GT", "ST", "RES"):
        folders.append(results.with_name(stem))
    return folders
