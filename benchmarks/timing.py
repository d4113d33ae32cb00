"""What the benchmarks share: the option --quick, and functions that are timed in turns."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser that knows --quick."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, within two minutes")
    return parser


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def best_of(repeats: int, function: Callable[[], object]) -> float:
    """Return the shortest of some calls (seconds)."""
    return min(seconds(function) for _ in range(repeats))


def in_turns(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time functions in turns, so that a disturbance meets all of them; print each time as it is known.

    The first round, in which things are loaded, does not count. Returns the medians in seconds.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            spent = seconds(function)
            print(f"  {'once before' if number == 0 else f'round {number}':12} {name:40} {spent:8.3f} s")
            if number:
                taken[name].append(spent)
    return {name: statistics.median(each) for name, each in taken.items()}
