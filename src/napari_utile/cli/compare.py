"""`utile compare`: two or more segmentations of the same images, and whether their differences mean something."""

import argparse
import math
from pathlib import Path
from typing import Any

import napari_utile
from napari_utile.cli.evaluate import Scored, add_scoring_options, masks_of, read_here, score_pairs
from napari_utile.cli.options import file_path
from napari_utile.cli.table import aligned, write_json
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_files import pair_files
from napari_utile.engine.files.targets import check_target
from napari_utile.engine.metrics.bootstrap import paired_bootstrap
from napari_utile.engine.metrics.evaluation import mean_scores
from napari_utile.engine.metrics.glossary import GLOSSARY
from napari_utile.engine.words import counted

SCORES = ("seg", "ap50", "ap75", "f1", "pq", "rand_error", "warping_error", "pixel_error")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "compare",
        help="compare segmentations of the same images",
        description="Compare two or more segmentations with one reference. Each is compared with the first, image by "
        "image, with a 95 % interval of the mean difference from a paired bootstrap over the images; an interval "
        "that leaves out 0 is marked with *.",
    )
    parser.add_argument("truth", metavar="TRUTH", help="reference label image, folder or pattern")
    parser.add_argument(
        "predictions", nargs="+", metavar="PRED", help="two or more files, folders or patterns"
    )
    add_scoring_options(parser)
    parser.add_argument("--json", type=file_path, metavar="FILE", help="write means and differences as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare; return 1 where something failed."""
    if len(arguments.predictions) < 2:
        raise UtileError("a comparison needs at least two predictions.")
    failed = 0
    scored: list[dict[Scored, dict[str, float]]] = []
    pairings = [pair_files(prediction, arguments.truth) for prediction in arguments.predictions]
    masks = masks_of(pairings, arguments)
    if arguments.json:
        inputs = frozenset().union(*(read_here(pairing, masks) for pairing in pairings))
        check_target(arguments.json, inputs, (".json",))
    for pairing in pairings:
        places, scores, failures = score_pairs(pairing, masks, arguments)
        failed += failures
        scored.append(dict(zip(places, scores, strict=True)))
    shared = [place for place in scored[0] if all(place in one for one in scored)]
    if not shared:
        raise UtileError("no image was scored in all of the predictions.")
    labels = _short_names(arguments.predictions)
    content = _comparison(labels, scored, shared)
    print(f"{_in_words(shared, arguments.volume)}\n{_as_table(content)}")
    if arguments.json:
        write_json(arguments.json, content)
    return 1 if failed else 0


def _comparison(
    labels: list[str], scored: list[dict[Scored, dict[str, float]]], shared: list[Scored]
) -> dict[str, Any]:
    predictions = []
    for label, one in zip(labels, scored, strict=True):
        differences = {}
        for key in SCORES if one is not scored[0] else ():
            # Of a stack each plane is a pair; a score that is not defined in one of the two makes none.
            pairs = [at for at in shared if not math.isnan(scored[0][at][key] - one[at][key])]
            first, second = ([each[at][key] for at in pairs] for each in (scored[0], one))
            found = paired_bootstrap(first, second)
            differences[key] = {
                "mean": found.mean,
                "low": found.low,
                "high": found.high,
                "images": len(_images(pairs)),
                "planes": found.pairs,
                "clear": found.is_clear,
            }
        means = mean_scores([one[at] for at in shared])
        predictions.append({"name": label, "mean": means, "difference_to_first": differences})
    return {
        "napari_utile": napari_utile.__version__,
        "images": _images(shared),
        "planes": [at.name for at in shared],
        "predictions": predictions,
    }


def _images(places: list[Scored]) -> list[str]:
    """Name the images that planes are of."""
    return [*dict.fromkeys(at.image for at in places)]


def _in_words(shared: list[Scored], volume: bool) -> str:
    """Say of how many images, and planes or volumes of these, the scores are."""
    images = counted(len(_images(shared)), "image")
    if all(not at.plane for at in shared):
        return images
    return f"{counted(len(shared), 'volume' if volume else 'plane')} of {images}"


def _as_table(content: dict[str, Any]) -> str:
    first, *others = content["predictions"]
    header = ["score", first["name"]]
    for other in others:
        header += [other["name"], "difference [95 %]"]
    rows = [header]
    for key in SCORES:
        score = GLOSSARY[key]
        row = [score.label, score.text(first["mean"][key])]
        for other in others:
            change = other["difference_to_first"][key]
            digits = score.decimals
            text = f"{change['mean']:+.{digits}f}"
            if change["low"] == change["low"]:
                mark = "*" if change["clear"] else " "
                text += f" [{change['low']:+.{digits}f}, {change['high']:+.{digits}f}]{mark}"
            row += [score.text(other["mean"][key]), text]
        rows.append(row)
    return aligned(rows)


def _short_names(paths: list[str]) -> list[str]:
    """Name each prediction by the last part of its path, or by all of it where two would be the same."""
    short = [Path(path).name for path in paths]
    return short if len(set(short)) == len(short) else paths
