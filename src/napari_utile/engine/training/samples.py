"""Training samples: annotated planes, and tiles drawn from them exactly as the network will see them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_utile.engine.planes.mirror import mirror_indices
from napari_utile.engine.planes.resample import nearest
from napari_utile.engine.training.augment import Deformation, draw_deformation, draw_grey_change, warp
from napari_utile.engine.training.augment_params import NO_AUGMENTATION, AugmentParams
from napari_utile.engine.training.distances import distance_targets
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.weights.annotation import DENSE, Annotation
from napari_utile.engine.weights.touching import separate_touching
from napari_utile.engine.weights.weight_map import WeightMapParams, class_weights, weight_map

PAPER = WeightMapParams()
"""The weights of the U-Net paper."""


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
        0 background and the ridge between touching objects, 1 object, 2 + k object of class k (see `class_targets`),
        `IGNORE` where nobody annotated.
    weight : (Y, X) float32
        Weight of each pixel in the loss, 0 where nobody annotated.
    share : float
        How often samples come from this plane, relative to the others.
    distances : (3, Y, X) float32, optional
        From `distance_targets`, for networks that predict distances.
    complete : bool
        Whether somebody says that all cells are painted, everywhere or inside boxes.
    """

    name: str
    image: NDArray[np.float32]
    objects: NDArray[np.int32]
    target: NDArray[np.uint8]
    weight: NDArray[np.float32]
    share: float = 1.0
    distances: NDArray[np.float32] | None = None
    complete: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.target.shape[0], self.target.shape[1]


@dataclass(frozen=True, eq=False)
class HeldPlane:
    """The pixels of a training plane as tensors of a device, where samples are cut; see `TrainingPlane`."""

    image: Tensor
    target: Tensor
    weight: Tensor
    distances: Tensor | None

    @classmethod
    def of(cls, plane: TrainingPlane, device: torch.device | str = "cpu") -> "HeldPlane":
        """Copy a plane to a device; on the CPU nothing is copied but what cannot be written to, as tensors can."""

        def held(pixels: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.require(pixels, requirements="W")).to(device)

        image, target, weight = held(plane.image), held(plane.target), held(plane.weight)
        distances = None if plane.distances is None else held(plane.distances)
        return cls(image, target, weight, distances)


def hold(planes: Sequence[TrainingPlane], device: torch.device) -> list[HeldPlane]:
    """Copy planes to a CUDA device where they take no more than a share of its free memory, else leave them here."""
    held = [HeldPlane.of(plane) for plane in planes]
    if device.type != "cuda":
        return held
    wanted = sum(each.nbytes for plane in held for each in vars(plane).values() if each is not None)
    free, _ = torch.cuda.mem_get_info(device)
    return [HeldPlane.of(plane, device) for plane in planes] if wanted < MOST_HELD * free else held


def training_plane(
    name: str,
    image: NDArray[np.float32],
    labels: NDArray[Any],
    annotation: Annotation = DENSE,
    *,
    weights: WeightMapParams = PAPER,
    distances: bool = False,
    targets: NDArray[np.uint8] | None = None,
) -> TrainingPlane:
    """Make a plane to train on from a normalised image and its labels.

    Parameters
    ----------
    name : str
    image : (C, Y, X) float32
        Normalised as the model's card says, at its scale.
    labels : (y, x) integer array
        Instances, as they were painted. Where the image was rescaled, each of its pixels takes the nearest of theirs.
    annotation : Annotation
        Of `labels`, in their pixels.
    weights : WeightMapParams
        How much each pixel counts.
    distances : bool
        Whether distances are to be learnt, too.
    targets : (y, x) uint8 array, optional
        The classes of the objects, from `class_targets`; every object is one of any class by default.

    Raises
    ------
    ValueError
        If nothing is annotated.
    """
    size = image.shape[1:]
    objects, annotated = (nearest(each, size) for each in annotation.split(labels))
    if not annotated.any():
        raise ValueError(f"{name}: nothing is annotated.")
    separated = separate_touching(objects)
    kinds = separated > 0 if targets is None else np.where(separated > 0, nearest(targets, size), 0)
    target = np.where(annotated, kinds, IGNORE).astype(np.uint8)
    weight = _weights(separated, annotated, weights)
    measured = None
    if distances:
        measured = distance_targets(
            objects, annotated, _ends(annotated) if annotation.kind == "boxes" else None
        )
    pixels = np.ascontiguousarray(image, np.float32)
    complete = annotation.kind != "sparse"
    return TrainingPlane(name, pixels, objects, target, weight, distances=measured, complete=complete)


def areas_of(several: Sequence[NDArray[np.integer[Any]]]) -> NDArray[np.intp]:
    """Count the pixels of each object of label images, whatever its number."""
    counts = [np.unique(labels[labels > 0], return_counts=True)[1] for labels in several]
    return np.concatenate([np.zeros(0, np.intp), *counts])


