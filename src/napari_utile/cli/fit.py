"""`utile fit`: the settings that find a few given cells best."""

import argparse
import sys

from napari_utile.cli.options import add_options, add_output, file_path, given
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.label_planes import pairing_in_words, planes_with_labels
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.files.targets import check_target, identities
from napari_utile.engine.fitting.cells import fit_to_cells
from napari_utile.engine.models.catalogue import candidates, card_of
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.settings import save_settings
from napari_utile.engine.segment_params import SegmentParams


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "fit",
        help="fit the settings to a few given cells, without training",
        description="Choose model, cell size, contrast, threshold, split and smallest size by three or more painted or "
        "corrected cells. Nothing is trained. What is written is used by utile segment --settings.",
    )
    parser.add_argument("image", type=file_path, metavar="IMAGE", help="the image")
    parser.add_argument(
        "--labels", type=file_path, required=True, metavar="LABELS", help="label image of some cells"
    )
    parser.add_argument(
        "--sparse", action="store_true", help="pixels without a label are unknown, not background"
    )
    add_output(parser, "NAME.json", "file of the settings")
    add_options(parser, Selection)
    add_options(
        parser,
        SegmentParams,
        skip=("diameter", "tile"),
        by_default={"model": "each that could read the image"},
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit, write and say what was chosen."""
    check_target(arguments.output, identities([arguments.image, arguments.labels]), (".json",))
    selection = Selection(**given(arguments, Selection))
    planes = SelectedPlanes(open_selected(arguments.image, selection), selection)
    params = SegmentParams(**given(arguments, SegmentParams))
    asked = arguments.model
    names = [asked, *card_of(asked).left_to] if asked else candidates()
    best = None
    given_cells = read_labels(arguments.labels, planes=planes)
    if said := pairing_in_words(given_cells, planes):
        print(said, file=sys.stderr)
    for _, _, plane, labels in planes_with_labels(planes, given_cells):
        cells = len(set(labels[labels > 0].tolist()))
        if best is None or cells > best[0]:
            best = cells, plane, labels
    if best is None:
        raise UtileError(f"{arguments.labels} holds no labels.")
    models = [load_model(name) for name in names]
    found = fit_to_cells(best[1], best[2], models, params, dense=not arguments.sparse).result
    save_settings(found.settings, arguments.output)
    print(f"{arguments.output}: {found}")
    return 0
