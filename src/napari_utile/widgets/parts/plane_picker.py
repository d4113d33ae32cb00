"""Choose the planes of a stack: the one on screen, all, or a range; said in words, such as "frame 3 of 6"."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import napari.layers
import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLabel, QWidget

from napari_utile.session.chosen import ChosenPlanes
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.number_box import WholeNumberBox
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.layers import Place

THIS, ALL, RANGE = "this", "all", "range"
ONLY = "Only "
_WORDS = {"t": "frame", "time": "frame", "frame": "frame", "z": "slice", "depth": "slice"}


class PlanePicker(QWidget):
    """The plane on screen, all planes, or a range of them; hidden where there is one plane.

    What was chosen stays chosen for the next stack, such as the same file opened again.

    Parameters
    ----------
    chosen : ChosenPlanes
        What is chosen at first.

    Attributes
    ----------
    changed : Signal
        Emitted when the user chooses.
    first, last : WholeNumberBox
        Counted from 1, on the first slider.
    hint : Words
        In the 3-D view, where one sees all planes: what is segmented.
    word : str
        What one of them is called: "frame", "slice" or "plane".
    """

    changed = Signal()

    def __init__(self, chosen: ChosenPlanes) -> None:
        super().__init__()
        self.kind = choice(
            "Planes",
            "A stack or time-lapse is segmented plane by plane; results gather in one layer.",
            (("This plane", THIS), ("All planes", ALL), ("A range", RANGE)),
        )
        self.first, self.last = WholeNumberBox(), WholeNumberBox()
        self.first.setAccessibleName("First plane")
        self.last.setAccessibleName("Last plane")
        self._row = QWidget()
        row((self.first, 1), QLabel("to"), (self.last, 1), on=self._row)
        self.hint = Words()
        column(self.kind, self._row, self.hint, on=self, spacing=4)
        self.hint.hide()
        self._in_3d = False
        self._size = 0
        self._axis = 0
        self.word = "plane"
        self.kind.setCurrentIndex(self.kind.findData(chosen.kind))
        self._row.setVisible(chosen.kind == RANGE)
        self._show_range(chosen.count, chosen.first, chosen.last)
        self.kind.currentIndexChanged.connect(self._kind_changed)
        for box in (self.first, self.last):
            box.valueChanged.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> ChosenPlanes:
        """What is chosen, also while it is hidden."""
        return ChosenPlanes(self.kind.currentData(), self.first.value(), self.last.value(), self._size)

    @property
    def one(self) -> bool:
        """Whether the plane on screen is meant."""
        return self.isHidden() or self.kind.currentData() == THIS

    @property
    def entries(self) -> tuple[int, int] | None:
        """The first plane of the range and the one after its last, counted from 0; None where no range is meant."""
        if self.one or self.kind.currentData() != RANGE:
            return None
        return self.first.value() - 1, self.last.value()

    @property
    def lone(self) -> int | None:
        """The layer's axis along which a range takes one plane alone; None where it takes more, or none is meant."""
        entries = self.entries
        return None if entries is None or entries[1] - entries[0] > 1 else self._axis

    def show_place(self, layer: napari.layers.Layer | None, place: Place | None, in_3d: bool = False) -> bool:
        """Say which plane is on screen, and how many there are; return whether there are several."""
        self._in_3d = in_3d
        sizes = [] if place is None else _sizes(place)
        many = int(np.prod(sizes, dtype=int)) > 1
        self.setVisible(many)
        if layer is None or place is None or not many:
            return False
        self._axis = next(axis for axis in place.plane.sliders if place.shape[axis] > 1)
        self.word = _word(layer, self._axis)
        with QSignalBlocker(self.kind):
            self.kind.setItemText(0, f"{ONLY}{plane_in_words(layer, place)}")
            count = int(np.prod(sizes, dtype=int))
            self.kind.setItemText(1, f"All {count} {self.word if len(sizes) == 1 else 'plane'}s")
            self.kind.setItemText(2, f"A range of {self.word}s")
        if sizes[0] != self._size:
            self._show_range(sizes[0], 1, sizes[0])
        self._show_hint()
        return True

    def places(self, place: Place) -> list[Place]:
        """Return the planes that are meant.

        Parameters
        ----------
        place : Place
            The plane on screen.

        Raises
        ------
        ValueError
            In one sentence, where the range ends before it begins.
        """
        if self.one:
            return [place]
        sizes = _sizes(place)
        steps: Sequence[tuple[int, ...]] = list(np.ndindex(*sizes))
        if self.kind.currentData() == RANGE:
            first, last = self.first.value(), self.last.value()
            if first > last:
                raise ValueError("The range of planes ends before it begins.")
            steps = [each for each in steps if first <= each[0] + 1 <= last]
        return [replace(place, index=place.plane.at(_full(place, each)).index) for each in steps]

    def _show_range(self, count: int, first: int, last: int) -> None:
        self._size = count
        for box, value in ((self.first, first), (self.last, last)):
            with QSignalBlocker(box):
                box.setRange(1, max(count, 1))
                box.setValue(value)

    def _show_hint(self) -> None:
        said = {
            THIS: f"You see all planes; {self.kind.itemText(0).removeprefix(ONLY)} is segmented.",
            ALL: "They are segmented one by one, each across the volume.",
        }
        self.hint.setText(said.get(self.kind.currentData(), said[ALL]) if self._in_3d else "")
        self.hint.setVisible(self._in_3d)

    def _kind_changed(self) -> None:
        self._show_hint()
        self._row.setVisible(self.kind.currentData() == RANGE)
        self.changed.emit()


def plane_in_words(layer: napari.layers.Layer, place: Place) -> str:
    """Say which plane it is, for example ``"frame 3 of 6"``; "" where there is only one."""
    parts = [
        f"{_word(layer, axis)} {step + 1} of {place.shape[axis]}"
        for axis, step in zip(place.plane.sliders, place.plane.steps, strict=True)
        if place.shape[axis] > 1
    ]
    return ", ".join(parts)


def planes_in_words(layer: napari.layers.Layer, planes: Sequence[PlaneIndex]) -> str:
    """Say which planes of a layer some are, for example ``"frames 1 to 3"``, or how many where they lie apart."""
    several = [axis for axis in planes[0].sliders if layer.data.shape[axis] > 1]
    if len(several) != 1:
        return f"{len(planes)} planes"
    word, steps = (
        _word(layer, several[0]),
        [dict(zip(each.sliders, each.steps, strict=True)) for each in planes],
    )
    first, last = steps[0][several[0]] + 1, steps[-1][several[0]] + 1
    if first == last:
        return f"{word} {first}"
    together = last - first == len(planes) - 1
    return f"{word}s {first} to {last}" if together else f"{len(planes)} {word}s"


def _word(layer: Any, axis: int) -> str:
    return _WORDS.get(str(layer.axis_labels[axis]).lower(), "plane")


def _sizes(place: Place) -> list[int]:
    return [place.shape[axis] for axis in place.plane.sliders if place.shape[axis] > 1]


def _full(place: Place, steps: tuple[int, ...]) -> list[int]:
    """Give sliders of one position theirs."""
    given = iter(steps)
    return [next(given) if place.shape[axis] > 1 else 0 for axis in place.plane.sliders]
