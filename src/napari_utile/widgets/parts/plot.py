"""A small dark plot, in every theme, that does not move under the mouse."""

import pyqtgraph

__all__ = ["BACKGROUND", "FOREGROUND", "PLOT_COLOURS", "Plot"]

PLOT_COLOURS = ("#3fa7ff", "#ff9f1c", "#4daf4a", "#c77dff", "#e41a1c", "#8c8c8c")
BACKGROUND = "#262930"
FOREGROUND = "#d0d2d6"


class Plot(pyqtgraph.PlotWidget):  # type: ignore[misc]
    """A plot with a grid and a label at each axis."""

    def __init__(self, x_label: str, y_label: str) -> None:
        super().__init__(background=BACKGROUND)
        self.setMinimumHeight(110)
        self.setMouseEnabled(False, False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.showGrid(x=True, y=True, alpha=0.2)
        self.name_axes(x_label, y_label)

    def name_curves(self) -> None:
        """Show the names of the curves that are drawn from now on."""
        self.addLegend(offset=(5, -5), labelTextColor=FOREGROUND, labelTextSize="8pt")

    def name_axes(self, x_label: str, y_label: str) -> None:
        """Write other words at the axes."""
        for side, text in (("bottom", x_label), ("left", y_label)):
            self.setLabel(side, text, color=FOREGROUND)
            self.getAxis(side).setTextPen(FOREGROUND)
            self.getAxis(side).enableAutoSIPrefix(False)
