"""Edited labels kept on disk until they are saved, so that a crash loses a minute of painting at most.

Each layer has a folder in the user's library: its labels in compressed blocks, of which only those that changed are
written again, and a description, written last. What is read back is checked: anybody may have written it.
"""

import json
import re
import shutil
import time
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.windows import Window
from napari_utile.session import unfinished

_FOLDER, _ABOUT = "edits", "edits.json"
_FORMAT = 1
# Rows and columns of a block. A stroke changes few of them.
_SIDE = 1024
# What a description may hold. Bytes, axes, rows of a table.
_LARGEST_ABOUT, _MOST_AXES, _MOST_ROWS = 1 << 28, 6, 1 << 24
_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
_BLOCK_NAME = re.compile(r"[0-9]{1,9}-[0-9a-f]{16}\.block")


@dataclass(frozen=True, eq=False)
class EditedLabels:
    """A Labels layer as it is to come back.

    Attributes
    ----------
    data : integer array
        All planes. It is read while it is kept, so strokes of that moment may be kept in part; they make the layer
        be kept again.
    space : mapping
        Scale, translate, rotate, shear, affine, units and axis labels, as `napari.layers.Labels` takes them.
    columns : mapping of str to sequences
        The feature table.
    own : mapping
        What the plugin keeps with the labels: how they were made, linked and corrected.
    """

    name: str
    data: Any
    space: Mapping[str, Any]
    columns: Mapping[str, Any]
    own: Mapping[str, Any]


@dataclass(frozen=True)
class KeptEdits:
    """Edits that nobody saved.

    Attributes
    ----------
    name : str
        Of the layer.
    changed : float
        When it was kept last; seconds since 1970.
    """

    folder: Path
    name: str
    changed: float


def new_folder() -> Path:
    """Name a folder for the edits of a layer; nothing is written yet."""
    return unfinished.new_folder(_FOLDER)


def remove(folder: Path) -> None:
    """Forget edits for good."""
    shutil.rmtree(folder, ignore_errors=True)


