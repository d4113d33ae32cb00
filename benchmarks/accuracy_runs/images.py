"""The annotated images of the shared data sets, as `training/` reads them, and other ways that they may look."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.training.annotated_image import AnnotatedImage

sys.path.append(str(Path(__file__).parents[2] / "training"))
from bundled.images import Annotated, read_part
from bundled.models import Part

__all__ = ["LOOKS", "Annotated", "enlarged", "read_channels", "read_images"]

Image = TypeVar("Image", bound=AnnotatedImage)


def read_images(data: Path, folder: str, split: str, start: str = "") -> list[Annotated]:
    """Read the images of one split of a data set whose names start like that; colours become their mean."""
    images = read_channels(data, folder, split, start)
    return [replace(each, plane=each.plane.for_network(1)) for each in images]


def read_channels(data: Path, folder: str, split: str, start: str = "") -> list[Annotated]:
    """Read them with all their channels."""
    return list(read_part(data, Part(folder, start), split))


def enlarged(image: Image, factor: float) -> Image:
    """Return an image and its truth at another size."""
    pixels = np.asarray(image.plane.data).astype(np.float32)
    if factor < 1:
        pixels = ndimage.gaussian_filter(pixels, (0, 0.4 / factor, 0.4 / factor))
    data = ndimage.zoom(pixels, (1, factor, factor), order=1, mode="reflect", grid_mode=True)
    labels = ndimage.zoom(image.labels, factor, order=0, mode="nearest", grid_mode=True)
    return replace(image, plane=replace(image.plane, data=data), labels=labels)


def dim(image: Image) -> Image:
    """A twentieth of the light, with the noise of counting it."""
    pixels = np.asarray(image.plane.data, np.float64)
    light = (pixels - pixels.min()) / max(np.ptp(pixels), 1e-9) * 12
    return _with(image, np.random.default_rng(0).poisson(light + 3).astype(np.float32))


def inverted(image: Image) -> Image:
    """Dark cells for bright ones."""
    pixels = np.asarray(image.plane.data, np.float32)
    return _with(image, pixels.max() - pixels)


def blurred(image: Image) -> Image:
    """Out of focus, by a Gaussian of two pixels."""
    return _with(image, ndimage.gaussian_filter(np.asarray(image.plane.data, np.float32), (0, 2, 2)))


def _with(image: Image, data: NDArray[Any]) -> Image:
    return replace(image, plane=replace(image.plane, data=data))


LOOKS: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "enlarged": lambda image: enlarged(image, 2),
    "shrunk": lambda image: enlarged(image, 0.5),
    "dim": dim,
    "inverted": inverted,
    "blurred": blurred,
}
"""How an image may look otherwise: another magnification, camera, contrast or focus."""
