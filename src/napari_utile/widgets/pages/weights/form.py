"""What the Weights page looks like. It shows state; the page acts."""

import napari.viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QTabWidget,
    QWidget,
)

from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.widgets.pages.weights.budget_tab import LossBudgetTab
from napari_utile.widgets.pages.weights.check_tab import AnnotationCheckTab
from napari_utile.widgets.pages.weights.follower import TERMS
from napari_utile.widgets.pages.weights.hover import PixelReading
from napari_utile.widgets.pages.weights.overlay import COLORMAP
from napari_utile.widgets.pages.weights.profile_tab import WeightProfileTab
from napari_utile.widgets.parts.arrange import column, fields, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.colour_legend import ColourLegend
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, align_labels, choice
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words

# Where most values lie; the boxes beside the sliders take all that is allowed.
_SLIDE = {"w0": (0.0, 50.0), "sigma": (0.5, 20.0)}
_POINT = "Point at the image to see why a pixel weighs what it does."
_NO_LABELS = (
    "Paint two cells close together in a Labels layer, segment an image, or choose labels as Cells above, to see the "
    "weights."
)


class WeightsForm(QWidget):
    """The widgets of the Weights page.

    Attributes
    ----------
    term : QComboBox
        Its data are the keys of `TERMS`.
    main, more : Form
        Of `WeightMapParams`.
    tabs : QTabWidget
        Of `budget`, `check` and `profile`.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.term = choice("Show", "What the overlay shows.", ((text, key) for key, text in TERMS.items()))
        self.show_overlay = QCheckBox("Show on the image")
        self.show_overlay.setChecked(True)
        self.show_lines = QCheckBox("Lines to cells")
        self.show_lines.setChecked(True)
        self.show_lines.setToolTip("Draw lines from the mouse to the two nearest cells.")
        self.legend = ColourLegend(COLORMAP)
        self.main = Form(WeightMapParams(), ("w0", "sigma", "balance"), slide=_SLIDE)
        self.more = Form(WeightMapParams(), ("balance_limit", "everywhere"))
        self.readout = Words(_POINT, rich=True, lines=3)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.budget = LossBudgetTab(viewer)
        self.check = AnnotationCheckTab()
        self.profile = WeightProfileTab(viewer)
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        self.tabs.addTab(self.budget, "Loss budget")
        self.tabs.addTab(self.profile, "Profile")
        self.checking = folded("Check labels", self.check)
        self.explain = folded("Explain", self.tabs)
        self.save = push_button(
            "Save…", "Save what is shown as a TIFF of 32-bit floats, with the parameters as JSON in it."
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that computes the same map from a label file."
        )
        self.status = StatusLine()
        self._arrange()
        self.status.say("")

    def _arrange(self) -> None:
        top = fields(("Show", self.term))
        align_labels(top, self.main.rows)
        column(
            top,
            row(self.show_overlay, self.show_lines),
            self.legend,
            self.main.native,
            folded("More options", self.more.native),
            self.readout,
            self.checking,
            self.explain,
            None,
            row(self.save, self.copy_command),
            on=self,
            margins=(8, 8, 8, 8),
        )

    def params(self) -> WeightMapParams:
        """Return the parameters shown."""
        main, more = self.main.value(), self.more.value()
        return WeightMapParams(main.w0, main.sigma, main.balance, more.balance_limit, more.everywhere)

    def set_has_labels(self, there: bool) -> None:
        """Say what to do first where there are no labels."""
        for widget in (self.save, self.copy_command):
            widget.setEnabled(there)
        if not there:
            self.budget.clear()
            self.check.clear()
            self.profile.show_profile(None)
        self.status.say("" if there else _NO_LABELS)

    def show_reading(self, reading: PixelReading | None) -> None:
        """Say what the mouse points at."""
        if reading is None:
            self.readout.setText(_POINT)
            return
        lines = [
            f"<b>w = {reading.total:.2f}</b> = {reading.class_balance:.2f} class"
            f" + {reading.border:.2f} border"
        ]
        for place, near in enumerate(reading.near, start=1):
            where = "inside" if near.distance == 0 else f"d{place} = {near.distance:.1f} px from"
            lines.append(f"{where} cell {near.cell}")
        self.readout.setText("<br>".join(lines))
