"""Advice before training: what is wrong in the annotation, what the network will see, where to annotate next."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.cells.uncertainty import confidences
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.training.sets import find_set
from napari_utile.engine.weights.annotation_check import check_annotation
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted
from napari_utile.session.fine_tune_request import FineTuneRequest
from napari_utile.session.fine_tuning import base_model
from napari_utile.session.state import Session

if TYPE_CHECKING:
    from napari_utile.engine.training.samples import Sample

_KINDS = {
    "pieces": ("cell in several pieces", "cells in several pieces"),
    "hole": ("hole", "holes"),
    "speck": ("speck", "specks"),
}
# With fewer cells, it is said that they are few.
_FEW = 6
_TILE = 128
_MOST_PLACES = 20


@dataclass(frozen=True, eq=False)
class NetworkView:
    """One augmented sample as the network sees it, at the model's scale.

    Attributes
    ----------
    sample : Sample
        Image with its context, target and weights of the valid output.
    halo : int
        Pixels of context on each side.
    scale : float
        Pixels of the sample per pixel of the image.
    """

    sample: "Sample"
    halo: int
    scale: float


@dataclass(frozen=True)
class Unsure:
    """A place where the model is unsure.

    Attributes
    ----------
    kind : {"tile", "cell"}
    position : (float, float)
        Row and column in the plane, in pixels.
    size : float
        Side of the tile or diameter of the cell, pixels.
    doubt : float
        0: sure, 1: as unsure as can be.
    """

    kind: str
    position: tuple[float, float]
    size: float
    doubt: float


def annotation_warning(request: FineTuneRequest) -> str:
    """Say in plain words what is likely wrong in the painted cells, or that they are few; empty where nothing is."""
    found: Counter[str] = Counter()
    count = 0
    for image in request.images:
        cells, _ = image.annotation.split(image.labels)
        # Touching cells are not a mistake: training puts the gap between them by itself.
        found.update(each.kind for each in check_annotation(cells) if each.kind in _KINDS)
        count += int(np.count_nonzero(np.unique(cells)))
    said = [image.doubt for image in request.images if image.doubt]
    if found:
        parts = [f"{number} {_KINDS[kind][number > 1]}" for kind, number in sorted(found.items())]
        said.append(
            f"Among what is painted: {', '.join(parts)}; Check labels on the page Weights fixes them."
        )
    if count < _FEW and not request.training_set:
        said.append(f"Only {counted(count, 'cell')} painted: a dozen or more teach the model better.")
    return " ".join(said)


def training_sample_job(
    session: Session, request: FineTuneRequest, number: int
) -> Generator[None, None, NetworkView]:
    """Draw one sample exactly as training would; another `number` gives another one."""
    yield
    from napari_utile.engine.training.fine_tune import FineTuning

    images = request.images
    if not images:
        images = tuple(find_set(request.training_set).read())
    tuning = FineTuning(images, base_model(session, request), request.params)
    sample = tuning.run.sampler.sample(number, 0, tuning.run.progress.size)
    return NetworkView(sample, tuning.run.geometry.halo, tuning.scale)


def unsure_places_job(
    session: Session, plane: ImagePlane, model: str, painted: np.ndarray[Any, Any] | None
) -> Generator[None, None, tuple[Unsure, ...]]:
    """Rank the tiles without annotation by the model's doubt, each followed by its most doubtful cell.

    Parameters
    ----------
    model : str
        Name or path.
    painted : (Y, X) integer array, optional
        Tiles with painted cells are left out.
    """
    run = Run(segment_steps(plane, SegmentParams(), model=session.load_model(model)))
    made = yield from run.yielding(None)
    return unsure_places(made.foreground, made.labels, painted)


def unsure_places(
    foreground: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    painted: np.ndarray[Any, Any] | None = None,
) -> tuple[Unsure, ...]:
    """Rank tiles by the mean of 1 - |2 p - 1|, p the cell probability; see `unsure_places_job`.

    Parameters
    ----------
    foreground : (Y, X) float array
    labels : (Y, X) integer array
    painted : (Y, X) integer array, optional
    """
    doubt = 1 - np.abs(2 * foreground - 1)
    ids, sure = confidences(labels, foreground)
    certainty = dict(zip(ids.tolist(), sure.tolist(), strict=True))
    tiles = []
    for block in Window.whole(foreground.shape).blocks(_TILE):
        part = block.clipped(foreground.shape)
        if painted is None or not painted[part].any():
            tiles.append((float(doubt[part].mean()), part))
    places = []
    for value, part in sorted(tiles, key=lambda tile: -tile[0])[:_MOST_PLACES]:
        rows, columns = part
        middle = ((rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2)
        places.append(Unsure("tile", middle, float(_TILE), value))
        inside = np.unique(labels[part])
        cells = [(certainty.get(int(cell), 1.0), int(cell)) for cell in inside if cell]
        if cells:
            least, cell = min(cells)
            y, x = np.nonzero(labels == cell)
            size = 2 * float(np.sqrt(y.size / np.pi))
            places.append(Unsure("cell", (float(y.mean()), float(x.mean())), size, 1 - least))
    return tuple(places)
