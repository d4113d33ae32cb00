"""Reviewing the results of a batch: which come first, what was decided, and where the reviewed cells are written.

Progress lies beside the results in ``review.json``; reviewed cells go to the folder ``reviewed``. What the batch wrote
is never changed.
"""

import json
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.json_file import write_json
from napari_utile.engine.files.names import image_name, name_and_ending, recipe_place, results_apart
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.files.tables import Table
from napari_utile.engine.files.unfinished import is_complete, is_store
from napari_utile.engine.parameters import from_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted

DECISIONS = ("accepted", "corrected", "rejected", "skipped")
EDITED = "edited"
"""In the place of a decision: its cells were edited, and nobody decided on them yet."""
REVIEWED = "reviewed"
"""The folder of reviewed cells."""
_PROGRESS = "review.json"
_LARGEST_JSON = 1 << 26
_writing = threading.Lock()
"""What was decided is read and written with more: by one at a time, also of a queue that was opened again."""


@dataclass(frozen=True)
class ReviewItem:
    """An image of a batch with its cells.

    Attributes
    ----------
    labels : Path
        A file of labels, or a finished store.
    image : Path or None
        None where it was not found.
    confidence : float or None
        How sure the model was of its cells, where the batch said so.
    decision : str
        One of `DECISIONS`, or `EDITED`; empty where nobody did anything with it.
    selection : Selection
        Which pixels of the image the batch read.
    channels : tuple of int
        Which of its channels, where somebody chose them; else the first ones.
    reads : int
        How many channels the model reads.
    region : Window, optional
        Which rows and columns it read, where not all.
    """

    labels: Path
    image: Path | None
    confidence: float | None = None
    decision: str = ""
    selection: Selection = field(default_factory=Selection)
    channels: tuple[int, ...] = ()
    reads: int = 1
    region: Window | None = None

    @property
    def name(self) -> str:
        """Of the image."""
        return image_name(self.labels) if self.is_store else name_and_ending(self.labels)[0]

    @property
    def is_decided(self) -> bool:
        """Whether somebody decided on it."""
        return self.decision in DECISIONS

    @property
    def is_store(self) -> bool:
        """Whether its cells lie in a store."""
        return is_store(self.labels)

    def planes(self) -> SelectedPlanes:
        """Open the planes of the image that the batch read: what is shown, and what is learnt from.

        Raises
        ------
        UtileError
            If the image cannot be read.
        """
        assert self.image is not None
        return SelectedPlanes(open_selected(self.image, self.selection), self.selection, self.region)


def review_job(folder: Path) -> Generator[None, None, tuple[ReviewItem, ...]]:
    """List what is to be reviewed, the least sure first; what nobody rated comes before all that is rated.

    Parameters
    ----------
    folder : Path
        Where a batch wrote ``<name>_labels.tif``, or stores. Images are looked for where their recipes say, there, and
        in the folder above.

    Raises
    ------
    UtileError
        If there are no results in the folder.
    """
    yield
    files = [*folder.glob("*_labels.tif*"), *(each for each in folder.glob("*.zarr") if is_complete(each))]
    found = sorted(path for path in files if not path.name.startswith("."))
    if not found:
        raise UtileError(
            f"There are no results of a batch (*_labels.tif, stores) in {folder}. {stores_apart(folder)}".rstrip()
        )
    sure, done = _confidences(folder), _progress(folder)
    beside: dict[str, Path] = {}
    for place in (folder.parent, folder):
        yield
        beside |= _images_in(place)
    items = []
    for labels in found:
        yield
        item = ReviewItem(labels, None, decision=done.get(labels.name, ""))
        made = _made(recipe_place(labels))
        source = made.pop("source", None)
        image = source or beside.get(item.name.lower())
        items.append(replace(item, image=image, confidence=sure.get(item.name), **made))
    return tuple(
        sorted(items, key=lambda item: (item.confidence is not None, item.confidence or 0.0, item.name))
    )


def stores_apart(folder: Path) -> str:
    """Say how many unfinished stores lie in a folder, which a queue does not hold; empty where there are none."""
    count = sum(is_store(path) and not is_complete(path) for path in folder.glob("*.zarr"))
    if not count:
        return ""
    those = (
        "1 large image is not finished and" if count == 1 else f"{count} large images are not finished and"
    )
    return f"{those} not in this queue: finish with utile segment and --resume."


