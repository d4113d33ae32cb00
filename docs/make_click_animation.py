"""Make docs/images/click.gif: `python docs/make_click_animation.py`.

Drives the real window with a mouse, under Xvfb where there is no display, and puts its pictures together.
"""

import time
from pathlib import Path

import napari
import numpy as np
import tifffile
from PIL import Image, ImageDraw
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.commands import open_page

PATH = Path(__file__).parent / "images" / "click.gif"
SAMPLES = Path(__file__).parents[1] / "sample_data"
WINDOW = (1200, 700)
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


class Film:
    """A window with the Click dock, a mouse over its canvas, and the frames shot so far."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*WINDOW)
        self.image = self.viewer.add_image(tifffile.imread(SAMPLES / "nuclei_clustered.tif"), name="nuclei")
        self.dock = open_page(self.viewer, "click").page("click")
        self.canvas = self.viewer.window._qt_viewer.canvas
        self.frames: list[Image.Image] = []
        self.times: list[int] = []
        self.settle(1.5)
        self.viewer.reset_view()
        self.viewer.scene.camera.zoom *= 1.6
        self.dock.form.toggle.click()
        self.settle(0.5)

    def settle(self, seconds: float) -> None:
        """Let the window work, and on until all clicks are answered."""
        start = time.perf_counter()
        while time.perf_counter() - start < seconds or self.dock.tool.queue.busy:
            QApplication.processEvents()
            time.sleep(0.005)

    def on_canvas(self, pixel: tuple[int, int]) -> QPoint:
        """Return where a pixel of the image is on the canvas."""
        world = [
            np.asarray(self.canvas._map_canvas2world(place, self.canvas.view))[-2:]
            for place in ((0, 0), (100, 0), (0, 100))
        ]
        per_step = np.stack([world[1] - world[0], world[2] - world[0]], axis=1) / 100
        x, y = np.linalg.solve(per_step, np.asarray(self.image.data_to_world(pixel))[-2:] - world[0])
        return QPoint(round(x), round(y))

    def shoot(self, mouse: QPoint, milliseconds: int, key: str = "") -> None:
        """Add a frame with a mouse pointer, and the key that is held."""
        picture = Image.fromarray(self.viewer.window.screenshot(flash=False, canvas_only=False)).convert(
            "RGB"
        )
        native, top = self.canvas.native, self.viewer.window._qt_window
        place = native.mapTo(top, mouse)
        scale = picture.width / top.width()
        x, y = place.x() * scale, place.y() * scale
        draw = ImageDraw.Draw(picture)
        arrow = [(0, 0), (0, 19), (5, 15), (9, 22), (12, 20), (8, 14), (14, 13)]
        draw.polygon([(x + dx, y + dy) for dx, dy in arrow], fill="white", outline="black")
        if key:
            draw.rectangle((x + 18, y + 8, x + 18 + 8 * len(key), y + 26), fill="black")
            draw.text((x + 22, y + 10), key, fill="white")
        self.frames.append(picture.resize((WINDOW[0] * 9 // 10, WINDOW[1] * 9 // 10)))
        self.times.append(milliseconds)

    def hover(self, pixel: tuple[int, int]) -> QPoint:
        """Move over a pixel and show the outline there."""
        place = self.on_canvas(pixel)
        QTest.mouseMove(self.canvas.native, place + QPoint(1, 0))
        QTest.mouseMove(self.canvas.native, place)
        self.settle(0.6)
        return place

    def click(self, pixel: tuple[int, int], modifier: Qt.KeyboardModifier = NONE, key: str = "") -> None:
        """Hover, click, and show what came of it."""
        place = self.hover(pixel)
        self.shoot(place, 500, key)
        QTest.mouseClick(self.canvas.native, LEFT, modifier, place)
        self.settle(0.3)
        self.shoot(place, 500, key)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag from one cell into another."""
        one, other = self.on_canvas(start), self.on_canvas(end)
        QTest.mousePress(self.canvas.native, LEFT, NONE, one)
        for share in np.linspace(0, 1, 5):
            place = one + (other - one) * share
            QTest.mouseMove(self.canvas.native, place)
            self.settle(0.05)
            self.shoot(place, 150, "drag")
        QTest.mouseRelease(self.canvas.native, LEFT, NONE, other)
        self.settle(0.3)
        self.shoot(other, 800)

    def save(self, path: Path) -> None:
        """Write the frames with one palette."""
        palette = self.frames[-1].quantize(255)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=self.times, loop=0, optimize=True
        )
        self.viewer.close()


def main() -> None:
    """Click five cells, split one, merge it again, accept the rest."""
    film = Film()
    truth = tifffile.imread(SAMPLES / "nuclei_clustered_truth.tif")
    size = np.bincount(truth.ravel())
    middle = np.array(truth.shape) / 2
    ids = [number for number in range(1, size.size) if size[number] > 0.5 * np.median(size[1:])]
    centres = np.array(ndimage.center_of_mass(truth > 0, truth, ids))
    order = np.argsort(np.hypot(*(centres - middle).T))
    cells = [(round(float(y)), round(float(x))) for y, x in centres[order[:7]]]
    for cell in cells[:5]:
        film.click(cell)
    target = session_of(film.viewer).cells
    labelled = [cell for cell in cells[:5] if target.data[cell]]
    first = labelled[0]
    ys, xs = np.nonzero(target.data == target.data[first])
    far = int(np.argmax(np.hypot(ys - first[0], xs - first[1])))
    second = tuple(round(0.4 * a + 0.6 * b) for a, b in zip(first, (ys[far], xs[far]), strict=True))
    if target.data[second] == target.data[first]:
        film.click(second, SHIFT, "Shift")
        film.drag(first, second)
    film.dock.form.accept.click()
    film.settle(0.5)
    film.shoot(film.hover(cells[0]), 2000)
    film.save(PATH)


if __name__ == "__main__":
    main()
