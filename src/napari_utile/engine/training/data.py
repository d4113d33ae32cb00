"""From annotated images to planes at the scale of a model, some of their annotation held out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.limits import limits_of, seen_plane
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.planes.resample import NormalizedPlane, ScaledPlane, scaled_shape
from napari_utile.engine.segment_params import SegmentParams, several
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.classes import class_targets
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.recipes import TrainingRecipe
from napari_utile.engine.training.samples import TrainingPlane, areas_of, training_plane
from napari_utile.engine.windows import Window

SCALES_LEFT_ALONE = (0.8, 1.25)
"""Images whose objects are about of the right size are not rescaled."""
MOST_BALANCE = 4.0
"""How much more a pixel of a rare class may weigh at most."""
HELD_OUT_TILE = 96
"""Side of the tiles that are held out (pixels at the scale of the model)."""


def typical_diameter(images: Sequence[AnnotatedImage]) -> float | None:
    """Return the median diameter of the annotated objects (pixels): of the disc of the same area; None without any."""
    areas = areas_of([image.annotation.split(image.labels)[0] for image in images])
    return float(np.median(2 * np.sqrt(areas / np.pi))) if areas.size else None


def matching_scale(images: Sequence[AnnotatedImage], card: ModelCard) -> float:
    """Return how much larger images are made for the model, so that objects have a size that it knows."""
    diameter = typical_diameter(images)
    if diameter is None or card.object_diameter is None:
        return card.scale
    factor = card.object_diameter / diameter
    low, high = SCALES_LEFT_ALONE
    return 1.0 if low <= factor <= high else round(min(max(factor, 0.1), 4.0), 3)


def training_planes(
    images: Sequence[AnnotatedImage],
    card: ModelCard,
    recipe: TrainingRecipe,
    scale: float,
    channels: Sequence[int] | None = None,
) -> list[TrainingPlane]:
    """Normalise and rescale annotated images as the model will see them, with targets and weights.

    Parameters
    ----------
    images : sequence of AnnotatedImage
    card : ModelCard
        Its configuration says how many channels are read, its normalisation how grey values are scaled.
    recipe : TrainingRecipe
        Says how much each pixel counts.
    scale : float
        How much larger the images are made.
    channels : sequence of int, optional

    Raises
    ------
    UtileError
        If there are no images, or one has nothing annotated, no pixel that holds a number, or not the channels
        that the model reads.
    """
    if not images:
        raise UtileError("There are no annotated images to learn from.")
    params = SegmentParams(channels=several(channels))
    known = [card.classes[index].name for index in card.foreground]
    planes: list[TrainingPlane] = []
    for number, image in enumerate(images):
        name = f"{number + 1}: {image.plane.name}"
        plane = replace(seen_plane(image.plane, params, card), name=name)
        data: Any = NormalizedPlane(plane.data, limits_of([plane], params, card))
        if scale != 1:
            data = ScaledPlane(data, scaled_shape(plane.shape, scale))
        try:
            made = training_plane(
                name,
                data[:, :, :],
                image.labels,
                image.annotation,
                weights=recipe.suited(card).weights,
                distances=card.has_distances,
                targets=class_targets(image.annotation.split(image.labels)[0], image.classes, known),
            )
        except ValueError as error:
            raise UtileError(str(error)) from error
        planes.append(replace(made, share=float(np.sqrt((made.target != IGNORE).sum()))))
    return balanced(planes, len(known))


def balanced(planes: Sequence[TrainingPlane], classes: int) -> list[TrainingPlane]:
    """Let rare classes of objects weigh as much as frequent ones together, up to `MOST_BALANCE` times.

    Parameters
    ----------
    planes : sequence of TrainingPlane
    classes : int
        How many there are; one needs no balance.
    """
    counts = np.zeros(256)
    for plane in planes:
        counts += np.bincount(plane.target.ravel(), minlength=256)
    numbers = np.arange(2, 2 + classes)
    present = numbers[counts[numbers] > 0]
    if present.size < 2:
        return list(planes)
    factors = np.ones(256, np.float32)
    factors[present] = np.clip(counts[present].mean() / counts[present], 1 / MOST_BALANCE, MOST_BALANCE)
    return [replace(plane, weight=plane.weight * factors[plane.target]) for plane in planes]


def hold_out(
    planes: Sequence[TrainingPlane], share: float, seed: int = 0
) -> tuple[list[TrainingPlane], list[TrainingPlane]]:
    """Set some annotated tiles apart, never to be trained on.

    Parameters
    ----------
    planes : sequence of TrainingPlane
    share : float
        Of the annotated tiles that show an object; at least one is held out, and one kept, where there are two.
    seed : int
        Decides which.

    Returns
    -------
    kept, held_out : list of TrainingPlane
        The same planes with the held-out tiles unlabelled, and those with held-out tiles with all else unlabelled.
    """
    tiles = [
        (number, tile)
        for number, plane in enumerate(planes)
        for tile in Window.whole(plane.size).blocks(_tile_side(plane))
        if ((plane.target[tile] > 0) & (plane.target[tile] != IGNORE)).any()
    ]
    count = min(max(1, round(share * len(tiles))), len(tiles) - 1) if share > 0 else 0
    if count < 1:
        return list(planes), []
    chosen = np.random.default_rng(seed).permutation(len(tiles))[:count]
    apart = [np.zeros(plane.size, bool) for plane in planes]
    for index in chosen:
        number, tile = tiles[index]
        apart[number][tile] = True
    pairs = list(zip(planes, apart, strict=True))
    kept = [_without(plane, mask) for plane, mask in pairs]
    return (
        [plane for plane in kept if (plane.target != IGNORE).any()],
        [_without(plane, ~mask) for plane, mask in pairs if mask.any()],
    )


def _tile_side(plane: TrainingPlane) -> int:
    """Small annotations are divided into at least four tiles."""
    annotated = int((plane.target != IGNORE).sum())
    return max(8, min(HELD_OUT_TILE, int(np.sqrt(annotated) / 2)))


def _without(plane: TrainingPlane, mask: NDArray[np.bool_]) -> TrainingPlane:
    if not mask.any():
        return plane
    distances = plane.distances
    if distances is not None:
        distances = np.concatenate([distances[:2], distances[2:] * ~mask])
    return replace(
        plane,
        target=np.where(mask, np.uint8(IGNORE), plane.target),
        weight=np.where(mask, np.float32(0), plane.weight),
        distances=distances,
    )
