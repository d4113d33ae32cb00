"""Where the loss would push: shares of borders, background and cells, and the gaps that carry most."""

import napari.viewer
from qtpy.QtCore import QRectF, QSize, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_utile.engine.weights.loss_budget import LossBudget
from napari_utile.engine.words import percent, three_digits
from napari_utile.widgets.parts.arrange import column, fields
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.place_table import PlaceTable
from napari_utile.widgets.parts.words import Words

_COLOURS = {"borders": "#f98c0a", "background": "#6b6f76", "cells": "#5aa5d6"}


class _ShareBar(QWidget):
    """One bar, divided."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = dict.fromkeys(_COLOURS, 0.0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(120, 14)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        del event
        painter = QPainter(self)
        left = 0.0
        for name, share in self.shares.items():
            width = share * self.width()
            painter.fillRect(QRectF(left, 0, width, self.height()), QColor(_COLOURS[name]))
            left += width
        painter.end()


class LossBudgetTab(QWidget):
    """Shows a `LossBudget`.

    Attributes
    ----------
    probability : LayerCombo
        With a layer chosen, the budget is that of the weighted cross-entropy.
    place_chosen : Signal
        Emitted with row and column, in pixels of the window.
    """

    place_chosen = Signal(float, float)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.probability = LayerCombo(
            viewer, ("Image",), none_text="none: weights only", accept=_is_probability
        )
        self.bar = _ShareBar()
        self.text = Words(rich=True)
        self.table = PlaceTable(("Gap between", "Share", "Peak"), numbers=(1, 2))
        self.table.setToolTip("The gaps between cells that carry most of the loss. Click one to go there.")
        self.table.chosen.connect(self._go)
        form = fields(("Prediction", self.probability))
        column(form, self.bar, self.text, (self.table, 1), on=self, margins=(4, 6, 4, 4))
        self._budget: LossBudget | None = None
        self.clear()

    def show_budget(self, budget: LossBudget) -> None:
        """Show the shares and the gaps."""
        self._budget = budget
        shares = {"borders": budget.borders, "background": budget.background, "cells": budget.cells}
        self.bar.shares = shares
        self.bar.update()
        words = " ".join(
            f'<span style="color:{_COLOURS[name]}">■</span>&nbsp;{name}&nbsp;{percent(share).replace(" ", "&nbsp;")}'
            for name, share in shares.items()
        )
        what = "weight" if budget.loss is None else "weighted cross-entropy"
        self.text.setText(f"{words}<br>Mean {what} of a pixel: {three_digits(budget.mean)}")
        self.table.set_rows(
            [
                (f"{gap.cells[0]} and {gap.cells[1]}", f"{100 * gap.share:.2g} %", f"{gap.peak:.1f}")
                for gap in budget.gaps
            ]
        )

    def clear(self) -> None:
        """Show that there is nothing yet."""
        self._budget = None
        self.bar.shares = dict.fromkeys(_COLOURS, 0.0)
        self.bar.update()
        self.text.setText("Choose labels to see where their loss lies.")
        self.table.set_rows([])

    def _go(self, row: int) -> None:
        if self._budget is not None and row < len(self._budget.gaps):
            self.place_chosen.emit(*self._budget.gaps[row].position)


def _is_probability(layer: object) -> bool:
    """Leave out pictures and the plugin's own weight maps."""
    data = getattr(layer, "data", None)
    if getattr(layer, "multiscale", False) or getattr(layer, "rgb", False):
        return False
    name = str(getattr(layer, "name", ""))
    return getattr(getattr(data, "dtype", None), "kind", "") == "f" and "weight map" not in name
