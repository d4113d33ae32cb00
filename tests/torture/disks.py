"""Disks that are full, read-only, slow, elsewhere, or gone."""

import contextlib
import errno
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import tifffile

from torture.runs import Case, in_a_child, is_whole, picture, segment, segment_said, some, status_of


def disk_is_full(limit: int, folder: Path, right: np.ndarray) -> str:
    """Let no file grow beyond some bytes, as a full disk or a quota does."""
    out = folder / f"disk-{limit}"

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        status = segment(folder, out, "--probability", "--measurements")
        (folder / "said.txt").write_text(segment_said[-1][-min(limit, 400) :])
        return status

    status = status_of(in_a_child(work))
    if status not in (0, 1):
        return f"status {status}"
    if wrong := is_whole(out, right):
        return wrong
    return "said" if status else "right"


@contextlib.contextmanager
def mounted(place: Path, options: str = "size=8m") -> Iterator[Path]:
    """Mount a file system in memory; needs the rights of root on Linux."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=False, capture_output=True)


def can_mount(folder: Path) -> bool:
    """Say whether file systems can be mounted here."""
    try:
        with mounted(folder / "try"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def _said_or_right(status: int, out: Path, right: np.ndarray) -> str:
    said = segment_said.pop()
    if (
        status not in (0, 1)
        or "Traceback" in said
        or "Something went wrong" in said
        or (status and not said.strip())
    ):
        return f"status {status}: {said[-300:]}"
    return is_whole(out, right) or ("said" if status else "right")


def read_only(folder: Path, right: np.ndarray) -> str:
    """Write to a file system that is mounted read-only."""
    with mounted(folder / "ro") as place:
        (place / "out").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True, capture_output=True)
        return _said_or_right(segment(folder, place / "out"), place / "out", right)


def no_space(size: int, folder: Path, right: np.ndarray) -> str:
    """Write to a real file system of some kilobytes."""
    with mounted(folder / "small", f"size={size}k") as place:
        return _said_or_right(segment(folder, place / "out", "--probability"), place / "out", right)


def vanishing(number: int, folder: Path, right: np.ndarray) -> str:
    """Lose the disk that is written to, or the one that is read from, at the n-th tile."""
    from napari_utile.engine.inference import predict

    usual, count = predict.run_tile, [0]
    with mounted(folder / "gone") as place:
        source = folder
        if number % 2:
            source = place
            for name in ("cells.tif", "valid.safetensors"):
                shutil.copy(folder / name, place)

        def sometimes(*args, **kwargs):
            count[0] += 1
            if count[0] == number + 1:
                subprocess.run(["umount", "-l", place], check=True, capture_output=True)
            return usual(*args, **kwargs)

        out = folder / f"vanishing-{number}" if number % 2 else place / "out"
        with mock.patch.object(predict, "run_tile", sometimes):
            status = segment(source, out)
        return _said_or_right(status, out, right)


def elsewhere(folder: Path, right: np.ndarray) -> str:
    """Write through a link into another file system, where the temporary file must be as well."""
    with mounted(folder / "other") as place:
        out = folder / "elsewhere"
        out.mkdir(exist_ok=True)
        (place / "labels.tif").write_bytes(b"old")
        (out / "cells_labels.tif").symlink_to(place / "labels.tif")
        status = segment(folder, out, "--overwrite")
        if status == 0 and not np.array_equal(tifffile.imread(place / "labels.tif"), right):
            return "the file that the link names was not written"
        return _said_or_right(status, out, right)


def failing_call(name: str, code: int, folder: Path, right: np.ndarray) -> str:
    """Let a call of the system fail as a quota, a cable or another file system makes it fail."""
    out = folder / f"call-{name}-{code}"

    def failing(*args, **kwargs):
        raise OSError(
            code, os.strerror(code), str(args[0]) if args and isinstance(args[0], (str, Path)) else None
        )

    with mock.patch(f"os.{name}", failing):
        status = segment(folder, out)
    outcome = _said_or_right(status, out, right)
    return outcome if status else f"{outcome}, though {name} failed"


def slow(folder: Path, right: np.ndarray) -> str:
    """Let every call that makes a file durable take a third of a second."""
    usual = os.fsync

    def slowly(descriptor: int) -> None:
        time.sleep(0.3)
        usual(descriptor)

    with mock.patch("os.fsync", slowly):
        return _said_or_right(segment(folder, folder / "slow"), folder / "slow", right)


def names_alike(folder: Path, right: np.ndarray) -> str:
    """Segment two images whose names differ by their case only: on many disks their results are one file."""
    from napari_utile.cli import main

    for name in ("a/Cells.tif", "b/cells.tif"):
        (folder / "alike" / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / "alike" / name, picture())
    images = [str(folder / "alike" / name) for name in ("a/Cells.tif", "b/cells.tif")]
    with contextlib.redirect_stderr(None), contextlib.redirect_stdout(None):
        status = main(["segment", *images, "-o", str(folder / "alike" / "out"), "--diameter", "none", "--quiet",
                       "--model", str(folder / "valid.safetensors")])  # fmt: skip
    found = [each.name for each in (folder / "alike" / "out").glob("*")] if status == 0 else []
    clash = len({each.casefold() for each in found}) < len(found)
    return f"results that are one file on many disks: {found}" if clash else "said" if status else "right"


def cases(folder: Path, right: np.ndarray, scale: float) -> Iterator[Case]:
    """Give every kind of disk."""
    for step in some(60, scale):
        limit = 64 * (step + 1) ** 2
        yield "disk: files may not grow", str(limit), lambda limit=limit: disk_is_full(limit, folder, right)
    possible = can_mount(folder)
    kinds: list[tuple[str, str, Callable[..., str], tuple]] = [
        ("read-only", "tmpfs", read_only, ()),
        *(("full", f"{size} KiB", no_space, (size,)) for size in (4, 8, 12, 16, 24, 32, 64, 128)),
        *(("vanishing", f"at tile {number}", vanishing, (number,)) for number in some(12, scale)),
        ("on another file system", "through a link", elsewhere, ()),
    ]
    for kind, name, call, args in kinds:
        if possible:
            yield f"disk: {kind}", name, lambda call=call, args=args: call(*args, folder, right)
        else:
            yield f"disk: {kind}", name, lambda: "not possible here"
    for name, code in (
        ("fsync", errno.EDQUOT),
        ("fsync", errno.ENOSPC),
        ("fsync", errno.EIO),
        ("replace", errno.EXDEV),
        ("replace", errno.EDQUOT),
        ("replace", errno.EIO),
        ("replace", errno.ESTALE),
    ):
        word = errno.errorcode[code]
        yield (
            "disk: a call fails",
            f"{name}, {word}",
            lambda name=name, code=code: failing_call(name, code, folder, right),
        )
    yield "disk: slow", "fsync", lambda: slow(folder, right)
    yield "disk: case-insensitive", "names alike", lambda: names_alike(folder, right)
