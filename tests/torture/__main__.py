"""The long form: ``make torture``. What was done is kept in a file, so that a run that was stopped is resumed."""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "training")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
logging.disable(logging.CRITICAL)

from bright_model import save_bright_model
from torture import disks, inputs, kills, machines, memory, mixtures, runs, threads

WINDOWS = {
    "cancels and closings": ("cancels.py", "--cases", 200),
    "two windows": ("two_windows.py", "--cases", 10),
    "lateness": ("lateness.py", "--minutes", 10),
    "soak": ("soak.py", "--hours", 2),
}
"""Programs that need a window, each in a process of its own, and how long they go on."""


def cases(only: tuple[str, ...], folder: Path, scale: float) -> Iterator[runs.Case]:
    """Give the cases of these sections, and perhaps of others, that need no window."""
    if any(each.startswith("inputs") or "inputs".startswith(each) for each in only):
        inputs.prepare(folder, save_bright_model)
        yield from inputs.cases(folder, scale)
    yield from mixtures.cases(folder, scale)
    right = runs.prepare(folder, save_bright_model)
    yield from kills.cases(folder, scale)
    yield from memory.cases(folder, right, scale)
    yield from disks.cases(folder, right, scale)
    yield from machines.cases(folder, right, scale)
    yield from threads.cases(folder, save_bright_model, scale)


def without_windows(only: tuple[str, ...], scale: float, state: Path) -> None:
    """Run what was not run yet of the cases that need no window."""
    done = {(section, name) for section, name, *_ in entries(state)}
    with tempfile.TemporaryDirectory() as text, state.open("a", encoding="utf-8") as file:
        os.environ["UTILE_MODELS"] = f"{text}/library"
        Path(text, "library").mkdir()
        for section, name, call in cases(only, Path(text), scale):
            if section.startswith(only) and (section, name) not in done:
                print(json.dumps([section, name, call()]), file=file, flush=True)


def with_windows(only: tuple[str, ...], scale: float, state: Path) -> None:
    """Run the programs that need a window, on a display of their own where there is none."""
    display = (
        [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24 +extension GLX"]
    )
    for section, (program, option, most) in WINDOWS.items():
        if not section.startswith(only):
            continue
        if display and shutil.which(display[0]) is None:
            print(f"{section}: there is neither a display nor xvfb-run", file=sys.stderr)
            continue
        words = [sys.executable, "-W", "ignore", HERE / program, option, str(most * scale), "--state", state]
        subprocess.run([*display, *words], check=False)


def entries(state: Path) -> list[list]:
    """Return what was done: section, name, outcome, and perhaps figures."""
    if not state.exists():
        return []
    return [json.loads(line) for line in state.read_text(encoding="utf-8").splitlines()]


def table(found: list[list]) -> str:
    """Count the outcomes of each section."""
    counts: dict[str, Counter[str]] = {}
    for section, _, outcome, *_ in found:
        counts.setdefault(section, Counter())[outcome if outcome in runs.GOOD else "failed"] += 1
    rows = ["| section | cases | outcomes | failed |", "|---|---|---|---|"]
    for section, each in counts.items():
        good = ", ".join(f"{each[word]} {word}" for word in runs.GOOD if each[word])
        rows.append(f"| {section} | {sum(each.values())} | {good} | {each['failed']} |")
    return "\n".join(rows)


def main() -> int:
    """Run what was not run yet, print a table of all that was, return 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how many cases, in shares of all")
    parser.add_argument("--only", action="append", help="sections that begin like this; may be given again")
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"), help="what was done already")
    options = parser.parse_args()
    only, started = tuple(options.only or [""]), time.process_time()
    without_windows(only, options.scale, options.state)
    with_windows(only, options.scale, options.state)
    found = [each for each in entries(options.state) if each[0].startswith(only)]
    for section, name, outcome, *_ in found:
        if outcome not in runs.GOOD:
            print(f"{section} {name}: {outcome}", file=sys.stderr)
    print(table(found))
    print(f"\n{time.process_time() - started:.0f} s of processor time in this run")
    return int(any(outcome not in runs.GOOD for _, _, outcome, *_ in found))


if __name__ == "__main__":
    sys.exit(main())
