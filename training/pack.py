"""Pack the images of bundled models into one file, to train them on another machine.

    python training/pack.py crops.zip nuclei cells --data ../shared/data

The file unpacks to a folder of annotated images, `--data` for `train_model.py` and `score_model.py`. Images whose cells
are much larger than the model shows them are shrunk, and grey values are kept in 8 bits between the percentiles 0.05
and 99.95: what `nuclei` and `cells` learn from, and are judged by, takes less than 40 MB.
"""

import argparse
import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from bundled.data_sets import SIMULATED, names_of
from bundled.images import read_image
from bundled.models import PLANS, Plan
from score_model import TEST_ONLY

LARGER = 1.3
"""Cells are kept so many times as large as the model shows them."""


def packed(image: NDArray, labels: NDArray, diameter: float | None, wanted: float) -> tuple[NDArray, NDArray]:
    """Shrink a picture (C, Y, X) whose cells are too large, and keep 8 bits of each channel."""
    scale = min(1.0, LARGER * wanted / diameter) if diameter else 1.0
    pixels = np.asarray(image, np.float32)
    if scale < 1:
        pixels = ndimage.gaussian_filter(pixels, (0, 0.4 / scale, 0.4 / scale))
        pixels = ndimage.zoom(pixels, (1, scale, scale), order=1, mode="reflect", grid_mode=True)
        labels = ndimage.zoom(labels, scale, order=0, mode="nearest", grid_mode=True)
    if np.asarray(image).dtype != np.uint8:
        low, high = np.percentile(pixels, (0.05, 99.95), axis=(1, 2))[..., None, None]
        pixels = (pixels - low) / np.maximum(high - low, 1e-6) * 255
    return pixels.round().clip(0, 255).astype(np.uint8), labels.astype(np.uint16)


def pack(data: Path, plans: Sequence[Plan], target: Path, most: int | None = None) -> None:
    """Write the images of some models, those that train and those that judge; at most this many of each part."""
    wanted: dict[tuple[str, str], tuple[str, float]] = {}
    for plan in plans:
        judges = [(part, "val") for part in (*plan.parts, *TEST_ONLY.get(plan.name, ()))]
        for part, split in (*((part, "train") for part in plan.parts), *judges):
            if part.folder != SIMULATED:
                for name in names_of(data, part.folder, split, part.start)[:most]:
                    wanted[part.folder, name] = split, plan.diameter
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for (folder, name), (_, diameter) in wanted.items():
            each = read_image(data, folder, name)
            image, labels = packed(each.plane.data, each.labels, each.diameter, diameter)
            if each.plane.rgb:
                image = np.moveaxis(image, 0, -1)
            for kind, array in (("images", image.squeeze()), ("labels", labels)):
                made = io.BytesIO()
                tifffile.imwrite(made, array, compression="zlib", photometric="minisblack")
                file.writestr(f"{folder}/{kind}/{name}.tif", made.getvalue())
        for folder in {folder for folder, _ in wanted}:
            rows = io.StringIO()
            writer = csv.writer(rows, lineterminator="\n")
            writer.writerow(("name", "split"))
            writer.writerows((name, split) for (of, name), (split, _) in wanted.items() if of == folder)
            file.writestr(f"{folder}/index.csv", rows.getvalue())
    print(f"{target}: {len(wanted)} images, {target.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Pack the images of the named models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("models", nargs="+", choices=sorted(PLANS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, help="at most this many of each data set, to try the rest out")
    args = parser.parse_args()
    pack(args.data, [PLANS[name] for name in args.models], args.target, args.images)


if __name__ == "__main__":
    main()
