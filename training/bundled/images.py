"""The annotated images as a bundled model reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from bundled.data_sets import SIMULATED, names_of
from bundled.models import SIMULATED_IMAGES, Part, Plan
from napari_utile.engine.planes.axes import ImagePlane, plane_from_array
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.data import typical_diameter
from simulation.rods import simulate_rods
from simulation.simulate import simulate

SPECK = 12
"""Smaller pieces of a body are specks (pixels)."""


@dataclass(frozen=True, eq=False)
class Annotated(AnnotatedImage):
    """An image with all its channels, and its true labels."""

    folder: str = ""

    @property
    def name(self) -> str:
        """The name of its plane."""
        return self.plane.name

    @property
    def diameter(self) -> float | None:
        """Median diameter of the discs of the objects' areas (pixels); None without objects."""
        return typical_diameter([self])


def read_part(data: Path, part: Part, split: str) -> Iterator[Annotated]:
    """Read the images of one split of a part of a data set."""
    if part.folder == SIMULATED:
        for number in SIMULATED_IMAGES.get(split, ()):
            image, labels = simulate_rods(number)
            yield Annotated(plane_from_array(image, "YX", name=f"rods{number}"), labels, folder=part.folder)
        return
    for name in names_of(data, part.folder, split, part.start):
        yield read_image(data, part.folder, name)


def simulated_nuclei(count: int) -> Iterator[Annotated]:
    """Draw fields of fluorescence nuclei: sparse and crowded, sharp and blurred, bright and dim."""
    for number in range(count):
        rng = np.random.default_rng((number, 8))
        field = simulate(
            "clustered_nuclei" if number % 2 else "nuclei",
            diameter=rng.uniform(16, 32),
            spread=rng.uniform(0.1, 0.35),
            texture=rng.uniform(0.05, 0.4),
            blur=rng.uniform(0.5, 2.5),
            photons=float(np.exp(rng.uniform(3, 7))),
            seed=number,
        )
        yield Annotated(
            plane_from_array(field.image, "YX", name=f"nuclei{number}"), field.labels, folder="simulated"
        )


def read_image(data: Path, folder: str, name: str) -> Annotated:
    """Read one image; three channels that come last are colours."""
    image, labels = (tifffile.imread(data / folder / kind / f"{name}.tif") for kind in ("images", "labels"))
    axes = "YX" if image.ndim == 2 else "YXS" if image.shape[-1] in (3, 4) else "CYX"
    if folder == "flyem_em_bodies":  # the id is the body's in three dimensions
        labels = pieces(labels)
    return Annotated(plane_from_array(image, axes, name=name), labels.astype(np.int32), folder=folder)


def pieces(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Give each piece of a body in a slice a number of its own; specks are background."""
    made, count = np.zeros(labels.shape, np.int32), 0
    for label in np.unique(labels[labels > 0]):
        parts, found = ndimage.label(labels == label)
        made = np.where(parts > 0, parts + count, made)
        count += found
    areas = np.bincount(made.ravel())
    return np.where(areas[made] < SPECK, 0, made).astype(np.int32)


def channel_choices(plan: Plan, plane: ImagePlane) -> tuple[tuple[int, ...] | None, ...]:
    """List the choices of channels under which a model is shown an image; None leaves it to the model.

    Of cytoplasm, membrane and nucleus, each of the first two goes with the last.
    """
    has_nuclei = plane.data.shape[0] == 3 and not plane.rgb and any(each.optional for each in plan.inputs)
    return ((0, 2), (1, 2)) if has_nuclei else (None,)
