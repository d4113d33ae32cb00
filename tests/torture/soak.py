"""Two hours of a user who thinks between what they do: memory, handles and threads stay flat.

Run with ``xvfb-run -a python tests/torture/soak.py``, or without ``xvfb-run`` where there is a display. Every round is
a line of the log; a run that was stopped is continued, and its table counts all runs. It thinks so long that it takes
a fifth of one core.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "training")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
logging.disable(logging.CRITICAL)

import numpy as np

from torture import user as people

SECTION = "soak"
SHARE = 0.2
"""Of one core, at most."""
SETTLED = 5
"""Rounds after which what napari, Qt and torch keep for the next time is there."""
GROWTH = 50
"""MiB an hour."""


def think(since: float) -> None:
    """Wait until the processor time since then is no more than its share."""
    people.wait(0.5)
    behind = time.process_time() / SHARE - (time.monotonic() - since)
    while behind > 0:
        people.wait(min(behind, 10.0))
        behind = time.process_time() / SHARE - (time.monotonic() - since)


def one_round(user: people.User, number: int, since: float) -> dict[str, int]:
    """Do once what people do in an hour, quickly."""
    ends = ("discard", "keep", "cancel", "stop")
    user.open_window()
    think(since)
    cells = user.segment()
    think(since)
    for act in (
        user.move_a_slider,
        user.click,
        user.evaluate,
        user.weigh,
        lambda: user.train(end=ends[number % 4]),
        user.segment,
        user.look_around,
        user.close_dock,
        user.close_images,
        user.open_image,
        user.segment,
        user.evaluate,
    ):
        act()
        think(since)
    layers = len(user.viewer.layers)
    user.close_window()
    return {"cells": cells, "layers_at_end": layers}


def verdicts(rounds: list[dict]) -> list[tuple[str, str, dict]]:
    """Say of each run whether what it keeps grew after it had settled."""
    found = []
    for run in dict.fromkeys(each["run"] for each in rounds):
        kept = [each for each in rounds if each["run"] == run][SETTLED:]
        if len(kept) < SETTLED:
            continue
        hours = np.array([each["seconds"] for each in kept]) / 3600
        slope = float(np.polyfit(hours, [each["resident"] for each in kept], 1)[0])
        facts = {"rounds": len(kept), "hours": float(hours[-1]), "MiB an hour": slope}
        found.append(
            (f"{run}: memory", "right" if slope < GROWTH else f"grew by {slope:.0f} MiB an hour", facts)
        )
        for name in ("handles", "threads"):
            grown = kept[-1][name] - kept[0][name]
            found.append((f"{run}: {name}", "right" if grown <= 2 else f"{grown} more", {"more": grown}))
    return found


def main() -> int:
    """Go on for the time that is left, return 1 where something failed or grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0, help="of all runs together")
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"))
    options = parser.parse_args()
    text = options.state.read_text(encoding="utf-8") if options.state.exists() else ""
    rounds = [
        entry[3]
        for entry in map(json.loads, text.splitlines())
        if entry[0] == SECTION and "round" in entry[3]
    ]
    before = sum({each["run"]: each["seconds"] for each in rounds}.values())
    run, since, failed = uuid.uuid4().hex[:6], time.monotonic(), 0
    with (
        tempfile.TemporaryDirectory() as place,
        options.state.open("a") as state,
        people.answer_closing_questions(),
    ):
        folder = Path(place)
        people.environment(folder)
        people.prepare(folder)
        while before + time.monotonic() - since < options.hours * 3600:
            number, outcome, found = len(rounds), "right", {}
            user = people.User(folder, np.random.default_rng(number))
            try:
                found |= one_round(user, number, since)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                outcome = f"{type(error).__name__}: {error}"
                user.close_window()
            failed += outcome != "right"
            found |= {"run": run, "round": number, "seconds": round(time.monotonic() - since, 1)}
            found |= {"processor": round(time.process_time(), 1), "resident": round(people.resident(), 1)}
            found |= people.belongings()
            rounds.append(found)
            print(json.dumps([SECTION, str(number), outcome, found]), file=state, flush=True)
        for name, outcome, facts in verdicts([each for each in rounds if each["run"] == run]):
            failed += outcome != "right"
            print(json.dumps([SECTION, name, outcome, facts]), file=state)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
