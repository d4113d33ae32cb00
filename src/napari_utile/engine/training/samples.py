"""Training samples: annotated planes, and tiles drawn from them exactly as the network will see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.training.augment import Deformation, draw_deformation, draw_grey_change, warp
from napari_utile.engine.training.augment_params import NO_AUGMENTATION, AugmentParams
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.weights.annotation import DENSE, Annotation
from napari_utile.engine.weights.touching import separate_touching
from napari_utile.engine.weights.weight_map import class_weights, weight_map
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class TrainingPlane:
    """An annotated plane, ready to draw samples from.

    Attributes
    ----------
    name : str
    image : (C, Y, X) float32
        Normalised.
    objects : (Y, X) int32
        Instances; 0 elsewhere.
    target : (Y, X) uint8
        Class: 0 background and the ridge between touching objects, 1 object, `IGNORE` where nobody annotated.
    weight : (Y, X) float32
        Weight of each pixel in the loss, 0 where nobody annotated.
    share : float
        How often samples come from this plane, relative to the others.
    """

    name: str
    image: NDArray[np.float32]
    objects: NDArray[np.int32]
    target: NDArray[np.uint8]
    weight: NDArray[np.float32]
    share: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.target.shape[0], self.target.shape[1]


def training_plane(
    name: str,
    image: NDArray[np.float32],
    labels: NDArray[Any],
    annotation: Annotation = DENSE,
    *,
    w0: float = 10.0,
    sigma: float = 5.0,
    share: float = 1.0,
) -> TrainingPlane:
    """Make a plane to train on from a normalised image and its labels.

    Parameters
    ----------
    name : str
    image : (C, Y, X) float32
        Normalised as the model's card says.
    labels : (Y, X) integer array
        Instances.
    annotation : Annotation
    w0, sigma : float
        Border weight and its width (pixels), see `weight_map`.
    share : float
        How often samples come from this plane, relative to the others.

    Raises
    ------
    ValueError
        If image and labels differ in size, or nothing is annotated.
    """
    if image.ndim != 3 or image.shape[1:] != np.shape(labels):
        raise ValueError(f"{name}: the image has shape {image.shape}, its labels {np.shape(labels)}.")
    objects, annotated = annotation.split(labels)
    if not annotated.any():
        raise ValueError(f"{name}: nothing is annotated.")
    separated = separate_touching(objects)
    target = np.where(annotated, separated > 0, IGNORE).astype(np.uint8)
    weight = _weights(separated, annotated, w0, sigma)
    return TrainingPlane(name, np.ascontiguousarray(image, np.float32), objects, target, weight, share)


def _weights(
    separated: NDArray[np.integer[Any]], annotated: NDArray[np.bool_], w0: float, sigma: float
) -> NDArray[np.float32]:
    """Class balance over the annotated pixels, plus the border weight; 0 where nobody annotated."""
    maps = weight_map(separated, w0=w0, sigma=sigma)
    inside = separated > 0
    balance = class_weights(int(inside[annotated].sum()), int(annotated.sum()), maps.params)
    weight: NDArray[np.float32] = balance[inside.astype(np.intp)] + maps.border
    weight[~annotated] = 0
    return weight


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network sees of one tile, and what it is asked for.

    Attributes
    ----------
    image : (C, Y + 2 halo, X + 2 halo) float32 tensor
        With the context that a valid network needs: real where there is some, mirrored beyond the image's border.
    target : (Y, X) uint8 tensor
    weight : (Y, X) float32 tensor
    plane : str
        Name of the plane it came from.
    deformation : Deformation
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    plane: str
    deformation: Deformation


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples stacked: image (N, C, Y + 2 halo, X + 2 halo), target and weight (N, Y, X)."""

    image: Tensor
    target: Tensor
    weight: Tensor


