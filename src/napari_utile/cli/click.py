"""`utile click`: the cells of markers that were set in the Click page, as a label image."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from napari_utile.cli.asked import asked_for
from napari_utile.cli.batch import Batch
from napari_utile.cli.cell_size import Sizing
from napari_utile.cli.options import add_options, add_output, file_path, given
from napari_utile.cli.results import check_labels, new_labels, space_of
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.markers import Marker, label_marked_cells, read_markers
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.plane_file import planes_of
from napari_utile.engine.files.result_files import LABELS, recipe_beside
from napari_utile.engine.files.targets import check_target, identities
from napari_utile.engine.files.tiff import TIFF_SUFFIXES
from napari_utile.engine.inference.confidence import fit_at
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.inference.size import rate_at_size
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.words import bracketed, counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "click",
        help="compute the cells of saved markers",
        description=(
            "Compute the cells that saved markers ask for, as 'Apply markers again' in the Click "
            "dock does. Save the layer of markers in napari as a CSV file."
        ),
    )
    parser.add_argument("image", metavar="IMAGE", help="the image (TIFF, PNG, OME-Zarr)")
    parser.add_argument("--points", type=file_path, required=True, metavar="CSV", help="the saved markers")
    add_output(parser, "TIFF", "labels to write")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 3 where the model does not look right for the image"
    )
    add_options(parser, Selection)
    add_options(parser, SegmentParams, skip=("tile",))
    add_options(parser, InstanceParams)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the cells; return 0, or with ``--strict`` 3 where the model does not look right for the image."""
    output, inputs = arguments.output, identities([arguments.image, arguments.points])
    check_target(output, inputs, TIFF_SUFFIXES)
    # Whoever calls it by its name means it.
    check_labels(output, Path(arguments.image), inputs, overwrite=True)
    tables = None
    if output.name.endswith(LABELS):
        from napari_utile.cli.fields import tables_around

        tables = tables_around(output, inputs)
    elif recipe := recipe_beside(output):
        raise UtileError(f"Cannot write {output}: {recipe.name} is of other labels; choose another name.")
    selection = Selection(**given(arguments, Selection))
    planes = SelectedPlanes(open_selected(arguments.image, selection), selection)
    markers = read_markers(arguments.points)
    axes = _marked_axes(planes, markers)
    sizing = Sizing(asked_for(arguments))
    params, model, said, size = sizing.params_for(planes)
    limits = limits_of_stack(planes.measured_on(), params, model.card)
    assert params.instances is not None
    labelled = []
    for index, plane in planes:
        where: tuple[int | slice, ...] = (*(index.get(axis, 0) for axis in axes), slice(None), slice(None))
        here = [marker for marker in (each.on_plane(where) for each in markers) if marker is not None]
        labelled.append(np.zeros(plane.shape, np.int32))
        if here:
            field = Field(plane, model, params, compute=sizing.compute, limits=limits, cache=TileCache())
            labelled[-1] = Run(label_marked_cells(field, here, params.instances, field.click_radius)).result
    labels = np.stack(labelled).reshape(*planes.sizes, *labelled[0].shape)
    image = planes.image
    with (
        tables or nullcontext(),
        new_labels(output, planes_of(labels, f"{planes.stacked}YX"), space_of(planes), tables),
    ):
        pass  # nothing lies beside them
    asked = {marker.cell for marker in markers if marker.inside}
    found = asked & set(np.unique(labels).tolist())
    about = bracketed(planes.taken(params.channels, model.card.needed_inputs), said)
    cells = counted(len(found), "cell")
    print(f"{image.shown_name}: {cells}{about}")
    if len(found) < len(asked):
        print(f"{len(asked) - len(found)} had nothing under their markers")
    batch = Batch()
    if size is None or not size.trials:  # given, or the model's own
        size = rate_at_size(planes.measured_on(), model, params, compute=sizing.compute, limits=limits)
    batch.judge(image.shown_name, fit_at(size, model.card))
    return batch.status(1, arguments.strict)


def _marked_axes(planes: SelectedPlanes, markers: Sequence[Marker]) -> str:
    """Return the axes of the image that the markers have before Y and X, where they count as in the whole image.

    Raises
    ------
    UtileError
        If the markers were set on an image of other axes.
    """
    if not markers:
        raise UtileError("There are no markers in this file; set some with clicks first.")
    image = planes.image
    channel = "S" if "S" in image.axes else "C"
    every = "".join(axis for axis in image.axes if axis not in ("Y", "X", channel))
    longer = "".join(planes.sliders)
    count = len(markers[0].point)
    for axes in (longer, every, planes.stacked):
        if len(axes) + 2 == count:
            return axes
    raise UtileError(
        f"The markers have {count} coordinates, and {image.path.name} has {len(longer) + 2} axes "
        f"({longer}YX): they belong to another image, or --axes, --z and --t choose their planes."
    )
