"""The option ``--mask``: an image, or labels, that say where cells are looked for."""

import sys

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.label_reading import label_image
from napari_utile.engine.planes.mask import is_stretched


def read_mask(asked: str | bool | None) -> NDArray[np.bool_] | None:
    """Read the mask (y, x) of the pixels that count: those above 0; None where no file is given.

    Raises
    ------
    UtileError
        If it is no plane, or nothing counts.
    """
    if not isinstance(asked, str):
        return None

    image = label_image(asked)
    if image.axes != "YX":
        raise UtileError(f"{asked} is not a mask: it has the axes {image.axes}, a mask has Y and X.")
    mask: NDArray[np.bool_] = np.asarray(image.data) > 0
    if not mask.any():
        raise UtileError(f"The mask {asked} is empty: no pixel is above 0.")
    return mask


def say_if_stretched(mask: NDArray[np.bool_] | None, image: ImageFile) -> None:
    """Say where a mask can hardly be of this image."""
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    shape = sizes["Y"], sizes["X"]
    if mask is not None and is_stretched(mask.shape, shape):
        ours, theirs = (" x ".join(map(str, each)) for each in (mask.shape, shape))
        print(
            f"{image.shown_name}: the mask is stretched from {ours} to {theirs} pixels: is it of this image?",
            file=sys.stderr,
        )
