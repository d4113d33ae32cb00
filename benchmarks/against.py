"""This version against another one, in turns in one run: `python benchmarks/against.py CHECKOUT [--quick]`.

CHECKOUT is a folder with another version's `src`, for example of `git worktree add ../before COMMIT`. Both versions do
the same through public names only, each in a process of its own that stays, one call after the other, so that what
disturbs one disturbs the other. A ratio above 1 means that this version is quicker.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from timing import options, seconds

HERE = Path(__file__).resolve().parents[1]


def tasks(side: int) -> dict[str, Callable[[], object]]:
    """Return what is timed, made with the version that is imported in this process."""
    import numpy as np

    import napari_utile

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    distance = np.hypot(y % 40 - 20, x % 40 - 20)
    labels = np.where(distance < 15, (y // 40) * (side // 40 + 1) + x // 40 + 1, 0).astype(np.int32)
    image = (np.clip(16 - distance, 0, 8) * 25 + rng.normal(20, 4, labels.shape)).astype(np.float32)
    moved = np.roll(labels, 2, axis=0)
    made = napari_utile.segment(image, diameter=None)
    other = napari_utile.InstanceParams(threshold=0.4)
    return {
        f"segment {side} x {side} with the bundled model": lambda: napari_utile.segment(image, diameter=None),
        "16 calls of 128 x 128": lambda: [
            napari_utile.segment(image[row : row + 128, column : column + 128], diameter=None)
            for row in range(0, 512, 128)
            for column in range(0, 512, 128)
        ],
        "cells from probabilities, by another threshold": lambda: made.relabelled(other),
        "weight map": lambda: napari_utile.weight_map(labels),
        "cell scores": lambda: napari_utile.cell_scores(moved, labels),
        "all scores": lambda: napari_utile.evaluate(moved, labels),
        "measurements": lambda: napari_utile.measure(labels, image),
    }


def serve(side: int) -> None:
    """Do what standard input asks for, and answer with the seconds it took."""
    known = tasks(side)
    print("\t".join(known), flush=True)
    for line in sys.stdin:
        print(seconds(known[line.strip()]), flush=True)


class Version:
    """A process in which one version runs."""

    def __init__(self, checkout: Path, side: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(side)],
            env={**os.environ, "PYTHONPATH": str(checkout / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tasks = self._answer().split("\t")

    def time(self, task: str) -> float:
        assert self._process.stdin is not None
        print(task, file=self._process.stdin, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line.rstrip("\n")
        raise SystemExit("This version does not run; see above.")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("checkout", nargs="?", type=Path, help="folder with the other version's src")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if arguments.checkout is None:
        print("skipped: name another checkout to compare with. python benchmarks/against.py ../before")
        return
    side, rounds = (512, 3) if arguments.quick else (2048, 7)
    then, now = Version(arguments.checkout.resolve(), side), Version(HERE, side)
    print(f"{'':50} {'before':>9} {'now':>9}   ratio (lowest and highest of {rounds} pairs)")
    for task in now.tasks:
        then.time(task), now.time(task)  # once before, to load things
        pairs = [(then.time(task), now.time(task)) for _ in range(rounds)]
        before, after = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratios = sorted(old / new for old, new in pairs)
        middle = statistics.median(ratios)
        print(
            f"{task:50} {before:7.3f} s {after:7.3f} s   {middle:5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
