"""Train a bundled model from its annotated images.

    python training/train_model.py nuclei --minutes 65 -o nuclei.safetensors

Stopped (Ctrl+C, SIGTERM) or killed, it continues from its checkpoint when it is called again with ``--resume``; the
checkpoint is written every five minutes. ``--leave-out`` leaves data sets out, or images of a shape, for scores on
images of other labs.
Settings are chosen, and scores measured, by `score_model.py`.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from bundled.images import Annotated, channel_choices, read_part, simulated_nuclei
from bundled.models import PLANS, Plan
from bundled.widen import start_from
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.parameters import to_json
from napari_utile.engine.provenance.recipe import versions
from napari_utile.engine.steps import Run
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.training.data import training_planes
from napari_utile.engine.training.recipes import Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun
from napari_utile.engine.training.samples import TrainingPlane
from napari_utile.engine.training.stopping import stopped_by_signals

SAVE_EVERY = 300.0
"""Seconds between checkpoints."""
LEAST = 0.05
"""Minutes that are left for training, however long the images took."""
SCALES = (0.08, 4.0)
"""An image is shrunk or enlarged by no more, however its cells differ from the model's diameter."""


def recipe_of(plan: Plan) -> TrainingRecipe:
    """Return how a bundled model is trained."""
    colours = sum(not each.optional for each in plan.inputs) > 1
    augment = AugmentParams(
        scale=1.6,
        elastic=4.0,
        contrast=0.4,
        brightness=0.15,
        gamma=1.8,
        noise=0.1,
        blur=2.0,
        gradient=0.4,
        invert=0.2 if plan.invert else 0.0,
        colour=0.25 if colours else 0.0,
    )
    return TrainingRecipe(
        name="bundled",
        tile=292,
        batch=2,
        rate=2e-3,
        warm_up=100,
        average=0.998,
        clip=5.0,
        weighting="even" if plan.distances else "paper",
        dice=0.5,
        distances=4.0,
        focus=0.6,
        validate_every=1_000_000,
        augment=augment,
    )


def planes_of(
    data: Path, plan: Plan, card: ModelCard, recipe: TrainingRecipe, leave_out: Sequence[str] = ()
) -> list[TrainingPlane]:
    """Read the training images with their median cell at the model's diameter, each data set with its share."""
    planes: list[TrainingPlane] = []
    for part in plan.parts:
        if part.folder.startswith(tuple(leave_out)):
            continue
        images = [
            each
            for each in read_part(data, part, "train")
            if each.labels.any() and "x".join(map(str, each.labels.shape)) not in leave_out
        ]
        made = [plane for image in images for plane in shown(image, plan, card, recipe, part.other)]
        total = sum(plane.share for plane in made)
        planes += [replace(plane, share=part.share * plane.share / total) for plane in made]
    return planes


def shown(
    image: Annotated, plan: Plan, card: ModelCard, recipe: TrainingRecipe, other: bool = False
) -> Iterator[TrainingPlane]:
    """Yield an image under each choice of channels; one of another kind holds no cells."""
    assert image.diameter is not None
    scale = min(max(plan.diameter / image.diameter, SCALES[0]), SCALES[1])
    for channels in channel_choices(plan, image.plane):
        seen = replace(image, labels=np.zeros_like(image.labels)) if other else image
        for plane in training_planes([seen], card, recipe, scale, channels):
            yield replace(plane, name=f"{image.folder}/{image.name} {channels or ''}".strip())


def train_model(
    plan: Plan,
    planes: Sequence[TrainingPlane],
    output: Path,
    *,
    recipe: TrainingRecipe,
    budget: Budget,
    seed: int = 0,
    start: Model | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Model | None:
    """Train, print a line now and then, and write the model in float16; None where it was stopped before the end."""
    torch.manual_seed(seed)
    network = build_network(plan.family, plan.config)
    if start is not None:
        start_from(network, start.network.state_dict())
    card = plan.card(inputs=plan.inputs)
    run = Run(
        TrainingRun(network, planes, recipe=recipe, budget=budget, seed=seed, card=card).steps(
            checkpoint, checkpoint_every=SAVE_EVERY, resume=resume
        )
    )
    with stopped_by_signals() as stopped:
        for step in run:
            if step.step % 50 == 0:
                line = {"time": time.strftime("%H:%M:%S"), "step": step.step, "loss": round(step.loss, 4)}
                print(json.dumps({**line, "spent": round(step.spent, 4)}), flush=True)
            if stopped():
                run.close()
                return None
    result = run.result
    about: dict[str, Any] = {
        "script": "training/train_model.py",
        "recipe": to_json(recipe),
        "seed": seed,
        "steps": result.steps,
        "minutes": round(result.seconds / 60, 1),
        "started from": None
        if start is None
        else {"name": start.card.name, "fingerprint": start.fingerprint},
        "images": len(planes),
        "versions": versions(),
    }
    return save_model(plan.card(training=about), result.network, output, torch.float16)


def running_for() -> float:
    """Return how long this program has been running (seconds), its start included."""
    return time.time() - psutil.Process().create_time()


def main() -> None:
    """Train one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(PLANS))
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--minutes", type=float)
    parser.add_argument(
        "--within",
        type=float,
        metavar="MINUTES",
        help="of wall clock for all of it, starting and reading included",
    )
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="a narrower U-Net whose weights it starts from, such as nuclei")
    parser.add_argument("--tile", type=int, help="output pixels a side of a sample")
    parser.add_argument("--batch", type=int, help="samples a step")
    parser.add_argument(
        "--leave-out",
        nargs="*",
        default=[],
        metavar="DATA SET",
        help="or the shape of images, such as 520x696",
    )
    parser.add_argument(
        "--simulated",
        type=int,
        metavar="FIELDS",
        help="of nuclei, instead of annotated images: to start from",
    )
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    plan = PLANS[args.name]
    recipe = recipe_of(plan)
    recipe = replace(recipe, tile=args.tile or recipe.tile, batch=args.batch or recipe.batch)
    card = plan.card(inputs=plan.inputs)
    if args.simulated:
        fields = simulated_nuclei(args.simulated)
        planes = [plane for field in fields for plane in shown(field, plan, card, recipe)]
    else:
        planes = planes_of(args.data, plan, card, recipe, args.leave_out)
    print(json.dumps({"images": len(planes), "left out": args.leave_out}), flush=True)
    if args.within:
        left = args.within - running_for() / 60
        args.minutes = max(min(left, args.minutes or left), LEAST)
    checkpoint = args.output.with_suffix(".checkpoint")
    made = train_model(
        plan,
        planes,
        args.output,
        recipe=recipe,
        budget=Budget(args.steps, args.minutes if args.minutes or args.steps else 60.0),
        seed=args.seed,
        start=load_model(args.start) if args.start else None,
        checkpoint=checkpoint,
        resume=args.resume,
    )
    if made is None:
        print(f"stopped; {checkpoint} holds the run, --resume continues it")
        raise SystemExit(130)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
