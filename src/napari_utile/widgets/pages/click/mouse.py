"""The mouse on the canvas: turns presses, drags and the wheel into intents, and leaves napari's own alone."""

from collections.abc import Callable, Generator
from typing import Any

import napari.viewer
from qtpy.QtCore import QObject, Signal

from napari_utile.widgets.viewer.layers import plain_viewer

Point = tuple[int, int]
LEFT, RIGHT = 1, 2
# A press that moves less than this far before it is released is a click. Canvas pixels.
_STILL = 4.0


class ClickMouse(QObject):
    """Mouse callbacks on a viewer while `active` says so.

    Left drags with Shift are merges; plain ones move the camera, also from a labelled cell, as without the plugin.

    Parameters
    ----------
    pixel_at : callable
        From a world position to a pixel of the plane, or None outside it.
    is_cell : callable
        Whether a pixel is labelled.
    active : callable
        Whether clicks are meant for this tool now.

    Attributes
    ----------
    clicked : Signal(object, str)
        Pixel and gesture: "click", "shift", "control" or "background".
    dragged : Signal(object)
        The pixels along a drag with Shift from one cell; none where it began elsewhere.
    moved : Signal(object)
        The pixel under the mouse, None outside the image.
    scrolled : Signal(object, int)
        Pixel and +1 or -1, with Shift held.
    """

    clicked = Signal(object, str)
    dragged = Signal(object)
    moved = Signal(object)
    scrolled = Signal(object, int)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        pixel_at: Callable[[Any], Point | None],
        is_cell: Callable[[Point], bool],
        active: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = plain_viewer(viewer)
        self._pixel_at, self._is_cell, self._active = pixel_at, is_cell, active
        self._installed = False
        self._zoom: list[Any] = []

    def install(self) -> None:
        """Listen to the mouse."""
        if self._installed:
            return
        self._installed = True
        self._viewer.mouse_move_callbacks.append(self._move)
        self._viewer.mouse_drag_callbacks.append(self._drag)
        self._viewer.mouse_wheel_callbacks.append(self._wheel)
        # napari zooms at a double click; two clicks on two cells must not.
        double = self._viewer.mouse_double_click_callbacks
        self._zoom = [each for each in double if getattr(each, "__name__", "") == "double_click_to_zoom"]
        for callback in self._zoom:
            double.remove(callback)

    def remove(self) -> None:
        """Stop listening and give napari its double click back."""
        if not self._installed:
            return
        self._installed = False
        for callbacks, own in (
            (self._viewer.mouse_move_callbacks, self._move),
            (self._viewer.mouse_drag_callbacks, self._drag),
            (self._viewer.mouse_wheel_callbacks, self._wheel),
        ):
            if own in callbacks:
                callbacks.remove(own)
        self._viewer.mouse_double_click_callbacks.extend(self._zoom)
        self._zoom = []

    def _move(self, _: Any, event: Any) -> None:
        if self._active():
            self.moved.emit(self._pixel_at(event.position))

    def _drag(self, _: Any, event: Any) -> Generator[None, None, None]:
        if not self._active() or event.button not in (LEFT, RIGHT):
            return
        button, modifiers = event.button, _names(event.modifiers)
        start = self._pixel_at(event.position)
        pressed_at = event.pos
        merging = button == LEFT and modifiers == {"Shift"}
        if button == LEFT and modifiers:
            event.handled = True  # keep the camera still
        way, moved = [start], False
        yield
        while event.type == "mouse_move":
            moved = moved or _apart(pressed_at, event.pos) > _STILL
            if merging:
                event.handled = True
                way.append(self._pixel_at(event.position))
            yield
        moved = moved or _apart(pressed_at, event.pos) > _STILL
        if merging and moved:
            way.append(self._pixel_at(event.position))
            from_cell = start is not None and self._is_cell(start)
            self.dragged.emit([pixel for pixel in way if pixel is not None] if from_cell else [])
        elif not moved:
            self.clicked.emit(start, _gesture(button, modifiers))

    def _wheel(self, _: Any, event: Any) -> None:
        if not self._active() or _names(event.modifiers) != {"Shift"}:
            return
        turned = event.delta[0] + event.delta[1]  # with Shift some systems turn the wheel sideways
        if turned:
            event.handled = True
            self.scrolled.emit(self._pixel_at(event.position), 1 if turned > 0 else -1)


def _names(modifiers: Any) -> set[str]:
    """Return the names of modifier keys; vispy has objects for them."""
    return {str(getattr(modifier, "name", modifier)) for modifier in modifiers}


def _gesture(button: int, modifiers: set[str]) -> str:
    if button == RIGHT or modifiers == {"Control", "Shift"}:
        return "background"
    if modifiers == {"Shift"}:
        return "shift"
    if modifiers and modifiers <= {"Control", "Meta"}:
        return "control"
    return "click"


def _apart(one: Any, other: Any) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)
