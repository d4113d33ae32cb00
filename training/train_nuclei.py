"""Train the bundled model `nuclei` on the images of BBBC038 (and others) whose licence allows it.

    python training/train_nuclei.py --data ../shared/data --minutes 60 -o src/napari_utile/models/nuclei.safetensors

Killed, it continues from its checkpoint when called again with --resume. See training/README.md.
"""

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_utile.engine.models.card import ModelCard, ModelClass
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.planes.normalize import measure_limits
from napari_utile.engine.steps import Run
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.training.recipes import Budget, TrainingRecipe
from napari_utile.engine.training.samples import TrainingPlane, training_plane
from napari_utile.engine.training.train import train

# data set, start of the names, how often samples come from one image (a large one counts more)
SETS = (
    ("dsb2018_stage1", "fl_", 1.0),
    ("dsb2018_stage1", "he_", 1.6),
    ("dsb2018_stage1", "bf_", 1.5),
    ("bbbc039_fluo_nuclei", "", 0.5),
    ("ecoli_dapi_fluo", "", 0.5),
)
RECIPE = TrainingRecipe(
    name="nuclei",
    tile=196,
    batch=4,
    rate=3e-3,
    warm_up=50,
    average=0.995,
    focus=0.3,
    validate_every=100,
    augment=AugmentParams(scale=1.5, contrast=0.3, brightness=0.1, gamma=1.5, noise=0.05),
)
# chosen by the average precision on every fourth of the training images
INSTANCES = {"threshold": 0.7, "split": 0.5, "minimum_size": 30}
LICENCE = (
    "BSD-3-Clause. Trained on BBBC038v1 and BBBC039v1 (CC0, Broad Bioimage Benchmark Collection; Caicedo et al., "
    "Nature Methods 16:1247, 2019; Ljosa et al., Nature Methods 9:637, 2012) and on a DAPI image of E. coli "
    "(MIT licence, Copyright (c) 2024 Torellium)."
)


def read_planes(data: Path, split: str, recipe: TrainingRecipe) -> list[TrainingPlane]:
    """Read the images of one split, normalised, with their weight maps."""
    planes = []
    for folder, start, share in SETS:
        with (data / folder / "index.csv").open() as file:
            rows = [
                row for row in csv.DictReader(file) if row["split"] == split and row["name"].startswith(start)
            ]
        for row in rows:
            image = tifffile.imread(data / folder / "images" / f"{row['name']}.tif")
            labels = tifffile.imread(data / folder / "labels" / f"{row['name']}.tif")
            plane = plane_from_array(image, "YXS" if image.ndim == 3 else "YX").for_network(1)
            window = np.asarray(plane.data[:, :, :])
            normalised = measure_limits(window).apply(window)
            often = share * float(np.sqrt(labels.size / 256**2))
            planes.append(
                training_plane(row["name"], normalised, labels, w0=recipe.w0, sigma=recipe.sigma, share=often)
            )
    return planes


def typical_diameter(planes: list[TrainingPlane]) -> float:
    """Return the median over the images of the median diameter of their nuclei (pixels)."""
    medians = []
    for plane in planes:
        if plane.name.startswith(("fl_", "bbbc")):
            areas = np.bincount(plane.objects.ravel())[1:]
            medians.append(np.median(2 * np.sqrt(areas[areas > 0] / np.pi)))
    return round(float(np.median(medians)), 1)


def make_card(
    config: UNetConfig, recipe: TrainingRecipe, planes: list[TrainingPlane], about: dict[str, object]
) -> ModelCard:
    """Make the card of the model."""
    return ModelCard(
        name="nuclei",
        family="unet",
        config=to_json(config),
        classes=(ModelClass("background", "background"), ModelClass("nucleus", "foreground")),
        channels=("nuclear stain",),
        title="Nuclei in fluorescence",
        description="Nuclei in fluorescence images of a nuclear stain, 8 to 60 pixels across. It has also seen a few "
        "dozen stained tissue sections and smears, and is less reliable there.",
        object_diameter=typical_diameter(planes),
        instances=INSTANCES,
        training={
            "data": {
                each: sum(plane.name.startswith(each) for plane in planes)
                for each in ("fl_", "he_", "bf_", "bbbc", "ecoli")
            },
            "recipe": to_json(recipe),
            "script": "training/train_nuclei.py",
            **about,
        },
        licence=LICENCE,
    )


def main() -> None:
    """Train, and save the best weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="model file to start from, instead of random weights")
    parser.add_argument("--rate", type=float, default=RECIPE.rate, help="highest learning rate")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--checkpoint", type=Path, default=Path("nuclei-checkpoint.safetensors"))
    parser.add_argument("-o", "--output", type=Path, default=Path("nuclei.safetensors"))
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    config = UNetConfig(width=args.width, depth=args.depth, batch_norm=True, dropout=0.0)
    recipe = replace(RECIPE, rate=args.rate)
    network = UNet(config)
    if args.start:
        network.load_state_dict(load_model(args.start).network.state_dict())
    planes, held_out = (read_planes(args.data, split, recipe) for split in ("train", "val"))
    print(
        json.dumps({"train": len(planes), "val": len(held_out), "diameter": typical_diameter(planes)}),
        flush=True,
    )
    run = Run(
        train(
            network,
            planes,
            held_out,
            recipe=recipe,
            budget=Budget(minutes=args.minutes),
            seed=args.seed,
            checkpoint=args.checkpoint,
            resume=args.resume,
        )
    )
    for step in run:
        if step.step % 20 == 0 or step.validation:
            print(json.dumps({"time": time.strftime("%H:%M:%S"), **to_json(step)}), flush=True)
    result = run.result
    about: dict[str, object] = {
        "steps": result.steps,
        "minutes": round(result.seconds / 60, 1),
        "seed": args.seed,
    }
    if args.start:
        about["started from"] = load_model(args.start).card.training
    save_model(make_card(config, recipe, planes, about), result.network, args.output, torch.float16)


if __name__ == "__main__":
    main()
