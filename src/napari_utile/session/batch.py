"""Batches from the window: the very command ``utile segment``, in a process of its own, over many images.

What is written, images that fail, tables and the quality sheet are those of the command; here it is started, followed
and stopped, and its table is read.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.names import CELLS, image_name, results_apart
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.files.tables import Table
from napari_utile.engine.files.targets import check_folder, stamp_of
from napari_utile.engine.provenance.command import path_word
from napari_utile.engine.words import counted

_COPIES, _TABLE = "images", "fields.csv"
# How often the process is looked at, and how long it may take to end when it is told to. Seconds.
_EVERY, _TO_END = 0.1, 5.0


@dataclass(frozen=True, eq=False)
class BatchRequest:
    """A batch as it was when the user pressed Run.

    Attributes
    ----------
    inputs : tuple of Path
        Files and folders.
    layers : tuple of (str, callable)
        Names of open layers without a file, and a function that writes each to a path.
    target : Path
        Folder of the results.
    options : tuple of str
        Further words of the command.
    """

    inputs: tuple[Path, ...]
    layers: tuple[tuple[str, Callable[[Path], object]], ...]
    target: Path
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchStep:
    """How many of the images are done, and what is said of the one that was done last."""

    done: int
    total: int
    said: str = ""


@dataclass(frozen=True)
class BatchImage:
    """An image of a finished batch; `failed` says why there is no result of it."""

    name: str
    cells: int = 0
    covered: float | None = None
    confidence: float | None = None
    flags: str = ""
    failed: str = ""


@dataclass(frozen=True)
class FinishedBatch:
    """What a batch did.

    Attributes
    ----------
    images : tuple of BatchImage
        Failed ones first, then the least sure.
    sheet : Path or None
        The quality sheet, a web page; None where a single image was segmented.
    """

    target: Path
    images: tuple[BatchImage, ...]
    sheet: Path | None

    @property
    def failed(self) -> int:
        """How many images have no result."""
        return sum(bool(image.failed) for image in self.images)

    def __str__(self) -> str:
        """Sum it up in a sentence."""
        good = [image for image in self.images if not image.failed]
        cells = sum(image.cells for image in good)
        flagged = sum(bool(image.flags) for image in good)
        parts = [f"{counted(cells, 'cell')} in {counted(len(good), 'image')}"]
        if flagged:
            parts.append(f"{flagged} with a flag")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts) + "."


def batch_command(request: BatchRequest, inputs: Sequence[Path] = ()) -> list[str]:
    """Return the words of the command, after ``utile``."""
    images = [path_word(path) for path in (inputs or request.inputs)]
    return ["segment", *images, "-o", path_word(request.target), "--measurements", *request.options]


def batch_in_words(request: BatchRequest) -> str:
    """Return the command for a terminal, the copies of layers included."""
    copies = [request.target / _COPIES] if request.layers else []
    return shlex.join(["utile", *batch_command(request, [*request.inputs, *copies])])


def batch_job(request: BatchRequest) -> Generator[BatchStep, None, FinishedBatch]:
    """Write the layers, run the command, follow it; closing the job ends the process.

    What is finished by then stays.

    Raises
    ------
    UtileError
        If nothing can be started, or all failed for one reason.
    """
    yield BatchStep(0, 0)
    check_folder(request.target)
    inputs = [*request.inputs]
    taken = {image_name(path).lower() for path in find_images(inputs)} if inputs else set()
    for name, write in request.layers:
        path = request.target / _COPIES / f"{_file_name(name, taken)}.tif"
        path.parent.mkdir(exist_ok=True)
        write(path)
        inputs.append(path)
        yield BatchStep(0, 0, f"{name} written")
    names = [image_name(path) for path in results_apart(find_images(inputs)).images]
    table = request.target / _TABLE
    earlier = (request.target / (row.get("labels") or _TABLE) for row in _rows_of(table))
    watched = (table, *(_labels_of(request.target, name) for name in names), *earlier)
    before = {path: stamp_of(path) for path in watched}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        said, errors = (stack.enter_context((folder / each).open("wb")) for each in ("out", "err"))
        process = _start([*batch_command(request, inputs), "--quiet"], said, errors)
        stack.callback(_end, process)
        done = 0
        while process.poll() is None:
            finished = _finished(request.target, names, before)
            done = max(done, len(finished))
            yield BatchStep(done, len(names), finished[-1] if finished else "")
            time.sleep(_EVERY)
        lines = (folder / "err").read_text(encoding="utf-8", errors="replace").splitlines()
    images = _table(request.target, names, before, lines) or _single(request.target, names, before, lines)
    if not images or all(image.failed for image in images):
        raise UtileError(_reason(lines))
    order = sorted(images, key=lambda image: (not image.failed, not image.flags, image.confidence or 0.0))
    sheet = request.target / "quality.html"
    return FinishedBatch(request.target, tuple(order), sheet if sheet.is_file() and len(names) > 1 else None)


def _file_name(name: str, taken: set[str]) -> str:
    """Give a layer's name as that of a file, with a number where one is taken; it is taken from then on."""
    kept = "".join(letter if letter.isalnum() or letter in " -_." else "_" for letter in name).strip(" .")
    kept = kept[:80] or "image"
    names = (kept, *(f"{kept} {number}" for number in range(2, 10_000)))
    free = next(each for each in names if each.lower() not in taken)
    taken.add(free.lower())
    return free


