"""`utile segment`: the cells of files, folders and patterns, as label images."""

import argparse
import contextlib
import itertools
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_utile.cli.batch import Batch, say_left_out
from napari_utile.cli.options import add_options, given
from napari_utile.cli.progress import with_bar
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.names import RECIPE_ENDING, image_name
from napari_utile.engine.files.targets import check_folder, check_space, check_target, identities
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.files.image_file import ImageFile
    from napari_utile.engine.inference.device import Compute
    from napari_utile.engine.models.library import Model


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "segment",
        help="segment the cells of images",
        description="Segment the cells of images. Every plane of a stack or a time series is segmented by itself.",
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="files, folders or patterns (TIFF, PNG, OME-Zarr)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    parser.add_argument("--probability", action="store_true", help="also write the cell probability")
    parser.add_argument("--mask", action="store_true", help="also write the mask")
    parser.add_argument("--measurements", action="store_true", help="also write a table of the cells (CSV)")
    parser.add_argument("--estimate", action="store_true", help="only say what it will cost")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_options(parser, SegmentParams)
    add_options(parser, InstanceParams)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment each image; return 0, or 1 where some failed."""
    from napari_utile.engine.files.find import find_images
    from napari_utile.engine.files.images import read_image
    from napari_utile.engine.files.names import results_apart
    from napari_utile.engine.inference.device import choose_compute
    from napari_utile.engine.models.library import load_model
    from napari_utile.engine.segment_params import suggested_instances

    found = results_apart(find_images(arguments.images))
    say_left_out("left out, as results of another image (give one alone to segment it)", found.results)
    if not found.images:
        raise UtileError("There is no image among these files: all are results, by their names.")
    _refuse_same_names(found.images)
    chosen = given(arguments, SegmentParams)
    model = load_model(chosen.get("model", SegmentParams().model))
    instances = suggested_instances(model.card, **given(arguments, InstanceParams))
    params = SegmentParams(**chosen, instances=instances)
    compute = choose_compute(params.device, params.precision)
    inputs = identities(found.images)
    if not arguments.estimate:
        check_folder(arguments.output)
    batch = Batch()
    for path in found.images:
        with batch.each(path):
            if arguments.estimate:
                _print_estimate(read_image(path), model, params)
            else:
                for ending in _endings(arguments):
                    check_target(arguments.output / f"{image_name(path)}{ending}", inputs)
                _segment_file(read_image(path), model, params, compute, arguments)
    if batch.failed:
        print(f"{batch.failed} of {len(found.images)} images failed.", file=sys.stderr)
    return 1 if batch.failed else 0


def _refuse_same_names(paths: Sequence[Path]) -> None:
    counts = Counter(image_name(path).lower() for path in paths)  # some disks do not tell capitals apart
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise UtileError(
            f"{counts[repeated[0]]} images are named {repeated[0]} and would overwrite each other's results: "
            "segment them into different folders."
        )


def _endings(arguments: argparse.Namespace) -> list[str]:
    """Give what follows an image's name in the files that are written, the labels last."""
    asked = {
        "_probability.tif": arguments.probability,
        "_mask.tif": arguments.mask,
        "_cells.csv": arguments.measurements,
    }
    return [RECIPE_ENDING, *(ending for ending, wanted in asked.items() if wanted), "_labels.tif"]


