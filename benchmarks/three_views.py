"""Three views of annotated volumes beside linked planes: ``python benchmarks/three_views.py FOLDER``.

FOLDER holds `plantseg_3d` and `stardist_3d_example`, each with `images` and `labels`. The files do not say how far
apart planes are: the distances below are those of the annotated cells. Printed are the average precision at IoU 0.5,
and how many cells are right, found and true.
"""

from pathlib import Path

import numpy as np
import tifffile
from timing import options

VOLUMES = (
    ("stardist_3d_example", "stardist_img3d", "nuclei", 2),
    ("plantseg_3d", "ovule_membrane", "cells", 3),
    ("plantseg_3d", "ovule_nuclei_1136", "nuclei", 2),
    ("plantseg_3d", "ovule_nuclei_1135", "nuclei", 2),
)


def score(truth: np.ndarray, found: np.ndarray) -> str:
    """Return the average precision at IoU 0.5, and what it is made of."""
    from napari_utile.engine.metrics.contingency import contingency

    table = contingency(found, truth)
    right = int((table.overlaps.iou > 0.5).sum())
    predicted, true = len(table.prediction_ids) - 1, len(table.truth_ids) - 1
    return f"{right / (predicted + true - right):.2f} ({right}, {predicted}, {true})"


def main() -> None:
    """Segment each volume in both ways and print a line."""
    from napari_utile import segment

    parser = options(__doc__)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    for folder, name, model, distance in VOLUMES[: 1 if args.quick else None]:
        image, truth = (
            tifffile.imread(args.folder / folder / kind / f"{name}.tif") for kind in ("images", "labels")
        )
        linked = segment(image, model, axes="ZYX", link="z")
        views = segment(image, model, axes="ZYX", three_views=True, plane_distance=distance)
        scores = [score(truth.astype(np.int32), made.labels) for made in (linked, views)]
        print(f"{name} ({views.params.model}): linked {scores[0]}, three views {scores[1]}", flush=True)


if __name__ == "__main__":
    main()
