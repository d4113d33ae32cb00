"""Time of clicks in a real window, on an image of 16384 x 16384 pixels that is read from disk.

Beside each figure stands what napari itself needs to paint one pixel into the same label layer, in the same run.
Run with ``xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python benchmarks/bench_click_window.py``.
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_utile.widgets.viewer.offscreen import has_display

if not has_display():
    print("needs a display; run it with xvfb-run -a -s '-screen 0 1600x1000x24 +extension GLX'")
    sys.exit(0)
os.environ.setdefault("NAPARI_CONFIG", "")

import dask.array as da
import napari
import zarr
from bench_clicks import BLOCK, large_image
from qtpy.QtCore import QEventLoop, QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from timing import options

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets.pages.click.page import ClickPage
from napari_utile.widgets.pages.segment.page import SegmentPage
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.regions import camera_of
from napari_utile.widgets.workbench.commands import open_page


def megabytes() -> float:
    """Return the memory that the process takes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def pyramid(image, folder: Path) -> list:
    """Write levels of half, quarter ... size beside an image."""
    levels = [image]
    while max(levels[-1].shape) > 2048:
        above = levels[-1]
        shape = tuple(size // 2 for size in above.shape)
        level = zarr.create_array(
            folder / f"level{len(levels)}.zarr", shape=shape, chunks=(512, 512), dtype=above.dtype
        )
        for top in range(0, shape[0], 512):
            level[top : top + 512] = above[2 * top : 2 * top + 1024 : 2, ::2]
        levels.append(level)
    return levels


class Window:
    """A viewer with the image and the Click dock, driven by the mouse."""

    def __init__(self, data, multiscale: bool) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1300, 850)
        self.frames: list[float] = []
        self.canvas.native.frameSwapped.connect(lambda: self.frames.append(time.perf_counter()))
        before = time.perf_counter()
        self.viewer.add_image(data, multiscale=multiscale, contrast_limits=(0, 255), name="large")
        self.opened = self.drawn_after(time.perf_counter()) - before
        page = open_page(self.viewer, "click").page("click")
        assert isinstance(page, ClickPage)
        self.dock = page
        self.idle(0.5)

    @property
    def canvas(self):
        return self.viewer.window._qt_viewer.canvas

    @property
    def labels(self):
        return session_of(self.viewer).cells

    def drawn_after(self, moment: float) -> float:
        """Wait until the canvas has been drawn after a moment; returns when that was."""
        until = moment + 60
        while time.perf_counter() < until:
            after = [frame for frame in self.frames if frame > moment]
            if after:
                return after[0]
            self.idle(0.001)
        raise TimeoutError("nothing was drawn")

    def idle(self, seconds: float) -> None:
        """Let Qt work."""
        loop = QEventLoop()
        QTimer.singleShot(int(1000 * seconds), loop.quit)
        loop.exec()

    def go_to(self, row: int, column: int, zoom: float) -> None:
        """Show a place, and wait until nothing is left to be drawn."""
        camera = camera_of(self.viewer)
        camera.center, camera.zoom = (row, column), zoom
        self.idle(0.3)

    def on_canvas(self, pixel) -> QPoint:
        """Return where a pixel of the image is on the canvas."""
        corners = [
            np.asarray(self.canvas._map_canvas2world(place, self.canvas.view))[-2:]
            for place in ((0, 0), (100, 0), (0, 100))
        ]
        per_step = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1) / 100
        x, y = np.linalg.solve(per_step, np.asarray(pixel) - corners[0])
        return QPoint(round(x), round(y))

    def keep_busy(self, image) -> None:
        """Segment another image over and over meanwhile."""
        other = self.viewer.add_image(image, name="another", visible=False)
        dock = open_page(self.viewer, "click")
        dock.header.source.image.set_layer(other)
        page = dock.page("segment")
        assert isinstance(page, SegmentPage)
        self.busy = page
        self.busy.form.compute.set_value(SegmentParams(tile=512))
        self.dock.raise_()
        again = QTimer(self.busy)
        again.timeout.connect(lambda: None if self.busy.running else self.busy.run())
        again.start(50)

    def switch_on(self) -> float:
        """Press the button; returns the seconds until it is ready for clicks."""
        start = time.perf_counter()
        QTest.mouseClick(self.dock.form.toggle, Qt.MouseButton.LeftButton)
        while self.dock.tool.queue.busy:
            self.idle(0.002)
        return time.perf_counter() - start

    def click(self, pixel, modifier=Qt.KeyboardModifier.NoModifier) -> tuple[float, float]:
        """Click; returns the seconds until the label is in the array, and until it is on screen."""
        place = self.on_canvas(pixel)
        edited = []

        def note(_) -> None:
            edited.append(time.perf_counter())

        self.labels.events.paint.connect(note)
        start = time.perf_counter()
        QTest.mouseClick(self.canvas.native, Qt.MouseButton.LeftButton, modifier, place)
        while not edited:
            self.idle(0.001)
        self.labels.events.paint.disconnect(note)
        return edited[0] - start, self.drawn_after(edited[0]) - start

    def hover(self, pixel) -> tuple[float, float]:
        """Move the mouse; returns the seconds until the outline is known, and until it is on screen."""
        QTest.mouseMove(self.canvas.native, QPoint(5, 5))
        self.idle(0.3)
        place, found = self.on_canvas(pixel), []
        shown, draw = self.dock.tool.outline, self.dock.tool.outline.show

        def show(*parts) -> None:
            draw(*parts)
            found.append(time.perf_counter())

        shown.show = show
        start = time.perf_counter()
        QTest.mouseMove(self.canvas.native, place)
        while not found:
            self.idle(0.001)
        shown.show = draw
        return found[0] - start, self.drawn_after(found[0]) - start

    def paint(self, pixel) -> float:
        """Let napari paint one pixel; returns the seconds until it is on screen."""
        start = time.perf_counter()
        self.labels.data_setitem(tuple(np.array([part]) for part in pixel), 1)
        return self.drawn_after(time.perf_counter()) - start

    def undo(self) -> float:
        """Undo one step; returns the seconds until it is on screen."""
        start = time.perf_counter()
        self.labels.undo()
        return self.drawn_after(time.perf_counter()) - start


