"""Score a model of nuclei on the validation images, the same way as anybody would segment them.

    python training/score_nuclei.py --data ../shared/data --model nuclei

AP is TP / (TP + FP + FN) at an overlap (intersection over union) of 0.5 and 0.75, once as the mean over images and
once with the counts of all images pooled.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import tifffile

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.models.library import load_model
from napari_utile.engine.segment import segment

OVERLAPS = (0.5, 0.75)
GROUPS = {"fluorescence": ("fl_",), "stained tissue": ("he_",), "brightfield": ("bf_",), "all": ("",)}


def main() -> None:
    """Print one line of JSON a group of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", default="dsb2018_stage1", help="folder of the data set")
    parser.add_argument("--split", default="val")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--only", default="", help="only images whose names start like this")
    parser.add_argument(
        "--parameters", type=json.loads, default={}, help='instance parameters as JSON, {"threshold": 0.6}'
    )
    args = parser.parse_args()

    folder = args.data / args.set
    with (folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == args.split]
    model = load_model(args.model)
    scores: dict[str, list[tuple[float, int, int, int]]] = {}
    for name in (name for name in names if name.startswith(args.only)):
        image = tifffile.imread(folder / "images" / f"{name}.tif")
        truth = tifffile.imread(folder / "labels" / f"{name}.tif")
        axes = "YXS" if image.ndim == 3 else "YX"
        labels = segment(image, model, axes=axes, **args.parameters).labels
        table = contingency(labels, truth)
        matches = [match(table, iou) for iou in OVERLAPS]
        scores[name] = [
            (each.average_precision, each.true_positives, each.false.size, each.missed.size)
            for each in matches
        ]
    for group, starts in GROUPS.items():
        chosen = [each for name, each in scores.items() if name.startswith(starts)]
        if not chosen:
            continue
        line: dict[str, object] = {"images": group, "number": len(chosen)}
        for index, iou in enumerate(OVERLAPS):
            values = np.array([each[index] for each in chosen])
            right, false, missed = values[:, 1:].sum(axis=0)
            line[f"AP {iou}, mean over images"] = round(float(values[:, 0].mean()), 4)
            line[f"AP {iou}, pooled"] = round(float(right / (right + false + missed)), 4)
        print(json.dumps(line))


if __name__ == "__main__":
    main()
