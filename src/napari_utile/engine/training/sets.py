"""Training sets: painted images that collect under a name, over days, in the user's library.

A set is a folder ``sets/NAME`` beside the models: ``set.json`` with its title, and a file ``HASH.safetensors`` for each
image: its pixels, the painted labels, and JSON that says where the annotation is complete. The hash is that of the
pixels: an image that is painted further takes the place of what it was.
"""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.files.targets import check_space
from napari_utile.engine.models.catalogue import SUFFIX, user_model_folder
from napari_utile.engine.models.own_models import free_stem, library_lock, safe_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.weights.annotation import annotation_from_json, annotation_to_json
from napari_utile.engine.words import bracketed, counted

FORMAT = 1
_KEY, _TITLE_FILE = "utile-painted", "set.json"
_LARGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class PaintedImage:
    """What is known of one image of a set without reading its pixels.

    Attributes
    ----------
    path : Path
    name : str
        Of the image.
    shape : (int, int)
        Rows and columns.
    cells : int
        How many are painted.
    annotated : float
        Share of the pixels that say something.
    added : str
        When it was painted last, ISO 8601.
    classes : tuple of str
        Names of the classes that its cells are of; empty where none are given.
    problem : str
        Why it cannot be used; empty where it can.
    """

    path: Path
    name: str
    shape: tuple[int, int] = (0, 0)
    cells: int = 0
    annotated: float = 0.0
    added: str = ""
    classes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class TrainingSet:
    """A named set: its title, and where it lies."""

    title: str
    folder: Path

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def files(self) -> list[Path]:
        """The files of its images, the oldest first; those that begin with a dot are being written."""
        return sorted(
            self.folder.glob(f"[!.]*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name)
        )

    @property
    def images(self) -> list[PaintedImage]:
        """What it holds; damaged files are listed with their problem."""
        return [_listed(path) for path in self.files]

    def read(self) -> list[AnnotatedImage]:
        """Read all of its images.

        Raises
        ------
        UtileError
            If there is none, or one is damaged.
        """
        images = [read_painted(path) for path in self.files]
        if not images:
            raise UtileError(f"The training set “{self.title}” is empty: add a painted image first.")
        return images


def sets_folder() -> Path:
    """Return the folder of all sets."""
    return user_model_folder() / "sets"


def list_sets() -> list[TrainingSet]:
    """List the user's sets by title."""
    folders = [path for path in sets_folder().glob("*") if path.is_dir() and not path.is_symlink()]
    return sorted((TrainingSet(_title(path), path) for path in folders), key=lambda each: each.title.lower())


def find_set(name: str) -> TrainingSet:
    """Find a set by its name or title.

    Raises
    ------
    UtileError
        If there is none, naming those there are.
    """
    every = list_sets()
    for each in every:
        if str(name) in (each.name, each.title):
            return each
    known = ", ".join(each.title for each in every) or "none"
    raise UtileError(f"There is no training set named {str(name)!r}; there is {known}.")


def make_set(title: str) -> TrainingSet:
    """Return the set of this title; an empty one is made where there is none.

    Raises
    ------
    UtileError
        If its folder cannot be written, or the title leaves no name for it.
    """
    for each in list_sets():
        if title in (each.name, each.title):
            return each
    name = safe_name(title)
    with library_lock():
        folder = sets_folder() / name
        if folder.exists():
            raise UtileError(f"There is a training set named {name} already: choose another name.")
        folder.mkdir(parents=True)
        write_json(folder / _TITLE_FILE, {"format": FORMAT, "title": title})
    return TrainingSet(title, folder)


def add_images(title: str, images: Sequence[AnnotatedImage]) -> tuple[TrainingSet, tuple[PaintedImage, ...]]:
    """Put painted images into a set; one that is there already takes the new painting.

    Returns
    -------
    TrainingSet
    tuple of PaintedImage
        What was painted before on such images and is not in the new painting: it lies in the trash of the library.

    Raises
    ------
    UtileError
        If the disk has no room, or the folder cannot be written.
    """
    chosen, replaced = make_set(title), []
    with library_lock() as library:
        for image in images:
            before = _place_of(image, chosen.folder)
            if before.exists() and not _goes_on(image, before):
                thrown = _free_place(before, library)
                shutil.copyfile(before, thrown)  # it stays in the set until the new one is written
                replaced.append(replace(_listed(thrown), name=image.plane.name))
            _write(image, before)
    return chosen, tuple(replaced)


def images_with(title: str, images: Sequence[AnnotatedImage]) -> list[AnnotatedImage]:
    """Return what a set would hold after `add_images`, in that order; nothing is written.

    Raises
    ------
    UtileError
        If an image of it is damaged, or the title of a new set leaves no name for it.
    """
    known = next((each for each in list_sets() if title in (each.name, each.title)), None)
    chosen = known or TrainingSet(title, sets_folder() / safe_name(title))
    new = {_place_of(image, chosen.folder): image for image in images}
    return [*(read_painted(path) for path in chosen.files if path not in new), *new.values()]


def replaced_in_words(replaced: Sequence[PaintedImage]) -> str:
    """Say what new paintings took the place of; empty where that is nothing."""
    return " ".join(f"It replaces {_in_words(each)}, which went to the library's trash." for each in replaced)


def _in_words(image: PaintedImage) -> str:
    if image.problem:
        return f"a painting on {image.name} that cannot be read"
    cells = f"{counted(image.cells, 'cell')}{bracketed(', '.join(image.classes))}"
    return f"{cells} painted before on {image.name}"


def remove_image(image: Path) -> Path:
    """Move an image of a set to the trash of the library; return where it lies there."""
    return _to_trash(image)


def delete_set(name: str) -> Path:
    """Move a set with all its images to the trash of the library; return where it lies there."""
    return _to_trash(find_set(name).folder)


def _to_trash(path: Path) -> Path:
    if not path.resolve().is_relative_to(sets_folder().resolve()) or not path.exists():
        raise UtileError(f"{path.name} is not in a training set.")
    with library_lock() as library:
        place = _free_place(path, library)
        os.replace(path, place)
        return place


def _free_place(path: Path, library: Path) -> Path:
    """Return where something goes in the trash of the library."""
    trash = library / "trash"
    trash.mkdir(exist_ok=True)
    stem = free_stem(trash, f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}", path.suffix)
    return trash / f"{stem}{path.suffix}"


def _title(folder: Path) -> str:
    try:
        title = read_json(folder / _TITLE_FILE, "is not the title of a set")["title"]
        return title if isinstance(title, str) and title.strip() else folder.name
    except (UtileError, LookupError, TypeError):
        return folder.name


def _pixels(image: AnnotatedImage) -> NDArray[Any]:
    return _plain(np.asarray(image.plane.data[:, :, :]))


def _place_of(image: AnnotatedImage, folder: Path) -> Path:
    return folder / f"{sha256_of(_pixels(image))[:16]}{SUFFIX}"


def _goes_on(image: AnnotatedImage, before: Path) -> bool:
    """Whether a painting holds all cells of an earlier one of the image, as they were: then nothing is lost."""
    try:
        earlier = read_painted(before)
    except UtileError:
        return False
    cells, now = (each.annotation.split(each.labels)[0] > 0 for each in (earlier, image))
    as_before = now & (earlier.labels == image.labels)
    return bool(as_before[cells].all()) and {*earlier.classes.items()} <= {*image.classes.items()}


def _write(image: AnnotatedImage, place: Path) -> None:
    from safetensors.numpy import save_file

    plane, annotation = image.plane, image.annotation
    pixels = _pixels(image)
    labels = np.asarray(image.labels)
    digest = sha256_of(pixels)
    tensors = {
        "image": pixels,
        "labels": _plain(labels.astype(np.min_scalar_type(int(labels.max(initial=0))))),
    }
    if annotation.background_mask is not None:
        tensors["background"] = np.ascontiguousarray(annotation.background_mask, bool)
    objects, annotated = annotation.split(labels)
    header = {
        "format": FORMAT,
        "name": plane.name,
        "sha256": digest,
        "shape": list(plane.shape),
        "rgb": plane.rgb,
        "pixel_size": None if plane.pixel_size is None else list(map(float, plane.pixel_size)),
        "unit": plane.unit,
        "annotation": annotation_to_json(annotation),
        "classes": {str(label): name for label, name in image.classes.items()},
        "cells": int(np.count_nonzero(np.unique(objects))),
        "annotated": float(annotated.mean()),
        "added": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    check_space(place.parent, sum(each.nbytes for each in tensors.values()) + 1e6)
    with atomic_path(place) as temporary:
        save_file(tensors, temporary, metadata={_KEY: json.dumps(header)})


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array as safetensors keeps it: contiguous, and in the byte order of most machines."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _listed(path: Path) -> PaintedImage:
    try:
        header = _header(path)
    except UtileError as error:
        return PaintedImage(path, path.stem, problem=str(error))
    rows, columns = header["shape"]
    names = tuple(sorted(set(header["classes"].values())))
    shown = header["name"], (rows, columns), header["cells"], header["annotated"], header["added"]
    return PaintedImage(path, *shown, classes=names)


def _header(path: Path) -> dict[str, Any]:
    """Read and check what a file of a set says of itself; no pixel is read, nothing is executed."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {})[_KEY]
        if len(text) > _LARGEST_HEADER:
            raise ValueError("its description is too long")
        header = json.loads(text)
        _check(header)
    except KeyError as error:
        raise UtileError(f"{path.name} is not an image of a training set.") from error
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise UtileError(f"The image {path.name} of the training set is damaged ({error}).") from error
    return dict(header)


def _check(header: Any) -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "name": str, "sha256": str, "shape": list, "rgb": bool, "pixel_size": (list, type(None)),
        "unit": (str, type(None)), "annotation": dict, "classes": dict, "cells": int, "annotated": float, "added": str,
    }  # fmt: skip
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    for name, kind in kinds.items():
        if not isinstance(header.get(name), kind):
            raise ValueError(f"its {name} is missing or of the wrong kind")
    numbers = [*header["shape"], *(header["pixel_size"] or ())]
    if len(header["shape"]) != 2 or not all(
        isinstance(each, int | float) and 0 < each < 1e9 for each in numbers
    ):
        raise ValueError("its sizes do not make sense")
    for label, name in header["classes"].items():
        if not label.isdecimal() or not isinstance(name, str):
            raise ValueError("its classes do not name labels")


def read_painted(path: Path) -> AnnotatedImage:
    """Read one image of a set.

    Raises
    ------
    UtileError
        If the file is damaged, or its pixels are not those that were added.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    header = _header(path)
    try:
        tensors = load_file(path)
        pixels, labels = tensors["image"], tensors["labels"]
        if (
            pixels.ndim != 3
            or [*pixels.shape[1:]] != header["shape"]
            or sha256_of(pixels) != header["sha256"]
        ):
            raise ValueError("its pixels are not those that were added")
        annotation = annotation_from_json(header["annotation"], tensors.get("background"))
        annotation.split(labels)
        size = header["pixel_size"]
        plane = ImagePlane(
            pixels,
            header["name"],
            header["rgb"],
            None if size is None else (size[0], size[1]),
            header["unit"],
        )
        classes = {int(label): name for label, name in header["classes"].items()}
        return AnnotatedImage(plane, labels, annotation, classes)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise UtileError(f"The image {path.name} of the training set is damaged ({error}).") from error
