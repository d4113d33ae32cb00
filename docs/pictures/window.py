"""A window of napari with the dock in it, a mouse over both, and what is photographed of them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari._qt.dialogs.qt_notification import NapariQtNotification
from PIL import Image, ImageDraw
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_utile.widgets.workbench.commands import open_page
from napari_utile.widgets.workbench.page import Page

IMAGES = Path(__file__).parents[1] / "images"
SIZE = (1280, 860)
COLOURS = 255
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def settle(seconds: float = 0.5, until: Callable[[], bool] = lambda: True, limit: float = 600) -> None:
    """Let the window work for some seconds, and on until a condition holds."""
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not until():
        if passed > limit:
            raise TimeoutError("The window did not get there.")
        QApplication.processEvents()
        time.sleep(0.005)


class Window:
    """A window of napari on one page of the dock; places on the image are (row, column) of its pixels.

    Parameters
    ----------
    size : (int, int)
        Width and height (pixels).
    """

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self.viewer = napari.Viewer()
        settle()
        self.viewer.window.resize(*size)
        settle()

    def page(self, name: str) -> Any:
        """Open a page of the dock."""
        self.dock = open_page(self.viewer, name)
        settle(0.5)
        return self.dock.page(name)

    def press(self, button: QAbstractButton) -> None:
        """Click a button."""
        QTest.mouseClick(button, LEFT, NONE, button.rect().center())
        settle(0.1)

    def run(self, page: Page, until: Callable[[], bool] = lambda: True) -> None:
        """Press the button that starts the work of a page, and wait for its end."""
        self.press(page.form.run_bar.run_button)  # type: ignore[attr-defined]
        settle(1, until=lambda: not page.running and until())  # type: ignore[attr-defined]

    @property
    def canvas(self) -> QWidget:
        """What the image is drawn on."""
        return self.viewer.window._qt_viewer.canvas.native

    def on_canvas(self, layer: Any, pixel: Sequence[float]) -> QPoint:
        """Return where a pixel of a layer is on the canvas."""
        canvas = self.viewer.window._qt_viewer.canvas
        world = [
            np.asarray(canvas._map_canvas2world(place, canvas.view))[-2:]
            for place in ((0, 0), (100, 0), (0, 100))
        ]
        per_step = np.stack([world[1] - world[0], world[2] - world[0]], axis=1) / 100
        at = np.asarray(layer.data_to_world((*[0] * (layer.ndim - 2), *pixel)))[-2:]
        x, y = np.linalg.solve(per_step, at - world[0])
        return QPoint(round(x), round(y))

    def move(self, place: QPoint) -> None:
        """Move the mouse to a place on the canvas."""
        QTest.mouseMove(self.canvas, place + QPoint(1, 0))
        QTest.mouseMove(self.canvas, place)
        settle(0.05)

    def drag(
        self,
        places: Sequence[QPoint],
        at_each: Callable[[QPoint], Any] = lambda _: None,
        modifier: Qt.KeyboardModifier = NONE,
    ) -> None:
        """Press at the first place, move along the others, let go."""
        self.move(places[0])
        QTest.mousePress(self.canvas, LEFT, modifier, places[0])
        for place in places:
            QTest.mouseMove(self.canvas, place)
            settle(0.02)
            at_each(place)
        QTest.mouseRelease(self.canvas, LEFT, modifier, places[-1])
        settle(0.1)

    def photograph(self, of: QWidget | None = None) -> Image.Image:
        """Return a picture of the window, or of one widget in it."""
        for message in self.viewer.window._qt_window.findChildren(NapariQtNotification):
            message.close()  # it would lie over the image
        settle(0.3)
        whole = Image.fromarray(self.viewer.window.screenshot(flash=False, canvas_only=False)[..., :3])
        if of is None:
            return whole
        top = self.viewer.window._qt_window
        corner = of.mapTo(top, QPoint(0, 0))
        scale = whole.width / top.width()
        box = (corner.x(), corner.y(), corner.x() + of.width(), corner.y() + of.height())
        return whole.crop(tuple(round(each * scale) for each in box))

    def with_pointer(self, picture: Image.Image, mouse: QPoint, key: str = "") -> Image.Image:
        """Draw a mouse pointer over a picture of the window, and the key that is held."""
        top = self.viewer.window._qt_window
        place = self.canvas.mapTo(top, mouse)
        scale = picture.width / top.width()
        x, y = place.x() * scale, place.y() * scale
        draw = ImageDraw.Draw(picture)
        arrow = [(0, 0), (0, 19), (5, 15), (9, 22), (12, 20), (8, 14), (14, 13)]
        draw.polygon([(x + dx, y + dy) for dx, dy in arrow], fill="white", outline="black")
        if key:
            draw.rectangle((x + 18, y + 8, x + 18 + 8 * len(key), y + 26), fill="black")
            draw.text((x + 22, y + 10), key, fill="white")
        return picture

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()
        settle(0.3)


def without_empty_foot(picture: Image.Image) -> Image.Image:
    """Cut off the rows at the foot of a dock in which nothing is."""
    pixels = np.asarray(picture.convert("RGB"), int)
    busy = np.abs(pixels - pixels[-1, pixels.shape[1] // 2]).max(axis=(1, 2)) > 8
    rows = np.flatnonzero(busy)
    return picture.crop((0, 0, picture.width, min(int(rows[-1]) + 12, picture.height)))


def save(picture: Image.Image, name: str, few_colours: bool = True) -> None:
    """Write a picture; few colours are mostly enough and make it a third as large."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    if few_colours:
        picture = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    print(f"{path.name} {picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB", flush=True)
