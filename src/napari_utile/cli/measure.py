"""`utile measure`: a table of the cells of label images."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_utile.cli.batch import Batch, say_left_out
from napari_utile.cli.options import add_axes, add_output, pixel_length
from napari_utile.engine.cells.measure import index_columns, measure
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_files import find_labels, pair_files
from napari_utile.engine.files.label_origin import origin_of_labels
from napari_utile.engine.files.label_planes import index_in_image, labels_of, pairing_in_words
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.files.result_files import image_of_labels
from napari_utile.engine.files.tables import check_table, write_table
from napari_utile.engine.files.targets import identities
from napari_utile.engine.linking.measure import ID_COLUMN
from napari_utile.engine.words import counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "measure",
        help="measure the cells of label images",
        description="Measure the cells of label images: area, shape, neighbours, and intensities where the images "
        "are given too, in physical units where a file says how large its pixels are. Folders are paired by name; "
        "all cells go into one table.",
    )
    parser.add_argument("labels", metavar="LABELS", help="label image, folder or pattern")
    parser.add_argument(
        "images", nargs="?", metavar="IMAGE", help="image, folder or pattern with the intensities"
    )
    add_output(parser, "TABLE", "table (.csv, .parquet)")
    parser.add_argument(
        "--pixel-size",
        type=pixel_length,
        metavar="UM",
        help="size of a pixel in µm; what the file says by default",
    )
    add_axes(parser)
    parser.add_argument(
        "--series",
        metavar="N|NAME",
        help="which image of the file with the intensities, where it holds several",
    )
    parser.add_argument("--basic", action="store_true", help="only area, position and mean intensity")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure; return 1 where a file failed."""
    batch = Batch()
    if arguments.images is None:
        found, ignored = find_labels(arguments.labels)
        files: list[tuple[str, Path, Path | None, str | None]]
        files = [(name, path, None, None) for name, path in found.items()]
    else:
        pairing = pair_files(arguments.labels, arguments.images, second_is="image")
        files = [(pair.name, pair.first, pair.second, pair.series) for pair in pairing.pairs]
        ignored = pairing.ignored
        for path in pairing.first_alone:
            batch.fail(path, "there is no image with this name")
    say_left_out("ignored", ignored)
    check_table(arguments.output, identities(path for _, *pair, _ in files for path in pair if path))
    tables = []
    measured = 0
    for name, labels, image, series in files:
        with batch.each(labels):
            tables += _measure(name, labels, image, arguments.series or series, arguments)
            measured += 1
    if not tables:
        raise UtileError("nothing could be measured.")
    columns = joined(tables)
    write_table(arguments.output, columns)
    print(f"{counted(len(columns['index']), 'cell')} of {counted(measured, 'image')} in {arguments.output}")
    return 1 if batch.failed else 0


def joined(tables: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Put tables one below the other; a cell stays empty where a table lacks the column."""
    names = list(dict.fromkeys(name for table in tables for name in table))
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for table in tables:
        length = len(table["index"])
        for name in names:
            columns[name] += list(table[name]) if name in table else [""] * length
    return columns


def _measure(
    name: str, path: Path, image_path: Path | None, series: str | None, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    file = read_labels(path, arguments.axes)
    origin = origin_of_labels(file)
    image = origin.read(image_path, series) if image_path else None
    if image is not None and image.notes:
        print(f"{image.shown_name}: {', '.join(image.notes)}", file=sys.stderr)
    if said := str(origin):
        print(f"{file.shown_name} {said}: positions are those in the image", file=sys.stderr)
    size, unit = file.pixel_size, file.unit
    if size is None and image is not None:
        size, unit = image.pixel_size, image.unit
    if arguments.pixel_size is not None:
        size, unit = (arguments.pixel_size, arguments.pixel_size), "µm"
    tables = []
    if "/" in name or (series and not arguments.series):  # a field of a plate, or one of a file's images
        called = name
    else:
        called = image.shown_name if image is not None else image_of_labels(path)
    planes = origin.planes(file, image) if image is not None else None
    if planes is not None and (said := pairing_in_words(file, planes)):
        print(said)
    for index, labels in labels_of(file):
        pixels = None
        if planes is not None:
            plane = planes.plane(index_in_image(index, file, planes)[0])
            pixels = origin.pixels(replace(plane, name=planes.image.shown_name), labels.shape, file.path.name)
        table = measure(labels, pixels, size, unit, basic=arguments.basic)
        for axis, start in zip("yx", origin.start, strict=True):
            table[f"centroid_{axis}"] += start
        rows = len(table["index"])
        ids = {ID_COLUMN[origin.linked]: table["index"]} if origin.linked else {}
        measured = ids | index_columns(origin.index(index), rows) | table
        tables.append(
            {"image": [called] * rows, **{column: values.tolist() for column, values in measured.items()}}
        )
    return tables
