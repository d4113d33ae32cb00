"""How late the window's event loop comes while it trains and segments: what a user feels as stutter.

Run with ``xvfb-run -a python tests/torture/lateness.py``, or without ``xvfb-run`` where there is a display, on a
machine that does nothing else.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), *(str(HERE.parents[1] / each) for each in ("training", "benchmarks"))]
logging.disable(logging.CRITICAL)

import numpy as np  # noqa: E402
from heartbeat import Heartbeat, summary  # noqa: E402

from simulation.simulate import simulate  # noqa: E402
from torture import user as people  # noqa: E402

SECTION = "lateness"
BOUND = 50
"""Milliseconds, at the 99th percentile."""
WORST = 8
SIDE = 512


def main() -> int:
    """Train and segment for some minutes; return 1 where the event loop came later than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"))
    options = parser.parse_args()
    late: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as text, people.answer_closing_questions():
        folder = Path(text)
        people.environment(folder)
        people.prepare(folder)
        user = people.User(folder, np.random.default_rng(0))
        user.open_window()
        user.close_images()
        cells = simulate("clustered_nuclei", height=SIDE, width=SIDE, cells=150, seed=0)
        image = user.viewer.add_image(cells.image, name="cells")
        labels = user.viewer.add_labels(cells.labels, name="painted")
        train, segment = user.page("train"), user.page("segment")
        people.choose(user.viewer, image, labels)
        user.page("train")
        people.wait(2)

        def measured(name: str, condition) -> None:
            beat = Heartbeat()
            people.wait_until(condition, name, 60 * options.minutes + 600)
            late.setdefault(name, []).append(beat.stop())

        at_rest = time.monotonic() + 3
        measured("at rest", lambda: time.monotonic() > at_rest)
        end = time.monotonic() + 60 * options.minutes
        train.form.params["minutes"].value = max(0.1, options.minutes)
        train.run()
        measured("until the first step", lambda: train.form.plot.losses or not train.running)
        if not train.running:
            raise SystemExit(f"It does not train: {train.form.status.text()}")
        half = time.monotonic() + 30 * options.minutes
        measured("training", lambda: time.monotonic() > half or not train.running)
        user.page("segment")
        while time.monotonic() < end:  # beside the training
            segment.form.compute["tile"].value = int(128 + 32 * (time.monotonic() // 10 % 4))
            segment.run()
            measured("training and segmenting", lambda: not segment.running)
        train.cancel()
        people.wait_until(lambda: not train.running, "a training")
        user.close_window()
    failed = 0
    with options.state.open("a", encoding="utf-8") as state:
        for name, parts in late.items():
            every = np.concatenate(parts)
            at_99 = float(np.percentile(every, 99) * 1000)
            worst = (np.sort(every)[::-1][:WORST] * 1000).round().tolist()
            good = at_99 < BOUND or name == "until the first step"  # torch is being imported then
            outcome = "right" if good else f"{at_99:.0f} ms late at the 99th percentile"
            failed += not good
            figures = {"99th": at_99, "worst": worst, "beats": every.size}
            print(f"{name:24} {summary(every)}; the latest {worst} ms", flush=True)
            print(json.dumps([SECTION, name, outcome, figures]), file=state)
    return int(failed > 0)


if __name__ == "__main__":
    os.environ.pop("OMP_NUM_THREADS", None)
    sys.exit(main())
