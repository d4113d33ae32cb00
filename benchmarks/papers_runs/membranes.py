"""ISBI 2012, membranes in electron microscopy: trained on some slices of the stack, judged on those after them."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

from napari_utile.engine.metrics.boundaries import THRESHOLDS, BoundaryScores, boundary_sweep, components
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune import FineTuned, FineTuning, new_model
from napari_utile.engine.training.fine_tune_params import FineTuneParams

FOLDER = "isbi2012_em_noncommercial"
SCORES = tuple(each.name for each in fields(BoundaryScores))
UNKNOWN = float("nan")
PUBLISHED = (
    ("human values", BoundaryScores(0.0010, 0.0021, 0.000005, UNKNOWN, UNKNOWN)),
    ("U-Net, Ronneberger et al. 2015", BoundaryScores(0.0611, 0.0382, 0.000353, UNKNOWN, UNKNOWN)),
    ("sliding window, Ciresan et al. 2012", BoundaryScores(0.0613, 0.0504, 0.000420, UNKNOWN, UNKNOWN)),
)
"""Table 1 of the U-Net paper (6 March 2015), which has no V-Rand and V-Info."""
DIFFERENCES = """
The rows are not the same measurement:
- The paper's are 30 hidden slices, scored by the organisers on several experts' agreement; ours are the last slices of
  the training stack, neighbours in depth of those trained on, with the one public annotation.
- The paper trained a network of 31 million parameters for 10 hours on a graphics card; see the minutes and steps here.
- Each score is at the one threshold that is best for it over all slices, as in the challenge. The measures are made
  from the publications, not the organisers' program; a border may be warped by 5 pixels, which the paper leaves open.
"""


@dataclass(frozen=True, eq=False)
class Slice:
    """A slice and its membranes (bool)."""

    name: str
    image: NDArray[np.uint8]
    membranes: NDArray[np.bool_]

    @property
    def annotated(self) -> AnnotatedImage:
        """The slice to learn from: what lies between membranes are the objects."""
        return AnnotatedImage(
            plane_from_array(self.image, "YX", name=self.name),
            components(~self.membranes).astype(np.int32),
        )


@dataclass(frozen=True)
class Way:
    """How a network is made and trained: from nothing, or (`start`) from a model."""

    title: str
    recipe: str
    start: str | None = None
    width: int = 24
    depth: int = 3
    batch_norm: bool = True
    dropout: float = 0.0

    def base(self, seed: int) -> Model:
        """Make the network."""
        if self.start is not None:
            return load_model(self.start)
        torch.manual_seed(seed)
        config = {"width": self.width, "depth": self.depth, "batch_norm": self.batch_norm}
        return new_model("em", **config, dropout=self.dropout)


def ways(paper_width: int) -> dict[str, Way]:
    """List the ways that are compared; with 64 channels the first is the network of the paper."""
    return {
        "paper": Way(
            f"the paper's recipe, width {paper_width}",
            "ronneberger2015",
            width=paper_width,
            depth=4,
            batch_norm=False,
            dropout=0.5,
        ),
        "ours": Way("our recipe, width 24", "default"),
        "fine-tuned": Way("fine-tuned from cells", "fine-tune", start="cells"),
    }


def read_slices(data: Path, split: str, most: int | None = None) -> list[Slice]:
    """Read the slices of one split, at most this many."""
    folder = data / FOLDER
    with (folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == split]
    return [
        Slice(
            name,
            tifffile.imread(folder / "images" / f"{name}.tif"),
            tifffile.imread(folder / "labels" / f"{name}.tif") > 0,
        )
        for name in names[:most]
    ]


def train_on(slices: Sequence[Slice], way: Way, minutes: float, seed: int = 0) -> FineTuned:
    """Train; some tiles of the slices decide which state is kept."""
    params = FineTuneParams(recipe=way.recipe, minutes=minutes, seed=seed, scale=1.0)
    return Run(
        FineTuning([each.annotated for each in slices], way.base(seed), params, name="em").steps()
    ).result


def judge(
    model: Model, slices: Sequence[Slice], *, turned: bool, thresholds: Sequence[float] = THRESHOLDS
) -> BoundaryScores:
    """Score a model: each score is its mean over the slices, at the threshold that is best for all of them.

    Parameters
    ----------
    model
    slices
    turned
        Whether probabilities are averaged over the eight ways to turn and mirror a slice (the paper: seven rotations).
    thresholds
    """
    sweeps = [
        boundary_sweep(foreground(model, each.image, turned), ~each.membranes, thresholds=thresholds).scores
        for each in slices
    ]
    means = np.array([[astuple(score) for score in sweep] for sweep in sweeps]).mean(axis=0)
    best = [
        column.max() if name.startswith("v_") else column.min()
        for name, column in zip(SCORES, means.T, strict=True)
    ]
    return BoundaryScores(*map(float, best))


def foreground(model: Model, image: NDArray[np.uint8], turned: bool) -> NDArray[np.float32]:
    """Return the probability of what lies between membranes."""
    maps = [
        back(segment(np.ascontiguousarray(there(image)), model, axes="YX", diameter=None).foreground)
        for there, back in (_turns() if turned else [(np.asarray, np.asarray)])
    ]
    return np.mean(maps, axis=0, dtype=np.float32)


def _turns() -> Iterator[tuple[Callable[[NDArray], NDArray], Callable[[NDArray], NDArray]]]:
    """Give the eight ways to turn and mirror an image, each with its way back."""
    for quarters in range(4):
        yield (lambda image, k=quarters: np.rot90(image, k)), (lambda image, k=quarters: np.rot90(image, -k))
        yield (
            (lambda image, k=quarters: np.rot90(image, k)[::-1]),
            (lambda image, k=quarters: np.rot90(image[::-1], -k)),
        )


def table(rows: Sequence[tuple[str, BoundaryScores]]) -> str:
    """Lay out scores as a table."""
    lines = ["| | warping error | Rand error | pixel error | V-Rand | V-Info |", "|---|---|---|---|---|---|"]
    for title, row in rows:
        values = (row.warping_error, row.rand_error, row.pixel_error, row.v_rand, row.v_info)
        places = (6, 4, 4, 4, 4)
        shown = [
            "–" if np.isnan(value) else f"{value:.{n}f}" for value, n in zip(values, places, strict=True)
        ]
        lines.append(f"| {title} | {' | '.join(shown)} |")
    return "\n".join(lines)
