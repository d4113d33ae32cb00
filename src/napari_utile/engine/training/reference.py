"""What a training lost or won elsewhere: scores on the images that come with the package, before and after."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.data import typical_diameter
from napari_utile.engine.training.fine_tune import FineTuned

REFERENCES = ("nuclei", "nuclei_clustered", "phase_contrast_cells")
"""Images of the package whose cells are known."""
KNOWN = 0.3
"""An image on which neither model reaches this average precision says nothing."""
CHANGED = 0.02
"""Smaller differences are called none."""


@dataclass(frozen=True)
class Reference:
    """Average precision at IoU 0.5 on one bundled image, before and after a training."""

    name: str
    before: float
    after: float

    @property
    def lost(self) -> bool:
        """Whether the new model finds clearly fewer of its cells."""
        return self.after < self.before - CHANGED


def reference_images() -> tuple[AnnotatedImage, ...]:
    """Read the bundled images with their cells."""
    images = []
    for name in REFERENCES:
        with as_file(files("napari_utile") / "sample_data" / f"{name}.tif") as path:
            image = read_image(path)
            truth = read_image(path.with_name(f"{name}_truth.tif"), as_labels=True)
        plane = plane_from_array(image.data)
        images.append(AnnotatedImage(replace(plane, name=name.replace("_", " ")), truth.data))
    return tuple(images)


def reference_steps(tuned: FineTuned, compute: Compute) -> Generator[None, None, tuple[Reference, ...]]:
    """Score base and new model on the bundled images that either knows; every yield is a point to cancel at.

    Nothing is scored where the base was a network with random weights, which had nothing to lose.
    """
    if not tuned.base.has_learnt:
        return ()
    found = []
    for image in reference_images():
        scores = []
        for model in (tuned.base, tuned.model):
            scores.append((yield from _precision(model, image, compute)))
        before, after = scores
        if before is not None and after is not None and max(before, after) >= KNOWN:
            found.append(Reference(image.plane.name, before, after))
    return tuple(found)


def _precision(model: Model, image: AnnotatedImage, compute: Compute) -> Generator[None, None, float | None]:
    diameter = typical_diameter([image]) if model.card.object_diameter else None
    instances = suggested_instances(model.card, diameter)
    params = SegmentParams(diameter=diameter, instances=instances)
    run = Run(segment_steps(image.plane, params, model=model, compute=compute))
    try:
        made = yield from run.yielding(None)
    except UtileError:  # it reads other channels
        return None
    return average_precision(made.labels, image.labels)


def with_references(tuned: FineTuned, references: tuple[Reference, ...]) -> FineTuned:
    """Write the scores into the new model's card."""
    if not references:
        return tuned
    scores = {
        each.name: {"before": round(each.before, 3), "after": round(each.after, 3)} for each in references
    }
    model = tuned.model
    card = replace(model.card, metrics={**model.card.metrics, "reference images": scores})
    return replace(tuned, model=replace(model, card=card, fingerprint=fingerprint_of(card, model.network)))


def reference_sentence(references: tuple[Reference, ...]) -> str:
    """Say in one sentence what was lost or won; empty where there is nothing to compare with.

    Examples
    --------
    >>> reference_sentence((Reference("nuclei", 0.95, 0.94),))
    "It lost hardly anything elsewhere: AP on the package's own images nuclei 0.95 → 0.94."
    """
    if not references:
        return ""
    numbers = ", ".join(f"{each.name} {each.before:.2f} → {each.after:.2f}" for each in references)
    lost = [each.name for each in references if each.lost]
    if lost:
        words = f"It got worse elsewhere, on {' and '.join(lost)}"
    elif all(round(each.after, 2) >= round(each.before, 2) for each in references):
        words = "It lost nothing elsewhere"
    else:
        words = "It lost hardly anything elsewhere"
    return f"{words}: AP on the package's own images {numbers}."
