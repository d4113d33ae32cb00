"""A window of napari with the dock in it, and a hand that presses only what is in sight."""

import os
from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QCheckBox, QScrollArea, QTabBar

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.commands import open_page
from napari_utile.widgets.workbench.dock import PAGES

WAIT = 120_000
NONE, SHIFT, CONTROL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
LEFT = Qt.MouseButton.LeftButton
PICTURES = os.environ.get("UTILE_TOUR", "")
"""A folder into which the window is photographed, where somebody wants to see it."""


def on_canvas(viewer, layer, pixel):
    """Return where a pixel of a layer is on the canvas."""
    canvas = viewer.window._qt_viewer.canvas
    world = [
        np.asarray(canvas._map_canvas2world(place, canvas.view))[-2:]
        for place in ((0, 0), (100, 0), (0, 100))
    ]
    per_step = np.stack([world[1] - world[0], world[2] - world[0]], axis=1) / 100
    at = np.asarray(layer.data_to_world((*[0] * (layer.ndim - 2), *pixel)))[-2:]
    x, y = np.linalg.solve(per_step, at - world[0])
    return QPoint(round(x), round(y))


class Window:
    """What one does at a window of 1280 x 800 pixels."""

    def __init__(self, viewer, qtbot, name="", size=(1280, 800)):
        self.viewer, self.qtbot, self.name, self.shots = viewer, qtbot, name, 0
        viewer.window._qt_window.resize(*size)
        QTest.qWait(100)

    @property
    def canvas(self):
        return self.viewer.window._qt_viewer.canvas.native

    @property
    def session(self):
        return session_of(self.viewer)

    def open(self, page):
        """Open the dock by the menu."""
        self.dock = open_page(self.viewer, page)
        QTest.qWait(100)
        return self.dock.page(page)

    def page(self, name):
        """Click on the tab of a page."""
        bar = self.dock.bar
        QTest.mouseClick(bar, LEFT, NONE, bar.tabRect(list(PAGES).index(name)).center())
        QTest.qWait(50)
        assert self.session.page == name
        return self.dock.page(name)

    def reveal(self, widget):
        """Scroll to a part of the dock, as with the wheel."""
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QScrollArea):
                parent.ensureWidgetVisible(widget)
            parent = parent.parentWidget()
        QTest.qWait(20)

    def press(self, button, modifier=NONE):
        """Click on a button, which must be in sight and enabled, with nothing above it."""
        assert button.isVisible(), f"{button.text()!r} is hidden"
        assert button.isEnabled(), f"{button.text()!r} is grey"
        place = QPoint(8, button.height() // 2) if isinstance(button, QCheckBox) else button.rect().center()

        def uncovered():
            self.reveal(button)  # what comes late, such as what a file says, moves the page
            above = QApplication.widgetAt(button.mapToGlobal(place))
            what = type(above).__name__ if above is not None else "nothing that is on screen"
            assert above is button or button.isAncestorOf(above), f"{button.text()!r} is covered by {what}"

        self.qtbot.waitUntil(uncovered)  # a person waits until the window has arranged itself
        QTest.mouseClick(button, LEFT, modifier, place)
        QTest.qWait(20)

    def choose(self, combo, text):
        """Choose an entry of a combo box from its list."""
        self.reveal(combo)
        assert combo.isVisible()
        assert combo.isEnabled()
        row = next(row for row in range(combo.count()) if text in combo.itemText(row))
        view = combo.view()

        def chosen():
            if combo.currentIndex() != row and not view.isVisible():
                # a list also closes where another window of the display becomes the active one
                QTest.mouseClick(combo, LEFT, NONE, combo.rect().center())
            if combo.currentIndex() != row and view.isVisible():
                # a list ignores a click for a moment where it opened under the mouse: a person clicks again
                place = view.visualRect(view.model().index(row, 0)).center()
                QTest.mouseMove(view.viewport(), place)
                QTest.qWait(20)
                QTest.mouseClick(view.viewport(), LEFT, NONE, place)
            return combo.currentIndex() == row

        self.qtbot.waitUntil(chosen)

    def click(self, layer, pixel, modifier=NONE, button=LEFT):
        """Move to a pixel and click."""
        place = on_canvas(self.viewer, layer, pixel)
        QTest.mouseMove(self.canvas, place)
        QTest.mouseClick(self.canvas, button, modifier, place)
        QTest.qWait(20)

    def drag(self, layer, start, end, modifier=NONE):
        """Press at a pixel, move, let go at another."""
        one, other = on_canvas(self.viewer, layer, start), on_canvas(self.viewer, layer, end)
        QTest.mousePress(self.canvas, LEFT, modifier, one)
        for share in np.linspace(0, 1, 8):
            QTest.mouseMove(self.canvas, one + (other - one) * share)
            QTest.qWait(10)
        QTest.mouseRelease(self.canvas, LEFT, modifier, other)
        QTest.qWait(20)

    def key(self, key, modifier=NONE):
        """Press a key where the focus is, else on the canvas."""
        QTest.keyClick(self.viewer.window._qt_window.focusWidget() or self.canvas, key, modifier)
        QTest.qWait(20)

    def run(self, page):
        """Press the button that starts the work of a page, and wait for its end."""
        self.press(page.form.run_bar.run_button)
        self.until(lambda: not page.running)

    def until(self, condition):
        """Let the window work until a condition holds."""
        self.qtbot.waitUntil(condition, timeout=WAIT)
        QTest.qWait(20)

    def front(self):
        """Click on the tab of the dock, which another tab covers, or will when the window has arranged itself."""

        def tabs():
            for bar in self.viewer.window._qt_window.findChildren(QTabBar):
                for place in range(bar.count()):
                    if bar.tabText(place).startswith("U-Tile (") and bar.isVisible():
                        yield bar, place

        self.until(lambda: any(tabs()))
        bar, place = next(tabs())
        QTest.mouseClick(bar, LEFT, NONE, bar.tabRect(place).center())
        self.until(lambda: not self.dock.bar.visibleRegion().isEmpty())

    def close_dock(self):
        """Press the X of the dock."""
        frame = self.dock.parent()
        self.press(frame.title.close_button)
        QTest.qWait(50)

    def shoot(self, what):
        """Photograph the window, where somebody wants to see it."""
        if PICTURES:
            QTest.qWait(300)
            self.shots += 1
            pixels = self.viewer.window.screenshot(flash=False, canvas_only=False)
            Image.fromarray(pixels[..., :3]).save(Path(PICTURES) / f"{self.name}_{self.shots:02}_{what}.png")