class Sampler:
    """Draws augmented samples; sample `index` of step `step` is always the same one.

    Parameters
    ----------
    planes : sequence of TrainingPlane
    halo : int
        Context a side that the network needs (pixels).
    augment : AugmentParams
    focus : float
        Share of the samples placed upon a random object, each object alike; the others fall anywhere annotated.
    density : float
        Share of the pixels of a sample that count, drawn anew each time. 1 is training on whole tiles, less is
        the patchwise training of Long, Shelhamer and Darrell (CVPR 2015, section 3.4): loss sampling.
    seed : int
    device : torch.device or str
        Where samples are deformed.
    """

    def __init__(
        self,
        planes: Sequence[TrainingPlane],
        halo: int,
        augment: AugmentParams = NO_AUGMENTATION,
        *,
        focus: float = 0.0,
        density: float = 1.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not planes:
            raise ValueError("There are no annotated planes to draw samples from.")
        self.planes = tuple(planes)
        self.halo, self.augment, self.focus, self.density = halo, augment, focus, density
        self.seed, self.device = seed, torch.device(device)
        shares = np.array([plane.share for plane in planes], np.float64)
        self._cumulative = np.cumsum(shares / shares.sum())
        self._places = [_places(plane) for plane in planes]

    def batch(self, step: int, count: int, size: int) -> Batch:
        """Draw `count` samples of `size` output pixels a side."""
        samples = [self.sample(step, index, size) for index in range(count)]
        return Batch(
            torch.stack([each.image for each in samples]),
            torch.stack([each.target for each in samples]),
            torch.stack([each.weight for each in samples]),
        )

    def sample(self, step: int, index: int, size: int) -> Sample:
        """Draw one sample of `size` output pixels a side."""
        rng = np.random.default_rng((self.seed, step, index))
        chosen = min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), len(self.planes) - 1)
        plane = self.planes[chosen]
        centre = self._places[chosen].draw(rng, self.focus, size)
        deformation = draw_deformation(rng, centre, self.augment)
        sample = cut_sample(plane, deformation, size, self.halo, self.device)
        image = draw_grey_change(rng, self.augment).apply(sample.image)
        weight = sample.weight
        if self.density < 1:
            kept = torch.from_numpy(rng.random(weight.shape, np.float32) < self.density).to(self.device)
            weight = weight * kept
        return Sample(image, sample.target, weight, plane.name, deformation)


def cut_sample(
    plane: TrainingPlane, deformation: Deformation, size: int, halo: int, device: torch.device | str = "cpu"
) -> Sample:
    """Cut one sample of `size` output pixels out of a plane: image bilinear, target and weight by the nearest pixel."""
    where = deformation.coordinates(size + 2 * halo, device)

    first, last = deformation.reach(size + 2 * halo)
    where = where - torch.as_tensor(first, dtype=torch.float32, device=where.device)

    def window(data: NDArray[Any]) -> Tensor:
        cut = mirror_window(data, Window.span(first, last))
        return torch.from_numpy(np.ascontiguousarray(cut)).to(device)

    image = warp(window(plane.image), where, "bilinear")
    if halo:
        where = where[halo:-halo, halo:-halo]
    annotation = torch.cat([window(plane.target[None]).float(), window(plane.weight[None])])
    target, weight = warp(annotation, where, "nearest")
    return Sample(image, target.to(torch.uint8), weight, plane.name, deformation)


class _Places:
    """Where samples of one plane may be centred."""

    def __init__(self, plane: TrainingPlane) -> None:
        self.height, self.width = plane.size
        annotated = np.flatnonzero(plane.target.ravel() != IGNORE)
        self.everywhere = annotated.size == plane.target.size
        self.annotated = np.zeros(0, np.int64) if self.everywhere else annotated
        flat = np.where(plane.target.ravel() == IGNORE, 0, plane.objects.ravel())
        pixels = np.flatnonzero(flat)
        order = np.argsort(flat[pixels], kind="stable")
        self.object_pixels = pixels[order]
        _, self.starts, self.counts = np.unique(
            flat[self.object_pixels], return_index=True, return_counts=True
        )

    def draw(self, rng: np.random.Generator, focus: float, size: int) -> tuple[float, float]:
        """Draw a centre (y, x); samples are kept inside the plane where they fit."""
        if self.starts.size and rng.random() < focus:
            chosen = int(rng.integers(self.starts.size))
            flat = int(self.object_pixels[self.starts[chosen] + rng.integers(self.counts[chosen])])
        elif self.everywhere:
            flat = int(rng.integers(self.height * self.width))
        else:
            flat = int(self.annotated[rng.integers(self.annotated.size)])
        y, x = divmod(flat, self.width)
        return _inside(y, self.height, size), _inside(x, self.width, size)


def _places(plane: TrainingPlane) -> _Places:
    return _Places(plane)


def _inside(centre: int, length: int, size: int) -> float:
    if length <= size:
        return (length - 1) / 2
    return float(min(max(centre, (size - 1) / 2), length - 1 - (size - 1) / 2))
