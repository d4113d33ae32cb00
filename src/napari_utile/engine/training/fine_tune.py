"""Fine-tuning: a model, some annotated images, a few minutes; a better model, and the proof that it is better."""

import copy
import hashlib
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.arrays import PATHS
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_reading import labels_of_one_plane
from napari_utile.engine.files.one_plane import plane_of
from napari_utile.engine.inference.device import choose_compute, training_compute
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of, load_model
from napari_utile.engine.models.origin import origin_of
from napari_utile.engine.models.outputs import DISTANCES, class_output
from napari_utile.engine.networks.families import FAMILIES, build_network
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import refuse_unknown
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage, class_names
from napari_utile.engine.training.classes import with_classes
from napari_utile.engine.training.data import (
    hold_out,
    matching_scale,
    training_planes,
    typical_diameter,
)
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.keeping import keep_some
from napari_utile.engine.training.learned import (
    LEAST_CELLS,
    Scores,
    best_instances,
    least_confidence,
    predictions,
    score,
)
from napari_utile.engine.training.recipes import RECIPES, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun, TrainResult, TrainStep
from napari_utile.engine.training.samples import TrainingPlane
from napari_utile.engine.words import counted

MOST_CALIBRATED = 64
"""The instance parameters are chosen on at most this many planes."""
CURVE_POINTS = 200
"""Points of the loss curve kept in a card."""


@dataclass(frozen=True, eq=False)
class FineTuned:
    """What fine-tuning gives.

    Attributes
    ----------
    model : Model
        The best state; not saved yet (see `napari_utile.engine.models.library.save_model`).
    base : Model
        What it started from.
    before, after : Scores or None
        Of base and model on what was held out; None where nothing was.
    held_out : tuple of TrainingPlane
        At the scale of the model.
    result : TrainResult
    judged_on : str
        What they are: "held-out tiles" or whole "validation images".
    """

    model: Model
    base: Model
    before: Scores | None
    after: Scores | None
    held_out: tuple[TrainingPlane, ...]
    result: TrainResult
    judged_on: str = "held-out tiles"

    @property
    def verdict(self) -> str:
        """What the held-out tiles say.

        ``"better"``, ``"worse"``, ``"same"``; ``"few"`` where fewer than `LEAST_CELLS` were held out, ``"nothing"``
        where neither model finds one of them correctly, ``""`` where none was held out. A difference of less than one
        cell's share, in what is found or in the pixels that overlap, is chance, and one of less than 0.01 none.
        """
        before, after = self.before, self.after
        if before is None or after is None:
            return ""
        if after.objects < LEAST_CELLS:
            return "few"
        if max(before.ap50, after.ap50) == 0:
            return "nothing"
        least = max(1 / after.objects, 0.01)
        gains = after.ap50 - before.ap50, after.overlap - before.overlap
        gain = next((each for each in gains if abs(each) >= least), 0.0)
        return "better" if gain > 0 else "worse" if gain < 0 else "same"

    @property
    def improved(self) -> bool | None:
        """Whether the model is better than its base on the held-out tiles; None where nobody can tell."""
        return None if self.verdict in ("", "few") else self.verdict == "better"


def new_model(name: str, family: str = "unet", *, distances: bool = False, **config: Any) -> Model:
    """Make a model with random weights, to be trained from scratch.

    Parameters
    ----------
    name, family : str
    distances : bool
        Whether it also predicts distances, which tell crowded cells apart.
    **config
        The family's configuration, but for the number of classes.

    Raises
    ------
    ValueError
        If there is no such family, or the configuration does not fit it.
    """
    if family not in FAMILIES:
        raise ValueError(f"There is no network family {family!r}; the known ones are {', '.join(FAMILIES)}.")
    outputs = (class_output(2), *(DISTANCES if distances else ()))
    config = {"classes": sum(each.channels for each in outputs), **config}
    network = build_network(family, config).eval().requires_grad_(False)
    relief = "distances" if distances else "probability"
    card = ModelCard(name, family, to_json(network.config), outputs=outputs, relief=relief)
    return Model(card, network, fingerprint_of(card, network))


