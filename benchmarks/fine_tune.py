"""What fine-tuning gains on cells that a model has never seen: the phase-contrast fields of Usiigaci.

    python benchmarks/fine_tune.py --data ../shared/data --fields 3 --minutes 5
    python benchmarks/fine_tune.py --data ../shared/data --fields 16 --minutes 30

Prints lines of JSON: average precision, TP / (TP + FP + FN), at an overlap of 0.5 on the validation fields, as the
mean over fields and with the counts of all fields pooled, before and after. Three fields are every fifth one.
"""

import csv
import json
import time
from pathlib import Path

import numpy as np
import tifffile
from timing import options

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune import FineTuning
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.recipes import RECIPES, TrainingRecipe


def read(data: Path, split: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Read the fields of one split: name, image, labels."""
    folder = data / "usiigaci_phase"
    with (folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == split]
    return [
        (n, *(tifffile.imread(folder / kind / f"{n}.tif") for kind in ("images", "labels"))) for n in names
    ]


def validate(
    model: Model, fields: list[tuple[str, np.ndarray, np.ndarray]], scale: float | None = None
) -> dict:
    """Score a model on fields; `scale` makes the base see objects at the size that the tuned model sees."""
    precisions, right, wrong = [], 0, 0
    diameter = None if scale is None else model.card.object_diameter / scale
    for _, image, truth in fields:
        found = match(contingency(segment(image, model, diameter=diameter).labels, truth))
        precisions.append(found.average_precision)
        right, wrong = right + found.true_positives, wrong + found.false.size + found.missed.size
    return {
        "AP 0.5, mean over fields": round(float(np.mean(precisions)), 4),
        "AP 0.5, pooled": round(right / (right + wrong), 4),
        "fields": [round(each, 3) for each in precisions],
    }


def main() -> None:
    """Tune and score."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--fields", type=int, default=3)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--held-out", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=json.loads, default={}, help="fields of the recipe as JSON")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    if args.quick:
        args.fields, args.minutes = min(args.fields, 3), min(args.minutes or 0.5, 0.5)
    if not args.data.is_dir():
        print(f"skipped: there are no annotated images in {args.data}")
        return

    fields, judged = read(args.data, "train"), read(args.data, "val")
    if args.fields == 3:
        fields = [each for each in fields if each[1].shape == (512, 512)][::5]
    base = load_model(args.model)
    changed = {**to_json(RECIPES["fine-tune"]), **args.recipe}
    params = FineTuneParams(
        minutes=args.minutes, steps=args.steps, scale=args.scale, held_out=args.held_out, seed=args.seed
    )
    pairs = [AnnotatedImage(plane_from_array(image, name=name), labels) for name, image, labels in fields]
    tuning = FineTuning(pairs, base, params, recipe=from_json(TrainingRecipe, changed), name="phase")
    print(json.dumps({"fields": [name for name, *_ in fields], "scale": tuning.scale}), flush=True)
    print(
        json.dumps(
            {"before": validate(base, judged), "before, same scale": validate(base, judged, tuning.scale)}
        )
    )
    started = time.perf_counter()
    run = Run(tuning.steps(args.checkpoint, resume=args.checkpoint is not None))
    for step in run:
        if step.validation:
            print(
                json.dumps({"step": step.step, "seconds": step.seconds, **to_json(step.validation)}),
                flush=True,
            )
    result = run.result
    line = {"after": validate(result.model, judged), "steps": result.result.steps}
    line |= {"wall minutes": round((time.perf_counter() - started) / 60, 2), "best": result.result.best_step}
    line |= {"held-out before": to_json(result.before), "held-out after": to_json(result.after)}
    print(json.dumps(line | {"instances": result.model.card.instances}), flush=True)
    if args.output:
        save_model(result.model.card, result.model.network, args.output)


if __name__ == "__main__":
    main()
