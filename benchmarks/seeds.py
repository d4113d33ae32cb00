"""Cells grown from seeds in what a model sees, on the `val` images of `../shared/data`.

    python benchmarks/seeds.py [--images 8]

Each true cell gives a seed: a disc a third as wide as the cell is deep, anywhere in its deep part, by a fixed seed of
the random numbers. Prints the average precision at an overlap of 0.5 and 0.75, size given, with the cells that the
model finds without seeds beside it, a line a data set, and the mean of the lines.
"""

from pathlib import Path
from typing import Any

import numpy as np
from accuracy_runs.images import read_channels
from scipy import ndimage
from timing import options

from napari_utile.engine.grow import grow_seeds
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.segment import segment

SETS = (
    ("tissue-cells", "codex_tissue_wholecell", (0, 2)),
    ("cells", "mdck_zo1_membrane", None),
    ("cells", "yeastvision_phase_yeast", None),
    ("cells", "usiigaci_phase", None),
    ("cells", "corneal_endothelium_specular", None),
    ("nuclei", "dsb2018_stage1:fl_", None),
    ("tissue", "dsb2018_stage1:he_", None),
    ("bacteria", "trpl_phase_ecoli", None),
    ("fcn8s", "mnfinder_fluo_nuclei", None),
)
DEEP, RADIUS = 0.6, 0.35
"""Of the depth of a cell: where its seed may lie, and how wide it is."""


def seeds_in(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a seed for each cell, with its id."""
    seeds = np.zeros_like(truth)
    for number, window in enumerate(ndimage.find_objects(truth), start=1):
        if window is None:
            continue
        cell = np.pad(truth[window] == number, 1)
        depth = ndimage.distance_transform_edt(cell)
        y, x = rng.choice(np.argwhere(depth >= DEEP * depth.max()))
        rows, columns = np.indices(cell.shape)
        disc = cell & (np.hypot(rows - y, columns - x) <= max(1.0, RADIUS * depth.max()))
        seeds[window][disc[1:-1, 1:-1]] = number
    return seeds


def precisions(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the average precision at an overlap of 0.5 and of 0.75."""
    table = contingency(found, truth)
    return [match(table, overlap).average_precision for overlap in (0.5, 0.75)]


def main() -> None:
    """Print the table."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=8, help="of each data set at most")
    args = parser.parse_args()
    rng, means = np.random.default_rng(1), []
    print("model, images: without seeds (AP 0.5, 0.75), from seeds (AP 0.5, 0.75)")
    for model, source, channels in SETS:
        folder, _, start = source.partition(":")
        rows = []
        for image in read_channels(args.data, folder, "val", start)[: args.images]:
            given: dict[str, Any] = {"channels": channels, "diameter": image.diameter}
            found = segment(image.plane, model, **given).labels
            grown = grow_seeds(image.plane, seeds_in(image.labels, rng), model, **given)
            rows.append([*precisions(found, image.labels), *precisions(grown, image.labels)])
        means.append(np.mean(rows, axis=0))
        print(f"{model}, {source}:", *(f"{each:.2f}" for each in means[-1]), flush=True)
    print("mean:", *(f"{each:.3f}" for each in np.mean(means, axis=0)))


if __name__ == "__main__":
    main()
