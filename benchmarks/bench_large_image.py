"""How late the window is while an image of 16384 x 16384 pixels is segmented, and how soon the first result is seen.

Run with ``xvfb-run -a python benchmarks/bench_large_image.py``, or without ``xvfb-run`` in a session with a display.
The image is opened as a file is that is dropped on the window; the camera moves all the time, as a hand does.
For turns of the event loop that are late it is told whose code the main thread was in.
"""

import collections
import sys
import tempfile
import threading
import time
from pathlib import Path

import heartbeat
import napari
import numpy as np
import zarr
from qtpy.QtTest import QTest
from timing import options

from napari_utile.widgets.pages.segment.page import SegmentPage
from napari_utile.widgets.workbench.commands import open_page

sys.path.append(str(Path(__file__).parents[1] / "training"))
from simulation.simulate import simulate

WINDOW = 1280, 800
LATE = 0.05
"""Seconds: the wish is that 99 turns of 100 are less late."""


def write_image(place: Path, size: int) -> None:
    """Write a pyramid whose pixels are one simulated patch again and again."""
    patch = simulate("nuclei", height=1024, width=1024, cells=220, seed=3).image
    root, level, datasets = zarr.create_group(place, zarr_format=3), 0, []
    while True:
        array = root.create_array(
            str(level), shape=(size, size), chunks=(512, 512), dtype=patch.dtype, dimension_names=["y", "x"]
        )
        for y in range(0, size, len(patch)):
            array[y : y + len(patch)] = np.tile(patch, (1, -(-size // len(patch))))[: size - y, :size]
        scale = {"type": "scale", "scale": [0.5 * 2**level] * 2}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
        if size <= 512:
            break
        half = len(patch) // 2
        patch = patch.reshape(half, 2, half, 2).mean(axis=(1, 3)).astype(patch.dtype)
        size, level = size // 2, level + 1
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"name": "slide", "axes": axes, "datasets": datasets}],
    }


class Culprits:
    """Looks, while the main thread is late, in whose code it is."""

    def __init__(self) -> None:
        self.found: collections.Counter[str] = collections.Counter()
        self._main, self._beaten, self._stop = threading.get_ident(), time.perf_counter(), threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def beat(self) -> None:
        """Say that the event loop had a turn."""
        self._beaten = time.perf_counter()

    def stop(self) -> None:
        """Look no longer."""
        self._stop.set()

    def _look(self) -> None:
        seen = 0.0
        while not self._stop.wait(LATE / 5):
            if time.perf_counter() - self._beaten < LATE or seen == self._beaten:
                continue
            seen, frame, ours = self._beaten, sys._current_frames().get(self._main), ""
            while frame is not None and not ours:
                path = frame.f_code.co_filename
                ours = f"{Path(path).name}:{frame.f_code.co_name}" if "napari_utile" in path else ""
                frame = frame.f_back
            self.found[ours or "none of ours"] += 1


def wait(seconds: float, until=lambda: True, each=lambda: None) -> float:
    """Let the window work, at least so long and until something is so; return how long it took."""
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or not until():
        each()
        QTest.qWait(5)  # type: ignore[call-arg]
    return time.perf_counter() - start


def main() -> None:
    quick = options(__doc__).parse_args().quick
    size, seconds = (8192, 5) if quick else (16384, 60)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "slide.ome.zarr"
        write_image(place, size)
        viewer = napari.Viewer()
        viewer.window.resize(*WINDOW)
        page = open_page(viewer, "segment").page("segment")
        assert isinstance(page, SegmentPage)
        viewer.open(str(place), plugin="napari-utile")
        wait(1, lambda: "on the disk" in page.form.estimate.text())
        camera = viewer.scene.camera
        camera.center, camera.zoom = (0, size / 8, size / 4), 1.0
        wait(2)
        culprits, beat = Culprits(), heartbeat.Heartbeat()
        turn = [0]

        def move() -> None:
            culprits.beat()
            turn[0] += 1
            if turn[0] % 20 == 0:
                angle = turn[0] / 400
                camera.center = (0, size / 4 + 600 * np.sin(angle), size / 4 + 600 * np.cos(angle))
                camera.zoom = 1.0 + 0.5 * np.sin(angle / 3)

        def seen() -> bool:
            shown = [each for each in viewer.layers if "look" in each.name or "running" in each.name]
            return any(np.asarray(each._slice.image.view).any() for each in shown)

        page.form.run_bar.run_button.click()
        print(f"first result on screen after {wait(0, seen, culprits.beat):.1f} s")
        wait(seconds, each=move)
        culprits.stop()
        print(f"event loop, {size} x {size}: {heartbeat.summary(beat.stop())}")
        print("late turns by the code that the main thread was in:", dict(culprits.found.most_common(8)))
        page.cancel()
        wait(0, lambda: not page.running)
        viewer.close()


if __name__ == "__main__":
    main()
