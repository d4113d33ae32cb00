"""Scores and measurements of 4096 x 4096 pixels with 5000 cells, on one core.

Run with ``OMP_NUM_THREADS=1 python benchmarks/bench_metrics.py``.
"""

from collections.abc import Callable

import numpy as np
from timing import best_of, options

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.metrics.boundaries import boundary_scores
from napari_utile.engine.metrics.cell_kinds import cell_errors, cell_kinds
from napari_utile.engine.metrics.cells import cell_scores, table_scores
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.metrics.regions import rand_error
from napari_utile.engine.metrics.semantic import semantic_scores

PITCH = 58


def cells(size: int, shift: int, radius: float) -> np.ndarray:
    """Discs on a grid, every 50th of them missing."""
    y, x = np.mgrid[:size, :size]
    row, column = (y + shift) // PITCH, (x + shift // 2) // PITCH
    inside = np.hypot((y + shift) % PITCH - PITCH / 2, (x + shift // 2) % PITCH - PITCH / 2) < radius
    number = row * (size // PITCH + 2) + column + 1
    return np.where(inside & ((number + shift) % 50 > 0), number, 0).astype(np.int32)


def seconds(function: Callable[[], object]) -> float:
    return best_of(3, function)


def main() -> None:
    size = 1024 if options(__doc__).parse_args().quick else 4096
    truth, prediction = cells(size, 0, 24), cells(size, 3, 25)
    image = np.random.default_rng(0).random(truth.shape, np.float32)
    table = contingency(prediction, truth)

    def errors() -> object:
        return cell_errors(table, cell_kinds(table, match(table)))

    print(f"{size} x {size}, {np.unique(truth).size - 1} cells")
    one_pass = seconds(lambda: np.count_nonzero(prediction != truth))
    for name, function in {
        "one comparison of the two images": lambda: np.count_nonzero(prediction != truth),
        "contingency table": lambda: contingency(prediction, truth),
        "cell scores (SEG, AP 0.5 to 0.95, F1, PQ, AJI, kinds)": lambda: cell_scores(prediction, truth),
        "  of which after the table": lambda: table_scores(table),
        "list of errors, after the table": errors,
        "Rand error, after the table": lambda: rand_error(table),
        "four FCN scores": lambda: semantic_scores(prediction > 0, truth > 0),
        "boundary scores (pixel, Rand, warping, V-Rand, V-Info)": lambda: boundary_scores(prediction, truth),
        "measurements, basic": lambda: measure(truth, image, basic=True),
        "measurements, all": lambda: measure(truth, image),
    }.items():
        value = seconds(function)
        print(f"{name:56s} {value:7.3f} s {value / one_pass:7.1f} x one comparison")
    small_truth, small_image = truth[:1024, :1024], image[:1024, :1024]
    value = seconds(lambda: measure(small_truth, small_image, basic=True))
    print(f"{'measurements, basic, 1024 x 1024, 324 cells':56s} {value:7.3f} s")


if __name__ == "__main__":
    main()
