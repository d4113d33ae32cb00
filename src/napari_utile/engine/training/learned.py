"""What a model has learnt: its scores on planes with known objects, and the instance parameters that suit it best."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.classes import classes_of_cells
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.uncertainty import confidences, depth_score, depths, score_of
from napari_utile.engine.cells.watershed import Landscape
from napari_utile.engine.inference.decode import foreground_of, height_from
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.predict import predict_tiles
from napari_utile.engine.inference.tiling import plan_tiles
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.models.library import Model
from napari_utile.engine.models.outputs import EDGE_DISTANCE, channels_of
from napari_utile.engine.steps import Run
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.samples import TrainingPlane, areas_of

THRESHOLDS = (0.35, 0.5, 0.6, 0.7, 0.8, 0.9)
SIZES = (0.5, 1.0, 2.0)
SPLITS = (0.3, 0.5, 0.7)
GAIN = 0.02
"""Settings other than the given ones must be this much better, and by more than chance makes of few cells: what suits
the planes that taught a network, where it knows every cell, suits others less."""
OVERLAPS = (0.5, 0.6, 0.7)
"""Overlaps (intersection over union) whose mean average precision decides."""


BELOW_KNOWN = 0.1
"""How far below the confidence of known images the threshold of a model lies that was trained on a few."""
LEAST_CELLS = 10
"""Fewer held-out cells say nothing of how sure a model is."""


@dataclass(frozen=True)
class Scores:
    """Scores on planes with known objects, all planes pooled.

    Attributes
    ----------
    ap50 : float
        TP / (TP + FP + FN) of objects at an overlap of 0.5.
    overlap : float
        Intersection over union of foreground pixels.
    objects : int
        Annotated objects judged.
    classes : float or None
        Share of the objects whose class was annotated that get it, by all of their pixels; None where none was.
    """

    ap50: float
    overlap: float
    objects: int
    classes: float | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """What a model says of a plane.

    Attributes
    ----------
    foreground : (Y, X) float32
        Probability of an object.
    height : (Y, X) float32 or None
        Where its relief is distances.
    classes : (K, Y, X) float32 or None
        Probabilities of the classes of objects, where there are several.
    edge : (Y, X) float32 or None
        The output B of models that predict distances.
    """

    foreground: NDArray[np.float32]
    height: NDArray[np.float32] | None = None
    classes: NDArray[np.float32] | None = None
    edge: NDArray[np.float32] | None = None

    def landscape(self, params: InstanceParams) -> Landscape:
        """Find the basins for some parameters."""
        return cell_landscape(self.foreground, params, self.height)


def predictions(model: Model, planes: Sequence[TrainingPlane], compute: Compute) -> list[Learned]:
    """Predict planes that are already normalised and at the model's scale."""
    maps = []
    for plane in planes:
        plan = plan_tiles(plane.size, model.network, compute.tile_budget)
        values = Run(predict_tiles(model, plane.image, plan, compute)).result
        foreground = model.card.foreground
        classes = values[list(foreground)] if len(foreground) > 1 else None
        card = model.card
        edge = values[channels_of(card.outputs, EDGE_DISTANCE)][0] if card.has_distances else None
        maps.append(Learned(foreground_of(values, card), height_from(values, card), classes, edge))
    return maps


def score(maps: Sequence[Learned], planes: Sequence[TrainingPlane], params: InstanceParams) -> Scores:
    """Score predictions against the annotated pixels of their planes; the others are ignored."""
    labels = [label_cells(each.landscape(params), params) for each in maps]
    right, wrong = _counts(labels, planes, (0.5,))[0]
    both = either = objects = 0
    for learned, plane in zip(maps, planes, strict=True):
        annotated = plane.target != IGNORE
        found, wanted = (learned.foreground > params.threshold) & annotated, (plane.objects > 0) & annotated
        both, either = both + int((found & wanted).sum()), either + int((found | wanted).sum())
        objects += np.unique(plane.objects[wanted]).size
    return Scores(right / max(right + wrong, 1), both / max(either, 1), objects, _classes_right(maps, planes))


