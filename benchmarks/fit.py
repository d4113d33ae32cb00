"""What fitting to three cells gives the other cells of an image, on the `val` images of `../shared/data`.

    python benchmarks/fit.py [--every 6] [--models nuclei cells]

Of each image three cells are given, drawn by a fixed seed. The model is fitted to them, and the mean best IoU of all
other cells compared with that of one press: on the image as it is, enlarged (2 x), dim and noisy, and inverted.
Prints a line an image, and the means with the share of images that lost more than 0.01.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy_runs.images import LOOKS, Annotated, read_images
from timing import options

from napari_utile.engine.fitting.cells import LEAST_CELLS, fit_to_cells
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.segment import segment, segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run

SETS = {
    "nuclei": ("dsb2018_stage1:fl_", "mnfinder_fluo_nuclei", "bbbc039_fluo_nuclei"),
    "cells": (
        "usiigaci_phase",
        "yeastvision_phase_yeast",
        "cellphe_qpi",
        "mdck_zo1_membrane",
        "corneal_endothelium_specular",
    ),
}
LEAST_OTHERS = 5
MOST_PIXELS = 1_500_000


WAYS = ("as it is", "enlarged", "dim", "inverted")


def mean_best_iou(labels: np.ndarray, truth: np.ndarray, but: np.ndarray) -> float:
    """Return the mean of the best IoU of each true cell with any found one, but for the given cells."""
    table = contingency(labels, truth)
    best = np.zeros(table.truth_ids.size)
    np.maximum.at(best, table.overlaps.columns, table.overlaps.iou)
    return float(best[~np.isin(table.truth_ids, [0, *but])].mean())


def images_of(model: str, data: Path, every: int) -> Iterator[Annotated]:
    """Give every N-th image with cells enough."""
    for each in SETS[model]:
        folder, _, start = each.partition(":")
        for image in read_images(data, folder, "val", start)[::every]:
            if np.unique(image.labels).size - 1 >= LEAST_CELLS + LEAST_OTHERS:
                yield image


def compare(image: Annotated, model: Model) -> tuple[float, float, str]:
    """Return the mean best IoU of the other cells before and after, and what was changed."""
    ids = np.unique(image.labels[image.labels > 0])
    given = np.random.default_rng(0).choice(ids, LEAST_CELLS, replace=False)
    painted = np.where(np.isin(image.labels, given), image.labels, 0)
    params = SegmentParams(model=model.card.name)
    found = fit_to_cells(image.plane, painted, [model], params).result
    before = segment(image.plane, model).labels
    after = (
        Run(segment_steps(image.plane, found.params, model=model)).result.labels if found.changed else before
    )
    return (
        mean_best_iou(before, image.labels, given),
        mean_best_iou(after, image.labels, given),
        ", ".join(found.changed),
    )


def main() -> None:
    """Print the figures."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--every", type=int, default=6, metavar="N", help="take every N-th image")
    parser.add_argument("--models", nargs="+", default=["nuclei", "cells"], choices=sorted(SETS))
    arguments = parser.parse_args()
    for name in arguments.models[: 1 if arguments.quick else None]:
        model = load_model(name)
        images = list(images_of(name, arguments.data, arguments.every))[: 1 if arguments.quick else None]
        for way in WAYS:
            rows = []
            for image in images:
                seen = LOOKS[way](image)
                if seen.labels.size <= MOST_PIXELS:
                    before, after, changed = compare(seen, model)
                    rows.append((before, after))
                    print(
                        f"  {name}, {way}, {image.name[:24]:24} {before:.3f} -> {after:.3f}  {changed}",
                        flush=True,
                    )
            if rows:
                before, after = np.mean(rows, axis=0)
                lost = np.mean([b - a > 0.01 for b, a in rows])
                print(
                    f"{name}, {way}: {len(rows)} images, the other cells {before:.3f} -> {after:.3f}; "
                    f"{lost:.0%} lost more than 0.01",
                    flush=True,
                )


if __name__ == "__main__":
    main()
