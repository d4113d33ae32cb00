"""Cancels and closings at random moments: nothing stays behind, and the next result is the right one.

Run with ``xvfb-run -a python tests/torture/cancels.py``, or without ``xvfb-run`` where there is a display.
"""

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "training")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
logging.disable(logging.CRITICAL)

import numpy as np

from napari_utile.session.state import ChosenImage
from napari_utile.widgets.viewer.layers import session_of
from torture import user as people

SECTION = "cancels and closings"
GROWTH = 50
"""MiB that the last hundred may add."""
CALLBACKS = (
    "mouse_move_callbacks",
    "mouse_drag_callbacks",
    "mouse_wheel_callbacks",
    "mouse_double_click_callbacks",
)


def segmenting(user: people.User) -> None:
    """Press Segment, in many small tiles."""
    page = user.page("segment")
    page.form.compute["tile"].value = 32
    page.run()


def adjusting(user: people.User) -> None:
    """Move a slider of a result, again and again."""
    user.segment()
    page = user.page("segment")
    for value in (0.3, 0.6, 0.4, 0.7):
        page.form.instances["threshold"].value = value


def training(user: people.User) -> None:
    """Train on painted cells."""
    session_of(user.viewer).cells = user.paint()
    page = user.page("train")
    page.form.params["minutes"].value = 5.0
    page.run()


def clicking(user: people.User) -> None:
    """Click faster than the answers come."""
    page = user.page("click")
    page.set_on(True)
    for pixel in np.argwhere(np.asarray(user.truth.data) > 0)[::97][:8]:
        page.mouse.clicked.emit(tuple(map(int, pixel)), "click")
        page.mouse.moved.emit(tuple(map(int, pixel)))


def evaluating(user: people.User) -> None:
    """Evaluate cells against the reference."""
    user.segment()
    page = user.page("evaluate")
    page.form.truth.set_layer(user.truth)
    page.run()


def weighing(user: people.User) -> None:
    """Look at the weight map, and paint."""
    session_of(user.viewer).cells = user.truth
    user.page("weights")
    user.truth.data_setitem(np.nonzero(np.asarray(user.truth.data) == 1), 0)


def looking(user: people.User) -> None:
    """Open all pages."""
    user.look_around()


STARTS: tuple[Callable[[people.User], None], ...] = (
    segmenting,
    segmenting,
    adjusting,
    training,
    clicking,
    evaluating,
    weighing,
    looking,
)


def cancel(user: people.User) -> None:
    """Press every Cancel."""
    for name in ("segment", "train", "evaluate"):
        user.page(name).cancel()


def close_dock(user: people.User) -> None:
    """Press the X of the dock."""
    user.close_dock()


def close_image(user: people.User) -> None:
    """Remove the image."""
    user.viewer.layers.remove(user.image)


def close_layers(user: people.User) -> None:
    """Remove all layers, in a random order."""
    for layer in user.rng.permutation(np.array(list(user.viewer.layers), object)):
        if layer in user.viewer.layers:
            user.viewer.layers.remove(layer)


def close_window(user: people.User) -> None:
    """Close napari."""
    user.close_window()


def another_image(user: people.User) -> None:
    """Choose another image."""
    layer = user.viewer.add_image(np.zeros((40, 50), np.uint8), name="another")
    session_of(user.viewer).image = ChosenImage(layer)


CUTS = (cancel, close_dock, close_image, close_layers, close_window, another_image)


def state_of(viewer: Any) -> tuple[Any, ...]:
    """Return what a plugin could leave in a viewer."""
    return (*(len(getattr(viewer, name)) for name in CALLBACKS), len(viewer.keymap))


def attempt(user: people.User, right: dict[int, np.ndarray]) -> str:
    """Begin something, cut it off, and look at what is left; return "right" or what is wrong."""
    if user.viewer is None:
        user.open_window()
        user.fresh = state_of(user.viewer)
    start = STARTS[user.rng.integers(len(STARTS))]
    cut = CUTS[user.rng.integers(len(CUTS))]
    what = f"{start.__name__}, {cut.__name__}"
    start(user)
    if user.rng.random() < 0.8:
        people.wait(float(user.rng.exponential(0.3)))
    cut(user)
    if user.viewer is not None:
        user.page("train").cancel()  # it does without its layers, and says nothing when they go
    people.wait_until(lambda: people.jobs() == 0, f"a job ({what})", 60)
    if user.viewer is None:
        return "right"
    user.page("train").form.result.discard.click()
    user.close_dock()
    if left := [layer.name for layer in user.viewer.layers if "running" in layer.name]:
        return f"{what}: layers left behind: {left}"
    if state_of(user.viewer) != user.fresh:
        return f"{what}: callbacks {state_of(user.viewer)}, not {user.fresh}"
    user.close_images()
    user.open_image()
    user.segment()
    if not np.array_equal(np.asarray(session_of(user.viewer).cells.data), right[user.number]):
        return f"{what}: the next result is wrong"
    user.close_dock()
    user.close_images()
    people.settle()
    user.open_image()
    return "right"


def right_results(folder: Path) -> dict[int, np.ndarray]:
    """Segment each image in peace."""
    right = {}
    user = people.User(folder, np.random.default_rng(0))
    user.open_window()
    for number in range(3):
        user.close_images()
        user.open_number(number)
        user.segment()
        right[number] = np.array(session_of(user.viewer).cells.data)
    user.close_window()
    return right


def main() -> int:
    """Run what was not run yet; the outcomes go to the state file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=float, default=200)
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"))
    options = parser.parse_args()
    text = options.state.read_text(encoding="utf-8") if options.state.exists() else ""
    done = {name for section, name, *_ in map(json.loads, text.splitlines()) if section == SECTION}
    kept: list[dict[str, float]] = []
    failed = 0
    with (
        tempfile.TemporaryDirectory() as place,
        options.state.open("a") as state,
        people.answer_closing_questions(),
    ):
        folder = Path(place)
        people.environment(folder)
        people.prepare(folder)
        people.quick_model()
        gc.collect()
        gc.freeze()  # libraries: napari looks through all objects whenever a layer goes
        right = right_results(folder)
        before = people.belongings()
        user = people.User(folder, np.random.default_rng(0))
        for number in range(max(1, round(options.cases))):
            if str(number) in done:
                continue
            user.rng = np.random.default_rng(number)
            started = time.process_time()
            try:
                outcome = attempt(user, right)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                outcome = f"{type(error).__name__}: {error}"
            if outcome != "right":
                failed += 1
                user.close_window()
            people.settle()
            counts = people.belongings() if number % 10 == 9 else {}
            kept.append({**counts, "resident": people.resident(), "processor": time.process_time() - started})
            line = [SECTION, str(number), outcome, kept[-1]]
            print(json.dumps(line), file=state, flush=True)
        user.close_window()
        end = people.belongings()
        last = kept[-100:]
        if len(kept) >= 100:
            grown = last[-1]["resident"] - last[0]["resident"]
            outcome = "right" if grown < GROWTH else f"grew by {grown:.0f} MiB"
            print(
                json.dumps([SECTION, f"memory over the last {len(last)}", outcome, {"grown": grown}]),
                file=state,
            )
            failed += outcome != "right"
        for name, count in end.items():
            more = count - (before[name] if name in ("handles", "threads") else 0)
            outcome = (
                "right" if more <= (2 if name in ("handles", "threads") else 0) else f"{more} are still there"
            )
            print(json.dumps([SECTION, f"{name} at the end", outcome, {}]), file=state)
            failed += outcome != "right"
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
