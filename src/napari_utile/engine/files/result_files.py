"""The files of one result: labels, the recipe of how they were made, and what lies beside them.

They are of one run. Its recipe names what was written beside the labels, so that the next run knows what it may
remove: a mask or a table that a user put there has no place in a recipe.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PureWindowsPath
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.files.names import (
    CELLS,
    RECIPE_ENDING,
    STORE_RECIPE,
    image_name,
    name_and_ending,
    recipe_place,
    shown_name,
)

LABELS = "_labels.tif"
"""What follows an image's name in the file of its labels."""
TABLES_OF_LINKS = {"Z": "_objects.csv", "T": "_tracks.csv"}
"""What follows an image's name in the table of what was linked, by the axis."""
BESIDE = ("_probability.tif", "_mask.tif", "_classes.tif", CELLS, *TABLES_OF_LINKS.values())
"""What follows an image's name in all that is written beside its labels, on wish."""
_OF_A_MODEL = ("_probability.tif", "_classes.tif")
_PICTURES = [Path(ending).stem for ending in (LABELS, *BESIDE) if ending.endswith(".tif")]
_KEY = "beside"


def recipe_beside(path: Path) -> Path | None:
    """Find the recipe of a result of this program; None where there is none."""
    recipe = recipe_place(path)
    of_file = name_and_ending(path)[1] in _PICTURES and path.suffix.lower() in (".tif", ".tiff")
    return recipe if (of_file or recipe.name == STORE_RECIPE) and os.path.isfile(recipe) else None


def image_of_labels(labels: Path) -> str:
    """Call the image of labels as the tables of a batch do: by its file, or by which of a file's images it is.

    Parameters
    ----------
    labels : Path
        A file, or a store.

    Returns
    -------
    str
        What the recipe says; the name of `labels` where there is none, or it names no image.
    """
    recipe = recipe_beside(labels)
    with suppress(UtileError, KeyError, TypeError, AttributeError):  # damaged: says nothing
        if recipe is not None:
            values = read_json(recipe, "is not a recipe")
            source = Path(PureWindowsPath(values["source"]).as_posix())  # of any system
            ours = name_and_ending(labels)[0]
            selection = values.get("plan", values).get("selection") or {}
            of_many = selection.get("series") and ours.startswith(f"{image_name(source)}_")
            return ours if of_many else shown_name(source)
    return shown_name(labels)


def touched(start: str, beside: Collection[str]) -> list[Path]:
    """Name the files that a new result replaces or removes, see `begin_result`; the labels are the last."""
    earlier = written_beside(start)
    endings = [each for each in BESIDE if each in beside or each in earlier]
    return [Path(f"{start}{ending}") for ending in (RECIPE_ENDING, *endings, LABELS)]


def written_beside(start: str) -> list[str]:
    """Name those of `BESIDE` that lie beside the labels of a result, as its recipe says."""
    known = _earlier(start).get(_KEY, ())
    return [ending for ending in BESIDE if ending in known]


def not_ours(start: str, beside: Collection[str]) -> list[Path]:
    """Name the files beside labels that a new result would replace and that no earlier one wrote: a user's."""
    ours = {*written_beside(start), *([RECIPE_ENDING] if _earlier(start) else [])}
    files = [Path(f"{start}{ending}") for ending in (RECIPE_ENDING, *beside) if ending not in ours]
    return [path for path in files if os.path.exists(path)]


@contextmanager
def new_result(
    start: str, recipe: Mapping[str, Any] | None, beside: Collection[str]
) -> Iterator[Mapping[str, Path]]:
    """Give temporary places for the labels and what lies beside them; they take their own when all is written.

    Where one of them cannot be written, the earlier result stays as it is.

    Parameters
    ----------
    start, recipe, beside
        See `begin_result`.

    Yields
    ------
    mapping of str to Path
        By what follows the image's name, `LABELS` and those of `beside`; each is to be written.

    Raises
    ------
    UtileError
        If a file cannot be removed or written.
    """
    with (
        ExitStack() as places
    ):  # which are left from the last to the first: the labels take theirs at the end
        yield {ending: places.enter_context(atomic_path(f"{start}{ending}")) for ending in (LABELS, *beside)}
        begin_result(start, recipe, beside)


def kept_beside(start: str, recipe: Mapping[str, Any], *, edited: bool) -> list[str]:
    """Name those of `BESIDE` that stay true where labels of this recipe are written again.

    Parameters
    ----------
    start, recipe
        See `begin_result`.
    edited : bool
        Whether the labels have other pixels than those that are there.

    Returns
    -------
    list of str
        All, if they are of its run; of cells that were edited, what a model said of pixels.
    """
    ours, theirs = (
        {name: value for name, value in each.items() if name not in (_KEY, "linking")}
        for each in (recipe, _earlier(start))
    )
    if json.loads(json.dumps(ours)) != theirs:  # a layer has tuples
        return []
    return [ending for ending in written_beside(start) if ending in _OF_A_MODEL or not edited]


def begin_result(start: str, recipe: Mapping[str, Any] | None, beside: Collection[str]) -> None:
    """Remove an earlier result and write the recipe of a new one, whose labels take their place last.

    The earlier labels go first: wherever it is interrupted, where there are labels all that lies beside them is theirs.

    Parameters
    ----------
    start : str
        What the paths of the files begin with: folder and image's name.
    recipe : mapping or None
        As JSON holds it; None where nobody knows how the labels were made.
    beside : collection of str
        Those of `BESIDE` that will be written.

    Raises
    ------
    UtileError
        If a file cannot be removed or written.
    """
    earlier = _earlier(start)
    _remove(os.path.realpath(f"{start}{LABELS}"))  # a linked file is replaced, not its link
    for ending in written_beside(start):
        if ending not in beside:
            _remove(f"{start}{ending}")
    if recipe is not None:
        write_recipe(f"{start}{RECIPE_ENDING}", recipe, beside)
    elif earlier:
        _remove(f"{start}{RECIPE_ENDING}")


def write_recipe(
    path: str | os.PathLike[str], recipe: Mapping[str, Any], beside: Collection[str] = ()
) -> None:
    """Write a recipe with what lies beside its labels.

    Raises
    ------
    UtileError
        If it cannot be written.
    """
    values = {name: value for name, value in recipe.items() if name != _KEY}
    if names := [ending for ending in BESIDE if ending in beside]:
        values[_KEY] = names
    write_json(path, values)


def _earlier(start: str) -> Mapping[str, Any]:
    """Read the recipe of an earlier run; empty where there is none of this program."""
    try:
        values = read_json(f"{start}{RECIPE_ENDING}", "is not a recipe")
    except UtileError:
        return {}
    ours = isinstance(values, dict) and str(values.get("format", "")).startswith("napari-utile")
    return values if ours and isinstance(values.get(_KEY, []), list) else {}


def _remove(path: str) -> None:
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot remove {path}: {error.strerror or error}.") from error
