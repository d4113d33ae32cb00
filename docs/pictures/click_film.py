"""Cells taken, split, merged and accepted with the mouse, as an animation."""

import numpy as np
from pictures.window import IMAGES, LEFT, NONE, SHIFT, Window, settle
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from scipy import ndimage

from napari_utile.widgets.viewer.layers import session_of

SHARE = 0.75
"""Of the window's size."""


class Film:
    """A window on the Click page, and the frames shot so far."""

    def __init__(self, window: Window) -> None:
        self.window = window
        window.viewer.open_sample("napari-utile", "nuclei_clustered")
        self.image, truth = window.viewer.layers
        self.truth = truth.data
        window.viewer.layers.remove(truth)  # else the clicks are for its cells
        self.page = window.page("click")
        self.frames: list[Image.Image] = []
        self.times: list[int] = []
        self.settle(1.5)
        window.viewer.reset_view()
        window.viewer.scene.camera.zoom *= 1.6
        window.press(self.page.form.toggle)
        self.settle(0.5)

    def settle(self, seconds: float) -> None:
        """Let the window work, and on until all clicks are answered."""
        settle(seconds, until=lambda: not self.page.tool.queue.busy)

    def shoot(self, mouse: QPoint, milliseconds: int, key: str = "") -> None:
        """Add a frame."""
        picture = self.window.with_pointer(self.window.photograph(), mouse, key)
        size = (round(picture.width * SHARE), round(picture.height * SHARE))
        self.frames.append(picture.resize(size, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def hover(self, pixel: tuple[int, int]) -> QPoint:
        """Move over a pixel and show the outline there."""
        place = self.window.on_canvas(self.image, pixel)
        self.window.move(place)
        self.settle(0.6)
        return place

    def click(self, pixel: tuple[int, int], modifier: Qt.KeyboardModifier = NONE, key: str = "") -> None:
        """Hover, click, and show what came of it."""
        place = self.hover(pixel)
        self.shoot(place, 500, key)
        QTest.mouseClick(self.window.canvas, LEFT, modifier, place)
        self.settle(0.3)
        self.shoot(place, 500, key)

    def save(self) -> None:
        """Write the frames with one palette."""
        palette = self.frames[-1].quantize(128)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        path = IMAGES / "click.gif"
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=self.times, loop=0, optimize=True
        )
        print(f"{path.name} {len(frames)} frames, {path.stat().st_size / 1000:.0f} kB", flush=True)


def click(window: Window) -> None:
    """Click five cells, split one, merge it again, accept the rest."""
    shots = Film(window)
    size = np.bincount(shots.truth.ravel())
    middle = np.array(shots.truth.shape) / 2
    ids = [number for number in range(1, size.size) if size[number] > 0.5 * np.median(size[1:])]
    centres = np.array(ndimage.center_of_mass(shots.truth > 0, shots.truth, ids))
    order = np.argsort(np.hypot(*(centres - middle).T))
    cells = [(round(float(y)), round(float(x))) for y, x in centres[order[:5]]]
    for cell in cells:
        shots.click(cell)
    labels = session_of(window.viewer).cells.data
    first = next(cell for cell in cells if labels[cell])
    ys, xs = np.nonzero(labels == labels[first])
    far = int(np.argmax(np.hypot(ys - first[0], xs - first[1])))
    second = tuple(round(0.4 * a + 0.6 * b) for a, b in zip(first, (ys[far], xs[far]), strict=True))
    if labels[second] == labels[first]:
        shots.click(second, SHIFT, "Shift")
        one, other = (window.on_canvas(shots.image, place) for place in (first, second))
        window.drag(
            [one + (other - one) * share for share in np.linspace(0, 1, 5)],
            lambda place: shots.shoot(place, 150, "Shift"),
            SHIFT,
        )
        shots.settle(0.3)
        shots.shoot(other, 800)
    window.press(shots.page.form.accept)
    shots.settle(0.5)
    shots.shoot(shots.hover(cells[0]), 2000)
    shots.save()
