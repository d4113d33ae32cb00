"""`utile weight-map`: the weights of the loss, from a label image."""

import argparse

from napari_utile.cli.options import add_axes, add_options, add_output, file_path, given
from napari_utile.engine.files.label_planes import label_stack
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.files.targets import check_target, identities
from napari_utile.engine.files.tiff import TIFF_SUFFIXES
from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.engine.weights.weight_map_file import weigh_planes, write_weight_map

TERM_CHOICES = ("total", "class-balance", "border", "d1", "d2")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "weight-map",
        help="compute the weights that training gives to the pixels of a label image",
        description="Compute the weight map of a label image: class balance, and a ridge where cells come close. "
        "Every plane of a stack or a time series is weighed by itself.",
    )
    parser.add_argument("labels", type=file_path, metavar="LABELS", help="label image (TIFF, PNG, OME-Zarr)")
    add_output(parser, "OUT.tif", "TIFF, 32-bit float")
    parser.add_argument(
        "--term", choices=TERM_CHOICES, default="total", help="what to write. Default: total."
    )
    add_axes(parser)
    add_options(parser, WeightMapParams)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the weight map and say what is in it."""
    check_target(arguments.output, identities([arguments.labels]), TIFF_SUFFIXES)
    image = read_labels(arguments.labels, arguments.axes)
    labels, axes = label_stack(image)
    params = WeightMapParams(**given(arguments, WeightMapParams))
    steps = {axis: step for axis, step in image.steps.items() if axis in axes}
    term = arguments.term.replace("-", "_")
    weights = weigh_planes(labels, params, image.pixel_size, term)
    write_weight_map(arguments.output, weights, params, axes, image.pixel_size, image.unit, term, steps)
    print(f"{arguments.output}: {arguments.term} from {weights.min():.4g} to {weights.max():.4g}")
    return 0
