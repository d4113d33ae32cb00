"""One press on each kind of image, with nothing chosen: what is found, and what is said where it is nonsense.

    python benchmarks/first_press.py --data ../shared/data [--images 3] [--only usiigaci] [--look dim]

For each kind the model of a new user (`nuclei`), the one for whole cells (`cells`, which may choose a specialist), and
the one that *Which model fits?* puts first, the size measured: average precision at an overlap of 0.5, as the mean
over images of the split `val`, and for how many of them the program said that they do not look right or that it found
no cells. A press that finds less than half and says nothing is a calm failure; the last lines name them.
`--look` shows the images at another magnification, dim, inverted or out of focus.
"""

from functools import cache
from pathlib import Path

import numpy as np
from accuracy_runs.images import LOOKS
from one_image import KINDS, Kind, precision, read_images
from timing import options

from napari_utile.engine.errors import UtileError
from napari_utile.engine.fitting.ranking import suggest
from napari_utile.engine.inference.confidence import fit_of
from napari_utile.engine.inference.sized import with_choice
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import load_model
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage

HALF = 0.5
load = cache(load_model)


def best_name(image: AnnotatedImage, kind: Kind) -> str:
    """Return the name of the model that *Which model fits?* puts first."""
    models = [load(each) for each in candidates()]
    return suggest(image.plane, models, SegmentParams(channels=kind.channels)).result[0].card.name


def press(image: AnnotatedImage, kind: Kind, name: str) -> tuple[float, str, bool]:
    """Return average precision, the model that segmented, and whether the program said that it looks wrong."""
    inputs = len(load(name).card.inputs)
    params = SegmentParams(model=name, channels=kind.channels and kind.channels[:inputs])
    params, size = Run(with_choice(params, image.plane, load)).result
    model = load(params.model)
    fit = fit_of(Run(segment_steps(image.plane, params, model=model)).result, size)
    said = fit.confidence is None or fit.looks_right is False
    return precision([image], model, params), params.model, said


def main() -> None:
    """Print the table."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--images", type=int, default=3, help="of each kind, at most")
    parser.add_argument("--only", nargs="*", default=[""], help="kinds whose title or folder has such a word")
    parser.add_argument("--look", choices=LOOKS, default="as it is", help="how the images are shown")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"skipped: there are no annotated images in {args.data} (--data)")
        return
    if args.quick:
        args.only, args.images = ["cornea"], 1
    calm, presses = [], 0
    print("| images | `nuclei` | `cells` | the suggested model |\n|---|---|---|---|")
    for kind in KINDS:
        if not any(word in f"{kind.title} {kind.folder}" for word in args.only):
            continue
        every = read_images(args.data, kind, "val")
        chosen = every[:: max(1, len(every) // args.images)][: args.images]
        images = [LOOKS[args.look](each) for each in chosen]
        cells = []
        for column in ("nuclei", "cells", ""):
            rows = []
            for image in images:
                try:
                    rows.append(press(image, kind, column or best_name(image, kind)))
                except UtileError as error:
                    print(f"  {image.plane.name}: {error}", flush=True)
                    continue
                score, model, said = rows[-1]
                if score < HALF and not said:
                    calm.append(f"{kind.title}, {image.plane.name}, `{model}`: {score:.2f}")
            presses += len(rows)
            if not rows:
                cells.append("–")
                continue
            names = ", ".join(f"`{each}`" for each in dict.fromkeys(name for _, name, _ in rows))
            warned = sum(said for _, _, said in rows)
            used = "" if names == f"`{column}`" else f" ({names})"
            cells.append(
                f"{np.mean([score for score, _, _ in rows]):.2f}{used}, said {warned} of {len(rows)}"
            )
        print(f"| {kind.title} | {' | '.join(cells)} |", flush=True)
    print(f"\n{len(calm)} of {presses} presses find less than half and say nothing", *calm, sep="\n- ")


if __name__ == "__main__":
    main()
