"""Labels as commands write them: what lies beside them, and the tables of their folder, are of no labels before."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.files.result_files import LABELS, new_result
from napari_utile.engine.files.tiff import write_labels
from napari_utile.engine.planes.selection import SelectedPlanes

if TYPE_CHECKING:
    from napari_utile.cli.fields import FieldTables


def space_of(planes: SelectedPlanes) -> dict[str, Any]:
    """Give pixel size, unit and steps of an image as files of its planes have them."""
    image = planes.image
    steps = {axis: step for axis, step in image.steps.items() if axis in planes.stacked}
    return {"pixel_size": image.pixel_size, "unit": image.unit, "steps": steps}


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
