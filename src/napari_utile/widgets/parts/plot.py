"""A small plot in the colours of napari's theme, that does not move under the mouse."""

from typing import Any

import pyqtgraph

from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.theme import lightness, theme_event

PLOT_COLOURS = {
    "dark": {
        "background": "#262930",
        "words": "#d0d2d6",
        "strong": "#ffffff",
        "chosen": "#ffe14d",
        "blue": "#3fa7ff",
        "orange": "#ff9f1c",
        "green": "#4daf4a",
        "violet": "#c77dff",
        "red": "#ff5c5e",
        "grey": "#8f96a3",
    },
    "light": {
        "background": "#fbfaf9",
        "words": "#3b3a39",
        "strong": "#000000",
        "chosen": "#000000",
        "blue": "#0b6bcb",
        "orange": "#b85c00",
        "green": "#2c7a2f",
        "violet": "#7a2fd0",
        "red": "#c1121f",
        "grey": "#6b7280",
    },
}
"""By theme and name; each can be told from the background of its theme."""
CURVES = ("blue", "orange", "green", "violet", "red", "grey")
"""Colours of the first of several curves, the second ..."""

_MARGINS = (2, 8, 2, 4)
"""Left, top, right and bottom (pixels): else the highest number and the words below are cut."""


class Plot(pyqtgraph.PlotWidget):  # type: ignore[misc]
    """A plot with a grid and a label at each axis."""

    def __init__(self, x_label: str, y_label: str) -> None:
        super().__init__()
        self.setMinimumHeight(110)
        self.setMouseEnabled(False, False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.showGrid(x=True, y=True, alpha=0.2)
        self.plotItem.setContentsMargins(*_MARGINS)
        self._words: dict[str, tuple[str, str]] = {}
        self._items: list[tuple[Any, str, float]] = []
        self.name_axes(x_label, y_label)
        self._connections = Connections(self)
        self._connections.connect(theme_event(), self._theme_chosen)
        self._theme_chosen()

    def colour(self, name: str) -> str:
        """Return a colour of `PLOT_COLOURS` as it is in napari's theme."""
        return PLOT_COLOURS[lightness()][name]

    def curve(self, colour: str, width: float, name: str | None = None) -> Any:
        """Draw a curve without points, in one of the `PLOT_COLOURS`."""
        return self.drawn_in(self.plot(name=name), colour, width)

    def drawn_in(self, item: Any, colour: str, width: float) -> Any:
        """Draw an item in one of the `PLOT_COLOURS`, whichever theme is chosen; return it."""
        self._items.append((item, colour, width))
        item.setPen(pyqtgraph.mkPen(self.colour(colour), width=width))
        return item

    def name_curves(self) -> None:
        """Show the names of the curves that are drawn from now on."""
        self.addLegend(offset=(5, -5), labelTextColor=self.colour("words"), labelTextSize="8pt")

    def name_axes(self, x_label: str, y_label: str) -> None:
        """Write other words at the axes."""
        for side, text in (("bottom", x_label), ("left", y_label)):
            self.name_axis(side, text)

    def name_axis(self, side: str, text: str, colour: str = "words") -> None:
        """Write at an axis, in one of the `PLOT_COLOURS`."""
        self._words[side] = text, colour
        self.setLabel(side, text, color=self.colour(colour))
        axis = self.getAxis(side)
        axis.setPen(self.colour("words"))
        axis.setTextPen(self.colour("words"))
        axis.enableAutoSIPrefix(False)

    def recolour(self) -> None:
        """Draw what a subclass drew in the colours of the theme that was chosen."""

    def _theme_chosen(self, _: object = None) -> None:
        self.setBackground(self.colour("background"))
        for side, (text, colour) in self._words.items():
            self.name_axis(side, text, colour)
        for item, colour, width in self._items:
            item.setPen(pyqtgraph.mkPen(self.colour(colour), width=width))
        if self.plotItem.legend is not None:
            self.plotItem.legend.setLabelTextColor(self.colour("words"))
        self.recolour()
