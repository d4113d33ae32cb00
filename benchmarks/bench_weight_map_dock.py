"""Time of one brush stroke with the Weight map dock open: 2048 x 2048 pixels, 1000 cells, in a real window."""

import os
import sys
import time

import numpy as np

from napari_utile.widgets.viewer.offscreen import has_display

if not has_display():
    print("needs a display; run it with xvfb-run -a -s '-screen 0 1600x1000x24 +extension GLX'")
    sys.exit(0)
os.environ.setdefault("NAPARI_CONFIG", "")

import napari
from bench_weight_map import touching_discs
from qtpy.QtWidgets import QApplication
from timing import options

from napari_utile.widgets.pages.weights.page import WeightsPage
from napari_utile.widgets.workbench.commands import open_page


def wait(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        QApplication.processEvents()
        time.sleep(0.005)


def strokes(layer, seed, count, follower=None) -> dict[str, list[float]]:
    """Paint dabs that enlarge cells; give milliseconds of the dab, of the map and until the window is drawn."""
    rng = np.random.default_rng(seed)
    times: dict[str, list[float]] = {"paint": [], "map and overlay": [], "on screen": []}
    for _ in range(count):
        cell = int(rng.choice(np.unique(layer.data)[1:]))
        place = tuple(np.argwhere(layer.data == cell)[0])  # at its upper end
        start = time.perf_counter()
        layer.paint(place, cell)
        painted = time.perf_counter()
        if follower is not None:
            follower.flush()
        flushed = time.perf_counter()
        QApplication.processEvents()
        drawn = time.perf_counter()
        for name, seconds in zip(times, (painted - start, flushed - painted, drawn - start), strict=True):
            times[name].append(1e3 * seconds)
        wait(0.03)
    return times


def main() -> None:
    count = 8 if options(__doc__).parse_args().quick else 40
    viewer = napari.Viewer()
    viewer.window.resize(1200, 900)
    layer = viewer.add_labels(touching_discs(2048, 1000), name="cells")
    layer.brush_size = 20
    wait(1)
    alone = strokes(layer, 0, count)
    dock = open_page(viewer, "weights").page("weights")
    assert isinstance(dock, WeightsPage)
    while dock.follower.live is None:
        wait(0.1)
    wait(3)
    for seed, term in enumerate(("border", "total"), start=1):
        dock.follower.set_term(term)
        wait(1)
        ours = strokes(layer, seed, count, dock.follower)
        print(f"one dab of 20 pixels, showing {term}: median and worst of {count}, milliseconds")
        for name, values in ours.items():
            print(f"  {name:16} {np.median(values):6.1f} {max(values):6.1f}")
        more = np.median(ours["on screen"]) - np.median(alone["on screen"])
        print(f"  on screen without the dock {np.median(alone['on screen']):6.1f}: the dock adds {more:.1f}")
    start = time.perf_counter()
    layer.undo()
    undone = time.perf_counter()
    dock.follower.flush()
    ended = time.perf_counter()
    print(f"undo {1e3 * (undone - start):.1f} ms, then map and overlay {1e3 * (ended - undone):.1f} ms")
    viewer.close()


if __name__ == "__main__":
    main()
