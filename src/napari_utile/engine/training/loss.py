"""The energy of the U-Net paper: pixel-wise softmax, then cross-entropy, weighted per pixel.

A pixel counts as much as its weight; pixels of class `IGNORE`, or of weight 0, count nothing at all, whatever the
network says there, infinities included.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255
"""Target value of pixels that nobody labelled."""


@dataclass(frozen=True, eq=False)
class Loss:
    """Loss of a batch: `weighted` is minimised, `plain` is the mean cross-entropy of the labelled pixels.

    Both are 0-d tensors; `weighted` carries the gradient.
    """

    weighted: Tensor
    plain: Tensor


def weighted_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Loss:
    """Compute the weighted softmax cross-entropy, stable for large logits.

    Parameters
    ----------
    logits : (N, K, Y, X) tensor
    target : (N, Y, X) integer tensor
        Class per pixel, 0 to K - 1; `IGNORE` for unlabelled pixels.
    weight : (N, Y, X) tensor
        Weight per pixel, 0 or more.

    Returns
    -------
    Loss
        Weighted and plain mean over the pixels that count; both 0, with zero gradient, where none does.

    Raises
    ------
    ValueError
        If the shapes do not fit, naming them.
    """
    batch, _, height, width = logits.shape
    if target.shape != (batch, height, width) or weight.shape != target.shape:
        raise ValueError(
            f"Logits {tuple(logits.shape)}, target {tuple(target.shape)} and weight {tuple(weight.shape)} do not fit."
        )
    counts = (target != IGNORE) & (weight > 0)
    target = torch.where(counts, target.long(), IGNORE)
    # cross_entropy takes the logarithm of the softmax at once; the where keeps infinite logits that do not count
    # out of the gradient, which would be not a number there
    logits = torch.where(counts[:, None], logits.float(), 0.0)
    energy = functional.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    weight = torch.where(counts, weight.float(), 0.0)
    weighted = (weight * energy).sum() / weight.sum().clamp_min(torch.finfo(torch.float32).tiny)
    plain = energy.detach().sum() / counts.sum().clamp_min(1)
    return Loss(weighted, plain)
