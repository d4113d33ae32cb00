"""The long form: ``make torture``. What was done is kept in a file, so that a run that was stopped is resumed."""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")
logging.disable(logging.CRITICAL)

from bright_model import save_bright_model  # noqa: E402
from torture import faults, inputs  # noqa: E402

GOOD = (
    "read",
    "refused",
    "whole",
    "said",
    "right",
    "right all the same",
    "not reached",
    "not installed here",
)
Case = tuple[str, str, Callable[[], str]]


def cases(folder: Path, scale: float) -> Iterator[Case]:
    """Give every case: its section, its name, and what to call."""
    many = max(1, round(1112 * scale))
    inputs.prepare(folder, save_bright_model)
    for kind in inputs.KINDS:
        for seed in range(many):
            yield (
                f"inputs: {kind}",
                str(seed),
                lambda kind=kind, seed=seed: inputs.attempt(kind, seed, folder),
            )
    right = faults.prepare(folder, save_bright_model)
    for kind in faults.SAVES:
        for seed in range(max(1, round(40 * scale))):
            yield (
                f"kills: {kind}",
                str(seed),
                lambda kind=kind, seed=seed: faults.kill_during_save(kind, seed, folder),
            )
    for place in faults.PLACES:
        for number in range(max(1, round(20 * scale))):
            yield (
                f"memory: {place}",
                str(number),
                lambda place=place, number=number: faults.memory_fails(
                    place, number, folder, right, MemoryError
                ),
            )
    for step in range(max(1, round(60 * scale))):
        limit = 64 * (step + 1) ** 2
        yield "disk: full", str(limit), lambda limit=limit: faults.disk_is_full(limit, folder, right)
    for seed in range(max(1, round(10 * scale))):
        yield "concurrency", str(seed), lambda seed=seed: faults.two_writers(seed, folder, right)
    for where in faults.MACHINES:
        yield "any machine", where, lambda where=where: faults.odd_machine(where, folder, right)


def main() -> int:
    """Run what was not run yet, print a table, return 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how many cases, in shares of all")
    parser.add_argument("--only", default="", help="sections that begin like this")
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"), help="what was done already")
    options = parser.parse_args()
    done = {}
    if options.state.exists():
        for line in options.state.read_text(encoding="utf-8").splitlines():
            section, name, outcome = json.loads(line)
            done[section, name] = outcome
    found: dict[str, Counter[str]] = {}
    started = time.process_time()
    with tempfile.TemporaryDirectory() as text, options.state.open("a", encoding="utf-8") as state:
        os.environ["UTILE_MODELS"] = f"{text}/library"
        Path(text, "library").mkdir()
        for section, name, call in cases(Path(text), options.scale):
            if not section.startswith(options.only):
                continue
            outcome = done.get((section, name))
            if outcome is None:
                outcome = call()
                print(json.dumps([section, name, outcome]), file=state, flush=True)
            if outcome not in GOOD:
                print(f"{section} {name}: {outcome}", file=sys.stderr)
            found.setdefault(section, Counter())[outcome if outcome in GOOD else "failed"] += 1
    print("| section | cases | outcomes | failed |\n|---|---|---|---|")
    for section, counts in found.items():
        good = ", ".join(f"{counts[each]} {each}" for each in GOOD if counts[each])
        print(f"| {section} | {sum(counts.values())} | {good} | {counts['failed']} |")
    print(f"\n{time.process_time() - started:.0f} s of processor time in this run")
    return int(any(counts["failed"] for counts in found.values()))


if __name__ == "__main__":
    sys.exit(main())
