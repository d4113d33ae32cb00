"""The progress bar of commands."""

from collections.abc import Generator
from typing import Any, TypeVar

from tqdm import tqdm

from napari_utile.engine.steps import Run

T = TypeVar("T")


def with_bar(steps: Generator[Any, Any, T], text: str, quiet: bool, unit: str = "tile") -> T:
    """Do long work that says how much is done, with a bar on a terminal unless `quiet`; return its result."""
    run = Run(steps)
    with tqdm(desc=text, unit=unit, disable=True if quiet else None, leave=False) as bar:
        for step in run:
            bar.total = step.total
            bar.update(step.done - bar.n)
    return run.result
