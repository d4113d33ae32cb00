"""Evaluations that the Evaluate page asks for, as frozen requests, and the generators that carry them out."""

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_utile.engine.arrays import BoolArray, Labels
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.label_runs import label_runs, moments
from napari_utile.engine.files.label_reading import doubt_of
from napari_utile.engine.metrics.bootstrap import Difference, paired_bootstrap
from napari_utile.engine.metrics.cell_kinds import CellError, CellKind, cell_errors, cell_kinds, error_map
from napari_utile.engine.metrics.cells import average_precision, cell_jaccards
from napari_utile.engine.metrics.evaluation import Evaluation, evaluate, mean_scores
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.planes.spread import spread
from napari_utile.session.layer_specs import LayerSpec


@dataclass(frozen=True, eq=False)
class PlaneLabels:
    """One plane of everything that is compared.

    Attributes
    ----------
    index : tuple of int
        Positions of the sliders; empty for a 2-D layer.
    predictions : tuple of (Y, X) integer arrays
        One for each prediction.
    truth : (Y, X) integer array
    ignore : (Y, X) bool array, optional
    """

    index: tuple[int, ...]
    predictions: tuple[Labels, ...]
    truth: Labels
    ignore: BoolArray | None = None

    @property
    def hashes(self) -> tuple[str, ...]:
        """What tells these pixels from others."""
        arrays = (*self.predictions, self.truth, self.ignore)
        return tuple(sha256_of(each) for each in arrays if each is not None)


@dataclass(frozen=True, eq=False)
class FoundError:
    """A mistake and where it is.

    Attributes
    ----------
    index : tuple of int
        Of the plane.
    center : (float, float)
        Row and column, pixels.
    extent : float
        About the diameter of the cells concerned, pixels.
    """

    error: CellError
    index: tuple[int, ...]
    center: tuple[float, float]
    extent: float


