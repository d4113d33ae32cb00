"""Processes that are killed, memory and disks that run out, two writers of one place, odd machines."""

import contextlib
import io
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tifffile
import torch

from napari_utile.cli import main
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.models.catalogue import list_models
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.provenance.settings import Settings, load_settings, save_settings

SHAPE = (300, 310)


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


# Kills.


def _labels(path: Path, version: int) -> None:
    write_labels(path, np.full(SHAPE, version, np.int32), "YX")


def _image(path: Path, version: int) -> None:
    write_image(path, np.full(SHAPE, version, np.float32), "YX")


def _model(path: Path, version: int) -> None:
    base = load_model(path.parent / "valid.safetensors")
    with torch.no_grad():
        for parameter in base.network.parameters():
            parameter.fill_(version)
    save_model(base.card, base.network, path)


def _settings(path: Path, version: int) -> None:
    save_settings(Settings({"diameter": float(version)}), path)


def _table(path: Path, version: int) -> None:
    write_table(path, {"index": np.arange(4000), "value": np.full(4000, version)})


def _read_pixels(path: Path) -> set[float]:
    return {float(value) for value in np.unique(read_image(path).data)}


def _read_model(path: Path) -> set[float]:
    parameters = load_model(path).network.parameters()
    return {float(value) for each in parameters for value in each.detach().unique()}


def _read_settings(path: Path) -> set[float]:
    return {float(load_settings(path).segment["diameter"])}


def _read_table(path: Path) -> set[float]:
    rows = np.genfromtxt(path, delimiter=",", names=True)
    return set(rows["value"].tolist()) if rows.size == 4000 else {-1.0}


SAVES: dict[str, tuple[str, Callable[[Path, int], None], Callable[[Path], set[float]]]] = {
    "labels": ("a_labels.tif", _labels, _read_pixels),
    "images": ("a.tif", _image, _read_pixels),
    "models": ("m.safetensors", _model, _read_model),
    "settings": ("s.json", _settings, _read_settings),
    "tables": ("t.csv", _table, _read_table),
}


def kill_during_save(kind: str, seed: int, folder: Path) -> str:
    """Kill a process that saves again and again; what is there must be one whole version."""
    name, save, read = SAVES[kind]
    path = folder / name
    save(path, 1)
    rng = np.random.default_rng(seed)

    def work() -> int:
        while True:
            for version in (2, 3):
                save(path, version)

    child = in_a_child(work)
    time.sleep(float(rng.uniform(0.002, 0.15)))
    os.kill(child, signal.SIGKILL)
    status_of(child)
    found = read(path)
    if found not in ({1.0}, {2.0}, {3.0}):
        return f"neither version: {found}"
    left = [each for each in folder.iterdir() if each.name.startswith(".")]
    if any(each.name.startswith(".") for each in find_images([folder])):
        return "a temporary file is taken for an image"
    for each in left:
        each.unlink()
    return "whole"


# Runs of the command.


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


PLACES = {
    "a tile": "napari_utile.engine.inference.predict.run_tile",
    "decoding": "napari_utile.engine.segment.decode_steps",
    "reading": "napari_utile.engine.files.tiff_reading._interpreted",
    "limits": "napari_utile.engine.planes.normalize.percentiles",
    "writing": "napari_utile.engine.files.tiff.tifffile.TiffWriter.write",
}


def memory_fails(place: str, number: int, folder: Path, right: np.ndarray, error: type[BaseException]) -> str:
    """Let the n-th call at a place fail for want of memory; then all must be right or said, and the next run right."""
    import pkgutil

    out = folder / f"memory-{place.replace(' ', '-')}-{number}-{error.__name__}"
    owner, _, name = PLACES[place].rpartition(".")
    usual = getattr(pkgutil.resolve_name(owner), name)
    calls = 0

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number + 1:
            raise error("out of memory")
        return usual(*args, **kwargs)

    with mock.patch(PLACES[place], sometimes):
        status = segment(folder, out)
    said = segment_said[-1]
    if calls <= number:
        return "not reached"
    if status and ("Traceback" in said or "not enough memory" not in said):
        return f"status {status}: {said[-300:]}"
    if wrong := is_whole(out, right):
        return wrong
    if segment(folder, out) or is_whole(out, right):
        return "the next run is wrong"
    return "said" if status else "right all the same"


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


def two_writers(seed: int, folder: Path, right: np.ndarray) -> str:
    """Let two commands write one result, and two processes one library, at once."""
    out = folder / f"two-{seed}"
    os.environ["UTILE_MODELS"] = str(folder / f"library-{seed}")
    (folder / f"library-{seed}").mkdir()

    def work() -> int:
        status = segment(folder, out)
        for version in range(4):
            model = load_model(folder / "valid.safetensors")
            save_model(model.card, model.network, folder / f"library-{seed}" / f"m{version % 2}.safetensors")
        return status

    statuses = [status_of(child) for child in [in_a_child(work) for _ in range(2)]]
    if statuses != [0, 0]:
        return f"statuses {statuses}"
    if wrong := is_whole(out, right):
        return wrong
    if status_of(in_a_child(lambda: main(["replay", str(out / "cells_recipe.json"), "--quiet"]))):
        return "recipe and labels do not belong together"
    broken = [each.name for each in list_models() if each.card is None]
    return f"broken models: {broken}" if broken else "right"


def odd_machine(where: str, folder: Path, right: np.ndarray) -> str:
    """Segment on a machine that is unlike the usual one."""
    import locale

    def work() -> int:
        out = folder / "out"
        if where == "a path with umlauts and spaces":
            out = folder / "Zellen für Özgür (1)"
        elif where == "one core":
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        elif where == "a home that cannot be written":
            for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "UTILE_LOG"):
                os.environ[name] = "/proc/self/nowhere"
        elif where in ("a Turkish locale", "a German locale"):
            try:
                locale.setlocale(locale.LC_ALL, "tr_TR.UTF-8" if "Turkish" in where else "de_DE.UTF-8")
            except locale.Error:
                return 77
        elif where == "a clock gone back":
            os.utime(folder / "cells.tif", (2e9, 2e9))
            os.utime(folder / "valid.safetensors", (2e9, 2e9))
        status = segment(folder, out)
        return status or (3 if is_whole(out, right) else 0)

    status = status_of(in_a_child(work))
    return {0: "right", 77: "not installed here"}.get(status, f"status {status}")


MACHINES = (
    "a path with umlauts and spaces",
    "one core",
    "a home that cannot be written",
    "a Turkish locale",
    "a German locale",
    "a clock gone back",
)