def _segment_file(
    image: "ImageFile",
    model: "Model",
    params: "SegmentParams",
    compute: "Compute",
    arguments: argparse.Namespace,
) -> None:
    from napari_utile.engine.files.images import write_image, write_labels
    from napari_utile.engine.files.plane_file import PlaneFile
    from napari_utile.engine.planes.axes import plane_from_array
    from napari_utile.engine.provenance.command import segment_command
    from napari_utile.engine.provenance.recipe import recipe_of_planes, record_plane, save_recipe
    from napari_utile.engine.segment import segment_steps
    from napari_utile.engine.segment_params import suggested_instances

    stacked, sizes = _stack_axes(image)
    check_space(arguments.output, _bytes_to_write(image, arguments))
    records, tables = [], []
    with contextlib.ExitStack() as open_files:
        # Beside the results until the last plane is done, so that memory does not grow with their number.
        labels, foreground = (
            open_files.enter_context(PlaneFile(arguments.output, stacked, sizes)) for _ in range(2)
        )
        for position in itertools.product(*(range(size) for size in sizes)):
            index = dict(zip(stacked, position, strict=True))
            plane = plane_from_array(
                image.data,
                image.axes,
                index=index,
                name=image.name,
                pixel_size=image.pixel_size,
                unit=image.unit,
            )
            steps = segment_steps(plane, params, model=model, compute=compute)
            where = " ".join([image.path.name, *(f"{axis}{number}" for axis, number in index.items())])
            made = with_bar(steps, where, arguments.quiet)
            records.append(record_plane(made, index))
            labels.put(position, made.labels)
            if arguments.probability:
                foreground.put(position, made.foreground)
            if arguments.measurements:
                from napari_utile.engine.cells.measure import measure

                table = measure(
                    made.labels, np.asarray(plane.data), pixel_size=plane.pixel_size, unit=plane.unit
                )
                rows = len(next(iter(table.values())))
                tables.append({**{axis: np.full(rows, number) for axis, number in index.items()}, **table})

        start = str(arguments.output / image.name)
        command = segment_command(image.path, made.params, suggested_instances(model.card), arguments.output)
        save_recipe(recipe_of_planes(records, made, image.path, command), f"{start}{RECIPE_ENDING}")
        space = (None, image.pixel_size, image.unit)
        if arguments.probability:
            write_image(f"{start}_probability.tif", foreground.planes, *space)
        if arguments.mask:
            write_image(f"{start}_mask.tif", labels.planes.mapped(lambda plane: plane > 0, bool), *space)
        if arguments.measurements:
            from napari_utile.engine.files.tables import write_table

            columns = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
            write_table(f"{start}_cells.csv", columns)
        # The labels come last: where they are, all is there. The recipe holds their hash.
        write_labels(f"{start}_labels.tif", labels.planes, *space)
    print(f"{image.path.name}: {sum(record.cells for record in records)} cells")


def _stack_axes(image: "ImageFile") -> tuple[str, list[int]]:
    """Return the axes along which planes are stacked, and their sizes."""
    channel = "S" if "S" in image.axes else "C"
    kept = [
        (axis, size)
        for axis, size in zip(image.axes, image.data.shape, strict=True)
        if axis not in ("Y", "X", channel) and size > 1
    ]
    return "".join(axis for axis, _ in kept), [size for _, size in kept]


def _bytes_to_write(image: "ImageFile", arguments: argparse.Namespace) -> float:
    """Say how much room is needed at most, as far as one can know: deflated results, and their planes until then."""
    pixels: int = math.prod(
        size for axis, size in zip(image.axes, image.data.shape, strict=True) if axis not in "CS"
    )
    each: float = 1 + 4 * bool(arguments.probability) + bool(arguments.mask) / 4
    until_all_are_done = 4 + 4 * bool(arguments.probability)
    return 1e5 + pixels * (each + until_all_are_done)


def _print_estimate(image: "ImageFile", model: "Model", params: "SegmentParams") -> None:
    from napari_utile.engine.inference.estimate import estimate
    from napari_utile.engine.planes.axes import plane_from_array

    planes = int(np.prod(_stack_axes(image)[1], dtype=int))
    plane = plane_from_array(
        image.data, image.axes, name=image.name, pixel_size=image.pixel_size, unit=image.unit
    )
    cost = estimate(plane, model, params)
    print(f"{image.path.name}: {f'{planes} planes of ' if planes > 1 else ''}{cost}")