def _classes_right(maps: Sequence[Learned], planes: Sequence[TrainingPlane]) -> float | None:
    right = annotated = 0
    for learned, plane in zip(maps, planes, strict=True):
        here = (plane.target >= 2) & (plane.target != IGNORE)
        if learned.classes is None or not here.any():
            continue
        objects = np.where(here, plane.objects, 0)
        ids, found = classes_of_cells(learned.classes, objects)
        _, first = np.unique(objects[here], return_index=True)
        wanted = plane.target[here][first] - 2
        right, annotated = right + int((found == wanted).sum()), annotated + ids.size
    return right / annotated if annotated else None


def least_confidence(
    maps: Sequence[Learned], planes: Sequence[TrainingPlane], params: InstanceParams, diameter: float | None
) -> float | None:
    """Say which confidence images like these reach, see `Fit`; below it, an image is of some other kind.

    Parameters
    ----------
    maps, planes
        Of held-out planes: a model is surer of what it was trained on.
    params : InstanceParams
    diameter : float or None
        Of the model's cells. Pixels.

    Returns
    -------
    float or None
        `BELOW_KNOWN` under the least confidence of any plane; None where fewer than `LEAST_CELLS` cells were found.
    """
    scores, cells = [], 0
    for learned, plane in zip(maps, planes, strict=True):
        labels = label_cells(learned.landscape(params), params)
        here = np.unique(labels[plane.target != IGNORE])
        edge = learned.edge
        ids, rated = confidences(labels, learned.foreground) if edge is None else depths(labels, edge)
        judged = np.isin(ids, here)
        if judged.any():
            areas = np.bincount(labels.ravel())[ids[judged]].astype(np.float64)
            rated = rated[judged]
            scores.append(score_of(rated, areas, diameter)[0] if edge is None else depth_score(rated))
            cells += int(judged.sum())
    return round(max(0.0, min(scores) - BELOW_KNOWN), 2) if cells >= LEAST_CELLS else None


def best_instances(
    maps: Sequence[Learned],
    planes: Sequence[TrainingPlane],
    params: InstanceParams,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    sizes: Sequence[float] = SIZES,
    splits: Sequence[float] = SPLITS,
) -> InstanceParams:
    """Choose threshold, smallest size and split by their average precision on planes (not the held-out ones).

    Parameters
    ----------
    maps : sequence of Learned
        What the model says of each plane.
    planes : sequence of TrainingPlane
    params : InstanceParams
        What is not chosen stays; all stays where nothing is better by `GAIN`, and by 1 / sqrt(n) of n objects.
    thresholds, splits : sequence of float
        Tried beside each other.
    sizes : sequence of float
        Smallest sizes tried, as shares of the area that 5 % of the annotated objects do not reach. With fewer than
        5 objects the size of `params` stays.
    """
    present = areas_of([plane.objects[plane.target != IGNORE] for plane in planes])
    small = [params.minimum_size]
    if present.size >= 5:
        small = [int(share * np.percentile(present, 5)) for share in sizes]

    def precision(lands: Sequence[Landscape], tried: InstanceParams) -> float:
        counts = _counts([label_cells(land, tried) for land in lands], planes, OVERLAPS)
        return float(np.mean([right / max(right + wrong, 1) for right, wrong in counts]))

    best = params
    given = precision([each.landscape(params) for each in maps], params)
    highest = given + max(GAIN, 1 / float(np.sqrt(max(present.size, 1))))
    for threshold in thresholds:
        lands = [each.landscape(replace(params, threshold=threshold)) for each in maps]
        for minimum_size, split in itertools.product(small, dict.fromkeys((params.split, *splits))):
            tried = replace(params, threshold=threshold, minimum_size=minimum_size, split=split)
            if (value := precision(lands, tried)) > highest:
                best, highest = tried, value
    return best


def _counts(
    labels: Sequence[NDArray[np.int32]], planes: Sequence[TrainingPlane], overlaps: Sequence[float]
) -> list[tuple[int, int]]:
    """Count matched objects, and false and missed ones, for each overlap."""
    totals = [(0, 0)] * len(overlaps)
    for found_labels, plane in zip(labels, planes, strict=True):
        table = contingency(found_labels, plane.objects, plane.target == IGNORE)
        for index, overlap in enumerate(overlaps):
            found = match(table, overlap)
            right, wrong = totals[index]
            totals[index] = (right + found.true_positives, wrong + found.false.size + found.missed.size)
    return totals
