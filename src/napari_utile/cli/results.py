"""Labels as commands write them: what lies beside them, and the tables of their folder, are of no labels before."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.files.result_files import LABELS, new_result, not_ours, touched
from napari_utile.engine.files.targets import Identity, check_target
from napari_utile.engine.files.tiff import write_labels
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.replay.stored import is_made_of, recipe_as_made

if TYPE_CHECKING:
    from napari_utile.cli.fields import FieldTables


def space_of(planes: SelectedPlanes) -> dict[str, Any]:
    """Give pixel size, unit and steps of an image as files of its planes have them."""
    image = planes.image
    steps = {axis: step for axis, step in image.steps.items() if axis in planes.stacked}
    return {"pixel_size": image.pixel_size, "unit": image.unit, "steps": steps}


def check_labels(
    path: Path, image: Path, inputs: Collection[Identity], beside: Collection[str] = (), *, overwrite: bool
) -> None:
    """Check, before anything is computed, that labels can be written and nothing is lost by it.

    Parameters
    ----------
    path, beside
        See `new_labels`.
    image : Path
        What they will be made of.
    inputs : collection of Identity
        Of what is read.
    overwrite : bool
        Whether they may replace what this program did not make or made of another image, or what was changed since.

    Raises
    ------
    UtileError
        If a file cannot be written, is read, or may be of a user or of another image.
    """
    start = str(path).removesuffix(LABELS)
    for each in touched(start, beside) if start != str(path) else [path]:
        check_target(each, inputs)
    if not overwrite:
        if os.path.exists(path):
            recipe = recipe_as_made(path)
            if recipe is None:
                _refuse(path)
            if not is_made_of(recipe, image):
                raise UtileError(
                    f"{path.name} was made of {recipe.source}: choose another folder, or use --overwrite."
                )
        keep_of_users(start, beside)


def keep_of_users(start: str, beside: Collection[str]) -> None:
    """Refuse to replace what a user put beside labels.

    Raises
    ------
    UtileError
    """
    for path in not_ours(start, beside):
        _refuse(path)


def _refuse(path: Path) -> NoReturn:
    raise UtileError(
        f"{path.name} is not as a recipe beside it says, so somebody made or changed it: move it, or use --overwrite."
    )


@contextmanager
def new_labels(
    path: Path,
    labels: Planes,
    space: Mapping[str, Any],
    tables: "FieldTables | None",
    recipe: Mapping[str, Any] | None = None,
    beside: Collection[str] = (),
) -> Iterator[Mapping[str, Path]]:
    """Write labels and give temporary places for what lies beside them, see `new_result`.

    Parameters
    ----------
    path : Path
        Of the labels. Nothing lies beside those whose name does not end in `LABELS`.
    labels : Planes
    space : mapping
        See `space_of`.
    tables : FieldTables or None
        Of the folder; they leave out what they said of the labels before.
    recipe, beside
        See `new_result`.
    """
    start = str(path).removesuffix(LABELS)
    if start == str(path):
        write_labels(path, labels, **space)
        yield {}
        return
    with new_result(start, recipe, beside) as new:
        write_labels(new[LABELS], labels, **space)
        yield new
    if tables is not None:
        tables.leave_out(start)
