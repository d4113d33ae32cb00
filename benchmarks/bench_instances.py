"""Instances from a probability map: time per pixel, and beside a textbook pipeline of scikit-image.

Run with ``python benchmarks/bench_instances.py``.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import expand_labels, watershed
from timing import best_of, options

from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells

PARAMS = InstanceParams()


def probability_of(size: int, cells: int, seed: int = 0) -> np.ndarray:
    """Soft discs of about 30 pixels, many of which touch, with a little noise."""
    rng = np.random.default_rng(seed)
    probability = rng.normal(0.02, 0.01, (size, size)).astype(np.float32)
    y, x = np.mgrid[-20:21, -20:21]
    for _ in range(cells):
        row, column = rng.integers(20, size - 21, 2)
        disc = 1 / (1 + np.exp(np.hypot(y, x) - rng.uniform(10, 16)))
        window = probability[row - 20 : row + 21, column - 20 : column + 21]
        np.maximum(window, disc + rng.normal(0, 0.01, disc.shape), out=window)
    return np.clip(probability, 0, 1)


def instances(probability: np.ndarray) -> np.ndarray:
    return label_cells(cell_landscape(probability, PARAMS), PARAMS)


def textbook(probability: np.ndarray) -> np.ndarray:
    """Threshold, holes, distance transform, maxima, watershed, expansion: whole-image calls of SciPy and skimage."""
    mask = ndimage.binary_fill_holes(probability > PARAMS.threshold)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    peaks = peak_local_max(distance, min_distance=7, labels=ndimage.label(mask)[0])
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return expand_labels(watershed(-distance, markers, mask=mask), PARAMS.grow)


def milliseconds(function: Callable[[], object], runs: int = 5) -> float:
    return 1000 * best_of(runs, function)


def main() -> None:
    quick = options(__doc__).parse_args().quick
    print("  size  cells found      ours   per Mpx  textbook   ratio")
    for size in (512, 1024) if quick else (512, 1024, 2048, 4096):
        probability = probability_of(size, 300 * size**2 // 1024**2)
        found = int(instances(probability).max())
        ours = milliseconds(lambda p=probability: instances(p))
        theirs = milliseconds(lambda p=probability: textbook(p), runs=2)
        mega = size**2 / 2**20
        print(
            f"{size:6d}  {found:11d}  {ours:5.0f} ms  {ours / mega:5.1f} ms  {theirs:5.0f} ms  {theirs / ours:5.1f}x"
        )


if __name__ == "__main__":
    main()
