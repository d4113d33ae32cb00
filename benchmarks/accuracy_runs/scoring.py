"""Scores of a model on images, image by image."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from accuracy_runs.images import Annotated
from accuracy_runs.touching import touching_scores
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileWarning
from napari_utile.engine.metrics.evaluation import evaluate
from napari_utile.engine.models.library import Model
from napari_utile.engine.segment import segment

Columns = dict[str, np.ndarray]
"""Name of a score -> (N,) its value in each image."""


def scores_of(
    model: Model, images: Sequence[Annotated], ways: dict[str, InstanceParams | None]
) -> dict[str, Columns]:
    """Segment images once and score the cells that each way of making instances gives.

    Parameters
    ----------
    model, images
    ways
        Name -> instance parameters; None for those of the model's card.

    Returns
    -------
    dict
        Name of the way -> columns: the scores of the Evaluate engine by their names, and those of touching cells as
        ``touching cells``, ``touching found`` ...
    """
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for image in images:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UtileWarning
            )  # whether an image suits the model is what is measured
            segmented = segment(image.plane, model)
        for way, params in ways.items():
            labels = (segmented if params is None else segmented.relabelled(params)).labels
            touching = asdict(touching_scores(labels, image.labels))
            rows[way].append(
                evaluate(labels, image.labels).scores
                | {f"touching {key}": value for key, value in touching.items()}
            )
    return {
        way: {key: np.array([row[key] for row in each], float) for key in each[0]}
        for way, each in rows.items()
    }
