"""Fine-tuning as the dock asks for it: a frozen request, and the job that trains, previews and compares."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.inference.decode import foreground_of
from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.sets import PaintedImage, add_images, replaced_in_words
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.state import Session
from napari_utile.session.unfinished import checkpoint_of, hold

if TYPE_CHECKING:
    from napari_utile.engine.training.fine_tune import FineTuned, FineTuning
    from napari_utile.engine.training.reference import Reference
    from napari_utile.engine.training.run import TrainStep

# New networks are as large as two CPU cores can train in hours; see ``utile train``.
_UNET_WIDTH, _UNET_DEPTH, _FCN_WIDTH = 24, 3, 16
# Held-out tiles shown before and after.
_MOST_COMPARED = 4


@dataclass(frozen=True, eq=False)
class LookAt:
    """Message to the job: predict this part of this plane with the model as it is."""

    plane: ImagePlane
    region: Window


@dataclass(frozen=True)
class StopAndKeep:
    """Message to the job: stop now and keep the best state so far."""


@dataclass(frozen=True)
class Stage:
    """Progress: what is done before or after the training, and what is to be told of it."""

    doing: str
    said: str = ""


@dataclass(frozen=True, eq=False)
class Trained:
    """Progress: one step of training."""

    step: "TrainStep"


@dataclass(frozen=True, eq=False)
class Prediction:
    """Progress: the cell probability (h, w) that was asked for by `LookAt`."""

    region: Window
    foreground: Float32Array


@dataclass(frozen=True, eq=False)
class Comparison:
    """A held-out tile at the scale of the model: image, and cell probability before and after; (h, w) each.

    `truth` (h, w) int holds the painted cells.
    """

    name: str
    image: Float32Array
    before: Float32Array
    after: Float32Array
    truth: np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """What the user decides on: keep or discard. `references` says what was lost or won on the bundled images."""

    tuned: "FineTuned"
    comparisons: tuple[Comparison, ...]
    scale: float
    references: "tuple[Reference, ...]" = ()


def fine_tune_job(
    session: Session, request: FineTuneRequest, folder: Path | None = None
) -> Generator[Trained | Prediction | Stage, LookAt | StopAndKeep | None, FineTuneResult]:
    """Train; between two steps look at what is in view, or stop and keep the best, when asked to.

    With a `folder` (see `napari_utile.session.unfinished`) the training is kept there, and continued if it is
    there already; closing the job leaves it there.
    """
    messages = [(yield Stage("loading the model…"))]  # what is sent before it trains is answered once it does
    from napari_utile.engine.training.fine_tune import FineTuning
    from napari_utile.engine.training.reference import reference_steps, with_references

    base = base_model(session, request)
    messages.append((yield Stage("reading the painted images…")))
    images, said = request.images, ""
    if request.training_set:
        images, said = _with_set(request)
        request = replace(request, painted=())  # they are on the disk already
    messages.append((yield Stage("preparing…", said)))
    tuning = FineTuning(images, base, request.params, training_set=request.training_set)
    checkpoint = None
    if folder is not None:
        hold(folder, request, {"data": tuning.data, "base": base.fingerprint})
        checkpoint = checkpoint_of(folder)
    unpainted = _unpainted(tuning) if not request.family else ""
    messages.append((yield Stage("scoring the model as it is…", unpainted)))
    run = Run(tuning.steps(checkpoint, resume=True))
    try:
        for step in run:
            messages.append((yield Trained(step)))
            while messages:
                message = messages.pop(0)
                if isinstance(message, LookAt):
                    messages.append((yield _predict(tuning.present(), request.params, message)))
                elif isinstance(message, StopAndKeep):
                    tuning.run.reason = "stopped by the user"
    finally:
        run.close()
    scoring = Run(reference_steps(run.result, tuning.compute))
    references = yield from scoring.yielding(Stage("scoring the package's own images…"))
    tuned = with_references(run.result, references)
    return FineTuneResult(tuned, _comparisons(tuning, tuned), tuning.scale, references)


def _with_set(request: FineTuneRequest) -> tuple[tuple[AnnotatedImage, ...], str]:
    """Put what is painted into the set, and give all of the set; say so."""
    title = request.training_set
    chosen, replaced = add_images(title, request.images)
    images = chosen.read()
    many = counted(len(images), "image")
    said = f"{added_to_set(request, replaced)} Trains on the {many} of the set “{title}”.".lstrip()
    return tuple(images), said


def added_to_set(request: FineTuneRequest, replaced: Sequence[PaintedImage]) -> str:
    """Say which images are in the training set now, and what they replaced; empty where none was added."""
    names = [image.plane.name for image in request.images]
    if not names:
        return ""
    now = (
        f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} in the set “{request.training_set}” now."
    )
    return f"{now} {replaced_in_words(replaced)}".rstrip()


def _unpainted(tuning: "FineTuning") -> str:
    """Say how many cells the model sees where all are said to be painted."""
    from napari_utile.engine.training.learned import predictions
    from napari_utile.engine.training.unpainted import unpainted_cells

    complete = [plane for plane in tuning.planes if plane.complete][:_MOST_COMPARED]
    count = sum(
        unpainted_cells(learned, plane, tuning.suggested)
        for learned, plane in zip(predictions(tuning.base, complete, tuning.compute), complete, strict=True)
    )
    if not count:
        return ""
    cells = "1 cell looks" if count == 1 else f"{count} cells look"
    return (
        f"{cells} unpainted and will be learnt as background. Paint them, or choose “Only what I painted”: then "
        "nothing unpainted counts."
    )


def base_model(session: Session, request: FineTuneRequest) -> Model:
    """Load the model to start from, or make a new one as ``utile train`` does by default."""
    from napari_utile.engine.training.fine_tune import new_model

    if not request.family:
        return session.load_model(request.base)
    import torch

    config: dict[str, Any] = {"in_channels": 1, "batch_norm": True, "dropout": 0.0, "width": _FCN_WIDTH}
    if request.family == "unet":
        config |= {"width": _UNET_WIDTH, "depth": _UNET_DEPTH}
    with torch.random.fork_rng():
        torch.manual_seed(request.params.seed)
        return new_model("new", request.family, **config)


def _predict(model: Model, params: FineTuneParams, wanted: LookAt) -> Prediction:
    chosen = SegmentParams(channels=params.channels, device=params.device, precision=params.precision)
    values = Run(Field(wanted.plane, model, chosen).tiles(wanted.region)).result
    return Prediction(wanted.region, foreground_of(values, model.card))


def _comparisons(tuning: "FineTuning", tuned: "FineTuned") -> tuple[Comparison, ...]:
    from napari_utile.engine.training.learned import predictions
    from napari_utile.engine.training.loss import IGNORE

    planes = tuned.held_out[:_MOST_COMPARED]
    before = predictions(tuned.base, planes, tuning.compute)
    after = predictions(tuned.model, planes, tuning.compute)
    compared = []
    for plane, old, new in zip(planes, before, after, strict=True):
        part = Window.of_mask(plane.target != IGNORE)
        assert part is not None
        compared.append(
            Comparison(
                plane.name,
                plane.image[0][part],
                old.foreground[part],
                new.foreground[part],
                np.where(plane.target[part] != IGNORE, plane.objects[part], 0).astype(np.int32),
            )
        )
    return tuple(compared)
