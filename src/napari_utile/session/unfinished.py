"""Trainings kept on disk while they are under way, so that a crash or a closed window loses a minute at most.

Each has a folder in the user's library: what was asked for, painted labels included, and the training's checkpoint.
The images stay where they are: to continue, they have to be open again.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session.fine_tune_request import FineTuneRequest, PaintedPlane, PlaneRead
from napari_utile.session.plane_index import PlaneIndex

_FOLDER, _REQUEST, _CHECKPOINT, _KEY = "unfinished", "request.safetensors", "training.checkpoint", "utile"
# Nobody continues with a training from before that. Days.
_FORGOTTEN_AFTER = 30
# Folders in the hands of a dock of this process.
_held: set[Path] = set()


@dataclass(frozen=True)
class KeptImage:
    """An image that a training learns from: its name, (height, width), where it was read, and what is annotated."""

    name: str
    shape: tuple[int, int]
    kind: str = "dense"
    background: int | None = None
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    rim: int = 0
    # Trainings that were kept before this was: a plain image has one plane.
    index: tuple[int | None, ...] = (None, None)
    axes: tuple[int, int] = (0, 1)
    channels: tuple[int, ...] | None = None
    classes: dict[int, str] = field(default_factory=dict)

    @property
    def read(self) -> PlaneRead:
        """Where it was read."""
        index = tuple(slice(None) if each is None else each for each in self.index)
        return PlaneRead(PlaneIndex(index, self.axes), self.channels)


@dataclass(frozen=True)
class _Header:
    """What a training is; labels and masks of its images lie beside it."""

    started: float
    process: tuple[int, float]
    base: str
    family: str
    params: FineTuneParams
    images: tuple[KeptImage, ...]
    identity: dict[str, Any]
    set: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A training that neither ended nor was cancelled.

    Attributes
    ----------
    started : float
        When; seconds since 1970.
    steps : int
        Steps that its checkpoint holds.
    images : tuple of KeptImage
        What it learns from.
    """

    folder: Path
    started: float
    steps: int
    images: tuple[KeptImage, ...]


def new_folder(inside: str = _FOLDER) -> Path:
    """Name a folder for a new training, or inside another folder of the library; nothing is written yet."""
    return user_model_folder() / inside / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"


def checkpoint_of(folder: Path) -> Path:
    """Return the place of a training's checkpoint."""
    return folder / _CHECKPOINT


def hold(folder: Path, request: FineTuneRequest, identity: dict[str, Any]) -> None:
    """Write down what is being trained, and that this process does it.

    Parameters
    ----------
    folder : Path
        From `new_folder`, or of a training that is continued.
    identity : dict
        What must be the same to continue, as JSON: fingerprints of data and base.

    Raises
    ------
    UtileError
        If the folder holds a training with another identity, or cannot be written.
    """
    path, started = folder / _REQUEST, time.time()
    if path.is_file():
        header, _ = _read(path)
        if header.identity != json.loads(json.dumps(identity)):
            raise UtileError(
                "The image, or the model it started from, is not the one used in that training."
                if not request.training_set
                else "The training set, or the model it started from, has changed since that training began."
            )
        started = header.started
    _held.add(folder)
    tensors, images = {}, []
    for number, painted in enumerate(request.painted):
        image, read = painted.image, painted.read
        annotation = image.annotation
        tensors[f"labels{number}"] = np.ascontiguousarray(image.labels)
        if annotation.background_mask is not None:
            tensors[f"mask{number}"] = np.ascontiguousarray(annotation.background_mask)
        index = tuple(None if isinstance(each, slice) else each for each in read.index.index)
        annotated = annotation.kind, annotation.background, tuple(annotation.boxes), annotation.rim
        where = index, read.index.axes, read.channels
        name, shape = image.plane.name, image.plane.shape
        images.append(KeptImage(name, shape, *annotated, *where, dict(image.classes)))
    process = psutil.Process()
    header = _Header(
        started,
        (process.pid, process.create_time()),
        request.base,
        request.family,
        request.params,
        tuple(images),
        identity,
        request.training_set,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot keep the training in {folder}: {error.strerror}.") from error
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(to_json(header))})


def release(folder: Path | None) -> None:
    """Leave a training to whoever continues with it."""
    if folder is not None:
        _held.discard(folder)


def remove(folder: Path | None) -> None:
    """Forget a training for good."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        _held.discard(folder)


def unfinished_job() -> Generator[None, None, tuple[Unfinished, ...]]:
    """List the trainings that nobody works on, the newest first; forget those of long ago."""
    yield
    from napari_utile.engine.training.state import steps_of

    found = []
    for path in sorted((user_model_folder() / _FOLDER).glob(f"*/{_REQUEST}"), reverse=True):
        folder = path.parent
        if folder in _held:
            continue
        if path.stat().st_mtime < time.time() - _FORGOTTEN_AFTER * 86400:
            remove(folder)
            continue
        try:
            header, _ = _read(path)
            steps = steps_of(folder / _CHECKPOINT) if (folder / _CHECKPOINT).is_file() else 0
        except UtileError:  # damaged, but whoever painted the labels in it may still want them
            continue
        if not is_alive(*header.process):
            found.append(Unfinished(folder, header.started, steps, header.images))
    return tuple(found)


def request_of(unfinished: Unfinished, planes: Sequence[ImagePlane]) -> FineTuneRequest:
    """Make the request of an unfinished training again.

    Parameters
    ----------
    planes : sequence of ImagePlane
        The images it learns from, one for each of ``unfinished.images``.

    Raises
    ------
    UtileError
        If its folder is damaged, or an image has another size.
    """
    header, tensors = _read(unfinished.folder / _REQUEST)
    painted = []
    for number, (plane, kept) in enumerate(zip(planes, header.images, strict=True)):
        mask = tensors.get(f"mask{number}")
        annotation = Annotation(kept.kind, kept.background, mask, kept.boxes, kept.rim)
        image = AnnotatedImage(plane, tensors[f"labels{number}"], annotation, kept.classes)
        painted.append(PaintedPlane(image, kept.read))
    return FineTuneRequest(tuple(painted), header.base, header.family, header.params, header.set)


def _read(path: Path) -> tuple[_Header, dict[str, np.ndarray[Any, Any]]]:
    try:
        with safe_open(path, framework="np") as file:
            header = from_json(_Header, json.loads((file.metadata() or {})[_KEY]))
            keys = {*file.keys()}
            if lacking := {f"labels{number}" for number in range(len(header.images))} - keys:
                raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
            return header, {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UtileError(f"The unfinished training in {path.parent} is damaged ({error}).") from error


def is_alive(pid: int, created: float, *, count_this: bool = False) -> bool:
    """Whether a process, other than this one unless it counts, still works on what it left."""
    if pid == os.getpid() and not count_this:
        return False
    try:
        return bool(abs(psutil.Process(pid).create_time() - created) < 1)
    except psutil.Error:
        return False
