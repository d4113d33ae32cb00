"""Score a model on the val images of its modalities, and choose the settings that suit it there.

    python training/score_model.py src/napari_utile/models/nuclei.safetensors
    python training/score_model.py MODEL --choose --write

One line a data set: average precision TP / (TP + FP + FN) at an overlap of 0.5, 0.75, and the mean over 0.5 to 0.95, as
the mean over images, each with the interval that holds 95 % of the means of resampled images. ``--size given`` tells
the diameter of the true cells, ``auto`` leaves it to the program, ``none`` takes images as they are. ``--choose``
tries threshold, split, smallest size and relief (size given) and keeps what is best on average over the data sets:
the mean precision, or V-Rand for models of regions without gaps, which are scored by it, too.
A new model's confidence is chosen by `benchmarks/what_fits.py`, and written by ``--confidence``.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from bundled.images import Annotated, channel_choices, read_part
from bundled.models import PLANS, Part, Plan
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.relief import height_of
from napari_utile.engine.metrics.boundaries import boundary_scores
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import suggested_instances
from napari_utile.engine.segmentation import Segmentation

OVERLAPS = tuple(np.arange(0.5, 0.96, 0.05).round(2).tolist())
RESAMPLED = 2000
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SPLITS = (0.5, 0.6, 0.7, 0.8, 0.9)
SIZES = (0.05, 0.1, 0.2)
"""Smallest sizes tried, as shares of the disc of the card's diameter."""
TEST_ONLY = {"cells": (Part("trpl_phase_ecoli"),), "bacteria": (Part("trpl_phase_ecoli"),)}
"""Images that may not train a model but may judge it; they have no part in choosing."""


@dataclass(frozen=True)
class Case:
    """An image as a model is shown it."""

    image: Annotated
    channels: tuple[int, ...] | None

    @property
    def group(self) -> str:
        """The data set, and the channels where there is a choice."""
        return self.image.folder if self.channels is None else f"{self.image.folder} {self.channels}"


