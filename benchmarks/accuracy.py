"""How good the models are, whether U-Net beats the FCNs, and whether border weights part touching cells.

    python benchmarks/accuracy.py --data ../shared/data
    python benchmarks/accuracy.py --data ../shared/data --only models

Three parts, each of which prints markdown tables; `--json` keeps all numbers:

models     the bundled models on validation images that they were not trained on
families   U-Net, FCN-32s, FCN-16s and FCN-8s trained alike from random weights, `--minutes` of CPU time each
borders    U-Net trained with the border weights of the paper (w0 = 10) and without (w0 = 0), else alike

The networks are trained on the fluorescence images of BBBC038 (split `train`) and scored on those of the split `val`,
which no choice looks at: the last running mean of the weights is kept, thresholds are chosen on training images. They
stay in `--work`: killed, the command goes on where it was. Intervals hold 95 % of 5000 resamplings of the images.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_runs.images import Annotated, read_images
from accuracy_runs.intervals import Interval, PerImage, interval
from accuracy_runs.scoring import Columns, scores_of
from accuracy_runs.tables import difference_text, score_text, table
from accuracy_runs.training import Lane, Run, Trained
from timing import options

from napari_utile.engine.metrics.glossary import GLOSSARY
from napari_utile.engine.models.catalogue import list_models
from napari_utile.engine.models.library import load_model
from napari_utile.engine.networks.families import FAMILIES
from napari_utile.engine.parameters import to_json

PARTS = ("models", "families", "borders")
FOLDER, FLUORESCENCE = "dsb2018_stage1", "fl_"
FEW = 8
"""Of fewer images no interval is printed: resampling so few makes it far too narrow."""
CELLS = ("seg", "ap50", "ap75", "f1", "pq", "aji")
SEMANTIC = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
VALIDATION = {
    "nuclei": (
        ("BBBC038 fluorescence", FOLDER, "fl_"),
        ("BBBC038 stained tissue", FOLDER, "he_"),
        ("BBBC038 brightfield", FOLDER, "bf_"),
        ("BBBC038 all", FOLDER, ""),
        ("BBBC039", "bbbc039_fluo_nuclei", ""),
    )
}
"""Bundled model -> its validation sets: title, folder, start of the images' names."""
TOUCHING = {
    "found at IoU 0.5": "found",
    "found at IoU 0.75": "found_well",
    "SEG": "jaccards",
    "merged": "merged",
}
"""Shares of the touching cells."""
WAYS = {"plain": "connected components", "split": "with splitting at necks"}


def score_models(data: Path, most: int | None = None) -> dict[str, Any]:
    """Score the bundled models, on this many images of each set at most; print and return."""
    print("\n## Bundled models\n")
    found: dict[str, Any] = {}
    rows = []
    for listed in (each for each in list_models() if each.bundled):
        if listed.name not in VALIDATION:
            print(f"{listed.name}: there are no validation images for it here.\n")
            continue
        model = load_model(listed.path)
        done: dict[str, tuple[Sequence[Annotated], Columns]] = {}
        for title, folder, start in VALIDATION[listed.name]:
            if folder not in done:
                images = read_images(data, folder, "val")[:most]
                done[folder] = images, scores_of(model, images, {"card": None})["card"]
            images, columns = done[folder]
            chosen = np.array([each.name.startswith(start) for each in images])
            if not chosen.any():
                continue
            scores = {key: interval(PerImage.mean(columns[key][chosen])) for key in CELLS}
            cells = int(columns["truth_cells"][chosen].sum())
            texts = [
                score_text(each) if chosen.sum() >= FEW else f"{each.value:.3f}" for each in scores.values()
            ]
            rows.append([listed.name, title, chosen.sum(), cells, *texts])
            found[f"{listed.name}: {title}"] = {"images": int(chosen.sum()), "cells": cells} | _json(scores)
    print(table(["Model", "Images", "Number", "Cells", *(GLOSSARY[key].label for key in CELLS)], rows))
    return found


def compare_families(lane: Lane, held_out: Sequence[Annotated]) -> dict[str, Any]:
    """Train and score the families; print and return."""
    print("\n## U-Net and the FCNs, trained alike\n", flush=True)
    trained = {family: lane.trained(Run(family)) for family in ("unet", "fcn32s", "fcn16s", "fcn8s")}
    columns = {
        family: scores_of(each.model, held_out, {"split": each.split})["split"]
        for family, each in trained.items()
    }
    found: dict[str, Any] = {}
    for keys in (CELLS, SEMANTIC):
        rows, changes = [], []
        for family, each in trained.items():
            scores = {key: PerImage.mean(columns[family][key]) for key in keys}
            base = {key: PerImage.mean(columns["unet"][key]) for key in keys}
            values = {key: interval(score) for key, score in scores.items()}
            rows.append([*_about(each), *map(score_text, values.values())])
            found.setdefault(family, _facts(each)).update(_json(values))
            if family != "unet":
                against = {key: interval(scores[key], base[key]) for key in keys}
                changes.append([f"{_title(each)} − U-Net", *map(difference_text, against.values())])
                found[family].update(_json(against, " minus unet"))
        labels = [GLOSSARY[key].label for key in keys]
        print(table(["Network", "Weights", "Steps", "CPU min", *labels], rows), "\n")
        print(table(["Difference", *labels], changes), "\n", flush=True)
    return found


