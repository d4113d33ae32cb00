"""What running a foreign network tells: how far it looks, what its channels are, whether seams show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.words import counted

Compute = Callable[[Float32Array], Float32Array]
"""From (1, C, Y, X) to (1, K, Y, X)."""

LARGEST_SIDE = 1024
_FAINT = 1e-5
"""A change below this share of the output's range does not count."""
_BORDER_WORDS = ("bound", "border", "edge", "membrane", "contour", "outline")


@dataclass(frozen=True)
class Reach:
    """How far a network looks.

    Attributes
    ----------
    pixels : int
        Around a grid cell, what is changed by its pixels.
    is_local : bool
        False where a change anywhere changes everything, as normalising each tile by itself does.
    """

    pixels: int
    is_local: bool


def measure_reach(compute: Compute, channels: int, grid: int, smallest: int) -> Reach:
    """Change a grid cell in the middle of random images, and look how far the output changes.

    Parameters
    ----------
    compute : callable
    channels, grid, smallest : int
        Input channels; what sizes are multiples of; the smallest legal size (pixels).
    """
    rng = np.random.default_rng(0)
    side = smallest + max(0, -(-(256 - smallest) // grid)) * grid
    while True:
        image = rng.normal(0.5, 0.5, (1, channels, side, side)).astype(np.float32)
        before = compute(image)
        first = side // 2 // grid * grid
        changed = np.zeros((side, side), bool)
        for factor in (-3.0, 5.0):
            other = image.copy()
            other[..., first : first + grid, first : first + grid] += factor
            difference = np.abs(compute(other) - before).max(axis=(0, 1))
            changed |= difference > _FAINT * max(float(np.ptp(before)), 1e-12)
        rows, columns = np.nonzero(changed)
        if rows.size == 0:
            return Reach(0, True)
        ends = (first - min(rows.min(), columns.min()), max(rows.max(), columns.max()) + 1 - first - grid)
        reach = max(0, *map(int, ends))
        if first - reach > 0 and first + grid + reach < side:
            return Reach(reach, True)
        if 2 * side > LARGEST_SIDE:
            return Reach(reach, False)
        side *= 2


def reading_of(outputs: Float32Array, after: Sequence[str], names: Sequence[str], text: str) -> str:
    """Guess what the channels (1, K, Y, X) of a network are; see `READINGS`.

    Parameters
    ----------
    outputs : (1, K, Y, X) array
        Of any image.
    after : sequence of str
        Names of the steps that a package applies to them.
    names : sequence of str
        Of the channels, where they have names.
    text : str
        What the package says of itself.

    Raises
    ------
    UtileError
        If there are more channels than there can be classes, or the package makes something else of them.
    """
    known = {"sigmoid", "softmax", "ensure_dtype", "scale_linear", "binarize", "clip"}
    if unknown := [each for each in after if each not in known]:
        raise UtileError(
            f"The package turns the network's outputs into something else by {unknown[0]!r}: U-Tile knows classes."
        )
    count = outputs.shape[1]
    if count > 64:
        raise UtileError(f"The network gives {count} channels; U-Tile knows up to 64 classes.")
    are_probabilities = outputs.min() >= 0 and outputs.max() <= 1 + 1e-6 and "sigmoid" not in after
    sums = outputs.sum(axis=1)
    is_border = [any(word in name.lower() for word in _BORDER_WORDS) for name in names]
    if count == 1:
        about = " ".join([*names, text]).lower()
        kind = (
            "border"
            if any(word in about for word in _BORDER_WORDS) and "nucle" not in about
            else "foreground"
        )
        return kind if are_probabilities else f"{kind} logit"
    if are_probabilities and np.allclose(sums, 1, atol=1e-3):
        return "probabilities"
    if count == 2 and "softmax" not in after and (are_probabilities or "sigmoid" in after or any(is_border)):
        return "foreground and border" if are_probabilities else "foreground and border logits"
    if are_probabilities:
        raise UtileError(
            f"The network gives {counted(count, 'channel')} between 0 and 1 that do not sum to 1: "
            "U-Tile cannot tell its classes."
        )
    return "logits"


def largest_seam(model: Model, image: Float32Array) -> float:
    """Compute an image (C, Y, X) in large tiles and in small ones, and return the largest difference of an output."""
    params = SegmentParams(model=model.card.name, diameter=None, device="cpu", precision="float32")
    plane = ImagePlane(image, name="test image")
    shorter = min(image.shape[1:])
    found = [
        Run(Field(plane, model, replace(params, tile=tile)).tiles()).result
        for tile in (None, max(shorter // 3, 1))
    ]
    return float(np.abs(found[0] - found[1]).max())
