"""How the window fares while the Fine-tune dock trains: how late its event loop comes.

Run with ``xvfb-run -a python benchmarks/bench_fine_tune_dock.py``, or without ``xvfb-run`` where there is a display.
The bundled model learns a simulated 512 x 512 image, whose prediction is shown meanwhile.
"""

import argparse
import sys
import time
from pathlib import Path

import napari
from heartbeat import Heartbeat, summary
from qtpy.QtCore import QEventLoop, QTimer
from timing import options

from napari_utile.widgets.pages.train.page import TrainPage
from napari_utile.widgets.workbench.commands import open_page

sys.path.append(str(Path(__file__).parents[1] / "training"))
from simulation.simulate import simulate

SIZE, CELLS = 512, 150


def wait_until(condition, timeout: float = 600.0) -> None:
    """Let the window work as it does by itself, asleep between events, until a condition holds."""
    loop, check, end = QEventLoop(), QTimer(), time.perf_counter() + timeout
    check.timeout.connect(lambda: loop.quit() if condition() or time.perf_counter() > end else None)
    check.start(20)
    loop.exec()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=40.0, help="of training")
    parser.add_argument("--watch", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    if args.quick:
        args.seconds = min(args.seconds, 15.0)

    viewer = napari.Viewer()
    viewer.window.resize(1400, 860)
    dock = open_page(viewer, "train").page("train")
    assert isinstance(dock, TrainPage)
    cells = simulate("clustered_nuclei", height=SIZE, width=SIZE, cells=CELLS, seed=0)
    viewer.add_image(cells.image, name="cells")
    viewer.add_labels(cells.labels, name="painted")
    dock.form.params["minutes"].value = args.seconds / 60
    dock.form.watch.setChecked(args.watch)
    wait_until(lambda: False, 2)

    beat = Heartbeat()
    wait_until(lambda: False, 3)
    print(f"window at rest          {summary(beat.stop())}")

    start = time.perf_counter()
    preparing = Heartbeat()
    dock.run()
    wait_until(lambda: dock.form.plot.losses or not dock.running)
    late = preparing.stop()
    print(f"until the first step    {summary(late)}, {time.perf_counter() - start:.1f} s")
    training = Heartbeat()
    wait_until(lambda: not dock.running)
    print(f"while it trains         {summary(training.stop())}")
    if not dock.form.plot.steps:
        raise SystemExit(f"It did not train: {dock.form.status.text()}")
    print(f"{dock.form.plot.steps[-1]} steps, {time.perf_counter() - start:.1f} s")
    viewer.close()


if __name__ == "__main__":
    main()
