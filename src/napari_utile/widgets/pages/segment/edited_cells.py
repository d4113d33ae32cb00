"""What is said and asked where the cells on screen were edited: a new result never takes their place."""

from collections.abc import Callable
from typing import Any

import napari.viewer
from qtpy.QtCore import Signal

from napari_utile.session.state import Session
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.layers import Place, plain_viewer
from napari_utile.widgets.viewer.linked_layers import LinkedStack
from napari_utile.widgets.viewer.own_pictures import CELLS
from napari_utile.widgets.viewer.result_layers import edited_layer, layer_of_another_view


class EditedCells(Offer):
    """Says before a slider is moved that it makes a new layer, asks which to show, and hides the other.

    Attributes
    ----------
    new_wanted : Signal(bool)
        The answer, where the new result is not there yet: whether it is to be made.
    hidden : Signal(str)
        Name of a layer that was hidden.
    volume : callable
        Gives the objects that sliders go to in the place of a plane's cells; None where they do not.
    """

    new_wanted = Signal(bool)
    hidden = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session) -> None:
        super().__init__(
            (
                "Show the new result",
                "Hide your edited cells; nothing is deleted.",
                lambda: self._answer(True),
            ),
            ("Show my cells", "Keep your edited cells on screen.", lambda: self._answer(False)),
        )
        self._viewer, self._session = plain_viewer(viewer), session
        self._mine: Any = None
        self._new: Any = None
        self.volume: Callable[[], LinkedStack | None] = lambda: None

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self.buttons[0].isVisibleTo(self) and self.isVisibleTo(self.parentWidget())

    def follow(self, source: Any, place: Place | None) -> None:
        """Say it where the cells of a plane were edited; a question stays until it is answered."""
        if self._new is not None and {self._mine, self._new} <= {*self._viewer.layers}:
            return
        self._new = None
        self._mine = None if place is None else self._edited(source, place)
        said = ""
        if self._mine is not None:
            said = f"You edited “{self._mine.name}”. Sliders and Segment make a new layer; yours stays."
        elif place is not None and self.volume() is None:
            across = layer_of_another_view(self._viewer, CELLS, source, place)
            if across is not None:
                said = (
                    f"“{across.name}” holds cells of another view. Segment makes a new layer; that one stays."
                )
        self._say(said, ask=False)

    def _edited(self, source: Any, place: Place) -> Any:
        """Return the layer that sliders would go to, if it was edited."""
        volume = self.volume()
        if volume is None:
            return edited_layer(self._viewer, CELLS, source, place)
        return None if volume.seems_as_made() else volume.layer

    def stops(self, source: Any, place: Place) -> bool:
        """Ask, if a new result would go beside cells that were edited; whether it has to wait for the answer."""
        self.follow(source, place)
        if self._mine is None or self._new is not None:
            return False
        self._say(f"“{self._mine.name}” stays as you edited it. Which one should be shown?", ask=True)
        return True

    def choose_between(self, mine: Any, new: Any) -> None:
        """Ask which of two layers is to be shown."""
        self._mine, self._new = mine, new
        self._say(f"Your edited cells are in “{mine.name}” and the new result in “{new.name}”.", ask=True)

    def show_only(self, new: Any) -> None:
        """Hide the edited cells, as the user asked for the new result that is there now."""
        if self._mine is not None and self._mine is not new:
            self._new = new
            self._show(new, self._mine)

    def _answer(self, new: bool) -> None:
        if self._new is None:
            self._say("", ask=False)
            self.new_wanted.emit(new)
        else:
            self._show(*((self._new, self._mine) if new else (self._mine, self._new)))

    def _show(self, shown: Any, hidden: Any) -> None:
        hidden.visible, shown.visible = False, True
        self._session.cells = shown
        self._viewer.layers.selection.active = shown
        self._mine = self._new = None
        self._say("", ask=False)
        self.hidden.emit(hidden.name)

    def _say(self, sentence: str, *, ask: bool) -> None:
        for button in self.buttons:
            button.setVisible(ask)
        self.offer(sentence)