def measure(data, multiscale: bool, centres, clicks: int, busy=None) -> None:
    """Print the times of one kind of image."""
    memory = {"before": megabytes()}
    window = Window(data, multiscale)
    memory["image"] = megabytes()
    ready = window.switch_on()
    window.idle(0.5)
    memory["on"] = megabytes()
    print(
        f"{'multiscale' if multiscale else 'plain'}: napari opens it in {1e3 * window.opened:.0f} ms;",
        end=" ",
    )
    print(f"the button is ready after {1e3 * ready:.0f} ms", flush=True)
    if busy is not None:
        window.keep_busy(busy)
        window.idle(2)
        print("  while another image is being segmented:")
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {}
    places = data[0].shape[0] // BLOCK if multiscale else data.shape[0] // BLOCK

    for number in range(clicks + 1):
        y, x = centres[rng.integers(len(centres))]
        row, column = (BLOCK * int(place) for place in rng.integers(0, places, 2))
        here = row + y, column + x
        window.go_to(*here, 1.0)
        found = dict(
            zip(("first click, labelled", "first click, on screen"), window.click(here), strict=True)
        )
        window.idle(0.3)
        found["undo, on screen"] = window.undo()
        window.idle(0.3)
        again = here[0] + 2, here[1]
        found.update(zip(("preview, outlined", "preview, on screen"), window.hover(again), strict=True))
        window.idle(0.3)
        found.update(
            zip(("cached click, labelled", "cached click, on screen"), window.click(again), strict=True)
        )
        window.idle(0.3)
        found["napari paints one pixel"] = window.paint((here[0] + 30, here[1] + 30))
        window.idle(0.3)
        if number:  # the first time around, shaders are compiled
            for name, value in found.items():
                times.setdefault(name, []).append(1e3 * value)
    memory["clicked"] = megabytes()
    for name, values in times.items():
        print(f"  {name:28} {np.median(values):8.1f} ms, worst {max(values):8.1f}")
    print("  memory: " + ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items()))
    window.viewer.close()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--kind", choices=("plain", "dask", "multiscale"), action="append")
    parser.add_argument("--busy", action="store_true", help="while another image is being segmented")
    args = parser.parse_args()
    if args.quick:
        args.clicks, args.kind = min(args.clicks, 3), args.kind or ["plain"]
    with tempfile.TemporaryDirectory() as folder:
        image, centres = large_image(Path(folder))
        for kind in args.kind or ("plain", "multiscale"):
            data = (
                image
                if kind == "plain"
                else da.from_zarr(image)
                if kind == "dask"
                else pyramid(image, Path(folder))
            )
            measure(
                data, kind == "multiscale", centres, args.clicks, image[:4096, :4096] if args.busy else None
            )


if __name__ == "__main__":
    main()
