"""The scores of one or more predictions, each explained on hover."""

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_utile.engine.metrics.bootstrap import Difference
from napari_utile.engine.metrics.glossary import GLOSSARY, Score
from napari_utile.session.evaluation import EvaluationResult

_CONFIDENCE = "95 %"
_NAMES, _NARROWEST = 125, 44
"""Widths in pixels: of the scores' names beside several predictions, and of the narrowest column."""


class ScoreTable(QTableWidget):
    """One row a score, one column a prediction, and behind all but the first their difference from the first."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Scores")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.setWordWrap(False)
        rows = self.verticalHeader()
        if rows is not None:
            rows.setVisible(False)
            rows.setDefaultSectionSize(21)
        self.setMinimumHeight(110)

    def show_result(self, result: EvaluationResult) -> None:
        """Fill the table."""
        names = result.names
        self.setColumnCount(2 * len(names))
        headers = ["", names[0]]
        for name in names[1:]:
            headers += [name, "change"]
        self.setHorizontalHeaderLabels(headers)
        for column, text in enumerate(headers):
            item = self.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(f"Difference from {names[0]}" if column > 2 and column % 2 else text)
        groups = list(dict.fromkeys(score.group for score in GLOSSARY.values()))
        self.clearSpans()
        self.setRowCount(len(GLOSSARY) + len(groups))
        means = [result.scores(which) for which in range(len(names))]
        row = 0
        for group in groups:
            self._group(row, group)
            row += 1
            for key, score in GLOSSARY.items():
                if score.group == group:
                    self._row(row, key, score, means, result)
                    row += 1
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Let numbers be whole before names are; what is cut off is in the tips."""
        header = self.horizontalHeader()
        if header is None:
            return
        header.setMinimumSectionSize(_NARROWEST)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        widest = self.sizeHintForColumn(0)
        self.setColumnWidth(0, widest if self.columnCount() == 2 else min(widest, _NAMES))
        for column in range(3, self.columnCount(), 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def _group(self, row: int, name: str) -> None:
        item = QTableWidgetItem(name)
        font = item.font()
        font.setBold(True)
        item.setFont(font)
        self.setItem(row, 0, item)
        self.setSpan(row, 0, 1, self.columnCount())

    def _row(
        self, row: int, key: str, score: Score, means: list[dict[str, float]], result: EvaluationResult
    ) -> None:
        help_text = _help(score)
        label = QTableWidgetItem(score.label)
        label.setToolTip(help_text)
        self.setItem(row, 0, label)
        for which, one in enumerate(means):
            column = 1 if which == 0 else 2 * which
            self.setItem(row, column, _number(score.text(one[key]), help_text))
            if which:
                difference, over = result.differences[which - 1][key]
                change = one[key] - means[0][key]
                self.setItem(row, column + 1, _difference(score, change, difference, over))


def _number(text: str, help_text: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setToolTip(help_text)
    return item


def _difference(score: Score, change: float, difference: Difference, over: str) -> QTableWidgetItem:
    if change != change:
        return _number("–", "Undefined for one of the two.")
    digits = score.decimals
    text = f"{change:+.{digits}f}"
    if difference.low != difference.low:
        return _number(
            text, "One plane is not enough to say how certain this is; only SEG is compared by cell."
        )
    interval = f"{difference.low:+.{digits}f} to {difference.high:+.{digits}f}"
    sure = "The interval leaves out 0." if difference.is_clear else "It may well be chance."
    item = _number(
        f"{text}*" if difference.is_clear else text,
        f"{_CONFIDENCE} interval of the mean difference: {interval} "
        f"(paired bootstrap over {difference.pairs} {over}). {sure}",
    )
    if difference.is_clear:
        font = item.font()
        font.setBold(True)
        item.setFont(font)
    return item


def _help(score: Score) -> str:
    better = {True: " Higher is better.", False: " Lower is better.", None: ""}[score.higher_is_better]
    source = f"<br><i>{score.source}</i>" if score.source else ""
    return f"<p>{score.explanation}{better}</p><p>{escape(score.formula, quote=False)}{source}</p>"
