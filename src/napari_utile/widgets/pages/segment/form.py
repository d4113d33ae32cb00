"""What the Segment page looks like: its rows, groups and words. It shows state; the page acts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import napari.viewer
from qtpy.QtWidgets import (
    QCheckBox,
    QGraphicsOpacityEffect,
    QLabel,
    QMenu,
    QPushButton,
    QWidget,
)

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.parameters import describe
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.words import three_digits
from napari_utile.session.results import SegmentResult
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.pages.segment.edited_cells import EditedCells
from napari_utile.widgets.pages.segment.linking import Linking
from napari_utile.widgets.pages.segment.seams import Seams
from napari_utile.widgets.pages.segment.store_edit import StoreEdit
from napari_utile.widgets.pages.segment.store_run import StoreRun
from napari_utile.widgets.pages.segment.summary import summary_of, summary_of_linked
from napari_utile.widgets.parts.arrange import column, fields, line, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form, align_labels
from napari_utile.widgets.parts.grow_fields import GrowFields
from napari_utile.widgets.parts.model_suggestions import ModelSuggestions
from napari_utile.widgets.parts.plane_picker import PlanePicker
from napari_utile.widgets.parts.region_picker import RegionPicker
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.size_field import SizeField
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.preferences import preferred
from napari_utile.widgets.viewer.layers import Place

# Most specks are smaller; the box beside the slider takes larger sizes. Pixels.
_SLIDE_SIZE = (0, 500)


class SegmentForm(QWidget):
    """The widgets of the Segment page.

    Attributes
    ----------
    seen, compute : Form
        Of `SegmentParams`: what the network gets; and device, precision and tile size.
    instances, more_instances : Form
        Of `InstanceParams`: what people change often, and the rest.
    grow : GrowFields
        Nuclei to whole cells.
    store : StoreRun
        Large images: into a store on disk.
    edit_store : StoreEdit
        Their cells, part by part.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self.suggestions = ModelSuggestions(session)
        self.planes = PlanePicker(session.planes)
        self.planes.changed.connect(lambda: setattr(session, "planes", self.planes.chosen))
        self._planes_label = QLabel("Planes")
        self.region = RegionPicker(viewer, session.region)
        self.region.changed.connect(lambda: setattr(session, "region", self.region.chosen))
        self._make_diameter()
        self.estimate = _quiet()
        self.run_bar = RunBar("Segment", "Find the cells of this image. Key: Ctrl+Enter.")
        self.status = StatusLine()
        self.linking = Linking(viewer, session, self.planes, self.status)
        self.store = StoreRun(viewer, session, self.linking)
        self.edit_store = StoreEdit(viewer, session, self.status)
        self._linking_label = QLabel("Link")
        self.edited = EditedCells(viewer, session)
        self.seams = Seams(viewer, session, self.status)
        self.instances = Form(
            InstanceParams(), ("threshold", "minimum_size", "split"), slide={"minimum_size": _SLIDE_SIZE}
        )
        self.more_instances = Form(InstanceParams(), ("fill_holes", "grow"), sliders=False)
        self.seen = Form(SegmentParams(), ("preprocess", "limits", "channel_limits", "percentiles"))
        self.grow = GrowFields(viewer, session.growing)
        self.grow.changed.connect(lambda: setattr(session, "growing", self.grow.chosen))
        session.growing = self.grow.chosen  # labels that are made later are not chosen by a dock opened again
        self.compute = Form(preferred(SegmentParams()), ("device", "precision", "tile"))
        self.fit = push_button(
            "Fit to these cells", "Choose model, size and settings by three or more painted cells."
        )
        self.train = push_button("Train…", "Teach the model your cells by a few painted ones.")
        self.methods = push_button(
            "Copy methods text",
            "Copy a paragraph for a paper: versions, model, settings, share of edited cells. It tells of cells "
            "that were made in this window; of a result on disk its recipe tells.",
        )
        self.load = push_button(
            "Load settings", "Take the settings of a saved file, or of the recipe of a result."
        )
        self.load_menu = QMenu(self.load)
        self.load.setMenu(self.load_menu)
        self.keep = push_button(
            "Save settings…", "Save these settings for other images, here or on the command line."
        )
        self.summary = Words()
        self.weight_map = QCheckBox("Show the weight map of the cells")
        self.weight_map.setToolTip(
            "The pixels that training on these cells would weigh most: the narrow gaps between neighbours."
        )
        self.network_view = QCheckBox("Show what the network gets")
        self.network_view.setToolTip(
            "The plane on screen after these steps, between the grey limits, at the size that the model sees."
        )
        self.show_table = push_button("Table", "Open the table of areas, positions and intensities.")
        self.show_plots = push_button(
            "Plots", "Open a histogram and a scatter plot of the cells, filters and colours."
        )
        self.save = push_button(
            "Save results…",
            "Save the cells, their table and their recipe; they open again with pixel size and units.",
        )
        self.copy_command = push_button(
            "Copy command", "Copy the command line that does the same, for many images or for your notes."
        )
        self.edited.hidden.connect(lambda name: self.status.say(f"“{name}” is hidden, not deleted."))
        self._adjust = QWidget()
        self._said_of: Any = None  # the image that the sentence below is about
        self._arrange()
        self.status.say("")
        self.show_result(None)

    def _make_diameter(self) -> None:
        parameter = next(each for each in describe(SegmentParams) if each.name == "diameter")
        self.diameter = SizeField(parameter)
        self.measure_diameter = QPushButton("Draw")
        room_for(self.measure_diameter, self.measure_diameter.text(), beside=24)
        self.measure_diameter.setToolTip("Draw a line across a typical cell to measure its diameter.")

    def _arrange(self) -> None:
        self.diameter.line.insertWidget(1, self.measure_diameter)
        top = fields(
            (self._planes_label, self.planes),
            (self._linking_label, self.linking.kind),
            ("Where", self.region),
            ("Cell diameter", self.diameter.native),
        )
        heading = _heading("Adjust the result")
        column(heading, self.edited, self.instances.native, self.summary, on=self._adjust)
        self.more = folded(
            "Advanced",
            self.weight_map,
            self.more_instances.native,
            self.seen.native,
            self.network_view,
            self.compute.native,
            row(self.load, self.keep),
            self.seams,
        )

        self._remedies = QWidget()
        row(self.fit, self.train, on=self._remedies)
        column(
            top,
            self.linking,
            self.suggestions,
            self._remedies,
            self.estimate,
            self.run_bar,
            self.store,
            self.edit_store,
            line(),
            self._adjust,
            folded("Grow from nuclei", self.grow),
            self.more,
            row(self.save, self.show_table, self.show_plots),
            row(self.copy_command, self.methods),
            None,
            on=self,
            margins=(8, 8, 8, 8),
            spacing=8,
        )
        align_labels(top, self.instances.rows)
        align_labels(self.seen.rows, self.compute.rows)

    def show_image(self, image: ChosenImage) -> None:
        """Offer what needs an image only where there is one; what was said of another one goes."""
        has_image = image.layer is not None
        if image.layer is not self._said_of:
            self._said_of = image.layer
            self.status.say("")
        self.region.set_source_layer(image.layer)
        self.suggestions.setVisible(has_image)
        self._remedies.setVisible(has_image)
        for widget in (self.run_bar.run_button, self.measure_diameter, self.copy_command):
            widget.setEnabled(has_image)
        if not has_image:
            self.estimate.setText("")
        self._linking_label.setVisible(self.linking.show_image(image))

    def show_place(self, layer: Any, place: Place | None, in_3d: bool = False) -> None:
        """Say which plane is on screen, and offer the others."""
        self._planes_label.setVisible(self.planes.show_place(layer, place, in_3d))

    def show_devices(self, devices: tuple[str, ...]) -> None:
        """Offer only the devices that this computer has, once they are known."""
        combo: Any = self.compute["device"].native
        items = combo.model()
        for index in range(combo.count()):
            items.item(index).setEnabled(not devices or combo.itemText(index) in ("auto", *devices))

    def show_params(self, params: SegmentParams) -> None:
        """Show everything but model, channels and instances."""
        with self.diameter.changed.blocked():  # until all is shown
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
        params: SegmentParams = replace(
            self.compute.value(), diameter=self.diameter.value, instances=None, **seen
        )
        return params

    def show_instances(self, params: InstanceParams) -> None:
        """Show instance parameters, for example those that a model suggests."""
        self.instances.set_value(params)
        self.more_instances.set_value(params)

    def show_model_diameter(self, diameter: float | None) -> None:
        """Say which cell diameter the model expects."""
        self.diameter.enabled = diameter is not None
        self.measure_diameter.setEnabled(diameter is not None)
        expects = (
            ""
            if diameter is None
            else f" This model was trained on cells of about {three_digits(diameter)} px."
        )
        self.diameter.box.setToolTip(
            "Typical diameter of your cells; the image is rescaled to what the model expects. "
            f"Type a number to set it yourself.{expects}"
        )

    def show_cells(self, layer: Any) -> None:
        """Offer to save and to measure cells where some are chosen."""
        self.save.setEnabled(layer is not None)
        self.show_table.setEnabled(layer is not None)

    def show_linked(self, rows: Mapping[str, Any], axis: str) -> None:
        """Say how many objects or tracks there are, by their table."""
        self.summary.setText(summary_of_linked(rows, axis))
        self.show_table.setEnabled(len(rows["index"]) > 0)

    def show_result(
        self, rows: Mapping[str, Any] | None, result: SegmentResult | None = None, where: str = ""
    ) -> None:
        """Say how many cells there are and how large, by their table; None: there is nothing to adjust yet."""
        if rows is None:
            self.summary.setText(
                "Press Segment first; changes here then show at once, without running the network again."
                if self.store.isHidden()
                else "Large results are made with these values; to change them, segment again into another place."
            )
        else:
            plane = None if result is None else result.segmentation.plane
            covered = {} if result is None else result.covered_by(rows)
            self.summary.setText(summary_of(rows, covered, plane, where))
        self.methods.setEnabled(rows is not None)
        some = rows is not None and len(rows["index"]) > 0
        self.show_table.setEnabled(some or (rows is None and self.save.isEnabled()))


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _quiet() -> Words:
    words = Words()
    faint = QGraphicsOpacityEffect(words)
    faint.setOpacity(0.7)
    words.setGraphicsEffect(faint)
    return words
