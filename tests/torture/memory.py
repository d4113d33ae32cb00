"""Memory that runs out at each tile, block, training step and step of decoding."""

import contextlib
import functools
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import psutil
import torch
import zarr

from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.run import store_steps
from torture.kills import Trainings
from torture.runs import Case, is_whole, segment, segment_said, some
from torture.stores import small_labels, small_plan, small_plane

PLACES = {
    "a tile": "napari_utile.engine.inference.predict.run_tile",
    "a step of decoding": "napari_utile.engine.segment.decode_steps",
    "reading": "napari_utile.engine.files.tiff_reading.interpreted",
    "limits": "napari_utile.engine.planes.normalize.percentiles",
    "writing": "napari_utile.engine.files.tiff.tifffile.TiffWriter.write",
}
ERRORS: dict[str, Callable[[], BaseException]] = {
    "NumPy": MemoryError,
    "torch on the CPU": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 68719476736 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "a graphics card": lambda: torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.00 GiB is "
        "free."
    ),
}
MOST = 100
"""MiB that all the failed runs together may leave in use."""


@contextlib.contextmanager
def failing(place: str, number: int, error: Callable[[], BaseException]) -> Iterator[list[int]]:
    """Let the n-th call of a function fail, or the n-th step of a generator; yields how many there were."""
    owner, _, name = place.rpartition(".")
    usual = getattr(pkgutil.resolve_name(owner), name)
    count = [0]

    def once() -> None:
        count[0] += 1
        if count[0] == number + 1:
            raise error()

    def sometimes(*args: Any, **kwargs: Any) -> Any:
        made = usual(*args, **kwargs)
        if hasattr(made, "send"):
            return stepwise(made)
        once()
        return made

    def stepwise(made: Any) -> Any:
        run = Run(made)
        for step in run:
            once()
            yield step
        once()
        return run.result

    with mock.patch(place, sometimes):
        yield count


def in_a_run(place: str, number: int, error: str, folder: Path, right: np.ndarray) -> str:
    """Fail somewhere in a run of the command; then all must be right or said, and the next run right."""
    out = folder / "memory"
    with failing(PLACES[place], number, ERRORS[error]) as count:
        status = segment(folder, out)
    said = segment_said.pop()
    try:
        if count[0] <= number:
            return "not reached"
        if status and ("Traceback" in said or "not enough memory" not in said):
            return f"status {status}: {said[-300:]}"
        if wrong := is_whole(out, right):
            return wrong
        if segment(folder, out) or is_whole(out, right):
            return "the next run is wrong"
        return "said" if status else "right all the same"
    finally:
        shutil.rmtree(out, ignore_errors=True)


def in_a_store(number: int, threads: int, error: str, folder: Path) -> str:
    """Fail at a block of a store; one thread less must do, or it is said and resumed."""
    plan, model = small_plan(folder)
    place = folder / "memory.ome.zarr"

    def fill() -> bytes:
        list(store_steps(place, jobs=Here(threads), planes=[small_plane()], model=model))
        return zarr.open_array(place / "labels/cells/0", mode="r")[...].tobytes()

    right = small_labels(folder)
    try:
        begin_store(place, plan, model)
        with failing("napari_utile.engine.store.work.OpenStore.do", number, ERRORS[error]) as count:
            try:
                fill()
                outcome = "right all the same"
            except (MemoryError, RuntimeError, UtileError) as failed:
                outcome = "said" if "not enough memory" in sentence_of(failed) else sentence_of(failed)
        if count[0] <= number:
            return "not reached"
        return outcome if fill() == right else "other labels"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def in_a_training(number: int, error: str, training: Trainings) -> str:
    """Fail at a step of a training, which continues with smaller tiles."""
    with failing("napari_utile.engine.training.run.TrainingRun._gradient", number, ERRORS[error]) as count:
        result = training.trained(None)
    if count[0] <= number:
        return "not reached"
    finite = all(bool(torch.isfinite(each).all()) for each in result.network.parameters())
    return "right all the same" if finite and result.steps == training.steps else "not trained"


def cases(folder: Path, right: np.ndarray, scale: float) -> Iterator[Case]:
    """Give every place and every error."""
    resident: list[float] = []

    def now() -> float:
        return psutil.Process().memory_info().rss / 2**20

    for place in PLACES:
        errors = ERRORS if place == "a tile" else ("NumPy",)
        for number in some(30, scale):
            for error in errors:
                yield (
                    f"memory: {place}",
                    f"{number}, {error}",
                    lambda place=place, number=number, error=error: in_a_run(
                        place, number, error, folder, right
                    ),
                )
        resident.append(now())
    for number in some(22, scale):
        for threads in (1, 2):
            for error in ERRORS:
                yield (
                    "memory: a block of a store",
                    f"{number}, {threads} threads, {error}",
                    lambda number=number, threads=threads, error=error: in_a_store(
                        number, threads, error, folder
                    ),
                )
    training = functools.cache(lambda: Trainings(folder))  # made where it is needed
    for number in some(Trainings.steps, scale):
        for error in ERRORS:
            yield (
                "memory: a step of a training",
                f"{number}, {error}",
                lambda number=number, error=error: in_a_training(number, error, training()),
            )

    def given_back() -> str:
        grown = now() - resident[0]
        return "right" if grown < MOST else f"{grown:.0f} MiB are still in use"

    yield "memory: given back", "after all", given_back
