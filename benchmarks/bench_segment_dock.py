"""How fast the Segment dock's sliders follow on a 1024 x 1024 image, and how the window fares meanwhile.

Run with ``xvfb-run -a python benchmarks/bench_segment_dock.py``, or without ``xvfb-run`` in a session with a display.
"""

import time

import heartbeat
import napari
import numpy as np
from qtpy.QtTest import QTest

from napari_utile.engine.simulation.simulate import simulate
from napari_utile.session.results import adjusted, specs_of
from napari_utile.widgets.segment.dock import SegmentDock
from napari_utile.widgets.viewer.layers import session_of

SIZE, CELLS = 1024, 600


def wait_until(condition) -> None:
    """Wait as a window does, asleep between events: a busy loop would take the interpreter from the worker."""
    while not condition():
        QTest.qWait(1)


def main() -> None:
    image = simulate("clustered_nuclei", height=SIZE, width=SIZE, cells=CELLS, seed=0).image
    viewer = napari.Viewer()
    dock = SegmentDock(viewer)
    viewer.window.add_dock_widget(dock)
    layer = viewer.add_image(image, name="cells")
    wait_until(lambda: "take" in dock.form.estimate.text())

    beat = heartbeat.Heartbeat()
    start = time.perf_counter()
    dock.run()
    wait_until(lambda: not dock.running)
    print(f"run                        {time.perf_counter() - start:8.2f} s, {dock.form.summary.text()}")
    print(f"event loop while running   {heartbeat.summary(beat.stop())}")

    result = session_of(viewer).result_of(layer, (0, 1))
    print(
        "from a slider's move until the layers hold the new mask, labels and table of cells, move after move:"
    )
    for name, values in {
        "threshold": np.linspace(0.3, 0.7, 9),
        "minimum_size": range(10, 100, 10),
        "split": np.linspace(0.2, 0.9, 9),
    }.items():
        spent = []
        for value in values:
            box = dock.form.instances.field(name).box
            start = time.perf_counter()
            box.setValue(type(box.value())(value))
            wait_until(lambda: not dock._adjustments.running)
            spent.append(time.perf_counter() - start)
        print(
            f"{name:12} to the layers  {np.median(spent) * 1e3:8.1f} ms (median), {max(spent) * 1e3:.1f} ms (worst)"
        )

    instances = dock.form.instances.value()
    start = time.perf_counter()
    for _ in range(5):
        again = adjusted(result, instances)
    print(f"  of that in the worker    {(time.perf_counter() - start) / 5 * 1e3:8.1f} ms")
    start = time.perf_counter()
    for _ in range(5):
        specs_of(again, probability=False)
    print(f"  describing the layers    {(time.perf_counter() - start) / 5 * 1e3:8.1f} ms")
    viewer.close()


if __name__ == "__main__":
    main()
