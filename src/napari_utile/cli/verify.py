"""`utile verify`: prove that tiles and blocks leave no seams, or that a store holds what its plan gives."""

import argparse

from napari_utile.cli.asked import asked_for
from napari_utile.cli.cell_size import Sizing
from napari_utile.cli.options import add_options, at_least_one, file_path, given
from napari_utile.cli.progress import with_bar
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.unfinished import is_store
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.verify import verify_seams, verify_store


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "verify",
        help="prove that tiles and blocks leave no seams",
        description="Compute a part of an image again on shifted tiles and blocks and compare; or some blocks of a "
        "store that utile segment wrote. The exit status is 1 where outputs differ by more than 0.0001 or a step of "
        "what they are kept in, or labels do.",
    )
    parser.add_argument("image", type=file_path, metavar="IMAGE|STORE", help="an image, or a finished store")
    parser.add_argument(
        "--size", type=at_least_one, default=512, metavar="PX", help="side of the part; default 512"
    )
    parser.add_argument(
        "--blocks", type=at_least_one, default=4, metavar="N", help="blocks of a store; default 4"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_options(parser, Selection)
    add_options(parser, SegmentParams)
    add_options(parser, InstanceParams)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify; return 0 where it holds, else 1."""
    path = arguments.image
    if is_store(path):
        found = with_bar(verify_store(path, arguments.blocks), path.name, arguments.quiet, unit="block")
        print(f"{path.name}: {found}")
        return 0 if found.holds else 1
    selection = Selection(**given(arguments, Selection))
    image = open_selected(path, selection)
    planes = SelectedPlanes(image, selection)
    sizing = Sizing(asked_for(arguments))
    params, model, *_ = sizing.params_for(planes)
    limits = limits_of_stack(planes.measured_on(), params, model.card)
    steps = verify_seams(
        planes.plane(planes.indices[0]), model, params, sizing.compute, arguments.size, limits
    )
    proof = with_bar(steps, path.name, arguments.quiet, unit="piece")
    of = f", the first of {len(planes)} planes" if len(planes) > 1 else ""
    print(f"{image.shown_name}{of}: {proof}")
    return 0 if proof.holds else 1