def keep_job(folder: Path, labels: EditedLabels) -> Generator[None, None, None]:
    """Write the blocks that changed, then the description; every block is a point to stop at.

    Raises
    ------
    UtileError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield from _keep(folder, labels)
    except OSError as error:
        raise UtileError(f"Cannot keep edits in {folder}: {error.strerror or error}.") from error


def _keep(folder: Path, labels: EditedLabels) -> Generator[None, None, None]:
    names = {}
    for number, window in enumerate(_blocks(labels.data.shape)):
        yield
        block = np.ascontiguousarray(labels.data[window])
        if not block.any():
            continue
        names[str(number)] = name = f"{number}-{sha256_of(block)[:16]}.block"
        if not (folder / name).is_file():
            # Not flushed to the disk one by one: a crash of the program does not need it, and there may be thousands.
            (folder / f".{name}").write_bytes(
                zlib.compress(block.astype(block.dtype.newbyteorder("<")).tobytes(), 1)
            )
            (folder / f".{name}").replace(folder / name)
    process = psutil.Process()
    about = {
        "format": _FORMAT,
        "name": labels.name,
        "changed": time.time(),
        "process": [process.pid, process.create_time()],
        "shape": list(labels.data.shape),
        "dtype": np.dtype(labels.data.dtype).name,
        "space": {key: np.asarray(value).tolist() for key, value in labels.space.items()},
        "columns": {key: np.asarray(column).tolist() for key, column in labels.columns.items()},
        "own": labels.own,
        "blocks": names,
    }
    with atomic_path(folder / _ABOUT) as temporary:
        temporary.write_text(json.dumps(about), encoding="utf-8")
    for path in folder.glob("*.block"):
        if path.name not in names.values():
            path.unlink(missing_ok=True)


def kept_job() -> Generator[None, None, tuple[KeptEdits, ...]]:
    """List edits whose program ended without saving them, the newest first."""
    yield

    found = []
    for path in (user_model_folder() / _FOLDER).glob(f"*/{_ABOUT}"):
        yield
        try:
            about = _about(path)
        except UtileError:  # damaged; what is left of it may still be wanted
            continue
        if not unfinished.is_alive(*about["process"], count_this=True):
            found.append(KeptEdits(path.parent, about["name"], about["changed"]))
    return tuple(sorted(found, key=lambda kept: -kept.changed))


def read_job(kept: KeptEdits) -> Generator[None, None, EditedLabels]:
    """Read edits back; every block is a point to stop at.

    Raises
    ------
    UtileError
        If they are damaged, or need more memory than there is.
    """
    about = _about(kept.folder / _ABOUT)
    shape, dtype = tuple(about["shape"]), np.dtype(about["dtype"])
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if needed > psutil.virtual_memory().available:
        raise UtileError(f"The edits of {kept.name} need {needed / 2**30:.1f} GiB of memory.")
    data = np.zeros(shape, dtype)
    for number, window in enumerate(_blocks(shape)):
        yield
        if name := about["blocks"].get(str(number)):
            data[window] = _block(kept.folder / name, data[window].shape, dtype)
    columns = {key: np.asarray(column) for key, column in about["columns"].items()}
    return EditedLabels(about["name"], data, about["space"], columns, about["own"])


def _blocks(shape: tuple[int, ...]) -> Iterator[Window]:
    """Cut an array into blocks of its last two axes."""
    return Window.whole(shape).blocks((*(1 for _ in shape[2:]), _SIDE, _SIDE))


def _block(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    wanted = int(np.prod(shape)) * dtype.itemsize
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(path.read_bytes(), wanted + 1)  # no more, whatever it would unpack to
    except (OSError, zlib.error) as error:
        raise _damaged(path.parent, str(error)) from error
    if len(content) != wanted:
        raise _damaged(path.parent, f"{path.name} has another size")
    return np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape)


def _about(path: Path) -> dict[str, Any]:
    """Read a description and check all of it."""
    try:
        if path.stat().st_size > _LARGEST_ABOUT:
            raise ValueError("it is too large")
        about = json.loads(path.read_text(encoding="utf-8"))
        _check(about)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise _damaged(path.parent, str(error)) from error
    checked: dict[str, Any] = about
    return checked


def _check(about: dict[str, Any]) -> None:
    pid, created = about["process"]
    shape = about["shape"]
    ndim = len(shape)
    rows = {len(column) for column in about["columns"].values()}
    wrong = [
        what
        for what, right in {
            "format": about["format"] == _FORMAT,
            "name": isinstance(about["name"], str) and 0 < len(about["name"]) < 1000,
            "changed": _is_number(about["changed"]),
            "process": type(pid) is int and pid > 0 and _is_number(created),
            "shape": 2 <= ndim <= _MOST_AXES and all(type(n) is int and 0 < n < 2**31 for n in shape),
            "dtype": about["dtype"] in _DTYPES,
            "space": _is_space(about["space"], ndim),
            "columns": len(rows) < 2
            and max(rows, default=0) < _MOST_ROWS
            and all(isinstance(each, str | int | float) for one in about["columns"].values() for each in one),
            "own": isinstance(about["own"], dict),
            "blocks": all(_BLOCK_NAME.fullmatch(name) for name in about["blocks"].values()),
        }.items()
        if not right
    ]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}")


def _is_space(space: dict[str, Any], ndim: int) -> bool:
    shapes = {
        "scale": (ndim,),
        "translate": (ndim,),
        "rotate": (ndim, ndim),
        "shear": (ndim, ndim),
        "affine": (ndim + 1, ndim + 1),
    }
    words = space.keys() - shapes.keys()
    return (
        words <= {"units", "axis_labels"}
        and all(len(space[key]) == ndim and all(isinstance(w, str) for w in space[key]) for key in words)
        and all(
            np.shape(space[key]) == shape and np.isfinite(np.asarray(space[key], dtype=float)).all()
            for key, shape in shapes.items()
            if key in space
        )
        and all(step != 0 for step in space.get("scale", ()))
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _damaged(folder: Path, why: str) -> UtileError:
    return UtileError(f"The edits kept in {folder} are damaged ({why}).")
