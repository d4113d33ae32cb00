"""Small stores: their plan, some that were not finished, and those made hostile."""

import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import zarr

from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.run import store_steps
from torture.mutations import mutate_bytes, mutate_json_text


def _stopped_store(folder: Path, rng: np.random.Generator) -> Path:
    path = folder / "a.ome.zarr"
    shutil.copytree(folder.parent / f"valid{rng.integers(STOPPED)}.ome.zarr", path)
    return path


def journal(folder: Path, rng: np.random.Generator) -> Path:
    """Change the journal of a store that was not finished: lines and what they say."""
    path = _stopped_store(folder, rng)
    file = path / ".utile" / "journal.jsonl"
    lines = file.read_bytes().splitlines()
    at = int(rng.integers(len(lines)))
    if rng.random() < 0.3:
        del lines[int(rng.integers(len(lines)))]
    if at < len(lines):
        lines[at] = mutate_json_text(lines[at].decode(), rng)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def unfinished(folder: Path, rng: np.random.Generator) -> Path:
    """Change the plan or what else is kept of a store that was not finished, or lose a file of it."""
    path = _stopped_store(folder, rng)
    file = path / ".utile" / "plan.json"
    if rng.random() < 0.5:
        file.write_bytes(mutate_json_text(file.read_text(), rng))
        return path
    every = [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file() and each.name not in ("lock", "journal.jsonl")
    ]
    file = every[int(rng.integers(len(every)))]
    if rng.random() < 0.3:
        file.unlink()
    else:
        file.write_bytes(mutate_bytes(file.read_bytes(), rng))
    return path


STOPPED = 6
"""Unfinished stores, each stopped later than the one before."""


def small_plane() -> ImagePlane:
    """Draw discs."""
    y, x = np.indices((64, 64))
    return ImagePlane(((((y % 16) - 8) ** 2 + ((x % 16) - 8) ** 2 < 30) * 180 + 10).astype(np.uint8)[None])


def finish(path: Path) -> np.ndarray:
    """Resume a copy of a store and return its labels."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / path.name
        shutil.copytree(path, place)
        list(store_steps(place, jobs=Here(1), planes=[small_plane()]))
        return np.asarray(zarr.open_array(place / "labels/cells/0", mode="r")[...])


def finish_rightly(path: Path) -> None:
    """Resume a copy of a store, whose labels must be what they are without a stop."""
    assert np.array_equal(finish(path), np.load(path.parents[1] / "valid_labels.npy")), "other labels"


def small_plan(folder: Path) -> tuple[StorePlan, Model]:
    """Plan a store of four blocks."""
    model = load_model(folder / "valid.safetensors")
    params = SegmentParams(
        str(folder / "valid.safetensors"), diameter=None, device="cpu", precision="float32"
    )
    params = replace(params, instances=suggested_instances(model.card))
    compute = choose_compute("cpu", "float32")
    return plan_store([small_plane()], model, params, compute, "layer", side=32), model


@functools.cache
def small_labels(folder: Path) -> bytes:
    """Return the labels that such a store comes to without a fault."""
    plan, model = small_plan(folder)
    place = folder / "undisturbed small.ome.zarr"
    begin_store(place, plan, model)
    list(store_steps(place, jobs=Here(1), planes=[small_plane()], model=model))
    return zarr.open_array(place / "labels/cells/0", mode="r")[...].tobytes()


def begin_stores(folder: Path) -> None:
    """Make unfinished stores, and the labels that they come to."""
    plan, model = small_plan(folder)
    for number in range(STOPPED):
        place = folder / f"valid{number}.ome.zarr"
        begin_store(place, plan, model)
        run = Run(store_steps(place, jobs=Here(1), planes=[small_plane()], model=model))
        for _ in zip(range(2 + number * 3), run, strict=False):
            pass
        run.close()
    np.save(folder / "valid_labels.npy", finish(folder / "valid0.ome.zarr"))
