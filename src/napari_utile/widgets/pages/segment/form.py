"""What the Segment page looks like: its rows, groups and words. It shows state; the page acts."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QGraphicsOpacityEffect,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_utile.engine.cells.classes import covered_in_words
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.parameters import describe
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.results import SegmentResult
from napari_utile.session.state import Session
from napari_utile.widgets.pages.segment.store_run import StoreRun
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, align_labels
from napari_utile.widgets.parts.grow_fields import GrowFields
from napari_utile.widgets.parts.model_suggestions import ModelSuggestions
from napari_utile.widgets.parts.plane_picker import PlanePicker
from napari_utile.widgets.parts.region_picker import RegionPicker
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.size_field import SizeField
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.layers import Place

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["SegmentForm"]

# Most specks are smaller; the box beside the slider takes larger sizes. Pixels.
_SLIDE_SIZE = (0, 500)


class SegmentForm(QWidget):
    """The widgets of the Segment page.

    Attributes
    ----------
    planes : PlanePicker
    region : RegionPicker
    suggestions : ModelSuggestions
    diameter : SizeField
    seen, compute : Form
        Of `SegmentParams`: what the network gets; and device, precision and tile size.
    instances, more_instances : Form
        Of `InstanceParams`: what people change often, and the rest.
    grow : GrowFields
        Nuclei to whole cells.
    run_bar : RunBar
    store : StoreRun
        Large images: into a store on disk.
    estimate, summary : QLabel
    status : StatusLine
    """

    def __init__(
        self, viewer: "napari.viewer.Viewer", session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.suggestions = ModelSuggestions(session)
        self.planes = PlanePicker()
        self._planes_label = QLabel("Planes")
        self.region = RegionPicker(viewer)
        self._make_diameter()
        self.estimate = _quiet_label()
        self.run_bar = RunBar("Segment", "Find the cells of this image.")
        self.store = StoreRun(viewer, session)
        self.instances = Form(
            InstanceParams(), ("threshold", "minimum_size", "split"), slide={"minimum_size": _SLIDE_SIZE}
        )
        self.more_instances = Form(InstanceParams(), ("fill_holes", "grow"), sliders=False)
        self.seen = Form(SegmentParams(), ("preprocess", "limits", "channel_limits", "percentiles"))
        self.grow = GrowFields(viewer)
        self.compute = Form(SegmentParams(), ("device", "precision", "tile"))
        self.fit = push_button(
            "Fit to these cells", "Choose model, size and settings by three or more painted cells."
        )
        self.train = push_button("Train…", "Teach the model your cells by a few painted ones.")
        self.methods = push_button(
            "Copy methods text",
            "Copy a paragraph for a paper: versions, model, settings, share of edited cells.",
        )
        self.load = push_button(
            "Load settings…", "Take the settings of a saved file, or of the recipe of a result."
        )
        self.keep = push_button(
            "Save settings…", "Save these settings for other images, here or on the command line."
        )
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        self.summary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.weight_map = QCheckBox("Show the weight map of the cells")
        self.weight_map.setToolTip(
            "The pixels that training on these cells would weigh most: the narrow gaps between neighbours."
        )
        self.network_view = QCheckBox("Show what the network gets")
        self.network_view.setToolTip(
            "The plane on screen after these steps, between the grey limits, at the size that the model sees."
        )
        self.show_table = push_button("Table", "Open the table of areas, positions and intensities.")
        self.save = push_button(
            "Save results…",
            "Save the cells, their table and their recipe; they open again with pixel size and units.",
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that does the same, for many images or for your notes."
        )
        self.status = StatusLine()
        self._adjust = QWidget()
        self._arrange()
        self.status.say("")
        self.show_result(None)

    def _make_diameter(self) -> None:
        parameter = next(each for each in describe(SegmentParams) if each.name == "diameter")
        self.diameter = SizeField(parameter)
        self.measure_diameter = QPushButton("Draw")
        self.measure_diameter.setMaximumWidth(54)
        self.measure_diameter.setToolTip("Draw a line across a typical cell to measure its diameter.")

    def _arrange(self) -> None:
        top = QFormLayout()
        top.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        top.addRow(self._planes_label, self.planes)
        top.addRow("Where", self.region)
        self.diameter.line.insertWidget(1, self.measure_diameter)
        top.addRow("Cell diameter", self.diameter.native)

        adjust = QVBoxLayout(self._adjust)
        adjust.setContentsMargins(0, 0, 0, 0)
        adjust.addWidget(_heading("Adjust the result"))
        adjust.addWidget(self.instances.native)
        adjust.addWidget(self.summary)

        files = QHBoxLayout()
        files.addWidget(self.load)
        files.addWidget(self.keep)
        self.more = folded(
            "Advanced",
            self.weight_map,
            self.more_instances.native,
            self.seen.native,
            self.network_view,
            self.compute.native,
            files,
            self.methods,
        )

        self._remedies = QWidget()
        remedies = QHBoxLayout(self._remedies)
        remedies.setContentsMargins(0, 0, 0, 0)
        remedies.addWidget(self.fit)
        remedies.addWidget(self.train)
        buttons = QHBoxLayout()
        buttons.addWidget(self.save)
        buttons.addWidget(self.show_table)
        buttons.addWidget(self.copy_command)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self.suggestions)
        layout.addWidget(self._remedies)
        layout.addWidget(self.estimate)
        layout.addWidget(self.run_bar)
        layout.addWidget(self.store)
        layout.addWidget(_line())
        layout.addWidget(self._adjust)
        layout.addWidget(folded("Grow from nuclei", self.grow))
        layout.addWidget(self.more)
        layout.addLayout(buttons)
        layout.addStretch(1)
        align_labels(top, self.instances.rows)
        align_labels(self.seen.rows, self.compute.rows)

    def set_has_image(self, has_image: bool) -> None:
        """Offer what needs an image only where there is one."""
        self.suggestions.setVisible(has_image)
        self._remedies.setVisible(has_image)
        for widget in (self.run_bar.run_button, self.measure_diameter, self.copy_command):
            widget.setEnabled(has_image)
        if not has_image:
            self.estimate.setText("")

    def show_place(self, layer: Any, place: Place | None) -> None:
        """Say which plane is on screen, and offer the others."""
        self._planes_label.setVisible(self.planes.show_place(layer, place))

    def show_devices(self, devices: tuple[str, ...]) -> None:
        """Offer only the devices that this computer has, once they are known."""
        combo: Any = self.compute["device"].native
        items = combo.model()
        for index in range(combo.count()):
            items.item(index).setEnabled(not devices or combo.itemText(index) in ("auto", *devices))

    def show_params(self, params: SegmentParams) -> None:
        """Show everything but model, channels and instances."""
        self.diameter.value = params.diameter
        self.seen.set_value(params)
        self.compute.set_value(params)

    def params(self) -> SegmentParams:
        """Give everything but model, channels and instances.

        Raises
        ------
        ValueError
            Where values do not belong together.
        """
        seen = {field.name: field.value for field in self.seen}
        params: SegmentParams = replace(self.compute.value(), diameter=self.diameter.value, **seen)
        return params

    def show_instances(self, params: InstanceParams) -> None:
        """Show instance parameters, for example those that a model suggests."""
        self.instances.set_value(params)
        self.more_instances.set_value(params)

    def show_model_diameter(self, diameter: float | None) -> None:
        """Say which cell diameter the model expects."""
        self.diameter.enabled = diameter is not None
        self.measure_diameter.setEnabled(diameter is not None)
        expects = "" if diameter is None else f" This model was trained on cells of about {diameter:g} px."
        self.diameter.box.setToolTip(
            "Typical diameter of your cells; the image is rescaled to what the model expects. "
            f"Type a number to set it yourself.{expects}"
        )

    def show_result(self, result: SegmentResult | None) -> None:
        """Say how many cells there are and how large; None says that there is nothing to adjust yet."""
        if result is None:
            self.summary.setText(
                "Press Segment first; changes here then show at once, without running the network again."
            )
        else:
            self.summary.setText(summary_of(result))
        self.show_table.setEnabled(result is not None and result.count > 0)


def summary_of(result: SegmentResult) -> str:
    """Say in one sentence what was found.

    Parameters
    ----------
    result : SegmentResult

    Returns
    -------
    str
        For example ``"132 cells, median area 41.2 µm², median diameter 7.2 µm; they cover 23 % of the area."``
    """
    if result.count == 0:
        return "No cells were found; lower the threshold or the minimum size, or try another model."
    plane = result.segmentation.plane
    area = float(np.median(result.features["area_px"]))
    unit = "px"
    if plane.pixel_size is not None and plane.unit is not None:
        area, unit = area * plane.pixel_size[0] * plane.pixel_size[1], plane.unit
    diameter = 2 * np.sqrt(area / np.pi)
    cells = "1 cell" if result.count == 1 else f"{result.count} cells"
    return (
        f"{cells}, median area {area:.3g} {unit}², median diameter {diameter:.3g} {unit}; {_covered(result)}."
    )


def _covered(result: SegmentResult) -> str:
    """Say which share of the area is covered, and by which classes."""
    said = f"{'it covers' if result.count == 1 else 'they cover'} {covered_in_words(result.covered)}"
    if len(result.covered) < 2:
        return said
    counts = Counter(str(name) for name in result.features["class"])
    return f"{said} ({', '.join(f'{counts[name]} {name}' for name in result.covered)})"


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _quiet_label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    faint = QGraphicsOpacityEffect(label)
    faint.setOpacity(0.7)
    label.setGraphicsEffect(faint)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return label


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    line.setObjectName("line")
    return line
