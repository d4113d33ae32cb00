"""What goes on when the X of the dock, or of the window, is pressed: asked, never ended or kept in silence."""

import weakref
from typing import Any

import napari.viewer
from napari.utils import progress
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_utile.widgets.viewer.layers import plain_viewer, session_of, window_of


class Activity:
    """How far a job is that goes on without its dock, in napari's activity; nothing while there is the dock."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, text: str) -> None:
        """Show it from now on."""
        self._bar = progress(total=100, desc=text)

    def update(self, done: float, total: float) -> None:
        """Say how much is done."""
        if self._bar is not None and total:
            self._bar.update(round(100 * done / total) - self._bar.n)

    def end(self, said: str = "") -> None:
        """Take it away; where it was shown, say that the job has ended, if the user does not see that anyway."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            if said:
                show_info(said)


class GoesOn(QWidget):
    """What is in a dock, and may go on without it.

    Attributes
    ----------
    activity : Activity
        How far it is while it is in no dock.
    doing : str
        What napari's activity calls it.
    opened : str
        What is to be opened to see it again.
    """

    doing = ""
    opened = "U-Tile"

    def __init__(self) -> None:
        super().__init__()
        self.activity = Activity()

    @property
    def asks(self) -> str:
        """What goes on that must not end unasked, as a sentence; "" where nothing does."""
        return ""

    def cancel(self) -> None:
        """Stop what goes on."""


_kept: weakref.WeakKeyDictionary[Any, dict[str, GoesOn]] = weakref.WeakKeyDictionary()
"""For each viewer, pages that outlive the dock; the dock takes them back when it is opened again."""


def hold_page(viewer: napari.viewer.Viewer, name: str, page: GoesOn) -> None:
    """Take a page out of a dock that was closed, until it is opened again; it ends with the viewer."""
    page.setParent(None)
    page.hide()
    viewer = plain_viewer(viewer)
    if viewer not in _kept:
        held = _kept[viewer] = {}
        session_of(viewer).events.closed.connect(lambda: _let_go(held))
    _kept[viewer][name] = page


def _let_go(held: dict[str, GoesOn]) -> None:
    """Leave pages to Qt, which deletes them at its next turn; Python's collector would in whichever thread."""
    while held:
        _, page = held.popitem()
        page.deleteLater()


def keep_page(viewer: napari.viewer.Viewer, name: str, page: GoesOn) -> None:
    """Hold a page whose job is under way, and ask whether it is to go on."""
    hold_page(viewer, name, page)
    page.activity.show(page.doing)
    said = f"{page.asks} Shall it continue?"
    box = QMessageBox(QMessageBox.Icon.Question, "U-Tile", said, parent=window_of(viewer))
    box.setObjectName("utile-go-on")
    stop = box.addButton("Stop it", QMessageBox.ButtonRole.DestructiveRole)
    go_on = box.addButton("Continue in the background", QMessageBox.ButtonRole.AcceptRole)
    if go_on is not None:
        box.setDefaultButton(go_on)
    box.setInformativeText(
        f"It then shows how far it is under “activity”; open {page.opened} again to see the result."
    )

    def answered(button: Any) -> None:
        if button is stop:
            page.activity.end()
            page.cancel()
        box.deleteLater()

    box.buttonClicked.connect(answered)
    box.open()


def kept_page(viewer: napari.viewer.Viewer, name: str) -> GoesOn | None:
    """Give back a page that was held, if there is one: a dock shows it from now on."""
    page = _kept.get(plain_viewer(viewer), {}).pop(name, None)
    if page is not None:
        page.activity.end()
    return page


class CloseGuard(QObject):
    """Asks before a window is closed by its user while something goes on.

    Attributes
    ----------
    pages : set of GoesOn
        What may go on: see `GoesOn.asks`.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.pages: weakref.WeakSet[GoesOn] = weakref.WeakSet()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop a close that the user takes back; one by the program, as by ``viewer.close()``, is not asked about."""
        if event is None or event.type() != QEvent.Type.Close or not event.spontaneous():
            return False
        if self.may_close():
            return False
        event.ignore()
        return True

    def may_close(self) -> bool:
        """Ask, if something goes on; return whether the window may be closed."""
        going_on = " ".join(page.asks for page in self.pages if page.asks)
        if not going_on:
            return True
        parent = self.parent()
        answer = QMessageBox.question(
            parent if isinstance(parent, QWidget) else None,
            "U-Tile",
            f"{going_on} Closing the window stops it. Close it?",
            QMessageBox.StandardButton.Close | QMessageBox.StandardButton.Cancel,
            QMessageBox.StandardButton.Cancel,
        )
        return answer == QMessageBox.StandardButton.Close


def guard_window(viewer: napari.viewer.Viewer, page: GoesOn) -> None:
    """Ask before the viewer's window is closed while something of a page goes on."""
    window = window_of(viewer)
    if window is not None:
        (window.findChild(CloseGuard) or CloseGuard(window)).pages.add(page)
