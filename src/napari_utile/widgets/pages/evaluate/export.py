"""Results of the Evaluate page as a table, a page and a command."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import napari.viewer
import numpy as np

import napari_utile
from napari_utile.engine.provenance.command import evaluate_command
from napari_utile.engine.reports.evaluation_report import EvaluationReport, Picture
from napari_utile.session.evaluation import EvaluationResult
from napari_utile.widgets.pages.evaluate.compared_layers import ComparedLayers
from napari_utile.widgets.pages.evaluate.error_colours import KIND_COLOURS, KIND_WORDS
from napari_utile.widgets.viewer.image_behind import image_behind
from napari_utile.widgets.viewer.layers import Place

_MOST_PICTURES = 4
_MOST_ERRORS = 40


def score_columns(result: EvaluationResult) -> dict[str, list[Any]]:
    """Return all scores as columns, one prediction of one plane a row."""
    columns: dict[str, list[Any]] = {"prediction": [], "plane": []}
    for plane in result.planes:
        for evaluation in plane.evaluations:
            columns["prediction"].append(evaluation.name)
            columns["plane"].append(" ".join(map(str, plane.index)))
            for name, value in evaluation.scores.items():
                columns.setdefault(name, []).append(value)
    return columns


def file_of(layer: Any) -> str | None:
    """Return the file that a layer was opened from, None where it was not."""
    return getattr(getattr(layer, "source", None), "path", None)


def report_of(
    viewer: napari.viewer.Viewer, layers: ComparedLayers, places: Sequence[Place], result: EvaluationResult
) -> EvaluationReport:
    """Describe the page: the planes with most errors are shown as pictures."""
    order = sorted(range(len(places)), key=lambda which: -len(result.planes[which].errors))[:_MOST_PICTURES]
    pictures = []
    for which in sorted(order):
        plane, place = result.planes[which], places[which]
        where = f", plane {' '.join(map(str, plane.index))}" if plane.index else ""
        pictures.append(
            Picture(
                f"Image, and the cells of {result.names[0]}{where} by kind",
                _picture_behind(viewer, place),
                plane.error_map,
            )
        )
    planes = "one plane" if len(places) == 1 else f"the mean of {len(places)} planes, cells counted over all"
    return EvaluationReport(
        title=f"Evaluation of {' and '.join(result.names)}",
        subtitle=f"Against the reference {layers.truth.name}; {planes}.",
        names=result.names,
        scores=[result.scores(which) for which in range(len(result.names))],
        differences=result.differences,
        kinds={
            int(kind): (KIND_WORDS[kind], KIND_COLOURS[kind], count) for kind, count in result.kinds.items()
        },
        errors=_error_rows(result),
        pictures=pictures,
        footer=f"napari-utile {napari_utile.__version__}, {datetime.now():%Y-%m-%d %H:%M}. "
        f"{evaluate_command(file_of(layers.predictions[0]), file_of(layers.truth))}",
    )


def _error_rows(result: EvaluationResult) -> list[list[str]]:
    rows = [["Kind", "Reference cells", "Predicted cells", "Area (px)", "Best IoU", "Row, column", "Plane"]]
    for found in result.errors[:_MOST_ERRORS]:
        error = found.error
        rows.append(
            [
                KIND_WORDS[error.kind],
                ", ".join(map(str, error.truth_ids)) or "–",
                ", ".join(map(str, error.prediction_ids)) or "–",
                str(error.pixels),
                f"{error.iou:.2f}",
                f"{found.center[0]:.0f}, {found.center[1]:.0f}",
                " ".join(map(str, found.index)) or "–",
            ]
        )
    return rows


def _picture_behind(viewer: napari.viewer.Viewer, place: Place) -> Any:
    """Return grey values (Y, X) or colours (Y, X, 3) to show behind the cells, or None."""
    pixels = image_behind(viewer, place)
    if pixels is None:
        return None
    return np.moveaxis(pixels[:3], 0, -1) if len(pixels) >= 3 else pixels[0]
