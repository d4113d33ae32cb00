"""The tab *Plots*: measurements of the cells, a filter by them, and colours by them."""

from typing import Any, cast

import napari.viewer
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QComboBox, QWidget

from napari_utile.engine.words import counted, three_digits
from napari_utile.session.cell_classes import CLASS
from napari_utile.session.cell_filter import CellFilter, numeric_columns
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.parts.arrange import column, fields, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.number_box import NumberBox
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.plots.filtering import erase, is_by_plane, taken_rows
from napari_utile.widgets.plots.plots import Histogram, Scatter
from napari_utile.widgets.viewer.cell_colours import colour_by, colour_limits, coloured_by
from napari_utile.widgets.viewer.cell_tables import rows_of
from napari_utile.widgets.viewer.layers import give_keys_to_canvas, place_of, plain_viewer, session_of
from napari_utile.widgets.viewer.regions import go_to

_KINDS = (("smaller than", "smaller"), ("larger than", "larger"), ("touching the border", "border"))
_OWN = "each cell"
_MOST_DECIMALS = 15
_NOTHING = "There is no table of these cells yet: press Segment, or Table where you have cells."


class PlotsTab(QWidget):
    """Plots of the chosen cells on screen, linked with the selected one."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session_of(viewer)
        self.column = choice("Measurement", "What the histogram shows and the filter uses.")
        self.other = choice("Against", "What the first measurement is drawn against.")
        self.colours = choice("Colour by", "How the cells on the image are coloured.")
        self.kind = choice("Filter", "Which cells the button removes.", _KINDS)
        self.histogram, self.scatter = Histogram(), Scatter()
        self.value = NumberBox()
        self.every_plane = QCheckBox("All planes")
        self.remove = push_button("Remove", "Remove these cells from the labels: one step to undo (Ctrl+Z).")
        self.status = StatusLine()
        self._arrange()
        self._connect()
        self.follow()

    def _arrange(self) -> None:
        self.value.setRange(-1e12, 1e12)
        self.value.setAccessibleName("Limit of the filter")
        self.value.setToolTip("Drag the line in the histogram, or type a value.")
        self.every_plane.setToolTip(
            "Remove such cells from every plane of the layer, not just the one on screen."
        )
        room_for(self.value, "-00000000.000")
        column(
            fields(("Measurement", self.column)),
            (self.histogram, 2),
            row((self.kind, 1), self.value),
            self.every_plane,
            self.remove,
            fields(("Against", self.other), ("Colour by", self.colours)),
            (self.scatter, 3),
            self.status,
            on=self,
            margins=None,
        )

    def _connect(self) -> None:
        self.column.activated.connect(self._column_chosen)
        self.other.activated.connect(lambda _: self._draw())
        self.colours.activated.connect(lambda _: self._colour())
        self.kind.activated.connect(lambda _: self._draw())
        self.value.valueChanged.connect(lambda _: self._draw())
        self.histogram.cut.connect(self.value.setValue)
        self.remove.clicked.connect(lambda _: self.remove_cells())
        self.every_plane.toggled.connect(lambda _: self._draw())
        self.scatter.clicked.connect(self.choose)
        self._connections, self._layer_connections = Connections(self), Connections(self)
        self._connections.connect(self._session.events.cells, self.follow)
        for emitter in (self._viewer.dims.events.current_step, self._viewer.dims.events.order):
            self._connections.connect(emitter, self.follow)

    @property
    def filter(self) -> CellFilter:
        """What the button removes."""
        return CellFilter(self.kind.currentData(), self.column.currentText(), float(self.value.value()))

    def follow(self, _: object = None) -> None:
        """Show the cells that are chosen and on screen now."""
        self._layer_connections.disconnect_all()
        layer = self._session.cells
        if layer is not None:
            self._layer_connections.connect(layer.events.selected_label, self._show_chosen)
            self._layer_connections.connect(layer.events.features, self._show_table)
            self._layer_connections.connect(layer.events.colormap, self._show_colours)
        self._show_table()

    def _show_table(self, _: object = None) -> None:
        names = numeric_columns(self._rows())
        had = self.column.currentText()
        for combo, first in ((self.column, "area_px"), (self.other, _intensity(names))):
            _fill(combo, names, first)
        layer = self._session.cells
        classed = layer is not None and CLASS in layer.features
        _fill(self.colours, [_OWN, *([CLASS] if classed else []), *names], _OWN)
        by_plane = layer is not None and bool(names) and is_by_plane(layer, place_of(layer, self._viewer))
        self.every_plane.setVisible(by_plane)
        self.setEnabled(bool(names))
        self._show_colours()
        if self.column.currentText() != had:
            self._column_chosen()
        else:
            self.value.setDecimals(max(self.value.decimals(), _decimals(self._values(self.column))))
            self._draw()

    def _column_chosen(self, _: object = None) -> None:
        values = self._values(self.column)
        decimals, least = _decimals(values), float(np.min(values, where=np.isfinite(values), initial=np.inf))
        with QSignalBlocker(self.value):
            self.value.setDecimals(decimals)
            limit = round(least, decimals) if np.isfinite(least) else 0.0
            self.value.setValue(limit if limit <= least else limit - 10.0**-decimals)  # no cell is smaller
        self._draw()

    def _draw(self) -> None:
        wanted, taken = self.filter, self._taken()
        values = self._values(self.column)
        self.value.setEnabled(wanted.kind != "border")
        self.histogram.show_values(wanted.column, values)
        self.histogram.show_cut(None if wanted.kind == "border" else wanted.value, wanted.kind == "smaller")
        names = wanted.column, self.other.currentText()
        self.scatter.show_points(
            names,
            self._rows().get("index", ()),
            values,
            self._values(self.other),
            self._rows(taken).get("index", ()),
        )
        count = int(taken.sum())
        self.remove.setText(f"Remove {counted(count, 'cell')}")
        self.remove.setEnabled(count > 0)
        self._show_chosen()

    def _show_chosen(self, _: object = None) -> None:
        label, rows = self._label(), self._rows()
        found = np.flatnonzero(np.asarray(rows.get("index", ())) == label)
        column = self._values(self.column)
        self.histogram.show_chosen(float(column[found[0]]) if found.size else None)
        self.scatter.show_chosen(label)

    def choose(self, label: int) -> None:
        """Select a cell, and bring it into the middle of the image."""
        layer, rows = self._session.cells, self._rows()
        if layer is None:
            return
        row = np.flatnonzero(np.asarray(rows["index"]) == label)[0]
        layer.selected_label = label
        self._viewer.layers.selection.active = layer
        if "centroid_y" in rows:
            go_to(self._viewer, layer, [float(rows["centroid_y"][row]), float(rows["centroid_x"][row])])

    def remove_cells(self) -> None:
        """Remove the cells that the filter takes away, as one step to undo."""
        layer, taken = self._session.cells, self._taken()
        if layer is None or not taken.any():
            return
        erase(layer, place_of(layer, self._viewer), taken, self._every)
        self._viewer.layers.selection.active = layer
        give_keys_to_canvas(self._viewer)
        self.status.say(f"{taken.sum()} removed; Ctrl+Z on “{layer.name}” brings them back.", "good")

    def _colour(self) -> None:
        layer, chosen = self._session.cells, self.colours.currentText()
        if layer is not None:
            with failures_to(self._not_coloured):
                colour_by(self._viewer, layer, "" if chosen == _OWN else chosen)

    def _not_coloured(self, error: Exception) -> None:
        self._show_colours()
        self.status.failed(error)

    def _show_colours(self, _: object = None) -> None:
        """Say what the colours of the cells are, whoever chose them."""
        layer, said = self._session.cells, "" if self.column.count() else _NOTHING
        if layer is not None:
            self.colours.setCurrentText(coloured_by(layer) or _OWN)
            if said == "" and (limits := colour_limits(layer)) is not None:
                said = f"Dark blue {three_digits(limits[0])} to yellow {three_digits(limits[1])}."
        self.status.say(said)

    def _rows(self, some: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Give the rows of the plane on screen, perhaps only some."""
        layer = self._session.cells
        if layer is None or "index" not in layer.features:
            return {}
        try:
            return rows_of(layer, place_of(layer, self._viewer).plane, some)
        except ValueError:  # nothing of it is on screen
            return {}

    @property
    def _every(self) -> bool:
        return self.every_plane.isVisibleTo(self) and self.every_plane.isChecked()

    def _taken(self) -> NDArray[np.bool_]:
        layer = self._session.cells
        if layer is None or not self._rows() or not self.column.currentText():
            return np.zeros(0 if layer is None else len(layer.features), bool)
        return taken_rows(cast(Any, layer), place_of(layer, self._viewer), self.filter, self._every)

    def _values(self, combo: QComboBox) -> np.ndarray[Any, Any]:
        rows = self._rows()
        unknown = np.full(len(rows.get("index", ())), np.nan)  # of a table of classes alone, say
        return np.asarray(rows.get(combo.currentText(), unknown), dtype=float)

    def _label(self) -> int:
        layer = self._session.cells
        return 0 if layer is None else int(layer.selected_label)

    def changeEvent(self, event: QEvent | None) -> None:
        """End when napari's X has taken this out of its frame."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._connections.disconnect_all()
            self._layer_connections.disconnect_all()
            self.deleteLater()


def _decimals(values: np.ndarray[Any, Any]) -> int:
    """Return how many decimals tell apart a hundredth of the range of some values."""
    finite = values[np.isfinite(values)]
    spread = float(np.ptp(finite)) if finite.size else 0.0
    return int(np.clip(2 - np.floor(np.log10(spread)), 2, _MOST_DECIMALS)) if spread else 2


def _intensity(names: list[str]) -> str:
    return next((name for name in names if name.startswith("intensity_mean")), names[-1] if names else "")


def _fill(combo: QComboBox, names: list[str], first: str) -> None:
    """List other entries; the chosen one stays where it can."""
    had = combo.currentText()
    if [combo.itemText(row) for row in range(combo.count())] == names:
        return
    combo.clear()
    combo.addItems(names)
    combo.setCurrentText(had if had in names else first)
