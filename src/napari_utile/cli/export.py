"""`utile export`: the cells of a label image as regions for ImageJ, QuPath and others."""

import argparse
from pathlib import Path

from napari_utile.engine.files.targets import check_target, identities


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write the cells of labels for ImageJ or QuPath",
        description="Write the cells of a label image as polygons along the edges of their pixels: a .zip of regions "
        "of interest for ImageJ, Fiji and QuPath, or a .geojson for QuPath and others.",
    )
    parser.add_argument("labels", type=Path, metavar="LABELS", help="label image (TIFF, PNG, OME-Zarr)")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="file to write: .zip or .geojson"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file; return 0."""
    from napari_utile.engine.cells.polygons import EXPORT_SUFFIXES, cell_polygons, write_polygons
    from napari_utile.engine.files.label_reading import label_planes

    check_target(arguments.output, identities([arguments.labels]), EXPORT_SUFFIXES)
    cells = [
        cell
        for where, plane in label_planes(arguments.labels)
        for cell in cell_polygons(plane, {part[0].upper(): int(part[1:]) for part in where.split()})
    ]
    count = write_polygons(arguments.output, cells)
    print(f"{arguments.output}: {count} cell{'' if count == 1 else 's'}")
    return 0
