"""Make docs/images/weight_map.png: paint two cells with the mouse in the real window, and point at their gap.

`python docs/make_weight_map_picture.py`; without a display
`xvfb-run -a -s '-screen 0 1600x1000x24 +extension GLX' python docs/make_weight_map_picture.py`
"""

import make_screenshots
import napari
import numpy as np
from make_screenshots import settle
from PIL import Image
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_utile.widgets.workbench.commands import open_page

BRUSH = 9


class Mouse:
    """Moves the mouse over the canvas; places are rows and columns of an unscaled image."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._canvas: QWidget = viewer.window._qt_viewer.canvas.native

    def place(self, row: float, column: float) -> QPoint:
        """Find the place on the canvas."""
        camera = getattr(self._viewer, "scene", self._viewer).camera
        middle = np.array([self._canvas.height(), self._canvas.width()]) / 2
        y, x = middle + (np.array([row, column]) - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(x), round(y))

    def send(self, kind: QMouseEvent.Type, row: float, column: float, pressed: bool) -> None:
        """Move, press or release."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        place = self.place(row, column)
        button = none if kind == QMouseEvent.Type.MouseMove else left
        event = QMouseEvent(
            kind,
            QPointF(place),
            QPointF(self._canvas.mapToGlobal(place)),
            button,
            left if pressed else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self._canvas, event)
        settle(0.01)

    def drag(self, path: np.ndarray) -> None:
        """Press at the first place, move along the others, let go."""
        self.send(QMouseEvent.Type.MouseMove, *path[0], False)
        self.send(QMouseEvent.Type.MouseButtonPress, *path[0], True)
        for place in path[1:]:
            self.send(QMouseEvent.Type.MouseMove, *place, True)
        self.send(QMouseEvent.Type.MouseButtonRelease, *path[-1], False)

    def point_at(self, row: float, column: float) -> None:
        """Move there."""
        self.send(QMouseEvent.Type.MouseMove, row, column, False)


def spiral(cell: np.ndarray, brush: float) -> np.ndarray:
    """Give places so that a round brush fills a cell without leaving it: along rows, to and fro."""
    from scipy import ndimage

    inner = ndimage.distance_transform_edt(cell) >= brush / 2 - 0.5
    path = []
    for turn, row in enumerate(np.flatnonzero(inner.any(axis=1))):
        columns = np.flatnonzero(inner[row])[[0, -1]]
        path += [(row, column) for column in (columns if turn % 2 else columns[::-1])]
    return np.array(path, float)


def neighbours(truth: np.ndarray) -> tuple[int, int, tuple[float, float]]:
    """Choose two large cells near the centre of the image that touch, and a place between them."""
    from napari_utile.engine.weights.loss_budget import loss_budget
    from napari_utile.engine.weights.weight_map import weight_map

    area = np.bincount(truth.ravel())
    middle = np.array(truth.shape) / 2
    gaps = [
        gap
        for gap in loss_budget(weight_map(truth), largest=200).gaps
        if min(area[list(gap.cells)]) > np.median(area[1:])
        and np.abs(np.array(gap.position) - middle).max() < 0.3 * min(truth.shape)
    ]
    best = max(gaps, key=lambda gap: gap.share)
    return *best.cells, best.position


def weight_map_scene(viewer: napari.Viewer) -> None:
    """Paint two nuclei that touch; their ridge lights up."""
    from napari_utile.widgets.sample_images import nuclei_clustered

    (image, options, _), *rest = nuclei_clustered()
    viewer.add_image(
        np.squeeze(np.asarray(image)), name="nuclei", contrast_limits=options.get("contrast_limits")
    )
    truth = next(np.squeeze(np.asarray(data)) for data, _, kind in rest if kind == "labels")
    one, other, gap = neighbours(truth)
    labels = viewer.add_labels(np.zeros(truth.shape, np.int32), name="my cells", opacity=0.45)
    dock = open_page(viewer, "weights").page("weights")
    settle(1, until=lambda: dock.follower.live is not None)
    camera = getattr(viewer, "scene", viewer).camera
    both = np.argwhere((truth == one) | (truth == other))
    camera.center = (0, *both.mean(axis=0))
    canvas = viewer.window._qt_viewer.canvas.native
    camera.zoom = 0.55 * min(canvas.width(), canvas.height()) / np.ptp(both, axis=0).max()
    settle(0.5)
    mouse = Mouse(viewer)
    labels.mode = "paint"
    labels.brush_size = BRUSH
    for number, cell in enumerate((one, other), start=1):
        labels.selected_label = number
        mouse.drag(spiral(truth == cell, BRUSH))
    labels.mode = "pan_zoom"
    settle(1.5, until=lambda: dock.form.budget.table.rowCount() > 0)
    border = dock.follower.live.border
    row = round(gap[0])
    near = border[max(row - 6, 0) : row + 7]
    peak = np.unravel_index(int(near.argmax()), near.shape)
    settle(0.2)
    mouse.point_at(max(row - 6, 0) + peak[0], peak[1])
    settle(1, until=lambda: "d2" in dock.form.readout.text())


def shoot() -> None:
    """Play the scene in a fresh viewer and save its window, in full colour for the colour bar's sake."""
    viewer = napari.Viewer()
    settle()
    viewer.window.resize(*make_screenshots.WINDOW)
    settle()
    weight_map_scene(viewer)
    pixels = viewer.window.screenshot(flash=False, canvas_only=False)
    viewer.close()
    settle(0.2)
    path = make_screenshots.IMAGES / "weight_map.png"
    Image.fromarray(pixels[..., :3]).save(path, optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    shoot()
