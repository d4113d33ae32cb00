"""An evaluation on one sheet of A4: pictures, scores, precision over IoU and the worst errors."""

import os
import textwrap
from typing import TYPE_CHECKING, Any

from napari_utile.engine.metrics.glossary import GLOSSARY
from napari_utile.engine.reports.evaluation_drawing import draw_precision, painted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_utile.engine.reports.evaluation_report import EvaluationReport

_A4 = 8.27, 11.69
"""Inches."""
_MOST_ERRORS = 14
_SMALL, _TEXT, _TITLE = 6.5, 8.0, 15.0
"""Sizes of type, points."""
_CHARACTER = 0.62
"""Width of a character over the size of its type."""


def write_pdf(report: "EvaluationReport", path: str | os.PathLike[str]) -> None:
    """Write the page of a report as PDF."""
    sheet_of(report).savefig(path, format="pdf", dpi=200)


def sheet_of(report: "EvaluationReport") -> "Figure":
    """Draw the page of a report; it shows the first picture only."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_A4)
    figure.text(0.06, 0.955, _shortened(report.title, 75), fontsize=_TITLE, weight="bold")
    figure.text(0.06, 0.935, _shortened(report.subtitle, 130), fontsize=_TEXT)
    top = 0.915
    if report.pictures:
        top = _draw_pictures(figure, report, top)
    else:
        _draw_legend(figure, report, top)
    below = top - 0.045
    _draw_scores(figure.add_axes((0.06, 0.06, 0.56, below - 0.06)), report)
    curve = figure.add_axes((0.71, below - 0.2, 0.23, 0.17))
    draw_precision(curve, report.names, report.scores)
    for text in (*curve.get_xticklabels(), *curve.get_yticklabels(), curve.xaxis.label, curve.yaxis.label):
        text.set_fontsize(_TEXT)
    _draw_errors(figure.add_axes((0.66, 0.06, 0.30, below - 0.32)), report)
    figure.text(0.06, 0.03, _shortened(report.footer, 170), fontsize=_SMALL, color="#666666")
    return figure


def _draw_pictures(figure: Any, report: "EvaluationReport", top: float) -> float:
    """Draw the first picture, twice; return where it ends."""
    picture = report.pictures[0]
    rows, columns = picture.kinds.shape
    width = 0.43
    height: float = min(width * _A4[0] / _A4[1] * rows / columns, 0.32)
    for left, pixels in zip((0.06, 0.51), painted(picture.image, picture.kinds, report.kinds), strict=True):
        axes = figure.add_axes((left, top - height, width, height))
        axes.imshow(pixels, interpolation="nearest")
        axes.set_axis_off()
    _draw_legend(figure, report, top - height - 0.018)
    return top - height


def _draw_legend(figure: Any, report: "EvaluationReport", y: float) -> None:
    for number, (word, colour, count) in enumerate(report.kinds.values()):
        x = 0.06 + 0.15 * number
        figure.text(x, y, "■", fontsize=_TEXT, color=colour)
        figure.text(x + 0.018, y, f"{count} {word}", fontsize=_TEXT)


def _draw_scores(axes: Any, report: "EvaluationReport") -> None:
    axes.set_axis_off()
    names = [_shortened(name, 18) for name in report.names]
    header = [names[0], *(text for name in names[1:] for text in (name, "change [95 %]"))]
    rows: list[tuple[str, list[str], bool]] = [("", header, True)]
    group = ""
    for key, score in GLOSSARY.items():
        if score.group != group:
            group = score.group
            rows.append((group, [], True))
        cells = []
        for which, one in enumerate(report.scores):
            cells.append(score.text(one[key]))
            if which:
                cells.append(report.change_text(key, which))
        rows.append((score.label, cells, False))

    # Columns are as wide as their longest text, in characters; the type is as large as fits.
    columns = zip(*(cells for _, cells, _ in rows if cells), strict=True)
    widths = [max(len(label) for label, _, _ in rows), *(max(map(len, column)) + 2 for column in columns)]
    rights = [sum(widths[: number + 1]) / sum(widths) for number in range(1, len(widths))]
    place, step = axes.get_position(), 1 / len(rows)
    wide, high = 72 * _A4[0] * place.width, 72 * _A4[1] * place.height
    size = min(_TEXT, 0.72 * high * step, wide / (_CHARACTER * sum(widths)))
    for number, (label, cells, strong) in enumerate(rows):
        y = 1 - (number + 0.75) * step
        weight = "bold" if strong else "normal"
        axes.text(0, y, label, fontsize=size, weight=weight)
        for right, text in zip(rights, cells, strict=False):
            axes.text(right, y, text, fontsize=size, weight=weight, ha="right")
        if strong and number:
            axes.axhline(y - 0.25 * step, color="#999999", linewidth=0.5)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _draw_errors(axes: Any, report: "EvaluationReport") -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(
        0, 0.97, "Worst errors" if len(report.errors) > 1 else "No errors", fontsize=_TEXT, weight="bold"
    )
    step = 0.92 / (_MOST_ERRORS + 1)
    for number, row in enumerate(report.errors[: _MOST_ERRORS + 1] if len(report.errors) > 1 else ()):
        kind, truth, predicted, area, iou, place, _ = row
        words = (
            ("Kind", "Ref.", "Pred.", "px", "IoU", "at")
            if not number
            else (kind, truth, predicted, area, iou, place)
        )
        for x, text in zip((0, 0.18, 0.38, 0.58, 0.7, 0.84), words, strict=True):
            axes.text(
                x,
                0.92 - number * step,
                _shortened(text, 10),
                fontsize=_SMALL,
                weight="normal" if number else "bold",
            )


def _shortened(text: str, most: int) -> str:
    return textwrap.shorten(text, most, placeholder=" …") if " " in text else text[:most]
