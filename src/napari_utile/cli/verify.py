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
from napari_utile.engine.parameters import option_of
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.verify import verify_seams, verify_store

_SIZE, _BLOCKS = 512, 4
_OF_IMAGES = Selection, SegmentParams, InstanceParams


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
    parser.add_argument("--size", type=at_least_one, metavar="PX", help=f"side of the part; default {_SIZE}")
    parser.add_argument(
        "--blocks", type=at_least_one, metavar="N", help=f"blocks of a store; default {_BLOCKS}"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for each in _OF_IMAGES:
        add_options(parser, each)
    parser.set_defaults(run=run, refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Verify; return 0 where it holds, else 1."""
    path = arguments.image
    if is_store(path):
        sizes = () if arguments.size is None else ("size",)
        for name in (*sizes, *(name for each in _OF_IMAGES for name in given(arguments, each))):
            arguments.refuse(
                f"{option_of(name)} is for images, and {path.name} is a store: its plan says all of it"
            )
        found = with_bar(
            verify_store(path, arguments.blocks or _BLOCKS), path.name, arguments.quiet, unit="block"
        )
        print(f"{path.name}: {found}")
        return 0 if found.holds else 1
    if arguments.blocks is not None:
        arguments.refuse(f"--blocks is for stores, and {path.name} is an image: --size says how much of it")
    selection = Selection(**given(arguments, Selection))
    image = open_selected(path, selection)
    planes = SelectedPlanes(image, selection)
    sizing = Sizing(asked_for(arguments))
    params, model, *_ = sizing.params_for(planes)
    limits = limits_of_stack(planes.measured_on(), params, model.card)
    steps = verify_seams(
        planes.plane(planes.indices[0]), model, params, sizing.compute, arguments.size or _SIZE, limits
    )
    proof = with_bar(steps, path.name, arguments.quiet, unit="piece")
    of = f", the first of {len(planes)} planes" if len(planes) > 1 else ""
    print(f"{image.shown_name}{of}: {proof}")
    return 0 if proof.holds else 1
