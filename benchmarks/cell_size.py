"""What measuring the size of the cells costs; with `--figures` also what it gives, on `../shared/data`.

    python benchmarks/cell_size.py --figures [--every 4] [--short]

1. Fluorescence images of the validation splits, enlarged and shrunk: AP at IoU 0.5 with the size measured, beside that
   of the same images at their own size and of the enlarged images as they are.
2. Every annotated set: AP with the size measured, beside that of the images as they are.
3. Windows against whole images: AP with the size measured on the windows that are affordable, and on all of the image.
4. Cost: the time of a measurement as a share of the time of segmenting the image once, as it is.

Prints as it goes; `--every N` takes every N-th image, `--short` leaves out enlarged images as they are, and whole ones.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from accuracy_runs.images import Annotated, enlarged, read_images
from scipy import ndimage
from timing import options

from napari_utile.engine.inference import size
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment

FACTORS = (0.5, 1, 2, 4, 6)
FLUORESCENCE = (("dsb2018_stage1", "fl_"), ("mnfinder_fluo_nuclei", ""), ("bbbc039_fluo_nuclei", ""))
NOT_CELLS = ("isbi2012_em_noncommercial", "plantseg_3d", "stardist_3d_example")
MOST_PIXELS = 4_000_000
"""Larger images are left out of the enlarged ones."""


def sets(data: Path, every: int) -> Iterator[tuple[str, Sequence[Annotated]]]:
    """Give the validation images of each set, all of it where it has none."""
    for folder in sorted(path.name for path in data.iterdir() if (path / "index.csv").is_file()):
        if folder not in NOT_CELLS:
            images = read_images(data, folder, "val") or read_images(data, folder, "train")
            yield folder, [each for each in images[::every] if each.labels.any()]


def measured(image: ImagePlane, model: Model, *, whole: bool = False) -> float | None:
    """Return the diameter found on windows, or on the whole image."""
    if not whole:
        return size.measure_size(image, model).result.diameter
    with mock.patch.object(size, "_affordable", return_value=(1 << 14, 1)):
        return size.measure_size(image, model).result.diameter


def other_sizes(model: Model, data: Path, every: int, short: bool) -> None:
    """Print the first table."""
    images = [
        each for folder, start in FLUORESCENCE for each in read_images(data, folder, "val", start)[::every]
    ]
    own = [
        average_precision(segment(each.plane, model, diameter=None).labels, each.labels) for each in images
    ]
    print(f"\n{len(images)} fluorescence images, at their own size, as they are: AP {np.mean(own):.3f}")
    print("factor  images  own size  measured  as it is")
    for factor in FACTORS:
        rows = []
        for image, before in zip(images, own, strict=True):
            if image.labels.size * factor**2 <= MOST_PIXELS:
                seen = enlarged(image, factor)
                found = [
                    average_precision(segment(seen.plane, model, diameter=how).labels, seen.labels)
                    for how in ("auto", None)[: 1 if short else 2]
                ]
                rows.append((before, *found))
        means = "  ".join(f"{mean:8.3f}" for mean in np.mean(rows, axis=0)) if rows else ""
        print(f"{factor:6}  {len(rows):6}  {means}", flush=True)


def every_set(model: Model, data: Path, every: int, short: bool) -> None:
    """Print the second and the third table."""
    print("\nset                            images  as it is  measured  difference  whole images")
    for folder, images in sets(data, every):
        rows = []
        for image in images:
            ways = [None, measured(image.plane, model)]
            ways.append(ways[1] if short else measured(image.plane, model, whole=True))
            known: dict[float | None, float] = {}
            for way in dict.fromkeys(ways):
                labels = segment(image.plane, model, diameter=way).labels
                known[way] = average_precision(labels, image.labels)
            rows.append([known[way] for way in ways])
        plain, windows, whole = np.mean(rows, axis=0)
        print(
            f"{folder:30} {len(rows):6}  {plain:8.3f}  {windows:8.3f}  {windows - plain:+10.3f}  {whole:12.3f}",
            flush=True,
        )


def cost(model: Model) -> None:
    """Print the fourth table."""
    print("\nimage         segmented once  measured  share")
    rng = np.random.default_rng(0)
    for side in (512, 1024, 2048):
        image = ImagePlane(ndimage.gaussian_filter(rng.random((1, side, side), np.float32), (0, 3, 3)))
        times: dict[str, list[float]] = {"once": [], "measured": []}
        for _ in range(3):
            start = time.perf_counter()
            segment(image, model, diameter=None)
            middle = time.perf_counter()
            for _ in size.measure_size(image, model):
                pass
            times["once"].append(middle - start)
            times["measured"].append(time.perf_counter() - middle)
        once, found = (statistics.median(each) for each in times.values())
        print(f"{side:4} x {side:4}  {once:12.2f} s  {found:6.2f} s  {found / once:5.0%}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th image")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--figures", action="store_true", help="also the tables of scores, which take long")
    parser.add_argument("--only", choices=("sizes", "sets"), help="one of those tables alone")
    parser.add_argument("--short", action="store_true", help="no enlarged images as they are, no whole ones")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    if arguments.only is None:
        cost(model)
        if not arguments.figures:
            return
    if arguments.only in (None, "sizes"):
        other_sizes(model, arguments.data, arguments.every, arguments.short)
    if arguments.only in (None, "sets"):
        every_set(model, arguments.data, arguments.every, arguments.short)


if __name__ == "__main__":
    main()
