"""The page of an evaluation."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.metrics.bootstrap import Difference
from napari_utile.engine.metrics.evaluation import evaluate
from napari_utile.engine.reports.evaluation_report import EvaluationReport, Picture

TRUTH = np.zeros((40, 60), np.int32)
TRUTH[5:15, 5:15], TRUTH[25:35, 30:45] = 1, 2
HEADER = ("Kind", "Reference cells", "Predicted cells", "Area (px)", "Best IoU", "Row, column", "Plane")
CERTAIN = Difference(-0.12345, -0.2, -0.1, 12, 0.95)
UNSURE = Difference(0.0, float("nan"), float("nan"), 1, 0.95)


def report(
    difference: Difference = CERTAIN, image: np.ndarray | None = None, errors: int = 30, second: float = 0.5
) -> EvaluationReport:
    scores = evaluate(TRUTH, TRUTH).scores
    return EvaluationReport(
        title="Evaluation of <one> & two",
        subtitle="Against the reference truth; one plane.",
        names=["<one>", "two"],
        scores=[scores, dict.fromkeys(scores, second)],
        differences=[dict.fromkeys(scores, (difference, "planes"))],
        kinds={1: ("matched", "#4daf4a", 12345), 2: ("missed", "#e41a1c", 2)},
        errors=[HEADER, *[("merged", "10, 34", "40", "2134", "0.35", "1262, 1234", "–")] * errors],
        pictures=[Picture("cells", image, np.ones((40, 60), np.uint8))],
        footer="napari-utile",
    )


class Balanced(HTMLParser):
    """Whether every tag that is opened is closed, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "image", [None, np.arange(2400.0).reshape(40, 60), np.full((40, 60, 3), 65535, np.uint16)]
)
@pytest.mark.parametrize("errors", [0, 3])
def test_the_page_is_one_whole_file(tmp_path: Path, image: np.ndarray | None, errors: int) -> None:
    report(image=image, errors=errors).write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert "&lt;one&gt; &amp; two" in page
    assert "<one>" not in page
    assert page.count("src='data:image/png;base64,") == page.count("<img ") == 2, "it needs no other file"
    assert page.count("<td>merged</td>") == errors
    assert "@media print" in page


def test_a_difference_has_its_interval_where_there_is_one_and_is_bold_where_it_is_clear() -> None:
    page = report().html()
    assert "<b>-0.500</b><br><small>95 % interval -0.200 to -0.100, 12 planes</small>" in page
    page = report(UNSURE).html()
    assert "<td class='number'>-0.500</td>" in page
    assert "interval" not in page
    assert "<td class='number'>–</td>" in report(second=float("nan")).html()