@dataclass(frozen=True, eq=False)
class PlaneResult:
    """One plane's scores for each prediction, and the error map of the first one; `seen` are the plane's hashes."""

    index: tuple[int, ...]
    seen: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    errors: tuple[FoundError, ...]
    error_map: np.ndarray[Any, np.dtype[np.uint8]]
    kinds: dict[CellKind, int]


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Scores of each prediction, and the mistakes of the first one, worst first.

    `differences` holds, for each prediction but the first, the name of a score -> the difference from the
    first, and what was resampled (see `difference_between`). `doubted` says of each prediction and of the
    reference what looks like something else than one id a cell, without its name.
    """

    names: tuple[str, ...]
    planes: tuple[PlaneResult, ...]
    errors: tuple[FoundError, ...]
    differences: tuple[dict[str, tuple[Difference, str]], ...] = ()
    doubted: tuple[str, ...] = ()

    @property
    def doubts(self) -> list[str]:
        """What looks like something else than one id a cell, a sentence each."""
        said = zip((*self.names, "The reference"), self.doubted, strict=False)
        return [f"{name} {doubt}" for name, doubt in said if doubt]

    def scores(self, prediction: int) -> dict[str, float]:
        """Mean scores of a prediction over the planes; counts are summed."""
        each = [plane.evaluations[prediction].scores for plane in self.planes]
        means = mean_scores(each)
        for name in ("truth_cells", "predicted_cells", "splits", "merges", "missed", "false"):
            means[name] = sum(one[name] for one in each)
        return means

    @property
    def kinds(self) -> dict[CellKind, int]:
        """How many cells of the first prediction are of each kind."""
        return {kind: sum(plane.kinds[kind] for plane in self.planes) for kind in CellKind if kind}


def evaluation_job(
    names: tuple[str, ...], planes: Sequence[PlaneLabels]
) -> Generator[tuple[int, int], None, EvaluationResult]:
    """Score every plane; yields how many are done, and of how many.

    Parameters
    ----------
    names : tuple of str
        Of the predictions; the errors of the first one are listed.
    planes : sequence of PlaneLabels
        May be lazy.
    """
    scored: list[PlaneResult] = []
    total = len(planes)
    yield 0, total
    for done, plane in enumerate(planes, 1):
        scored.append(_evaluate_plane(plane))
        yield done, total
    errors = sorted(
        itertools.chain.from_iterable(plane.errors for plane in scored),
        key=lambda found: (-found.error.cells, -found.error.pixels, found.index),
    )
    differences = tuple(
        {score: difference_between(scored, 0, which, score) for score in scored[0].evaluations[0].scores}
        for which in range(1, len(names))
    )
    doubted = tuple(_doubted(len(names), planes))
    return EvaluationResult(names, tuple(scored), tuple(errors), differences, doubted)


def changed_job(planes: Sequence[PlaneLabels], result: EvaluationResult) -> Generator[None, None, bool]:
    """Say whether any of the planes holds something else than what was scored."""
    for plane, scored in zip(planes, result.planes, strict=True):
        yield
        if plane.hashes != scored.seen:
            return True
    return False


def _doubted(predictions: int, planes: Sequence[PlaneLabels]) -> Iterator[str]:
    seen = [planes[place] for place in spread(len(planes))]
    for number in range(predictions + 1):
        yield doubt_of([(*plane.predictions, plane.truth)[number] for plane in seen])


def _evaluate_plane(plane: PlaneLabels) -> PlaneResult:
    evaluations = tuple(evaluate(prediction, plane.truth, plane.ignore) for prediction in plane.predictions)
    table = evaluations[0].table
    kinds = cell_kinds(table, match(table))
    counts = {
        CellKind.MATCHED: int((kinds.truth == CellKind.MATCHED).sum()),
        CellKind.MISSED: int((kinds.truth == CellKind.MISSED).sum()),
        CellKind.FALSE: int((kinds.prediction == CellKind.FALSE).sum()),
        CellKind.SPLIT: len(kinds.splits),
        CellKind.MERGED: len(kinds.merges),
    }
    errors = tuple(_placed(cell_errors(table, kinds), plane))
    painted = error_map(plane.predictions[0], plane.truth, table, kinds)
    if plane.ignore is not None:
        painted[plane.ignore] = CellKind.BACKGROUND
    return PlaneResult(plane.index, plane.hashes, evaluations, errors, painted, counts)


def _placed(errors: list[CellError], plane: PlaneLabels) -> list[FoundError]:
    if not errors:
        return []
    positions = []
    for labels in (plane.predictions[0], plane.truth):
        runs = label_runs(labels)
        area, centroid, _ = moments(runs)
        positions.append(
            {
                int(number): (pixels, *center)
                for number, pixels, center in zip(runs.ids, area, centroid, strict=True)
            }
        )
    predicted, reference = positions
    placed = []
    for error in errors:
        parts = np.array(
            [predicted[number] for number in error.prediction_ids]
            + [reference[number] for number in error.truth_ids]
        )
        center = np.average(parts[:, 1:], axis=0, weights=parts[:, 0])
        extent = 2 * float(np.sqrt(parts[:, 0].max() / np.pi)) + float(np.ptp(parts[:, 1:], axis=0).max())
        placed.append(FoundError(error, plane.index, (float(center[0]), float(center[1])), extent))
    return placed


def difference_between(
    planes: Sequence[PlaneResult], first: int, second: int, score: str
) -> tuple[Difference, str]:
    """Say how certain the difference between two predictions is, over planes or, with one plane, over cells.

    Parameters
    ----------
    first, second : int
        Positions of the predictions.
    score : str
        Name of a score.

    Returns
    -------
    Difference
        Second minus first.
    str
        What was resampled: ``"planes"``, or ``"cells"``, which only SEG, a mean over cells, allows.
    """
    if score == "seg" and len(planes) == 1:
        one, other = (cell_jaccards(planes[0].evaluations[which].table) for which in (first, second))
        return paired_bootstrap(one, other), "cells"
    one, other = (
        np.array([plane.evaluations[which].scores[score] for plane in planes]) for which in (first, second)
    )
    return paired_bootstrap(one, other), "planes"


def error_spec(plane: PlaneResult, name: str) -> LayerSpec:
    """Describe the Error layer of a plane."""
    return LayerSpec("labels", f"{name} errors", plane.error_map, "errors", {"opacity": 0.6})


@dataclass(frozen=True, eq=False)
class SweepRequest:
    """A search for the best threshold and minimum size.

    Attributes
    ----------
    probability : (Y, X) float array
        Of the cells.
    truth : (Y, X) integer array
    ignore : (Y, X) bool array, optional
    params : InstanceParams
        What is not searched for.
    """

    probability: np.ndarray[Any, Any]
    truth: Labels
    ignore: BoolArray | None
    params: InstanceParams
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    minimum_sizes: tuple[int, ...] = (0, 20, 50, 100, 200)


@dataclass(frozen=True)
class SweepPoint:
    """The score at one threshold and minimum size; `done` of `total` are known."""

    params: InstanceParams
    score: float
    done: int
    total: int


def sweep_job(request: SweepRequest) -> Generator[SweepPoint, None, tuple[SweepPoint, ...]]:
    """Make and score instances at every threshold and minimum size."""
    points: list[SweepPoint] = []
    total = len(request.thresholds) * len(request.minimum_sizes)
    for threshold in request.thresholds:
        landscape = cell_landscape(request.probability, replace(request.params, threshold=threshold))
        for size in request.minimum_sizes:
            params = replace(request.params, threshold=threshold, minimum_size=size)
            labels = label_cells(landscape, params)
            score = average_precision(labels, request.truth, ignore=request.ignore)
            points.append(SweepPoint(params, score, len(points) + 1, total))
            yield points[-1]
    return tuple(points)


def best_point(points: Sequence[SweepPoint]) -> SweepPoint:
    """Return the best of the points; of equal ones the one with the threshold nearest to 0.5, then the smallest."""
    return min(
        points,
        key=lambda point: (-point.score, abs(point.params.threshold - 0.5), point.params.minimum_size),
    )
