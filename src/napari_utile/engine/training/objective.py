"""What training minimises, as the description of the network's outputs says."""

import torch
from torch import Tensor
from torch.nn import functional

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.outputs import CENTRE_DISTANCE, EDGE_DISTANCE, channels_of
from napari_utile.engine.training.loss import IGNORE, Loss, weighted_cross_entropy
from napari_utile.engine.training.recipes import TrainingRecipe
from napari_utile.engine.training.samples import Sample

SMOOTH_BELOW = 0.1
"""Errors of a distance below this count as their square."""


class Objective:
    """The loss of a network's outputs: cross-entropy of the classes, overlap, and distances where it predicts them.

    Parameters
    ----------
    card : ModelCard or None
        Describes the outputs; None: all channels are classes, numbered as in the target.
    recipe : TrainingRecipe
        How much overlap and distances count.
    """

    def __init__(self, card: ModelCard | None, recipe: TrainingRecipe) -> None:
        self._card, self._recipe = card, recipe

    def classes(self, raw: Tensor) -> Tensor:
        """Return the logits (N, 2, Y, X) of background and object; several classes of a role count as one."""
        card = self._card
        if card is None:
            return raw
        logits = raw[:, : len(card.classes)]
        if (card.background, card.foreground) == ((0,), (1,)):
            return logits
        roles = [logits[:, list(indices)].logsumexp(dim=1) for indices in (card.background, card.foreground)]
        return torch.stack(roles, dim=1)

    def cross_entropy(self, raw: Tensor, target: Tensor, weight: Tensor) -> Loss:
        """Compute that of background and object, and, where classes are annotated, of a class within the objects.

        Minus the logarithm of a class's probability is the sum of both.
        """
        loss = weighted_cross_entropy(self.classes(raw), roles_of(target), weight)
        card = self._card
        if card is None or len(card.foreground) < 2:
            return loss
        of_a_class = (target >= 2) & (target != IGNORE)
        inner = torch.where(of_a_class, target.long() - 2, IGNORE)
        within = weighted_cross_entropy(raw[:, list(card.foreground)], inner, weight)
        return Loss(loss.weighted + within.weighted, loss.plain + within.plain)

    def __call__(self, raw: Tensor, batch: Sample) -> Loss:
        """Compute the loss of a batch."""
        loss = self.cross_entropy(raw, batch.target, batch.weight)
        total = loss.weighted
        if self._recipe.dice:
            overlap = overlap_loss(self.classes(raw), roles_of(batch.target), batch.weight)
            total = total + self._recipe.dice * overlap
        if batch.distances is not None and self._recipe.distances and self._card is not None:
            for target, name in enumerate((EDGE_DISTANCE, CENTRE_DISTANCE)):
                predicted = raw[:, channels_of(self._card.outputs, name)][:, 0].float()
                error = distance_loss(predicted, batch.distances[:, target], batch.distances[:, 2])
                total = total + self._recipe.distances * error
        return Loss(total, loss.plain)


def roles_of(target: Tensor) -> Tensor:
    """Return a target that says background or object alone, whatever class the object is of."""
    return torch.where((target >= 2) & (target != IGNORE), 1, target)


def overlap_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return 1 - Dice of the objects' probability and the objects, over the pixels that count."""
    counts = (target != IGNORE) & (weight > 0)
    probability = torch.where(counts[:, None], logits.float(), 0.0).softmax(dim=1)[:, 1] * counts
    wanted = ((target == 1) & counts).float()
    both = (probability * wanted).sum()
    return 1 - (2 * both + 1) / (probability.sum() + wanted.sum() + 1)


def distance_loss(predicted: Tensor, wanted: Tensor, learnt: Tensor) -> Tensor:
    """Return the mean smooth L1 error where `learnt` is 1; 0, with zero gradient, where it is so nowhere."""
    predicted = torch.where(learnt > 0, predicted, 0.0)
    error = functional.smooth_l1_loss(predicted, wanted, reduction="none", beta=SMOOTH_BELOW)
    return (error * learnt).sum() / (learnt.sum() + 1)
