"""How much of a model is kept when it is trained further: the mean of its weights before and after.

A network that learns from one image forgets some of what it knew of others. Where both networks lie in one basin of
the loss, the mean of their weights knows both [1]_; where the way was long it knows neither, as annotated cells tell.

References
----------
.. [1] M. Wortsman et al. Robust fine-tuning of zero-shot models. CVPR 2022.
"""

import copy
from collections.abc import Sequence

import torch

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.networks.network import Network
from napari_utile.engine.training.learned import LEAST_CELLS, Scores, predictions, score
from napari_utile.engine.training.samples import TrainingPlane

KNOWN = 0.5
"""A model that found fewer cells than this share of those that it finds now did not know them."""
LOSS = 0.1
"""What the mean may lack of the overlap with the annotated pixels of one image."""


def mean_of(before: Network, after: Model, share: float) -> Model:
    """Return the model whose weights are a mean: `share` of those before, the rest of those after.

    Parameters
    ----------
    before : Network
        Of the configuration of `after`; neither is changed. What is counted is as after.
    after : Model
    share : float
        0 to 1.
    """
    network = copy.deepcopy(after.network)
    old = before.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(old[name], share)
    return Model(after.card, network, fingerprint_of(after.card, network))


def keep_some(
    before: Model,
    after: Model,
    share: float,
    *,
    held_out: Sequence[TrainingPlane],
    taught: Sequence[TrainingPlane],
    images: int,
    instances: InstanceParams,
    compute: Compute,
) -> tuple[Model, float]:
    """Keep the mean of the weights before and after where the model knew such cells, and the mean finds as many.

    Parameters
    ----------
    before : Model
        What was trained further.
    after : Model
    share : float
        Of `before` in the mean.
    held_out, taught : sequence of TrainingPlane
        Held-out planes judge, where they have `LEAST_CELLS`, and one cell may be lacking; else those that it learnt
        from, and two cells or a tenth may be lacking.
    images : int
        How many images the planes are of. Held-out parts of the images that taught say little of others, the less the
        fewer they are: the overlap with the annotated pixels may be `LOSS` / `images` less.
    instances : InstanceParams
        In pixels of the planes.
    compute : Compute

    Returns
    -------
    (Model, float)
        The mean and `share`, or `after` and 0.
    """
    if not share:
        return after, 0.0
    mean = mean_of(before.network, after, share)
    tried = before, mean, after

    def judge(planes: Sequence[TrainingPlane]) -> list[Scores]:
        return [score(predictions(each, planes, compute), planes, instances) for each in tried]

    old, kept, new = judge(held_out)
    lacking = max(0.01, 1 / max(new.objects, 1))
    if new.objects < LEAST_CELLS:  # those that taught it flatter what it learnt
        old, kept, new = judge(taught)
        lacking = max(0.1, 2 / max(new.objects, 1))
    good = (
        old.ap50 >= KNOWN * new.ap50
        and kept.ap50 >= new.ap50 - lacking
        and kept.overlap >= new.overlap - LOSS / max(images, 1)
    )
    return (mean, share) if good else (after, 0.0)