def _ends(annotated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the outermost annotated pixels: boxes cut the cells that reach them."""
    inner: NDArray[np.bool_] = ndimage.binary_erosion(annotated, np.ones((3, 3), bool), border_value=1)
    return annotated & ~inner


def _weights(
    separated: NDArray[np.integer[Any]], annotated: NDArray[np.bool_], params: WeightMapParams
) -> NDArray[np.float32]:
    """Class balance over the annotated pixels, plus the border weight; 0 where nobody annotated."""
    maps = weight_map(separated, w0=params.w0, sigma=params.sigma)
    inside = separated > 0
    balance = class_weights(int(inside[annotated].sum()), int(annotated.sum()), params)
    weight: NDArray[np.float32] = balance[inside.astype(np.intp)] + maps.border
    weight[~annotated] = 0
    return weight


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network sees of one tile, and what it is asked for; of a batch, with a first axis of samples.

    Attributes
    ----------
    image : (C, Y + 2 halo, X + 2 halo) float32 tensor
        With the context that a valid network needs: real where there is some, mirrored beyond the image's border.
    target : (Y, X) uint8 tensor
    weight : (Y, X) float32 tensor
    distances : (3, Y, X) float32 tensor or None
        As in `TrainingPlane`.
    """

    image: Tensor
    target: Tensor
    weight: Tensor
    distances: Tensor | None = None


MOST_HELD = 0.25
"""Of a card's free memory, for training planes."""
DROPPED = 0.5
"""Share of the samples whose optional channels are 0."""


class Sampler:
    """Draws augmented samples; sample `index` of step `step` is always the same one.

    Parameters
    ----------
    planes : sequence of TrainingPlane
    halo : int
        Context a side that the network needs (pixels).
    augment : AugmentParams
    focus : float
        Share of the samples placed on a random object, each object alike; the others fall anywhere annotated.
    density : float
        Share of the pixels of a sample that count, drawn again each time. 1 is training on whole tiles, less is
        the patchwise training of Long, Shelhamer and Darrell (CVPR 2015, section 3.4): loss sampling.
    seed : int
    device : torch.device or str
        Where samples are deformed.
    optional : int
        How many of the image's channels, the last ones, a user's image may lack: in half of the samples they are 0.
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
        optional: int = 0,
    ) -> None:
        if not planes:
            raise ValueError("There are no annotated planes to draw samples from.")
        self.planes = tuple(planes)
        self.halo, self.augment, self.focus, self.density = halo, augment, focus, density
        self.seed, self.device, self.optional = seed, torch.device(device), optional
        self._held = hold(self.planes, self.device)
        shares = np.array([plane.share for plane in planes], np.float64)
        self._cumulative = np.cumsum(shares / shares.sum())
        self._places = [_Places(plane) for plane in planes]

    def batch(self, step: int, count: int, size: int) -> Sample:
        """Draw `count` samples of `size` output pixels a side, stacked."""
        samples = [self.sample(step, index, size) for index in range(count)]
        distances = [each.distances for each in samples if each.distances is not None]
        return Sample(
            torch.stack([each.image for each in samples]),
            torch.stack([each.target for each in samples]),
            torch.stack([each.weight for each in samples]),
            torch.stack(distances) if distances else None,
        )

    def sample(self, step: int, index: int, size: int) -> Sample:
        """Draw one sample of `size` output pixels a side."""
        rng = np.random.default_rng((self.seed, step, index))
        chosen = min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), len(self.planes) - 1)
        plane = self._held[chosen]
        centre = self._places[chosen].draw(rng, self.focus, size)
        deformation = draw_deformation(rng, centre, self.augment)
        sample = cut_sample(plane, deformation, size, self.halo, self.device)
        image, weight = self._changed(rng, sample.image), sample.weight
        if self.density < 1:
            kept = torch.from_numpy(rng.random(weight.shape, np.float32) < self.density).to(self.device)
            weight = weight * kept
        return replace(sample, image=image, weight=weight)

    def _changed(self, rng: np.random.Generator, image: Tensor) -> Tensor:
        """Change the grey values; of optional channels the gain alone, so that a missing one stays 0."""
        change = draw_grey_change(rng, self.augment)
        if not self.optional:
            return change.apply(image)
        needed, others = image[: -self.optional], image[-self.optional :]
        kept = float(rng.random() >= DROPPED)
        return torch.cat([change.apply(needed), kept * change.gain * others])


def cut_sample(
    plane: HeldPlane,
    deformation: Deformation,
    size: int,
    halo: int,
    device: torch.device | str = "cpu",
) -> Sample:
    """Cut one sample of `size` output pixels out of a plane: image and distances bilinear, the rest nearest pixels."""
    where = deformation.coordinates(size + 2 * halo, device)
    first, last = deformation.reach(size + 2 * halo)
    where = where - torch.as_tensor(first, dtype=torch.float32, device=where.device)

    def window(data: Tensor) -> Tensor:
        rows, columns = (
            torch.from_numpy(mirror_indices(start, stop, length)).to(data.device)
            for start, stop, length in zip(first.tolist(), last.tolist(), data.shape[1:], strict=True)
        )
        return data.index_select(1, rows).index_select(2, columns).to(device)

    image = warp(window(plane.image), where, "bilinear")
    if halo:
        where = where[halo:-halo, halo:-halo]
    annotation = torch.cat([window(plane.target[None]).float(), window(plane.weight[None])])
    target, weight = warp(annotation, where, "nearest")
    distances = None
    if plane.distances is not None:
        measured = window(plane.distances)
        distances = torch.cat([warp(measured[:2], where, "bilinear"), warp(measured[2:], where, "nearest")])
    return Sample(image, target.to(torch.uint8), weight, distances)


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


def _inside(centre: int, length: int, size: int) -> float:
    if length <= size:
        return (length - 1) / 2
    return float(min(max(centre, (size - 1) / 2), length - 1 - (size - 1) / 2))
