"""How sure each model is of each kind of image, and how often the doubt that it says is right.

    python benchmarks/what_fits.py --data ../shared/data [--models nuclei cells] [--images 3] [--only yeast]

Every model segments the same images of the split `val` of every kind, the size measured. A press is right where it
finds at least half of the cells (average precision at an overlap of 0.5). Printed are the confidences, as the range
over the images of a kind, and for each model the share of the presses that are not right and pass for right (missed),
and of the right ones that are doubted (false alarms): at the threshold of its card, and at the one where the larger
of the two is smallest, which is what a new card may take.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from first_press import HALF
from one_image import KINDS, Kind, precision, read_images
from timing import options

from napari_utile.engine.inference.confidence import fit_of
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage


@dataclass(frozen=True)
class Press:
    """What one press gave: how much of the truth, and how sure the model is; None where it found no cells."""

    score: float
    confidence: float | None

    @property
    def right(self) -> bool:
        """Whether at least half was found."""
        return self.score >= HALF


def press(image: AnnotatedImage, model: Model, channels: tuple[int, ...] | None) -> Press:
    """Segment an image as one press does, by this model and no specialist."""
    params = SegmentParams(channels=channels)
    size = measure_size(image.plane, model, params).result
    params = SegmentParams(channels=params.channels, diameter=size.diameter)
    made = Run(segment_steps(image.plane, params, model=model)).result
    return Press(precision([image], model, params), fit_of(made, size).confidence)


def rates(presses: list[Press], threshold: float) -> tuple[float, float]:
    """Return the share of wrong presses that pass, and of right ones that are doubted; what found nothing is said."""
    wrong = [each for each in presses if not each.right]
    right = [each for each in presses if each.right]
    missed = sum((each.confidence or 0.0) >= threshold for each in wrong)
    alarms = sum((each.confidence or 0.0) < threshold for each in right)
    return missed / max(len(wrong), 1), alarms / max(len(right), 1)


def best_threshold(presses: list[Press]) -> float:
    """Return the threshold at which the larger of both rates, then their sum, is smallest."""
    tried = np.arange(0.3, 0.95, 0.005).round(3).tolist()
    ways = {value: rates(presses, value) for value in tried}
    least = min((max(way), sum(way)) for way in ways.values())
    good = [value for value, way in ways.items() if (max(way), sum(way)) == least]
    return float(good[len(good) // 2])


def shown(presses: list[Press]) -> str:
    """Write the range of the confidences of some images, and the mean of their scores."""
    sure = [each.confidence or 0.0 for each in presses]
    if not sure:
        return "–"
    score = np.mean([each.score for each in presses])
    return f"{min(sure):.2f} to {max(sure):.2f} (AP {score:.2f})"


def judged(data: Path, kind: Kind, most: int) -> list[AnnotatedImage]:
    """Return images of a kind, spread over its split `val`; of `train` where there are none."""
    every = read_images(data, kind, "val") or read_images(data, kind, "train")
    return [every[place] for place in spread(len(every), most)]


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--images", type=int, default=3, help="of each kind, at most")
    parser.add_argument("--only", nargs="*", default=[""], help="kinds whose title or folder has such a word")
    parser.add_argument("--models", nargs="*", help="names or files; all that may be suggested by default")
    args = parser.parse_args(arguments)
    if not args.data.is_dir():
        print(f"skipped: there are no annotated images in {args.data} (--data)")
        return
    if args.quick:
        args.only, args.images, args.models = ["cornea"], 1, ["nuclei"]
    models = [load_model(name) for name in args.models or candidates()]
    presses: list[list[Press]] = [[] for _ in models]
    names = [each.card.name for each in models]
    print(f"| images | {' | '.join(f'`{name}`' for name in names)} |\n|---|{'---|' * len(names)}")
    for kind in KINDS:
        if not any(word in f"{kind.title} {kind.folder}" for word in args.only):
            continue
        images = judged(args.data, kind, args.images)
        cells = []
        for model, every in zip(models, presses, strict=True):
            chosen = kind.channels and kind.channels[: len(model.card.inputs)]
            made = [press(each, model, chosen) for each in images if model.card.reads(each.plane, chosen)]
            every += made
            cells.append(shown(made))
        print(f"| {kind.title} | {' | '.join(cells)} |", flush=True)
    print("\n| model | at | wrong, not said | right, doubted |\n|---|---|---|---|")
    for model, name, made in zip(models, names, presses, strict=True):
        count = sum(each.right for each in made)
        for word, threshold in (("card", model.card.confidence), ("best", best_threshold(made))):
            if threshold is not None:
                missed, alarms = rates(made, threshold)
                print(
                    f"| `{name}` | {threshold:.3f} ({word}) | {missed:.0%} of {len(made) - count} | "
                    f"{alarms:.0%} of {count} |"
                )


if __name__ == "__main__":
    main()
