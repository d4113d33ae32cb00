"""The page of an evaluation, as HTML and as PDF."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from napari_utile.engine.metrics.bootstrap import Difference
from napari_utile.engine.metrics.evaluation import evaluate
from napari_utile.engine.reports.evaluation_pdf import sheet_of
from napari_utile.engine.reports.evaluation_report import EvaluationReport, Picture

TRUTH = np.zeros((40, 60), np.int32)
TRUTH[5:15, 5:15], TRUTH[25:35, 30:45] = 1, 2
HEADER = ("Kind", "Reference cells", "Predicted cells", "Area (px)", "Best IoU", "Row, column", "Plane")


def report(
    predictions: int = 2, shape: tuple[int, int] | None = (40, 60), errors: int = 30
) -> EvaluationReport:
    scores = evaluate(TRUTH, TRUTH).scores
    certain = Difference(-0.12345, -0.2, -0.1, 12, 0.95)
    return EvaluationReport(
        title="Evaluation of " + " and ".join(f"prediction {number}" for number in range(predictions)),
        subtitle="Against the reference truth; one plane.",
        names=[f"prediction {number}" for number in range(predictions)],
        scores=[scores] * predictions,
        differences=[dict.fromkeys(scores, (certain, "planes"))] * (predictions - 1),
        kinds={1: ("matched", "#4daf4a", 12345), 2: ("missed", "#e41a1c", 2)},
        errors=[HEADER, *[("merged", "10, 34, 35, 36", "40", "2134", "0.35", "1262, 1234", "–")] * errors],
        pictures=[Picture("cells", None, np.ones(shape, np.uint8))] if shape else [],
        footer="napari-utile",
    )


def test_the_ending_of_the_file_decides_on_its_kind(tmp_path: Path) -> None:
    report().write(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    report().write(tmp_path / "page.PDF")
    content = (tmp_path / "page.PDF").read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/Count 1" in content, "one page"


@pytest.mark.parametrize("predictions", [1, 2, 3])
@pytest.mark.parametrize("shape", [None, (40, 60), (500, 50), (20, 600)])
def test_everything_on_the_sheet_lies_on_it_and_beside_each_other(
    predictions: int, shape: tuple[int, int] | None
) -> None:
    figure = sheet_of(report(predictions, shape))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    texts = [text for text in texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
    rows: dict[int, list] = {}
    for box in boxes:
        rows.setdefault(round(box.y0), []).append(box)
    for row in rows.values():
        for one, other in pairwise(sorted(row, key=lambda box: box.x0)):
            assert one.x1 <= other.x0 + 1, "columns do not run into each other"
    areas = [axes.get_window_extent() for axes in figure.axes]
    for index, one in enumerate(areas):
        assert not any(one.overlaps(other) for other in areas[:index])


def test_a_change_is_written_with_its_interval_where_it_has_one() -> None:
    assert report().change_text("seg", 1) == "+0.000* [-0.200, -0.100]"
    unsure = Difference(0.0, float("nan"), float("nan"), 1, 0.95)
    alone = report()
    alone.differences[0]["seg"] = (unsure, "planes")
    assert alone.change_text("seg", 1) == "+0.000"
    alone.scores[1]["seg"] = float("nan")
    assert alone.change_text("seg", 1) == "–"
