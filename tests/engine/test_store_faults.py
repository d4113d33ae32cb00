"""What may go wrong while a store is written: each time one sentence, and what was finished is kept."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store import shelf as shelves
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.work import OpenStore

SIDE = 64


class Failing:
    """An image of which reading fails, from a call on."""

    def __init__(self, data: np.ndarray, error: Exception) -> None:
        self.data, self.error, self.broken = data[None], error, False
        self.shape, self.dtype, self.ndim = self.data.shape, data.dtype, 3

    def __getitem__(self, index):
        if self.broken:
            raise self.error
        return self.data[index]


@pytest.fixture
def begun(tmp_path: Path, small_model):
    """A store of six blocks that was started, and its image."""
    data = np.random.default_rng(0).integers(0, 60000, (120, 180)).astype(np.uint16)
    image = Failing(data, OSError(errno.EIO, "Input/output error"))
    params = SegmentParams(
        diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
    )
    plane = ImagePlane(image)
    plan = plan_store([plane], small_model, params, choose_compute("cpu", "float32"), "layer", side=SIDE)
    place = tmp_path / "a.ome.zarr"
    begin_store(place, plan, small_model)
    return place, plane, image, small_model


def finished_blocks(place: Path) -> int:
    return (place / HOME / "journal.jsonl").read_bytes().count(b"\n")


def fails_after(place, plane, model, blocks, fault) -> str:
    """Do some blocks, let the fault come, and return the sentence that is said."""
    steps = store_steps(place, jobs=Here(1), planes=[plane], model=model)
    for _ in range(blocks):
        next(steps)
    fault()
    with pytest.raises(UtileError) as caught:
        list(steps)
    return sentence_of(caught.value)


@pytest.mark.parametrize("blocks", [1, 4])
def test_chunks_that_cannot_be_read(begun, blocks) -> None:
    place, plane, image, model = begun
    said = fails_after(place, plane, model, blocks, lambda: setattr(image, "broken", True))
    assert "of layer cannot be read" in said
    assert finished_blocks(place) >= blocks
    assert not is_complete(place)
    image.broken = False
    assert Run(store_steps(place, jobs=Here(1), planes=[plane], model=model)).result.blocks == 6
    assert is_complete(place)


@pytest.mark.parametrize("blocks", [2, 9, 20])
def test_a_disk_that_is_full(begun, monkeypatch, blocks) -> None:
    place, plane, _, model = begun

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    said = fails_after(
        place, plane, model, blocks, lambda: monkeypatch.setattr(shelves, "write_beside", full)
    )
    assert said == "The disk is full; what is done of a.ome.zarr stays done: finish it with --resume."
    monkeypatch.undo()
    before = finished_blocks(place)
    steps = list(store_steps(place, jobs=Here(1), planes=[plane], model=model))
    assert before >= blocks
    assert len(steps) == 6 * 5 - before
    assert is_complete(place)


@pytest.mark.parametrize("blocks", [2, 13])
def test_memory_that_runs_out_where_one_block_is_done_at_a_time(begun, monkeypatch, blocks) -> None:
    place, plane, _, model = begun

    def no_memory(*_, **__):
        raise MemoryError

    said = fails_after(place, plane, model, blocks, lambda: monkeypatch.setattr(OpenStore, "do", no_memory))
    assert said.startswith(
        "There is not enough memory, close other programs; what is done of a.ome.zarr stays done"
    )
    monkeypatch.undo()
    assert finished_blocks(place) >= blocks
    assert not is_complete(place)
    assert Run(store_steps(place, jobs=Here(1), planes=[plane], model=model)).result.blocks == 6


def test_a_store_that_is_deleted_while_it_is_written(begun) -> None:
    place, plane, _, model = begun
    said = fails_after(place, plane, model, 4, lambda: shutil.rmtree(place))
    assert "deleted or moved" in said or "damaged or gone" in said
    assert not is_complete(place)


@pytest.mark.parametrize("stage", [3, 8])
def test_an_image_that_changes_between_two_runs(begun, stage) -> None:
    place, plane, image, model = begun
    steps = store_steps(place, jobs=Here(1), planes=[plane], model=model)
    for _ in range(stage):
        next(steps)
    steps.close()
    image.data = image.data[..., ::-1]
    with pytest.raises(UtileError, match="has changed since"):
        next(store_steps(place, jobs=Here(1), planes=[plane], model=model))
    assert finished_blocks(place) >= stage