class FineTuning:
    """One fine-tuning: `steps` is its generator; between two steps `present` gives the model as it is.

    Parameters
    ----------
    images : sequence of AnnotatedImage
    base : Model
        From a file, or `new_model`. Where the images tell classes of cells, its network gets as many, see `start`.
    params : FineTuneParams
    recipe : TrainingRecipe, optional
        Instead of the one that `params` names.
    held_out : sequence of AnnotatedImage
        Images to judge by; without them, tiles of `images` are held out.
    name : str
        Of the model that is made.
    training_set : str
        Title of the set that the images are of; empty where they are of none.

    Raises
    ------
    UtileError
        If the images cannot be used, or the base has no class that is background.
    """

    def __init__(
        self,
        images: Sequence[AnnotatedImage],
        base: Model,
        params: FineTuneParams | None = None,
        *,
        recipe: TrainingRecipe | None = None,
        held_out: Sequence[AnnotatedImage] = (),
        name: str = "my-model",
        training_set: str = "",
    ) -> None:
        if not base.card.background:
            raise UtileError(f"{base.card.name} has no background class: it cannot be fine-tuned.")
        if base.card.family == "onnx":
            raise UtileError(
                f"{base.card.name} was imported as ONNX, which cannot be trained: choose another model."
            )
        if typical_diameter(images) is None:
            raise UtileError("The labels contain no cells: there is nothing to learn from.")
        params = params or FineTuneParams()
        self.base, self.params, self.name, self.training_set = base, params, name, training_set
        self.recipe = (recipe or RECIPES[params.recipe]).suited(base.card)
        if not base.has_learnt:  # of random weights nothing is worth keeping
            self.recipe = replace(self.recipe, keep=0.0)
        self.compute = choose_compute(params.device, params.precision)
        asked = self.recipe.precision if params.precision == "auto" else params.precision
        self.scale = params.scale or matching_scale(images, base.card)
        self.diameter = typical_diameter([*images, *held_out])
        self.data = [_fingerprint(image) for image in images]
        self.start = with_classes(base, class_names([*images, *held_out]))
        planes = training_planes(images, self.start.card, self.recipe, self.scale, params.channels)
        self.judged_on = "validation images" if held_out else "held-out tiles"
        if held_out:
            apart = training_planes(held_out, self.start.card, self.recipe, self.scale, params.channels)
        else:
            planes, apart = hold_out(planes, params.held_out, params.seed)
        self.planes, self.held_out = tuple(planes), tuple(apart)
        self.run = TrainingRun(
            copy.deepcopy(self.start.network),
            self.planes,
            self.held_out,
            self.recipe,
            params.budget,
            params.seed,
            training_compute(params.device, asked),
            self.start.card,
        )
        self.run.identity |= {
            "base": base.fingerprint,
            "channels": params.channels,
            "images": [each["image"] for each in (*self.data, *map(_fingerprint, held_out))],
            "scale": self.scale,
        }

    def steps(
        self, checkpoint: Path | None = None, *, resume: bool = False
    ) -> Generator[TrainStep, None, FineTuned]:
        """Train; yield each step, return the model and its scores. Closing it cancels."""
        held = self.held_out
        before = None if not held else score(predictions(self.base, held, self.compute), held, self.suggested)
        result = yield from self.run.steps(checkpoint, resume=resume)
        card = self._card(self.base.card.instances, {})
        some, suggested = self.planes[:MOST_CALIBRATED], self.suggested
        unscored, kept = keep_some(
            self.start,
            Model(card, result.network, fingerprint_of(card, result.network)),
            self.recipe.keep,
            held_out=held,
            taught=some,
            images=len(self.data),
            instances=suggested,
            compute=self.compute,
        )
        network = unscored.network
        result = replace(result, network=network)
        instances = best_instances(predictions(unscored, some, self.compute), some, suggested)
        maps = predictions(unscored, held, self.compute)
        after = score(maps, held, instances) if held else None
        training = {
            "steps": result.steps,
            "minutes": round(result.seconds / 60, 2),
            "best step": result.best_step,
            "kept": kept,
            "curve": _thinned(result.history),
        }
        card = replace(
            self._card(_native(instances, self.scale), training),
            metrics={self.judged_on: {"before": to_json(before), "after": to_json(after)}} if held else {},
            confidence=least_confidence(maps, held, instances, card.object_diameter),
        )
        model = Model(card, network, fingerprint_of(card, network))
        return FineTuned(model, self.base, before, after, self.held_out, result, self.judged_on)

    def present(self) -> Model:
        """Return a copy of the model as it is now; to be called between two steps."""
        network = copy.deepcopy(self.start.network)
        network.load_state_dict(self.run.present())
        network.requires_grad_(False).eval()
        card = self._card(self.base.card.instances, {})
        return Model(card, network, fingerprint_of(card, network))

    @property
    def suggested(self) -> InstanceParams:
        """The base's instance parameters in pixels of the model's scale."""
        return InstanceParams(**self.base.card.instances).resized(self.base.card.scale)

    def _card(self, instances: dict[str, Any], training: dict[str, Any]) -> ModelCard:
        base, further = self.base.card, self.base.has_learnt
        images, called = counted(len(self.data), "image"), base.title or base.name
        return replace(
            self.start.card,
            name=self.name,
            title=f"{called}, fine-tuned" if further else self.name,
            description=f"{called}, trained further on {images}." if further else f"Trained on {images}.",
            data=base.data,
            object_diameter=round(self.diameter * self.scale, 1) if self.diameter else base.object_diameter,
            pixel_size=None,
            scale=self.scale,
            instances=instances,
            confidence=None,  # the base's says nothing of this network; its own is measured at the end
            failures="",
            specialists=(),  # those of the base do not know what this network learnt
            teaching=False,
            training={
                "base": {"name": base.name, "fingerprint": self.base.fingerprint} if further else None,
                "continued": _origin_alone(base),
                "set": self.training_set,
                "date": time.strftime("%Y-%m-%d"),
                "data": self.data,
                "recipe": to_json(self.recipe),
                "seed": self.params.seed,
                **training,
            },
            licence=f"Weights derived from {base.name}: {base.licence}" if base.licence else "",
            metrics={},
        )


