"""`utile segment`: the cells of files, folders and patterns, as label images."""

import argparse
import itertools
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_utile.cli.options import add_options, given
from napari_utile.cli.progress import with_bar
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.files.image_file import ImageFile
    from napari_utile.engine.inference.device import Compute
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.segment import Segmentation


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
    from napari_utile.engine.files.images import find_images, read_image
    from napari_utile.engine.inference.device import choose_compute
    from napari_utile.engine.models.library import load_model
    from napari_utile.engine.segment import suggested_instances

    paths = find_images(arguments.images, skip_results=True)
    _refuse_same_names(paths)
    chosen = given(arguments, SegmentParams)
    model = load_model(chosen.get("model", SegmentParams().model))
    instances = suggested_instances(model.card, **given(arguments, InstanceParams))
    params = SegmentParams(**chosen, instances=instances)
    compute = choose_compute(params.device, params.precision)
    if not arguments.estimate:
        _make_folder(arguments.output)
    failed = 0
    for path in paths:
        try:
            image = read_image(path)
            if arguments.estimate:
                _print_estimate(image, model, params)
            else:
                _segment_file(image, model, params, compute, arguments)
        except (UtileError, ValueError, MemoryError, OSError) as error:
            failed += 1
            print(f"{path}: {error or 'the memory is not enough'}", file=sys.stderr)
    if failed:
        print(f"{failed} of {len(paths)} images failed.", file=sys.stderr)
    return 1 if failed else 0


def _refuse_same_names(paths: list[Path]) -> None:
    from napari_utile.engine.files.image_file import ImageFile

    counts = Counter(ImageFile.name_of(path) for path in paths)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise UtileError(
            f"{counts[repeated[0]]} images are named {repeated[0]} and would overwrite each other's results: "
            "segment them into different folders."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot make the folder {folder}: {error.strerror}.") from error


def _segment_file(
    image: "ImageFile",
    model: "Model",
    params: "SegmentParams",
    compute: "Compute",
    arguments: argparse.Namespace,
) -> None:
    from napari_utile.engine.files.images import write_image, write_labels
    from napari_utile.engine.planes.axes import plane_from_array
    from napari_utile.engine.provenance.command import segment_command
    from napari_utile.engine.provenance.recipe import recipe_of, save_recipe
    from napari_utile.engine.segment import segment_steps, suggested_instances

    stacked, sizes = _stack_axes(image)
    results: list[Segmentation] = []
    indices: list[tuple[tuple[str, int], ...]] = []
    tables = []
    for position in itertools.product(*(range(size) for size in sizes)):
        index = dict(zip(stacked, position, strict=True))
        plane = plane_from_array(
            image.data, image.axes, index=index, name=image.name, pixel_size=image.pixel_size, unit=image.unit
        )
        steps = segment_steps(plane, params, model=model, compute=compute)
        where = " ".join([image.path.name, *(f"{axis}{number}" for axis, number in index.items())])
        results.append(with_bar(steps, where, arguments.quiet))
        indices.append(tuple(index.items()))
        if arguments.measurements:
            from napari_utile.engine.cells.measure import measure

            table = measure(
                results[-1].labels, np.asarray(plane.data), pixel_size=plane.pixel_size, unit=plane.unit
            )
            rows = len(next(iter(table.values())))
            tables.append({**{axis: np.full(rows, number) for axis, number in index.items()}, **table})

    def stack(arrays: "list[np.ndarray]") -> np.ndarray:
        return arrays[0] if not sizes else np.stack(arrays).reshape(*sizes, *arrays[0].shape)

    start = str(arguments.output / image.name)
    command = segment_command(
        image.path, results[0].params, suggested_instances(model.card), arguments.output
    )
    save_recipe(
        recipe_of(dict(zip(indices, results, strict=True)), image.path, command), f"{start}_recipe.json"
    )
    space = (stacked + "YX", image.pixel_size, image.unit)
    write_labels(f"{start}_labels.tif", stack([each.labels for each in results]), *space)
    if arguments.probability:
        write_image(f"{start}_probability.tif", stack([each.foreground for each in results]), *space)
    if arguments.mask:
        write_image(f"{start}_mask.tif", stack([each.mask for each in results]), *space)
    if arguments.measurements:
        from napari_utile.engine.cells.measure import write_csv

        write_csv(
            f"{start}_cells.csv", {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
        )
    print(f"{image.path.name}: {sum(int(each.labels.max(initial=0)) for each in results)} cells")


def _stack_axes(image: "ImageFile") -> tuple[str, list[int]]:
    """Return the axes along which planes are stacked, and their sizes."""
    channel = "S" if "S" in image.axes else "C"
    kept = [
        (axis, size)
        for axis, size in zip(image.axes, image.data.shape, strict=True)
        if axis not in ("Y", "X", channel) and size > 1
    ]
    return "".join(axis for axis, _ in kept), [size for _, size in kept]


def _print_estimate(image: "ImageFile", model: "Model", params: "SegmentParams") -> None:
    from napari_utile.engine.inference.estimate import estimate
    from napari_utile.engine.planes.axes import plane_from_array

    planes = int(np.prod(_stack_axes(image)[1], dtype=int))
    plane = plane_from_array(
        image.data, image.axes, name=image.name, pixel_size=image.pixel_size, unit=image.unit
    )
    cost = estimate(plane, model, params)
    print(f"{image.path.name}: {f'{planes} planes of ' if planes > 1 else ''}{cost}")
