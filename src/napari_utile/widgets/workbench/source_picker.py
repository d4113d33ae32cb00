"""Choose an image layer and which of its channels count; the choice is the session's."""

from typing import Any

import napari.viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QLabel, QWidget

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import fields, row
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.viewer.unasked import looks_like_labels
from napari_utile.widgets.workbench.file_offer import FileOffer
from napari_utile.widgets.workbench.reading_menu import ReadingMenu, slider_axes

_COLOURS = ("Red", "Green", "Blue")
_CHANNEL_LABELS = {"c", "ch", "channel", "channels"}
_MOST_CHANNELS = 16


class SourcePicker(QWidget):
    """An image layer, the axis that holds its channels, and one channel for each that the model reads.

    It shows and sets `Session.image`; listen to ``session.events.image``.

    Attributes
    ----------
    file : FileOffer
        To be shown below.
    """

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__()
        self._session = session
        self._model_inputs = _inputs_of(session.model)
        self.image = LayerCombo(viewer, ("Image",), prefer=lambda layer: not looks_like_labels(layer))
        self.image.setAccessibleName("Image")
        self.axis = choice(
            "Channels along",
            "Which slider of this image goes through its channels, if one does. "
            "Otherwise every position of the sliders is a separate image.",
        )
        self._axis_label = QLabel("Channels along")
        self.channel_boxes: list[tuple[QLabel, QComboBox]] = []
        self.reading = ReadingMenu(viewer)
        self.file = FileOffer(viewer)
        self.file.setParent(self)  # whoever shows the picker gives it its place
        self.reading.read.connect(self.file.show_file)
        image = row((self.image, 1), self.reading)
        self._layout = fields(("Image", image), (self._axis_label, self.axis), on=self)
        self.image.set_layer(session.image.layer)  # as it was when the dock was closed
        self._offer_axes()
        self.image.layer_changed.connect(lambda _: self._offer_axes())
        self.reading.renamed.connect(lambda: self._offer_axes(renamed=True))
        self.file.used.connect(lambda: self._offer_axes(renamed=True))
        self.reading.made.connect(self.image.set_layer)
        self.axis.currentIndexChanged.connect(lambda _: self._offer_channels())
        self._connections = Connections(self)
        self._connections.connect(session.events.image, self._show_choice)
        self._connections.connect(session.events.model, self._model_changed)

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.image.layer

    @property
    def _channels(self) -> tuple[int, ...] | None:
        """The chosen channels, optional ones only where one is chosen; None leaves the choice to the model."""
        chosen = [box.currentData() for _, box in self.channel_boxes]
        needed = sum(not each.optional for each in self._model_inputs)
        while len(chosen) > needed and chosen[-1] is None:
            chosen.pop()
        if not chosen or any(channel is None for channel in chosen):
            return None
        return tuple(int(channel) for channel in chosen)

    def _show_choice(self, chosen: ChosenImage) -> None:
        """Follow a page that chose another image."""
        if chosen.layer is not None and chosen.layer is not self.layer:
            self.image.set_layer(chosen.layer)

    def _model_changed(self, name: str) -> None:
        """Offer one choice for each channel that the model reads."""
        inputs = _inputs_of(name)
        if inputs != self._model_inputs:
            self._model_inputs = inputs
            self._offer_channels()

    def _offer_axes(self, renamed: bool = False) -> None:
        layer, before = self.layer, self._session.image
        with QSignalBlocker(self.axis):
            self.axis.clear()
            self.axis.addItem("no axis", None)
            for axis, label, size in slider_axes(layer):
                self.axis.addItem(f"{label} ({size})", axis)
                if label.lower() in _CHANNEL_LABELS and size <= _MOST_CHANNELS:
                    self.axis.setCurrentIndex(self.axis.count() - 1)
            if layer is not None and before.layer is layer and not renamed:
                self.axis.setCurrentIndex(max(self.axis.findData(before.channel_axis), 0))
        many = self.axis.count() > 1
        self.axis.setVisible(many)
        self._axis_label.setVisible(many)
        self._offer_channels(before.channels if before.layer is layer else None)
        if renamed and self._session.image == before:  # the words for its planes are others now
            self._session.events.image.emit(before, before)

    def _offer_channels(self, chosen: tuple[int, ...] | None = None) -> None:
        for _, box in self.channel_boxes:
            self._layout.removeRow(box)
        self.channel_boxes = []
        names = self._channel_names()
        needed = sum(not each.optional for each in self._model_inputs)
        for index, wanted in enumerate(self._model_inputs if names else ()):
            title = "Channel" if wanted.name in ("", "any") else wanted.name.capitalize()
            box = choice(title)
            if wanted.optional:
                box.addItem("none", None)
                box.setToolTip(f"The channel that shows {wanted.name}, if there is one: it helps the model.")
            elif needed == 1 and getattr(self.layer, "rgb", False):
                box.addItem("Brightness", None)
            elif needed == len(names):
                box.addItem(f"as it comes: {names[index]}", None)
            for number, name in enumerate(names):
                box.addItem(name, number)
            if box.itemData(0) is not None:
                box.setCurrentIndex(min(index, box.count() - 1))
            if chosen is not None and index < len(chosen):
                box.setCurrentIndex(max(box.findData(chosen[index]), 0))
            label = QLabel(f"{title}, optional" if wanted.optional else title)
            self._layout.addRow(label, box)
            box.currentIndexChanged.connect(lambda _: self._choose())
            self.channel_boxes.append((label, box))
        self._choose()

    def _choose(self) -> None:
        """Tell the session; an optional channel goes with a chosen one, not with the mean of the colours."""
        boxes = [box for _, box in self.channel_boxes]
        for box, wanted in zip(boxes, self._model_inputs, strict=False):
            if wanted.optional:
                box.setEnabled(boxes[0].currentData() is not None or not getattr(self.layer, "rgb", False))
        axis = self.axis.currentData()
        axis = None if axis is None else int(axis)
        self._session.image = ChosenImage(self.layer, axis, self._channels)
        self.reading.show_layer(self.layer, axis)

    def _channel_names(self) -> tuple[str, ...]:
        layer, axis = self.layer, self.axis.currentData()
        if layer is None:
            return ()
        if layer.rgb:
            return _COLOURS
        if axis is None:
            return ()
        size = next(size for each, _, size in slider_axes(layer) if each == axis)
        return tuple(f"Channel {number}" for number in range(size))


def _inputs_of(model: str) -> tuple[InputChannel, ...]:
    try:
        return card_of(model).inputs
    except UtileError:  # said where the model is loaded
        return (InputChannel("any"),)
