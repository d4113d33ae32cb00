"""How an image is read: names of its axes, one plane made of a stack, other images of its file."""

from functools import partial
from typing import Any

import napari.viewer
from napari.layers import Layer
from napari.layers._source import layer_source
from napari.utils.notifications import show_warning
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QActionGroup, QMenu, QPushButton, QSizePolicy

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.tiff_series import series_to_ask_for
from napari_utile.engine.planes.projection import PROJECTIONS
from napari_utile.session.file_space import FileSpace, file_job
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.files.described import image_layers
from napari_utile.widgets.parts.button import as_it_is
from napari_utile.widgets.viewer.layers import full_resolution, plain_viewer, slider_name
from napari_utile.widgets.viewer.projections import add_projection, origin_of
from napari_utile.widgets.worker import LatestJob, as_job

_MEANINGS = (("t", "Time"), ("z", "Depth"), ("c", "Channels"))
_MOST_SERIES = 50


class ReadingMenu(QPushButton):
    """A button with a menu of what an image layer can be read as.

    Names of axes are the layer's own axis labels; a projection and another image of the file are layers of their own.

    Attributes
    ----------
    renamed : Signal
        The user named an axis of the layer.
    made : Signal
        With a layer that the user asked for.
    read : Signal
        With a layer, and what its file says.
    series : tuple of str
        The images of the layer's file, once that is known.
    """

    renamed = Signal()
    made = Signal(object)
    read = Signal(object, object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._layer: Any = None
        self._channel_axis: int | None = None
        self._listing = LatestJob(owner=self)
        self._opening = LatestJob(owner=self)
        self.series: tuple[str, ...] = ()
        self.setText("⋯")
        self.setStyleSheet("QPushButton::menu-indicator { image: none; }")  # napari draws it over the dots
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("How the image is read")
        self.setToolTip(
            "Say what the axes are, make one plane from a stack (largest value, mean, sharpest), or open another "
            "image of the same file."
        )
        menu: Any = QMenu(self)
        self.setMenu(menu)
        menu.aboutToShow.connect(self.fill)
        self.hide()

    def show_layer(self, layer: Any, channel_axis: int | None) -> None:
        """Offer what there is for a layer; the button hides where there is nothing."""
        if layer is not self._layer:
            self.series = ()
            self.read.emit(layer, FileSpace())
            path = "" if layer is None else origin_of(layer)[0]
            if path:
                self._listing.run(file_job(path), on_done=partial(self._take, layer))
        self._layer, self._channel_axis = layer, channel_axis
        self._show_if_useful()

    def _take(self, layer: Any, said: FileSpace) -> None:
        if layer is self._layer:
            self.series = said.series
            self._show_if_useful()
            if origin_of(layer)[1] is None:
                self.read.emit(layer, said)

    def _show_if_useful(self) -> None:
        many = len(self.series) > 1
        self.setText(f"{len(self.series)} images ⋯" if many else "⋯")
        self.setVisible(bool(slider_axes(self._layer)) or many)

    def fill(self) -> None:
        """Make the menu again, as the layer is now."""
        menu: Any = self.menu()
        menu.clear()
        sliders = slider_axes(self._layer)
        for axis, label, size in sliders:
            meant = letter_of(label)
            choices = menu.addMenu(as_it_is(f"{label.capitalize()} ({size}) is"))
            group = QActionGroup(choices)
            for letter, words in _MEANINGS:
                action = choices.addAction(words)
                action.setCheckable(True)
                action.setChecked(letter.upper() == meant)
                group.addAction(action)
                action.triggered.connect(
                    lambda _=False, axis=axis, letter=letter: self.name_axis(axis, letter)
                )
        planes = [each for each in sliders if each[0] != self._channel_axis and each[2] > 1]
        if planes:
            menu.addSeparator()
        for axis, label, size in planes:
            for how, words in PROJECTIONS.items():
                action = menu.addAction(as_it_is(f"Make one plane: {words} along {label} ({size})"))
                action.triggered.connect(lambda _=False, axis=axis, how=how: self.project(axis, how))
        if len(self.series) > 1:
            menu.addSeparator()
            others = menu.addMenu("Open another image of this file")
            for number, name in enumerate(self.series[:_MOST_SERIES]):
                action = others.addAction(as_it_is(f"{number}: {name}"))
                action.triggered.connect(lambda _=False, number=number: self.open_series(number))

    def name_axis(self, axis: int, letter: str) -> None:
        """Say what an axis of the layer is; another axis of that name takes the old one."""
        labels = list(self._layer.axis_labels)
        for other, label in enumerate(labels):
            if other != axis and letter_of(label) == letter.upper():
                labels[other] = labels[axis]
        labels[axis] = letter
        self._layer.axis_labels = labels
        self.renamed.emit()

    def project(self, axis: int, how: str) -> None:
        """Add one plane made of a stack, and choose it."""
        with failures_to(_say):
            self.made.emit(add_projection(self._viewer, self._layer, axis, how, self._channel_axis))

    def open_series(self, number: int) -> None:
        """Open another image of the file, and choose it."""
        path, asked = origin_of(self._layer)[0], series_to_ask_for(number, self.series)
        self._opening.run(as_job(read_image, path, series=asked), on_done=self._add, on_error=_say)

    def _add(self, image: Any) -> None:
        with layer_source(path=str(image.path)):
            layers = [Layer.create(*each) for each in image_layers(image.as_one_of_many())]
        for layer in layers:
            self._viewer.add_layer(layer)
        self.made.emit(layers[0])


def _say(error: Exception) -> None:
    show_warning(sentence_of(error))


def slider_axes(layer: Any) -> list[tuple[int, str, int]]:
    """List (axis, name, size) of the axes of a layer before its last two; none of colours."""
    if layer is None or layer.rgb:
        return []
    shape = full_resolution(layer).shape
    return [(axis, slider_name(layer, axis), int(shape[axis])) for axis in range(layer.ndim - 2)]
