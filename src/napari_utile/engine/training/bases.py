"""Which model to train further: the one that finds the annotated cells best as it is."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.models.library import Model
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.data import matching_scale, training_planes
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.learned import Scores, best_instances, predictions, score
from napari_utile.engine.training.recipes import RECIPES
from napari_utile.engine.words import counted

MOST_IMAGES = 3
"""More annotated images than this tell no more about where to start."""


@dataclass(frozen=True, eq=False)
class Base:
    """A model to start from, and what it scores on the annotated cells with the settings that suit it there."""

    model: Model
    scores: Scores


def rank_bases(
    images: Sequence[AnnotatedImage], models: Sequence[Model], params: FineTuneParams | None = None
) -> Run[Base, list[Base]]:
    """Rank models by how well they find annotated cells, each with cells of the size that it knows.

    Parameters
    ----------
    images : sequence of AnnotatedImage
    models : sequence of Model
        Those that cannot read the images, or the channels that are chosen, are left out.
    params : FineTuneParams, optional
        Channels, scale, device and precision are used.

    Returns
    -------
    Run
        Yields each `Base`; its result is all of them, the best first.

    Raises
    ------
    UtileError
        If no model reads the images.
    """
    return Run(_rank(images[:MOST_IMAGES], models, params or FineTuneParams()))


def _rank(
    images: Sequence[AnnotatedImage], models: Sequence[Model], params: FineTuneParams
) -> Generator[Base, None, list[Base]]:
    compute = choose_compute(params.device, params.precision)
    found = []
    for model in models:
        card = model.card
        if not all(card.reads(each.plane, params.channels) for each in images):
            continue
        scale = params.scale or matching_scale(images, card)
        planes = training_planes(images, card, RECIPES[params.recipe], scale, params.channels)
        maps = predictions(model, planes, compute)
        suggested = InstanceParams(**card.instances).resized(card.scale)
        found.append(Base(model, score(maps, planes, best_instances(maps, planes, suggested))))
        yield found[-1]
    if not found:
        channels = min(each.plane.data.shape[0] for each in images)
        raise UtileError(f"No model reads images of {counted(channels, 'channel')}.")
    return sorted(found, key=lambda each: (each.scores.ap50, each.scores.overlap), reverse=True)
