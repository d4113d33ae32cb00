"""Choose the instance parameters of a model on training images, one after the other, and keep them in its card.

    python training/tune_instances.py --data ../shared/data --model nuclei.safetensors --write

The sum of AP at IoU 0.5 and 0.75 counts, as the mean over images. Validation images are never looked at.
"""

import argparse
import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import tifffile
from safetensors import safe_open

from napari_utile.engine.cells.instances import InstanceParams, foreground_mask, label_instances
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.segment import segment

Pairs = list[tuple[np.ndarray, np.ndarray]]

TRIED = {
    "threshold": (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8),
    "split": (0.0, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    "minimum_size": (10, 15, 20, 30, 40, 60),
    "grow": (0, 1, 2),
}


def probabilities(folder: Path, model: Path | str, start: str, most: int) -> Pairs:
    """Return (probability, truth) of training images spread over the set."""
    with (folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == "train"]
    names = [name for name in names if name.startswith(start)]
    names = names[:: max(1, len(names) // most)][:most]
    loaded, pairs = load_model(model), []
    for name in names:
        image = tifffile.imread(folder / "images" / f"{name}.tif")
        truth = tifffile.imread(folder / "labels" / f"{name}.tif")
        pairs.append((segment(image, loaded).foreground.astype(np.float32), truth))
    return pairs


def score(pairs: Pairs, params: InstanceParams) -> tuple[float, float]:
    """Return the mean AP at IoU 0.5 and 0.75."""
    found = []
    for probability, truth in pairs:
        labels = label_instances(probability, foreground_mask(probability, params), params)
        found.append([average_precision(labels, truth, iou) for iou in (0.5, 0.75)])
    half, strict = np.mean(found, axis=0)
    return float(half), float(strict)


def main() -> None:
    """Walk through the parameters twice, keep what is best, print it and, if asked, write it to the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", default="dsb2018_stage1", help="folder of the data set")
    parser.add_argument("--only", default="fl_", help="images whose names start like this")
    parser.add_argument("--model", default="nuclei", help="name or file")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument(
        "--write", action="store_true", help="write the parameters into the model file's card"
    )
    args = parser.parse_args()

    pairs = probabilities(args.data / args.set, args.model, args.only, args.images)
    best = InstanceParams()
    reached = score(pairs, best)
    print(json.dumps({"images": len(pairs), "start": reached}), flush=True)
    for _ in range(2):
        for name, values in TRIED.items():
            for value in values:
                tried = dataclasses.replace(best, **{name: value})
                now = score(pairs, tried)
                if sum(now) > sum(reached) + 1e-4:
                    best, reached = tried, now
            print(json.dumps({"after": name, "AP": reached, "value": getattr(best, name)}), flush=True)
    chosen = {name: getattr(best, name) for name in TRIED}
    print(json.dumps({"instances": chosen, "AP": reached}))
    if args.write:
        model = load_model(args.model)
        if model.path is None:
            raise SystemExit("Only a model that lies in a file can be written to.")
        with safe_open(model.path, "pt") as file:  # the weights keep the precision they were stored in
            dtype = next(t.dtype for t in map(file.get_tensor, file.keys()) if t.is_floating_point())
        save_model(dataclasses.replace(model.card, instances=chosen), model.network, model.path, dtype)


if __name__ == "__main__":
    main()