class Decisions:
    """What is decided on the images of a folder; where it cannot be written, it waits for the next `write`.

    Parameters
    ----------
    folder : Path
        Where the results are.

    Attributes
    ----------
    folder : Path
    unwritten : dict of str to str
        By file of labels: what is decided and not written yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unwritten: dict[str, str] = {}

    def write(self, decided: Mapping[str, str] | None = None) -> None:
        """Write what is decided, and what is not written yet; from any thread.

        Parameters
        ----------
        decided : mapping of str to str, optional
            By file of labels.

        Raises
        ------
        UtileError
            If it cannot be written, or what is there is damaged.
        """
        with _writing:
            self.unwritten |= decided or {}
            if self.unwritten:
                done = _progress(self.folder) | self.unwritten
                write_json(self.folder / _PROGRESS, {"format": 1, "images": done})
                self.unwritten.clear()


def reviewed_path(folder: Path, item: ReviewItem) -> Path:
    """Return where the reviewed cells of an image are written.

    Raises
    ------
    UtileError
        If the folder cannot be made, or holds a file with this name although nobody decided on the image.
    """
    target = folder / REVIEWED / f"{item.name}{LABELS}"
    if target.exists() and not item.decision:
        raise UtileError(
            f"{target} exists already, and {_PROGRESS} does not say that it was reviewed: move it elsewhere first."
        )
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot write {target.parent}: {error.strerror}.") from error
    return target


def training_images(
    item: ReviewItem, labels: np.ndarray[Any, Any], classes: Sequence[Mapping[int, str]]
) -> list[AnnotatedImage]:
    """Describe the planes of a reviewed image for a training set, as the batch read them: all of their cells are right.

    Parameters
    ----------
    item : ReviewItem
    labels : (..., Y, X) array
        All planes.
    classes : sequence of mapping of int to str
        Of each plane.

    Raises
    ------
    UtileError
        If the image cannot be read, or has other planes than its cells.
    """
    planes = item.planes()
    stack = labels.reshape(-1, *labels.shape[-2:])
    if len(planes) != len(stack):
        raise UtileError(
            f"{planes.image.path.name} has {counted(len(planes), 'plane')}, and its cells have {len(stack)}."
        )
    return [
        AnnotatedImage(_as_read(item, plane), painted, classes=dict(words))
        for (_, plane), painted, words in zip(planes, stack, classes, strict=True)
    ]


def _as_read(item: ReviewItem, plane: ImagePlane) -> ImagePlane:
    if item.channels:
        return plane.with_channels(item.channels)
    return plane if plane.rgb else plane.with_channels(range(min(item.reads, plane.data.shape[0])))


def _confidences(folder: Path) -> dict[str, float]:
    """Read how sure the model was of each image, from the batch's table of fields."""
    sure: dict[str, float] = {}
    path = folder / "fields.csv"
    if not path.is_file():
        return sure
    try:
        for row in Table(path):
            if (name := row.get("image")) and (said := row.get("confidence")):
                sure[image_name(Path(name))] = float(said)
    except (UtileError, ValueError):  # then nobody knows
        return {}
    return {name: value for name, value in sure.items() if np.isfinite(value)}


def _progress(folder: Path) -> dict[str, str]:
    """Read what was decided so far."""
    path = folder / _PROGRESS
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("too large")
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        return {str(name): decision for name, decision in images.items() if decision in (*DECISIONS, EDITED)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UtileError(
            f"The progress of the review in {path} is damaged ({error}): move it away."
        ) from error


def _made(recipe: Path) -> dict[str, Any]:
    """Read how an image was read, as fields of `ReviewItem`, and its file where it is there; nothing if unknown.

    The recipe of a store holds its plan, which has limits and region beside the planes.
    """
    try:
        if recipe.stat().st_size > _LARGEST_JSON:
            return {}
        said = json.loads(recipe.read_text(encoding="utf-8"))
        source, how = Path(said["source"]), said.get("plan", said)
        first: dict[str, Any] = next(iter(how.get("planes", ())), {})
        limits = next(iter(how.get("limits", ())), first)
        region = how.get("region") or first.get("region")
        chosen = how.get("parameters", how.get("params", {})).get("channels")
        return {
            **({"source": source} if source.exists() else {}),
            "selection": from_json(Selection, how.get("selection") or {}),
            "channels": tuple(map(int, chosen or ())),
            "reads": len(limits.get("low", "-")),  # one for each channel
            "region": region and Window(*(slice(start, stop) for start, stop in region)),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _images_in(place: Path) -> dict[str, Path]:
    try:
        return {image_name(path).lower(): path for path in results_apart(find_images([place])).images}
    except (UtileError, OSError):
        return {}
