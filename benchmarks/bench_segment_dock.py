"""How fast the Segment dock's sliders follow on a 1024 x 1024 image, and how the window fares meanwhile.

Run with ``xvfb-run -a python benchmarks/bench_segment_dock.py``, or without ``xvfb-run`` in a session with a display.
Each move of a slider waits until the one before is on screen, as a hand does.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import heartbeat
import napari
import numpy as np
from qtpy.QtTest import QTest
from timing import options
from vispy.gloo import gl

from napari_utile.engine.steps import Run
from napari_utile.session.jobs import relabel_job
from napari_utile.widgets.pages.segment.page import SegmentPage
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.commands import open_page

sys.path.append(str(Path(__file__).parents[1] / "training"))
from simulation.simulate import simulate

WINDOW = 1200, 800
MOVES = {
    "threshold": np.linspace(0.3, 0.7, 13).tolist(),
    "minimum_size": list(range(10, 140, 10)),
    "split": np.linspace(0.2, 0.9, 13).tolist(),
}


def wait_until(condition) -> None:
    """Wait as a window does, asleep between events: a busy loop would take the interpreter from the worker."""
    while not condition():
        QTest.qWait(1)  # type: ignore[call-arg]


class Screen:
    """Says when the window was last shown with a newly drawn canvas."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.shown = 0.0
        viewer.window._qt_viewer.canvas.native.frameSwapped.connect(self._swapped)

    def _swapped(self) -> None:
        self.shown = time.perf_counter()

    def after(self, moment: float) -> float:
        """Wait for the first showing after a moment; returns when that was."""
        wait_until(lambda: self.shown > moment)
        return self.shown


def main() -> None:
    quick = options(__doc__).parse_args().quick
    size, cells = (512, 150) if quick else (1024, 600)
    image = simulate("clustered_nuclei", height=size, width=size, cells=cells, seed=0).image
    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW)
    dock = open_page(viewer, "segment").page("segment")
    assert isinstance(dock, SegmentPage)
    layer = viewer.add_image(image, name="cells")
    wait_until(lambda: "take" in dock.form.estimate.text())

    beat = heartbeat.Heartbeat()
    start = time.perf_counter()
    dock.run()
    wait_until(lambda: not dock.running)
    print(f"run                        {time.perf_counter() - start:8.2f} s, {dock.form.summary.text()}")
    print(f"event loop while running   {heartbeat.summary(beat.stop())}")

    screen = Screen(viewer)
    print(f"\nmedian (worst) ms after a slider moved; window {WINDOW[0]} x {WINDOW[1]}, ", end="")
    print(f"drawn by {gl.glGetParameter(gl.GL_RENDERER)}")
    print(f"{'':14}{'in the worker':>20}{'in the layers':>20}{'on screen':>20}")
    for name, values in ((name, each[::4] if quick else each) for name, each in MOVES.items()):
        field: Any = dock.form.instances[name]
        in_layers, on_screen = [], []
        for value in values:
            QTest.qWait(50)  # type: ignore[call-arg]
            start = time.perf_counter()
            field.box.setValue(value)
            wait_until(lambda: not dock.adjusting)
            written = time.perf_counter()
            in_layers.append(written - start)
            on_screen.append(screen.after(written) - start)
        columns = (
            in_worker(dock, session_of(viewer).result_of(layer, (0, 1)), name, values),
            in_layers,
            on_screen,
        )
        print(f"{name:14}" + "".join(f"{figures(column):>20}" for column in columns))
    print(
        "In the layers are mask, labels and the table of cells, as after a new run with the slider's value."
    )
    viewer.close()


def in_worker(dock: SegmentPage, result, name: str, values: list) -> list[float]:
    """Return the seconds that mask, labels and table take by themselves, one for each move."""
    spent = []
    for value in values:
        params = replace(dock.request()[1].params.instances, **{name: value})
        start = time.perf_counter()
        result = Run(relabel_job(result, params)).result
        spent.append(time.perf_counter() - start)
    return spent


def figures(seconds: list[float]) -> str:
    """Write the median and the worst in milliseconds."""
    return f"{np.median(seconds) * 1e3:.0f} ({max(seconds) * 1e3:.0f})"


if __name__ == "__main__":
    main()
