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
        for name, evaluation in zip(result.names, plane.evaluations, strict=True):
            columns["prediction"].append(name)
            columns["plane"].append(" ".join(map(str, plane.index)))
            for score, value in evaluation.scores.items():
                columns.setdefault(score, []).append(value)
    return columns


def command_of(layers: ComparedLayers, every_plane: bool) -> tuple[str, str]:
    """Return the command line that compares the files of these layers, and what to know before it is run."""
    number = "_{}" if len(layers.predictions) > 1 else ""
    predictions = [
        _file_of(layer) or f"PREDICTION{number.format(place)}.tif"
        for place, layer in enumerate(layers.predictions, 1)
    ]
    ignore = None
    if layers.ignore is not None:
        ignore = (None if layers.ignored_shapes is not None else _file_of(layers.ignore)) or "MASK.tif"
    hints = []
    if not all(map(_file_of, (*layers.paired, layers.truth))):
        hints.append("Put your files' names into it.")
    if layers.ignored_shapes is not None:
        hints.append(f"Save the inside of {layers.ignored_shapes.name} as labels, MASK.tif, first.")
    if not every_plane and np.prod(layers.truth.data.shape[:-2]) > 1:
        hints.append("It scores every plane of the stack.")
    reference = _file_of(layers.truth) or "REFERENCE.tif"
    return evaluate_command(predictions, reference, ignore), " ".join(hints)


def _file_of(layer: Any) -> str | None:
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
    planes = f"the mean of {len(places)} planes, cells counted over all"
    if len(places) == 1:
        index = result.planes[0].index
        planes = f"plane {' '.join(map(str, index))}" if index else "one plane"
    hidden = f", without the pixels that {layers.ignore.name} hides" if layers.ignore is not None else ""
    command, hint = command_of(layers, len(places) > 1)
    return EvaluationReport(
        title=f"Evaluation of {' and '.join(result.names)}",
        subtitle=" ".join(
            [f"Against the reference {layers.truth.name}; {planes}{hidden}.", *layers.doubts, *result.doubts]
        ),
        names=result.names,
        scores=[result.scores(which) for which in range(len(result.names))],
        differences=result.differences,
        kinds={
            int(kind): (KIND_WORDS[kind], KIND_COLOURS[kind], count) for kind, count in result.kinds.items()
        },
        errors=_error_rows(result),
        pictures=pictures,
        footer=f"napari-utile {napari_utile.__version__}, {datetime.now():%Y-%m-%d %H:%M}. "
        f"{command}{f' ({hint})' if hint else ''}",
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
