"""Train and judge on the EM membranes of ISBI 2012: a benchmark only, its data are for non-commercial software.

    python training/train_em.py --data ../shared/data --minutes 30 -o em.safetensors

Trains on the 17 training slices, then scores the 3 validation slices: foreground-restricted Rand and information
scores after border thinning, warping, Rand and pixel error, each at its best threshold as in the challenge.
"""

import argparse
import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tifffile
import torch
from scipy import ndimage

from napari_utile.engine.metrics.boundaries import boundary_sweep
from napari_utile.engine.models.library import Model, save_model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune import FineTuneParams, FineTuning, new_model
from napari_utile.engine.training.recipes import RECIPES


def read(data: Path, split: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Read the slices of one split: name, image, membranes (bool)."""
    folder = data / "isbi2012_em_noncommercial"
    with (folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == split]
    return [
        (
            name,
            tifffile.imread(folder / "images" / f"{name}.tif"),
            tifffile.imread(folder / "labels" / f"{name}.tif") > 0,
        )
        for name in names
    ]


def cells(membranes: np.ndarray) -> np.ndarray:
    """Label what lies between membranes."""
    return ndimage.label(~membranes)[0].astype(np.int32)


def annotated(slices: list[tuple[str, np.ndarray, np.ndarray]]) -> list[AnnotatedImage]:
    """Make the slices training material: the cells are the objects, membranes the background."""
    return [
        AnnotatedImage(plane_from_array(image, "YX", name=name), cells(truth))
        for name, image, truth in slices
    ]


def judge(model: Model, slices: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Print the scores of each slice, each at its best threshold, and their means."""
    scores = []
    for name, image, truth in slices:
        foreground = segment(image, model, axes="YX").foreground
        found = asdict(boundary_sweep(foreground, ~truth).best)
        scores.append(found)
        print(json.dumps({"slice": name, **found}), flush=True)
    print(
        json.dumps(
            {"mean": {key: round(float(np.mean([each[key] for each in scores])), 5) for key in scores[0]}}
        )
    )


def main() -> None:
    """Train and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--family", default="unet")
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("em.safetensors"))
    args = parser.parse_args()

    training, validation = read(args.data, "train"), read(args.data, "val")
    torch.manual_seed(args.seed)
    config = {"width": args.width, "batch_norm": args.recipe != "ronneberger2015"}
    base = new_model("em", args.family, **config, dropout=0.0 if config["batch_norm"] else 0.5)
    params = FineTuneParams(recipe=args.recipe, minutes=args.minutes, seed=args.seed, scale=1.0)
    tuning = FineTuning(annotated(training), base, params, held_out=annotated(validation), name="em")
    run = Run(tuning.steps(args.output.with_suffix(".checkpoint"), resume=True))
    for step in run:
        if step.validation:
            print(
                json.dumps({"step": step.step, "seconds": round(step.seconds), "loss": step.validation.loss}),
                flush=True,
            )
    model = run.result.model
    save_model(model.card, model.network, args.output)
    judge(model, validation)


if __name__ == "__main__":
    main()