def _reason(lines: Sequence[str]) -> str:
    """Return why a command did nothing: what it said last."""
    said = lines[-1] if lines else "The batch ended without saying why; look in the folder for the results."
    return said.removeprefix("utile segment: ")


def _start(words: Sequence[str], said: IO[bytes], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows a console would open
    return subprocess.Popen(
        [sys.executable, "-m", "napari_utile.cli", *words],
        stdout=said,
        stderr=errors,
        stdin=subprocess.DEVNULL,
        env=environment,
        creationflags=hidden,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, first in the way in which it cleans up after itself: Ctrl+C may be ignored here, and so there."""
    for stop in (process.terminate, process.kill):
        if process.poll() is not None:
            return
        stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END)


_Stamps = Mapping[Path, tuple[int, ...]]


def _labels_of(target: Path, name: str) -> Path:
    return target / f"{name}{LABELS}"


def _is_new(path: Path, before: _Stamps) -> bool:
    return stamp_of(path) not in ((), before.get(path, ()))


def _finished(target: Path, names: Sequence[str], before: _Stamps) -> list[str]:
    """Name the images whose labels are new: they come last, when all else is there."""
    return [name for name in names if _is_new(_labels_of(target, name), before)]


def _rows_of(table: Path) -> list[dict[str, str]]:
    try:
        return list(Table(table)) if table.is_file() else []
    except UtileError:  # of another program
        return []


def _table(target: Path, names: Sequence[str], before: _Stamps, lines: Sequence[str]) -> list[BatchImage]:
    """Read what was done from the table of the folder, which has rows of earlier batches as well.

    It keeps the earlier row of an image that failed now, of which `lines` of the command say why.
    """
    if not _is_new(target / _TABLE, before):
        return []
    done = [
        BatchImage(
            row.get("image") or "/".join(row.get(part) or "" for part in ("plate", "row", "column", "field")),
            int(float(row.get("cells") or 0)),
            _number(row.get("covered")),
            _number(row.get("confidence")),
            row.get("flags") or "",
            row.get("failed") or "",
        )
        for row in _rows_of(target / _TABLE)
        if _is_ours(row, target, names, before)
    ]
    if not done:
        return []
    ours = {image_name(Path(image.name)) for image in done} | {image.name.split("/")[0] for image in done}
    said = {image_name(Path(line.split(": ")[0])): line.partition(": ")[2] for line in lines}
    return [
        *done,
        *(BatchImage(name, failed=said.get(name) or "no result") for name in names if name not in ours),
    ]


def _is_ours(row: Mapping[str, str], target: Path, names: Sequence[str], before: _Stamps) -> bool:
    """Say whether a row is of this batch: its labels are new, or what failed is among the images."""
    if labels := row.get("labels"):
        return _is_new(target / labels, before)
    return bool({image_name(Path(row.get("image") or "")), row.get("plate")} & {*names})


def _single(target: Path, names: Sequence[str], before: _Stamps, lines: Sequence[str]) -> list[BatchImage]:
    """Describe a batch of one image, of which there is no table of fields."""
    if not _finished(target, names, before):
        return [BatchImage(name, failed=lines[0] if lines else "no result") for name in names]
    cells = sum(1 for _ in Table(target / f"{names[0]}{CELLS}"))
    return [BatchImage(names[0], cells, flags="; ".join(lines))]


def _number(text: str | None) -> float | None:
    return float(text) if text else None
