"""How late the window's event loop comes while it trains and segments, and what it did then: what is felt as stutter.

Run with ``xvfb-run -a python tests/torture/lateness.py``, or without ``xvfb-run`` where there is a display, on a
machine that does nothing else.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), *(str(HERE.parents[1] / each) for each in ("training", "benchmarks"))]
logging.disable(logging.CRITICAL)

import numpy as np
from heartbeat import Heartbeat, summary

from napari_utile.widgets.viewer.layers import session_of
from simulation.simulate import simulate
from torture import user as people

SECTION = "lateness"
BOUND = 50
"""Milliseconds, at the 99th percentile."""
LOOK_EVERY = 0.02
WORST = 8
SIDE = 512


class Lookout(threading.Thread):
    """Looks at what the window's thread does while a beat is later than it may be."""

    def __init__(self, beat: Heartbeat) -> None:
        super().__init__(daemon=True)
        self.seen: Counter[str] = Counter()
        self._beat, self._over, self._window = beat, threading.Event(), threading.get_ident()

    def run(self) -> None:
        """Write down the innermost function of ours, and the innermost of all."""
        while not self._over.wait(LOOK_EVERY):
            if time.perf_counter() - self._beat.last < BOUND / 1000:
                continue
            frame, names = sys._current_frames().get(self._window), []
            while frame is not None:
                names.append((frame.f_code.co_qualname, "napari_utile" in frame.f_code.co_filename))
                frame = frame.f_back
            ours = next((name for name, is_ours in names if is_ours), "not U-Tile")
            self.seen[f"{ours}: {names[0][0]}" if names else "at the end"] += 1

    def stop(self) -> Counter[str]:
        """Return how often what was seen."""
        self._over.set()
        self.join()
        return self.seen


def main() -> int:
    """Train and segment for some minutes; return 1 where the event loop came later than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"))
    options = parser.parse_args()
    late: dict[str, list[np.ndarray]] = {}
    seen: dict[str, Counter[str]] = {}
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
            lookout = Lookout(beat)
            lookout.start()
            people.wait_until(condition, name, 60 * options.minutes + 600)
            late.setdefault(name, []).append(beat.stop())
            seen.setdefault(name, Counter()).update(lookout.stop())

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
            session_of(user.viewer).tile_cache.clear()
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
            figures = {
                "99th": at_99,
                "worst": worst,
                "beats": every.size,
                "seen": seen[name].most_common(WORST),
            }
            print(f"{name:24} {summary(every)}; the latest {worst} ms", flush=True)
            for where, count in seen[name].most_common(WORST):
                print(f"    {count * LOOK_EVERY:5.2f} s in {where}")
            print(json.dumps([SECTION, name, outcome, figures]), file=state)
    return int(failed > 0)


if __name__ == "__main__":
    os.environ.pop("OMP_NUM_THREADS", None)
    sys.exit(main())
