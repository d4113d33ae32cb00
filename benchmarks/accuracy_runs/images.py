"""The annotated images of the shared data sets (see `../shared/data/README.md`)."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from napari_utile.engine.planes.axes import ImagePlane, plane_from_array


@dataclass(frozen=True, eq=False)
class Annotated:
    """An image of one grey channel (the mean of colours, as `utile segment` reads them) and its true labels."""

    name: str
    plane: ImagePlane
    labels: np.ndarray


def read_images(data: Path, folder: str, split: str, start: str = "") -> list[Annotated]:
    """Read the images of one split of a data set whose names start like that."""
    with (data / folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == split]
    images = []
    for name in (name for name in names if name.startswith(start)):
        image, labels = (
            tifffile.imread(data / folder / kind / f"{name}.tif") for kind in ("images", "labels")
        )
        axes = "YX" if image.ndim == 2 else "YXS" if image.shape[-1] == 3 else "CYX"
        images.append(Annotated(name, plane_from_array(image, axes, name=name).for_network(1), labels))
    return images