def cases_of(data: Path, plan: Plan, parts: Sequence[Part], most: int | None = None) -> Iterator[Case]:
    """Yield the val images of a model, at most so many of each part, spread over it."""
    for part in parts:
        if part.other:
            continue
        images = [each for each in read_part(data, part, "val") if each.labels.any()]
        step = 1 if most is None else max(1, -(-len(images) // most))
        for image in images[::step]:
            for channels in channel_choices(plan, image.plane):
                if not plan.needs_all or len(channels or ()) == len(plan.inputs):
                    yield Case(image, channels)


def precisions(found: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average precision at each of `OVERLAPS`."""
    table = contingency(found, truth)
    return np.array([match(table, overlap).average_precision for overlap in OVERLAPS])


def judged(plan: Plan, found: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average precision at each of `OVERLAPS`, and V-Rand after them where it judges the model."""
    row = precisions(found, truth)
    return np.append(row, boundary_scores(found, truth, max_displacement=0).v_rand) if plan.regions else row


def segmented(model: Model, case: Case, size: str) -> Segmentation:
    """Segment an image; `size` is ``"given"``, or what `segment` takes as a diameter."""
    diameter: Any = {"given": case.image.diameter, "none": None}.get(size, size)
    return segment(case.image.plane, model, channels=case.channels, diameter=diameter)


def interval(values: NDArray[np.float64]) -> list[float | None]:
    """Return the interval that holds 95 % of the means of resampled images; of a single one nothing is known."""
    if values.size < 2:
        return [None, None]
    drawn = np.random.default_rng(0).integers(0, values.size, (RESAMPLED, values.size))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return [round(float(low), 3), round(float(high), 3)]


def scores(rows: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """Summarise the precisions of images: means and their intervals."""
    table = np.array(rows)
    precision = table[:, : len(OVERLAPS)]
    columns = {"AP50": table[:, 0], "AP75": table[:, OVERLAPS.index(0.75)], "mean AP": precision.mean(axis=1)}
    if table.shape[1] > len(OVERLAPS):
        columns["V-Rand"] = table[:, -1]
    made: dict[str, Any] = {"images": len(rows)}
    for name, values in columns.items():
        made[name] = [round(float(values.mean()), 3), *interval(values)]
    return made


def score(model: Model, plan: Plan, cases: Sequence[Case], size: str) -> dict[str, dict[str, Any]]:
    """Score a model as anybody would use it, by data set."""
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for case in cases:
        found = segmented(model, case, size).labels
        rows.setdefault(case.group, []).append(judged(plan, found, case.image.labels))
    return {group: scores(each) for group, each in rows.items()}


def choose(model: Model, plan: Plan, cases: Sequence[Case]) -> tuple[str, InstanceParams, float]:
    """Choose relief, threshold, split and smallest size by the mean AP or V-Rand, every data set alike.

    The smallest size is that of the card's diameter.
    """
    card, start = model.card, suggested_instances(model.card)
    assert card.object_diameter is not None
    disc = np.pi / 4 * card.object_diameter**2
    reliefs = ("probability", "distances") if card.has_distances else ("probability",)
    tries = list(itertools.product(reliefs, THRESHOLDS, SPLITS, (round(share * disc) for share in SIZES)))
    totals: dict[str, list[NDArray[np.float64]]] = {}
    for case in cases:
        made = segmented(model, case, "given")
        height = height_of(made.outputs["B"], made.outputs["C"]) if card.has_distances else None
        row, land = [], None
        for previous, (relief, threshold, split, size) in itertools.pairwise([(None,) * 4, *tries]):
            params = replace(start, threshold=threshold, split=split, minimum_size=size)
            params = params.resized(card.enlarged(case.image.diameter))
            if land is None or previous[:2] != (relief, threshold):
                land = cell_landscape(made.foreground, params, height if relief == "distances" else None)
            reached = judged(plan, label_cells(land, params), case.image.labels)
            row.append(reached[-1] if plan.regions else reached.mean())
        totals.setdefault(case.group, []).append(np.array(row))
    means = np.mean([np.mean(each, axis=0) for each in totals.values()], axis=0)
    best = int(np.argmax(means))
    relief, threshold, split, size = tries[best]
    chosen = replace(start, threshold=threshold, split=split, minimum_size=size)
    return relief, chosen, float(means[best])


def rewritten(model: Model, **card: Any) -> Model:
    """Write a model's file again with another card; the weights keep the precision they are stored in."""
    assert model.path is not None
    with safe_open(model.path, "pt") as file:
        keys = file.keys()
        dtypes = {file.get_tensor(key).dtype for key in keys}
    stored = torch.float16 if torch.float16 in dtypes else torch.float32
    return save_model(replace(model.card, **card), model.network, model.path, stored)


def main() -> None:
    """Score one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name or file")
    parser.add_argument("--plan", choices=sorted(PLANS), help="whose images; the model's name by default")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--size", nargs="*", choices=("given", "auto", "none"), default=["given"])
    parser.add_argument("--images", type=int, help="at most so many images of each data set")
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument("--choose", action="store_true", help="choose the settings")
    settings.add_argument(
        "--settings-of", metavar="MODEL", help="name or file; take the settings of its card"
    )
    parser.add_argument(
        "--confidence",
        type=float,
        help="below it an image does not look right, see benchmarks/what_fits.py; as on the card by default",
    )
    parser.add_argument(
        "--write", action="store_true", help="write settings and scores into the model's card"
    )
    args = parser.parse_args()

    model = load_model(args.model)
    plan = PLANS[args.plan or model.card.name]
    cases = list(cases_of(args.data, plan, plan.parts, args.images))
    card: dict[str, Any] = {}
    if args.settings_of:
        other = load_model(args.settings_of).card
        card = {"relief": other.relief, "instances": other.instances}
        model = replace(model, card=replace(model.card, **card))
    if args.choose:
        relief, instances, reached = choose(model, plan, cases)
        card = {
            "relief": relief,
            "instances": {
                "threshold": instances.threshold,
                "split": instances.split,
                "minimum_size": instances.minimum_size,
            },
        }
        print(
            json.dumps({"chosen": card, "V-Rand" if plan.regions else "mean AP": round(reached, 4)}),
            flush=True,
        )
        model = replace(model, card=replace(model.card, **card))
    shown = [*cases, *cases_of(args.data, plan, TEST_ONLY.get(plan.name, ()), args.images)]
    card["metrics"] = dict(model.card.metrics)
    for size in args.size:
        for group, line in score(model, plan, shown, size).items():
            print(json.dumps({"images of": group, "size": size, **line}), flush=True)
            card["metrics"][f"{group}, size {size}"] = line
    if args.confidence is not None:
        card["confidence"] = args.confidence
    if args.write:
        words = plan.card()
        card |= {
            name: getattr(words, name)
            for name in ("title", "description", "failures", "specialists", "inputs", "data", "licence")
        }
        rewritten(model, **card)


if __name__ == "__main__":
    main()