def compare_borders(lane: Lane, held_out: Sequence[Annotated], seeds: int) -> dict[str, Any]:
    """Train and score U-Net with and without border weights; print and return."""
    print("\n## Border weights on and off\n", flush=True)
    columns: dict[float, list[dict[str, Columns]]] = {10.0: [], 0.0: []}
    lines = []
    for seed in range(seeds):
        for w0, each in columns.items():
            trained = lane.trained(Run("unet", w0, seed))
            each.append(scores_of(trained.model, held_out, {"plain": trained.plain, "split": trained.split}))
            thresholds = f"{trained.plain.threshold:g}, {trained.split.threshold:g}"
            lines.append([f"w0 = {w0:g}", seed, *_about(trained)[2:], thresholds])
    print(table(["Weights", "Seed", "Steps", "CPU min", "Thresholds (plain, split)"], lines), "\n")
    found: dict[str, Any] = {"seeds": seeds}
    for way, title in WAYS.items():
        on, off = ([each[way] for each in columns[w0]] for w0 in (10.0, 0.0))
        rows = []
        for label, score_on, score_off in _border_scores(on, off):
            values = interval(score_on), interval(score_off), interval(score_on, score_off)
            rows.append([label, score_text(values[0]), score_text(values[1]), difference_text(values[2])])
            found[f"{way}: {label}"] = dict(
                zip(("w0 10", "w0 0", "difference"), map(asdict, values), strict=True)
            )
        counts = ", ".join(
            f"{name} {_count(on, name):.0f} with and {_count(off, name):.0f} without"
            for name in ("merges", "splits")
        )
        cells = int(on[0]["touching cells"].sum())
        found[f"{way}: counts"] = {
            name: {"w0 10": _count(on, name), "w0 0": _count(off, name)} for name in ("merges", "splits")
        } | {"touching cells": cells}
        print(f"{title.capitalize()}; {cells} of the true cells touch another one.")
        print(f"Counted over all images and {seeds} seed(s): {counts}.\n")
        print(table(["Score", "w0 = 10", "w0 = 0", "difference"], rows), "\n", flush=True)
    return found


def _border_scores(on: list[Columns], off: list[Columns]):
    for label, key in TOUCHING.items():
        yield (
            f"touching cells: {label}",
            *(
                PerImage.share(
                    [one[f"touching {key}"] for one in each], [one["touching cells"] for one in each]
                )
                for each in (on, off)
            ),
        )
    for key in ("ap50", "ap75", "seg", "mean_iu"):
        yield (
            f"all cells: {GLOSSARY[key].label}",
            *(PerImage.mean([one[key] for one in each]) for each in (on, off)),
        )


def _count(columns: list[Columns], name: str) -> float:
    return float(sum(each[f"touching {name}"].sum() for each in columns))


def _title(trained: Trained) -> str:
    return FAMILIES[trained.run.family].title


def _facts(trained: Trained) -> dict[str, Any]:
    about = trained.model.card.training
    return {
        "weights": trained.parameters,
        "steps": about["steps"],
        "CPU minutes": about["CPU minutes"],
        "instances": to_json(trained.split),
    }


def _about(trained: Trained) -> list[str]:
    facts = _facts(trained)
    return [
        _title(trained),
        f"{facts['weights'] / 1e6:.2f} M",
        str(facts["steps"]),
        f"{facts['CPU minutes']:.1f}",
    ]


def _json(values: dict[str, Interval], ending: str = "") -> dict[str, Any]:
    return {f"{key}{ending}": asdict(each) for key, each in values.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, help="folder of the annotated images")
    parser.add_argument("--only", choices=PARTS, action="append", help="do this part only; may be repeated")
    parser.add_argument("--minutes", type=float, default=7.0, help="CPU time to train each network for")
    parser.add_argument("--steps", type=int, help="train for so many steps instead")
    parser.add_argument("--seeds", type=int, default=2, help="how often the border weights are compared")
    parser.add_argument("--work", type=Path, default=Path("accuracy-work"), help="folder of trained networks")
    parser.add_argument("--json", type=Path, help="file for all numbers (default: in the work folder)")
    args = parser.parse_args(arguments)
    if args.quick:  # the bundled models on their validation images; nothing is trained
        args.only = args.only or ["models"]
    if args.data is None:
        print("skipped: trains for most of an hour. python benchmarks/accuracy.py --data ../shared/data")
        return
    if not args.data.is_dir():
        parser.error(f"there is no folder {args.data}")

    parts = args.only or PARTS
    found: dict[str, Any] = {}
    if "models" in parts:
        found["models"] = score_models(args.data, 8 if args.quick else None)
    if {"families", "borders"} & set(parts):
        lane = Lane(
            read_images(args.data, FOLDER, "train", FLUORESCENCE), args.work, args.minutes, args.steps
        )
        held_out = read_images(args.data, FOLDER, "val", FLUORESCENCE)
        if "families" in parts:
            found["families"] = compare_families(lane, held_out)
        if "borders" in parts:
            found["borders"] = compare_borders(lane, held_out, args.seeds)
    output = args.json or args.work / "accuracy.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
