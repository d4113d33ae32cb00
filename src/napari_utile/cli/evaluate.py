"""`utile evaluate`: the scores of label images against their references."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import napari_utile
from napari_utile.cli.batch import Batch, say_left_out
from napari_utile.cli.options import add_axes, file_path, number, share
from napari_utile.cli.table import aligned, write_json
from napari_utile.engine.errors import UtileError
from napari_utile.engine.evaluate import StackEvaluation, evaluate
from napari_utile.engine.files.label_files import Pairing, pair_files
from napari_utile.engine.files.tables import check_table, write_table
from napari_utile.engine.files.targets import Identity, check_target, identities
from napari_utile.engine.metrics.evaluation import mean_scores
from napari_utile.engine.metrics.glossary import GLOSSARY

SHOWN = ("seg", "ap50", "ap75", "f1", "rand_error", "warping_error", "pixel_error")
COUNTED = ("truth_cells", "predicted_cells", "splits", "merges", "missed", "false")


class Scored(NamedTuple):
    """What was scored: an image, or one of its planes or volumes."""

    image: str
    plane: str

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.image} {self.plane}".rstrip()


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score label images against a reference",
        description="Score label images against their references, as files or as folders whose files are paired by "
        "name (endings such as _labels and _masks do not matter; masks, probabilities and images "
        "beside them are ignored). Every plane of a stack is scored by itself. The "
        "exit status is 1 where a file failed, a reference has no prediction, or a --minimum is not reached.",
    )
    parser.add_argument("prediction", metavar="PRED", help="label image, folder or pattern to be scored")
    parser.add_argument("truth", metavar="TRUTH", help="reference label image, folder or pattern")
    add_scoring_options(parser)
    parser.add_argument(
        "--json", type=file_path, metavar="FILE", help="write all scores of all images as JSON"
    )
    parser.add_argument(
        "--csv", type=file_path, metavar="FILE", help="write all scores as a table, one row per image"
    )
    parser.add_argument(
        "--minimum",
        action="append",
        default=[],
        type=_minimum,
        metavar="NAME=VALUE",
        help=(
            "fail unless this mean score is at least VALUE (an error: at most), for example "
            "ap50=0.8; may be repeated"
        ),
    )
    parser.set_defaults(run=run)


def add_scoring_options(parser: argparse.ArgumentParser) -> None:
    """Add what evaluate and compare have in common."""
    parser.add_argument(
        "--ignore",
        type=file_path,
        metavar="MASK",
        help="image, folder or pattern, whose files are paired by name; pixels above 0 are ignored",
    )
    parser.add_argument(
        "--iou",
        type=share,
        default=0.5,
        help="overlap from which a cell counts as found, for F1. Default: 0.5.",
    )
    add_axes(parser, "label images", "files lack")
    parser.add_argument(
        "--volume", action="store_true", help="take the cells of a z stack as volumes, not by plane"
    )


def run(arguments: argparse.Namespace) -> int:
    """Score, print and write; see the description of the command for the status."""
    pairing = pair_files(arguments.prediction, arguments.truth)
    masks = masks_of([pairing], arguments)
    inputs = read_here(pairing, masks)
    if arguments.json:
        check_target(arguments.json, inputs, (".json",))
    if arguments.csv:
        check_table(arguments.csv, inputs)
    scored, scores, failed = score_pairs(pairing, masks, arguments)
    names = [each.name for each in scored]
    if not scores:
        why = "" if pairing.pairs else ": no prediction has the name of a reference"
        but = "" if pairing.pairs else " (but for endings such as _labels and beginnings such as mask_)"
        raise UtileError(f"nothing could be scored{why}{but}.")
    means = mean_scores(scores)
    print(_as_table(names, scores, means))
    if arguments.json:
        content = {
            "napari_utile": napari_utile.__version__,
            "iou": arguments.iou,
            "mean": means,
            "images": [{"name": name, **one} for name, one in zip(names, scores, strict=True)],
        }
        write_json(arguments.json, content)
    if arguments.csv:
        rows = [*scores, means]
        columns = {"name": [*names, "mean"], **{key: [row[key] for row in rows] for key in means}}
        write_table(arguments.csv, columns)
    return 1 if failed or not all(_reached(means, *one) for one in arguments.minimum) else 0


def score_pairs(
    pairing: Pairing, masks: Mapping[Path, Path], arguments: argparse.Namespace
) -> tuple[list[Scored], list[dict[str, float]], int]:
    """Score each plane of each pair, reporting what fails; return what they are, their scores and how many failed."""
    if arguments.ignore and pairing.pairs and not masks:
        raise UtileError(f"no mask in {arguments.ignore} has the name of a reference.")
    places: list[Scored] = []
    scores: list[dict[str, float]] = []
    batch = Batch()
    say_left_out("ignored", pairing.ignored)
    for path in pairing.second_alone:
        batch.fail(path, "there is no prediction for this reference")
    for path in pairing.first_alone:
        print(f"{path}: there is no reference for this prediction; left out", file=sys.stderr)
    for pair in pairing.pairs:
        if arguments.ignore and pair.second not in masks:
            print(f"{pair.first}: there is no mask for this image; all of it is scored", file=sys.stderr)
        with batch.each(pair.first):
            scored = evaluate(
                pair.first,
                pair.second,
                masks.get(pair.second),
                arguments.iou,
                axes=arguments.axes,
                volume=arguments.volume,
            )
            planes = scored.planes if isinstance(scored, StackEvaluation) else {"": scored}
            places += [Scored(pair.name, where) for where in planes]
            scores += [each.scores for each in planes.values()]
    return places, scores, batch.failed


def read_here(pairing: Pairing, masks: Mapping[Path, Path]) -> frozenset[Identity]:
    """Say which files are read, so that none of them is overwritten."""
    alone = [*pairing.first_alone, *pairing.second_alone, *pairing.ignored, *masks.values()]
    return identities([*alone, *(path for pair in pairing.pairs for path in (pair.first, pair.second))])


def masks_of(pairings: Sequence[Pairing], arguments: argparse.Namespace) -> dict[Path, Path]:
    """Give the mask of each reference that has one."""
    references = {pair.second for pairing in pairings for pair in pairing.pairs}
    if arguments.ignore is None or not references:
        return {}
    if len(references) == 1 and arguments.ignore.is_file():
        return dict.fromkeys(references, arguments.ignore)
    return {pair.second: pair.first for pair in pair_files(arguments.ignore, arguments.truth).pairs}


def _as_table(names: list[str], scores: list[dict[str, float]], means: dict[str, float]) -> str:

    def line(name: str, one: dict[str, float], digits: int = 0) -> list[str]:
        counts = ["–" if one[key] != one[key] else f"{one[key]:.{digits}f}" for key in COUNTED]
        return [name, *(GLOSSARY[key].text(one[key]) for key in SHOWN), *counts]

    rows = [["image", *SHOWN, "cells", "predicted", "split", "merged", "missed", "false"]]
    rows += [line(name, one) for name, one in zip(names, scores, strict=True)]
    return aligned(rows if len(names) == 1 else [*rows, line("mean", means, 1)])


def _minimum(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in GLOSSARY or GLOSSARY[name].higher_is_better is None:
        known = ", ".join(key for key, score in GLOSSARY.items() if score.higher_is_better is not None)
        raise argparse.ArgumentTypeError(f"there is no score {name!r}; there are {known}")
    return name, number(value)


def _reached(means: dict[str, float], name: str, value: float) -> bool:
    reached = means[name] >= value if GLOSSARY[name].higher_is_better else means[name] <= value
    if not reached:
        wanted = "at least" if GLOSSARY[name].higher_is_better else "at most"
        print(f"{name} is {GLOSSARY[name].text(means[name])}, not {wanted} {value:g}", file=sys.stderr)
    return reached
