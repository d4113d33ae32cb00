"""`utile export`: the cells of a label image as regions for ImageJ, QuPath and others, and tracks for others."""

import argparse
import sys
from pathlib import Path

from napari_utile.cli.options import add_axes, add_output, file_path
from napari_utile.engine.cells.polygons import EXPORT_SUFFIXES, cell_polygons, write_polygons
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json
from napari_utile.engine.files.label_origin import origin_of_labels
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.files.result_files import recipe_beside
from napari_utile.engine.files.targets import check_target, identities
from napari_utile.engine.linking.exported import GEFF, TRACK_ENDINGS, write_tracks
from napari_utile.engine.linking.measure import Spacing
from napari_utile.engine.provenance.linked import linking_in
from napari_utile.engine.words import counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write the cells or tracks of labels for other programs",
        description="Write the cells of a label image as polygons along the edges of their pixels: a .zip of regions "
        "of interest for ImageJ, Fiji and QuPath, or a .geojson for QuPath and others. Write the tracks of a linked "
        "time-lapse (utile segment --link t) as a graph, .geff, or as a folder of the Cell Tracking Challenge, whose "
        "name ends in _RES; divisions are those of the recipe beside the labels, or in their store.",
    )
    parser.add_argument("labels", type=file_path, metavar="LABELS", help="label image (TIFF, PNG, OME-Zarr)")
    add_output(parser, "FILE", "what to write: .zip, .geojson, .geff or NAME_RES")
    add_axes(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file; return 0."""
    if arguments.output.name.endswith(TRACK_ENDINGS):
        return _export_tracks(arguments.labels, arguments.output, arguments.axes)
    if arguments.output.suffix.lower() not in EXPORT_SUFFIXES:
        raise UtileError(
            f"Cannot write {arguments.output}: the name must end in {' or '.join(EXPORT_SUFFIXES)} for cells, in "
            f"{' or '.join(TRACK_ENDINGS)} for tracks."
        )
    check_target(arguments.output, identities([arguments.labels]))
    file = read_labels(arguments.labels, arguments.axes)
    origin = origin_of_labels(file)
    if said := str(origin):
        print(f"{file.shown_name} {said}: positions are those in the image", file=sys.stderr)
    cells = [
        cell
        for index, plane in labels_of(file)
        for cell in cell_polygons(plane, origin.index(index), origin.start)
    ]
    count = write_polygons(arguments.output, cells)
    print(f"{arguments.output}: {counted(count, 'cell')}")
    return 0


def _export_tracks(labels: Path, output: Path, axes: str | None) -> int:
    """Write the tracks of linked labels, with the divisions that their recipe knows."""
    file = read_labels(labels, axes)
    sliders = [
        axis for axis, size in zip(file.axes, file.data.shape, strict=True) if axis not in "YX" and size > 1
    ]
    if sliders != ["T"]:
        raise UtileError(f"{labels.name} is not a time-lapse of planes: its axes are {file.axes}.")
    parents: dict[int, int] = {}
    if recipe := recipe_beside(labels):
        linking = linking_in(read_json(recipe, "is not a recipe"), recipe.name)
        if linking is None or linking.params.axis != "T":
            raise UtileError(
                f"{labels.name} has no tracks: segment with --link t, or link its planes in napari."
            )
        parents = linking.parents
    else:
        print(f"{labels}: no recipe beside it, so no division is known", file=sys.stderr)
    origin = origin_of_labels(file)
    if said := str(origin):
        graph = output.name.endswith(GEFF)
        what = "positions are those in the image" if graph else "masks and frames are those of the labels"
        print(f"{file.shown_name} {said}: {what}", file=sys.stderr)
    spacing = Spacing(file.pixel_size, file.unit, file.steps)
    start = (origin.index({"T": 0})["T"], *origin.start)
    count = write_tracks(output, lambda: (plane for _, plane in labels_of(file)), parents, spacing, start)
    print(f"{output}: {counted(count, 'track')}")
    return 0