def _origin_alone(card: ModelCard) -> dict[str, Any] | None:
    """Return of the card's training what `origin_of` reads, and so not the curve."""
    if origin_of(card) is None:
        return None
    return {
        key: card.training[key]
        for key in ("base", "continued", "set", "date", "data")
        if key in card.training
    }


def _native(params: InstanceParams, scale: float) -> dict[str, Any]:
    """Return instance parameters in pixels of the image, as a card holds them."""
    return to_json(params.resized(1 / scale))


def _fingerprint(image: AnnotatedImage) -> dict[str, str]:
    """Name an image and its labels by their content."""
    sums = [
        hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:16]
        for data in (np.asarray(image.plane.data[:, :, :]), np.asarray(image.labels))
    ]
    classes = {"classes": ", ".join(class_names([image]))} if image.classes else {}
    return {"name": image.plane.name, "image": sums[0], "labels": sums[1], **classes}


def _thinned(history: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Keep every validation and some of the other steps."""
    every = max(1, len(history) // CURVE_POINTS)
    return [list(each) for index, each in enumerate(history) if index % every == 0 or each[3] is not None]


def fine_tune(
    images: Sequence[Any],
    labels: Sequence[Any],
    model: str | Path | Model = "nuclei",
    *,
    recipe: TrainingRecipe | None = None,
    name: str = "my-model",
    **params: Any,
) -> FineTuned:
    """Train a model further on annotated images.

    Parameters
    ----------
    images : sequence of path, array-like or ImagePlane
        As for `segment`: of one plane each.
    labels : sequence of path or (Y, X) integer array
        Instances, 0 = background.
    model : str, Path or Model
        What to start from.
    recipe : TrainingRecipe, optional
        How it is trained, in place of the one that the parameters name.
    name : str
        Of the new model.
    **params
        Fields of `FineTuneParams`: ``minutes`` or ``steps``, ``held_out``, ``seed`` ...

    Returns
    -------
    FineTuned
        ``.model`` segments like any other and is written by `save_model`.

    Raises
    ------
    UtileError
        If the images, the labels or the model cannot be used.

    Examples
    --------
    >>> y, x = np.mgrid[:96, :96]
    >>> labels = ((y % 48 - 24) ** 2 + (x % 48 - 24) ** 2 < 144) * (1 + y // 48 + 2 * (x // 48))
    >>> start = new_model("small", width=4, depth=2)  # random weights; by default "nuclei" is trained further
    >>> tuned = fine_tune([200.0 * (labels > 0)], [labels], start, name="discs", steps=2, held_out=0)
    >>> tuned.model.card.name, tuned.verdict
    ('discs', '')
    """
    refuse_unknown(params, ("model", "recipe", "name"), FineTuneParams)
    chosen = FineTuneParams(**params)
    given, truths = _one_by_one(images, "images"), _one_by_one(labels, "labels")
    if len(given) != len(truths):
        raise UtileError(f"Given: {counted(len(given), 'image')} and {counted(len(truths), 'label image')}.")
    pairs = [
        AnnotatedImage(plane_of(image), labels_of_one_plane(truth, f"label image {number}"))
        for number, (image, truth) in enumerate(zip(given, truths, strict=True), 1)
    ]
    base = model if isinstance(model, Model) else load_model(model)
    return Run(FineTuning(pairs, base, chosen, recipe=recipe, name=name).steps()).result


def _one_by_one(several: Any, what: str) -> list[Any]:
    """List what is given one by one, in whatever sequence, but not the rows of a single image.

    Raises
    ------
    UtileError
        If it is a single one.
    """
    single = isinstance(several, (*PATHS, ImagePlane)) or getattr(several, "ndim", 3) < 3
    if single or not isinstance(several, Iterable):
        raise UtileError(f"The {what} are given as a list, also a single one: [{what.removesuffix('s')}].")
    return list(several)
