"""Choose an image layer and which of its channels count."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from napari_utile.engine.models.outputs import InputChannel
from napari_utile.session.cell_size import Stack
from napari_utile.widgets.parts.forms import narrow
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.viewer.layers import Place, place_of, plain_viewer, plane_of, planes_of
from napari_utile.widgets.viewer.pixel_versions import version_of

if TYPE_CHECKING:
    import napari.layers
    import napari.viewer

    from napari_utile.engine.planes.axes import ImagePlane

__all__ = ["Source", "SourcePicker"]

_COLOURS = ("Red", "Green", "Blue")
_CHANNEL_LABELS = {"c", "ch", "channel", "channels"}
_MOST_CHANNELS = 16


@dataclass(frozen=True, eq=False)
class Source:
    """What the user chose, read at one moment.

    Attributes
    ----------
    layer : napari layer
    place : Place
        Of the current plane.
    plane : ImagePlane
        All channels.
    channels : tuple of int, optional
        The chosen ones; None leaves it to the model.
    data_key : hashable
        The layer's word for the pixels of this plane: another one after new data and after ``refresh()``.
    stack : Stack
        The planes of the layer on which the size of its cells is measured.
    """

    layer: "napari.layers.Layer"
    place: Place
    plane: "ImagePlane"
    channels: tuple[int, ...] | None
    data_key: Hashable
    stack: Stack


class SourcePicker(QWidget):
    """An image layer, the axis that holds its channels, and one channel for each that the model reads.

    Attributes
    ----------
    changed : Signal
        Emitted when another layer or channel is chosen.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.viewer.Viewer", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._model_inputs: tuple[InputChannel, ...] = (InputChannel("any"),)
        self.image = LayerCombo(viewer, ("Image",), accept=_is_source)
        self.axis = narrow(QComboBox())
        self.axis.setToolTip(
            "Which slider of this image goes through its channels, if one does. "
            "Otherwise every position of the sliders is a separate image."
        )
        self._axis_label = QLabel("Channels along")
        self._channel_boxes: list[tuple[QLabel, QComboBox]] = []
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._layout.addRow("Image", self.image)
        self._layout.addRow(self._axis_label, self.axis)
        self.image.layer_changed.connect(self._layer_changed)
        self.axis.activated.connect(self._axis_changed)
        self._layer_changed()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.image.layer

    @property
    def channel_axis(self) -> int | None:
        """The axis that holds channels."""
        chosen = self.axis.currentData()
        return None if chosen is None else int(chosen)

    @property
    def channels(self) -> tuple[int, ...] | None:
        """The chosen channels, optional ones only where one is chosen; None leaves the choice to the model."""
        chosen = [box.currentData() for _, box in self._channel_boxes]
        needed = sum(not each.optional for each in self._model_inputs)
        while len(chosen) > needed and chosen[-1] is None:
            chosen.pop()
        if not chosen or any(channel is None for channel in chosen):
            return None
        return tuple(int(channel) for channel in chosen)

    def set_model_inputs(self, inputs: tuple[InputChannel, ...]) -> None:
        """Offer one choice for each channel that the model reads."""
        if inputs != self._model_inputs:
            self._model_inputs = inputs
            self._offer_channels()

    def read(self) -> Source:
        """Read the current plane.

        Raises
        ------
        ValueError
            In one sentence, if there is no image or nothing at the current position.
        """
        layer = self.layer
        if layer is None:
            raise ValueError("Open an image first.")
        place = place_of(layer, self._viewer, self.channel_axis)
        plane = plane_of(layer, self._viewer, channel_axis=self.channel_axis)
        version = version_of(self._viewer, layer)
        key = layer.unique_id, id(layer.data), place.key, place.channel_axis, version
        axes = place.axes, place.channel_axis
        stack = Stack(planes_of(layer, place), (layer.unique_id, id(layer.data), axes, version))
        return Source(layer, place, plane, self.channels, key, stack)

    def _layer_changed(self, _: object = None) -> None:
        layer = self.layer
        with QSignalBlocker(self.axis):
            self.axis.clear()
            self.axis.addItem("no axis", None)
            for axis, label, size in _slider_axes(layer):
                self.axis.addItem(f"{label} ({size})", axis)
                if label.lower() in _CHANNEL_LABELS and size <= _MOST_CHANNELS:
                    self.axis.setCurrentIndex(self.axis.count() - 1)
        many = self.axis.count() > 1
        self.axis.setVisible(many)
        self._axis_label.setVisible(many)
        self._axis_changed()

    def _axis_changed(self, _: object = None) -> None:
        self._offer_channels()

    def _offer_channels(self) -> None:
        for _, box in self._channel_boxes:
            self._layout.removeRow(box)
        self._channel_boxes = []
        names = self._channel_names()
        needed = sum(not each.optional for each in self._model_inputs)
        for index, wanted in enumerate(self._model_inputs if names else ()):
            box = narrow(QComboBox())
            if wanted.optional:
                box.addItem("none", None)
                box.setToolTip(f"The channel that shows {wanted.name}, if there is one: it helps the model.")
            elif needed == 1 and getattr(self.layer, "rgb", False):
                box.addItem("Brightness (mean of the colours)", None)
            elif needed == len(names):
                box.addItem(f"as it comes: {names[index]}", None)
            for number, name in enumerate(names):
                box.addItem(name, number)
            if box.itemData(0) is not None:
                box.setCurrentIndex(min(index, box.count() - 1))
            title = "Channel" if wanted.name in ("", "any") else wanted.name.capitalize()
            label = QLabel(f"{title}, optional" if wanted.optional else title)
            self._layout.addRow(label, box)
            box.activated.connect(self._channel_chosen)
            self._channel_boxes.append((label, box))
        self._channel_chosen()

    def _channel_chosen(self, _: int = 0) -> None:
        """Let an optional channel go with a chosen one, not with the mean of the colours."""
        boxes = [box for _, box in self._channel_boxes]
        for box, wanted in zip(boxes, self._model_inputs, strict=False):
            if wanted.optional:
                box.setEnabled(boxes[0].currentData() is not None or not getattr(self.layer, "rgb", False))
        self.changed.emit()

    def _channel_names(self) -> tuple[str, ...]:
        layer, axis = self.layer, self.channel_axis
        if layer is None:
            return ()
        if layer.rgb:
            return _COLOURS
        if axis is None:
            return ()
        size = next(size for each, _, size in _slider_axes(layer) if each == axis)
        return tuple(f"Channel {number}" for number in range(size))


def _is_source(layer: Any) -> bool:
    """Leave the plugin's own pictures, such as probabilities, out of the list of images."""
    from napari_utile.widgets.viewer.result_layers import is_own

    return not is_own(layer)


def _slider_axes(layer: Any) -> list[tuple[int, str, int]]:
    """List (axis, name, size) of the axes before the last two."""
    if layer is None or layer.rgb:
        return []
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    labels = [
        f"axis {axis}" if label.lstrip("-").isdigit() else label
        for axis, label in enumerate(layer.axis_labels)
    ]
    return [(axis, labels[axis], int(shape[axis])) for axis in range(layer.ndim - 2)]
