"""Runs of the command in this process or in one of its own, and what is expected of them."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_utile.cli import main

Case = tuple[str, str, Callable[[], str]]
"""A section, a name in it, and what to call; it returns one of `GOOD`, or what is wrong."""
GOOD = (
    "read",
    "refused",
    "whole",
    "said",
    "right",
    "right all the same",
    "not reached",
    "not possible here",
)


def some(count: int, scale: float) -> range:
    """Count a share of cases, one at least."""
    return range(max(1, round(count * scale)))


def picture() -> np.ndarray:
    """Discs on a dark ground."""
    y, x = np.indices((70, 90))
    return ((((y % 24) - 12) ** 2 + ((x % 24) - 12) ** 2 < 60) * 180 + 10).astype(np.uint8)


def in_a_child(work: Callable[[], int]) -> int:
    """Fork, and return the process that does the work and ends with its status; 70 where it raised."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = work()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


def status_of(child: int) -> int:
    """Wait for a process and return its exit status; negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def segment(folder: Path, out: Path, *more: str) -> int:
    """Segment the prepared picture in this process, quietly."""
    words = [
        "segment",
        str(folder / "cells.tif"),
        "-o",
        str(out),
        "--model",
        str(folder / "valid.safetensors"),
    ]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        status = main([*words, "--diameter", "none", "--tile", "24", "--quiet", *more])
    segment_said.append(said.getvalue())
    return status


segment_said: list[str] = []


def prepare(folder: Path, save_bright_model: Callable[[Path], Any]) -> np.ndarray:
    """Write a picture, a model and what they make; return the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "cells.tif", picture())
    save_bright_model(folder / "valid.safetensors")
    assert segment(folder, folder / "right") == 0
    return tifffile.imread(folder / "right" / "cells_labels.tif")


def is_whole(out: Path, right: np.ndarray) -> str:
    """Say what is wrong with results: labels are the right ones, or none are there."""
    labels = out / "cells_labels.tif"
    if labels.exists() and not np.array_equal(tifffile.imread(labels), right):
        return "other labels"
    left = [each.name for each in out.iterdir() if each.name.startswith(".")] if out.exists() else []
    return f"left behind: {left}" if left else ""
