"""Validation on held-out tiles: fixed samples without augmentation, and what a network scores on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from napari_utile.engine.training.augment import draw_deformation
from napari_utile.engine.training.augment_params import NO_AUGMENTATION
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.objective import Objective, roles_of
from napari_utile.engine.training.samples import HeldPlane, Sample, TrainingPlane, cut_sample
from napari_utile.engine.windows import Window

MOST_SAMPLES = 48
"""More held-out tiles than this are thinned out evenly: validation should not take the time of training."""


@dataclass(frozen=True)
class Validation:
    """Scores on the held-out tiles.

    Attributes
    ----------
    loss, plain : float
        Weighted and unweighted cross-entropy.
    overlap : float
        Intersection over union of foreground and annotated foreground, all tiles together.
    """

    loss: float
    plain: float
    overlap: float


def held_out_samples(planes: Sequence[TrainingPlane], size: int, halo: int) -> tuple[Sample, ...]:
    """Cover the annotated parts of planes with tiles of `size` output pixels; no pixel counts twice."""
    places = [
        (plane, tile[0].start, tile[1].start)
        for plane in planes
        for tile in Window.whole(plane.size).blocks(size)
        if (plane.target[tile] != IGNORE).any()
    ]
    if len(places) > MOST_SAMPLES:
        places = [places[round(i * (len(places) - 1) / (MOST_SAMPLES - 1))] for i in range(MOST_SAMPLES)]
    still = np.random.default_rng(0)
    samples = []
    for plane, y, x in places:
        centre = (y + (size - 1) / 2, x + (size - 1) / 2)
        sample = cut_sample(HeldPlane.of(plane), draw_deformation(still, centre, NO_AUGMENTATION), size, halo)
        sample.weight[plane.size[0] - y :] = 0  # mirrored pixels beyond the plane
        sample.weight[:, plane.size[1] - x :] = 0
        samples.append(sample)
    return tuple(samples)


@torch.inference_mode()
def validate(
    network: nn.Module,
    samples: Sequence[Sample],
    device: torch.device,
    objective: Objective,
    mixed: bool = False,
) -> Validation:
    """Score a network on samples, in evaluation mode."""
    network.eval()
    energy = weights = plain = pixels = 0.0
    both = either = 0
    for sample in samples:
        image = sample.image[None].to(device).to(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
            raw = network(image)
        target, weight = sample.target[None].to(device), sample.weight[None].to(device)
        loss = objective.cross_entropy(raw, target, weight)
        counts = (target != IGNORE) & (weight > 0)
        total, number = float(weight[counts].sum()), int(counts.sum())
        energy, weights = energy + float(loss.weighted) * total, weights + total
        plain, pixels = plain + float(loss.plain) * number, pixels + number
        found, wanted = (objective.classes(raw).argmax(1) > 0) & counts, (roles_of(target) > 0) & counts
        both, either = both + int((found & wanted).sum()), either + int((found | wanted).sum())
    return Validation(energy / max(weights, 1e-12), plain / max(pixels, 1), both / either if either else 1.0)
