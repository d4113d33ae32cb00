"""Cross-validate over the fields of data sets that have few: each field is judged by a network that never saw it.

    python training/cross_validate.py usiigaci_phase bbbc030_dic_cho -o folds

For each fold a network as the bundled one of that kind is trained from `nuclei`, which has learnt from none of these
images, on the other folds of that data set alone. The settings are those of the bundled model's card, the size is
given or measured. Fields that show one place are in one fold. All annotated images take part, `train` and `val`.
Finished folds lie in the output folder and are only judged again; a stopped one continues.
One line a data set and size: average precision TP / (TP + FP + FN) at an overlap of 0.5, 0.75, and the mean over 0.5 to
0.95, as the mean over fields, each with the interval that holds 95 % of the means of resampled fields.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundled.images import Annotated, channel_choices, read_part
from bundled.models import PLANS, Part, Plan
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.training.recipes import Budget
from score_model import Case, precisions, scores, segmented
from train_model import recipe_of, shown, train_model

START = "nuclei"
"""It has learnt from none of these data sets."""

SIZES = ("given", "auto")


@dataclass(frozen=True)
class DataSet:
    """How a data set is cross-validated.

    Attributes
    ----------
    plan : str
        Of the bundled model for its images.
    folds : int
    place : int or None
        Images whose names start with the same so many letters show one place; None where each shows its own.
    """

    plan: str
    folds: int
    place: int | None = None


DATA_SETS = {
    "usiigaci_phase": DataSet("phase", 3),
    "bbbc030_dic_cho": DataSet("phase", 3),
    "yeastvision_phase_yeast": DataSet("cells", 2),
    "mdck_zo1_membrane": DataSet("cells", 3),
    "codex_tissue_wholecell": DataSet("tissue-cells", 2, len("R001_X003_Y004")),
    "corneal_endothelium_specular": DataSet("cells", 3),
}


def folds_of(images: Sequence[Annotated], kind: DataSet) -> list[list[Annotated]]:
    """Deal the places out, in the order of their names."""
    places = sorted({each.name[: kind.place] for each in images})
    dealt = {name: number % kind.folds for number, name in enumerate(places)}
    return [
        [each for each in images if dealt[each.name[: kind.place]] == number] for number in range(kind.folds)
    ]


def train_fold(taught: Sequence[Annotated], plan: Plan, output: Path, steps: int) -> Model | None:
    """Train on the other folds; None where it was stopped before the end."""
    recipe, card = recipe_of(plan), plan.card(inputs=plan.inputs)
    return train_model(
        plan,
        [plane for image in taught for plane in shown(image, plan, card, recipe)],
        output,
        recipe=recipe,
        budget=Budget(steps),
        start=load_model(START),
        checkpoint=output.with_suffix(".checkpoint"),
        resume=True,
    )


def cases_of(images: Sequence[Annotated], plan: Plan) -> list[Case]:
    """List the fields of a fold; of several choices of channels the first."""
    return [Case(each, channel_choices(plan, each.plane)[0]) for each in images]


def main() -> None:
    """Cross-validate data sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(DATA_SETS), help=", ".join(DATA_SETS))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the models of the folds")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--steps", type=int, default=800)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        kind = DATA_SETS[name]
        plan, settings = PLANS[kind.plan], load_model(kind.plan).card
        images = [each for split in ("train", "val") for each in read_part(args.data, Part(name), split)]
        rows: dict[str, list[NDArray[np.float64]]] = {size: [] for size in SIZES}
        for number, fold in enumerate(folds_of(images, kind)):
            output = args.output / f"{name}_{number}.safetensors"
            taught = [each for each in images if each not in fold]
            model = load_model(output) if output.is_file() else train_fold(taught, plan, output, args.steps)
            if model is None:
                raise SystemExit(f"{name}: stopped in fold {number}; the same command continues it")
            output.with_suffix(".checkpoint").unlink(missing_ok=True)
            card = replace(model.card, relief=settings.relief, instances=settings.instances)
            for size, judged in rows.items():
                cases = cases_of(fold, plan)
                found = [segmented(replace(model, card=card), each, size).labels for each in cases]
                judged += [precisions(a, each.image.labels) for a, each in zip(found, cases, strict=True)]
                reached = [round(float(row[0]), 3) for row in judged[-len(cases) :]]
                print(
                    json.dumps(
                        {
                            "images of": name,
                            "fold": number,
                            "steps": card.training["steps"],
                            "size": size,
                            "AP50": reached,
                        }
                    ),
                    flush=True,
                )
        for size, judged in rows.items():
            print(
                json.dumps({"images of": name, "size": size, **scores(judged)}),
                flush=True,
            )


if __name__ == "__main__":
    main()
