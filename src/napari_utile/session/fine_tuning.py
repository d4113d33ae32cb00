"""Fine-tuning as the dock asks for it: a frozen request, and the job that trains, previews and compares."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.steps import Run
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.windows import Window
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.unfinished import checkpoint_of, hold

if TYPE_CHECKING:
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.engine.training.fine_tune import FineTuned, FineTuning
    from napari_utile.engine.training.train import TrainStep
    from napari_utile.session.state import Session

__all__ = [
    "Comparison",
    "FineTuneResult",
    "LookAt",
    "Prediction",
    "StopAndKeep",
    "Trained",
    "base_model",
    "fine_tune_job",
    "keep_job",
    "model_name_problem",
]

Float32 = np.ndarray[Any, np.dtype[np.float32]]
# New networks are as large as two CPU cores can train in hours; see ``utile train``.
_UNET_WIDTH, _UNET_DEPTH, _FCN_WIDTH = 24, 3, 16
# Held-out tiles shown before and after.
_MOST_COMPARED = 4


@dataclass(frozen=True, eq=False)
class LookAt:
    """Message to the job: predict this part of this plane with the model as it is."""

    plane: "ImagePlane"
    region: Window


@dataclass(frozen=True)
class StopAndKeep:
    """Message to the job: stop now and keep the best state so far."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Progress: one step of training."""

    step: "TrainStep"


@dataclass(frozen=True, eq=False)
class Prediction:
    """Progress: the cell probability (h, w) that was asked for by `LookAt`."""

    region: Window
    foreground: Float32


@dataclass(frozen=True, eq=False)
class Comparison:
    """A held-out tile at the scale of the model: image, and cell probability before and after; (h, w) each."""

    name: str
    image: Float32
    before: Float32
    after: Float32


@dataclass(frozen=True, eq=False)
class FineTuneResult:
    """What the user decides on: keep or discard."""

    tuned: "FineTuned"
    comparisons: tuple[Comparison, ...]
    scale: float


def fine_tune_job(
    session: "Session", request: FineTuneRequest, folder: Path | None = None
) -> Generator[Trained | Prediction, LookAt | StopAndKeep | None, FineTuneResult]:
    """Train; between two steps look at what is in view, or stop and keep the best, when asked to.

    With a `folder` (see `napari_utile.session.unfinished`) the training is kept there, and continued if it is
    there already; closing the job leaves it there.
    """
    from napari_utile.engine.training.fine_tune import FineTuning

    base = base_model(session, request)
    tuning = FineTuning(request.images, base, request.params)
    checkpoint = None
    if folder is not None:
        hold(folder, request, {"data": tuning.data, "base": base.fingerprint})
        checkpoint = checkpoint_of(folder)
    run = Run(tuning.steps(checkpoint, resume=True))
    try:
        for step in run:
            message = yield Trained(step)
            while isinstance(message, LookAt):
                message = yield _predict(tuning.present(), request.params, message)
            if isinstance(message, StopAndKeep):
                tuning.run.reason = "stopped by the user"
    finally:
        run.close()
    return FineTuneResult(run.result, _comparisons(tuning, run.result), tuning.scale)


def base_model(session: "Session", request: FineTuneRequest) -> "Model":
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


def _predict(model: "Model", params: FineTuneParams, wanted: LookAt) -> Prediction:
    from napari_utile.engine.inference.decode import foreground_of
    from napari_utile.engine.inference.field import Field
    from napari_utile.engine.segment_params import SegmentParams

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
            Comparison(plane.name, plane.image[0][part], old.foreground[part], new.foreground[part])
        )
    return tuple(compared)


def model_name_problem(name: str) -> str:
    """Say in one sentence why a new model cannot have this name; empty if it can."""
    from napari_utile.engine.models.catalogue import BUNDLED_FOLDER, SUFFIX, user_model_folder

    if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return "Give the model a name of letters, digits, '-', '_' and '.'."
    if any((folder / f"{name}{SUFFIX}").exists() for folder in (BUNDLED_FOLDER, user_model_folder())):
        return f"There is a model named {name} already; choose another name."
    return ""


def keep_job(result: FineTuneResult, name: str) -> Generator[None, None, Path]:
    """Save the model to the user's library under `name`; returns its file.

    Raises
    ------
    UtileError
        If the name is taken or cannot be used.
    """
    yield
    from napari_utile.engine.models.catalogue import SUFFIX, user_model_folder
    from napari_utile.engine.models.library import save_model

    if problem := model_name_problem(name):
        raise UtileError(problem)
    model = result.tuned.model
    path = user_model_folder() / f"{name}{SUFFIX}"
    save_model(replace(model.card, name=name, title=""), model.network, path)
    return path
