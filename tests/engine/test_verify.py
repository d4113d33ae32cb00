"""`verify`: what holds is said to hold, and what was planted is seen."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store import verify
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.verify import verify_seams, verify_store

COMPUTE = choose_compute("cpu", "float32")
PARAMS = SegmentParams(
    diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
)


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((130, 150)), 3)
    return ImagePlane(((smooth - smooth.min()) / np.ptp(smooth) * 60000).astype(np.uint16)[None])


@pytest.mark.parametrize("kind", ["small_model", "distances_model"])
def test_there_are_no_seams(request, plane, kind) -> None:
    proof = Run(verify_seams(plane, request.getfixturevalue(kind), PARAMS, COMPUTE, 96)).result
    assert proof.holds
    assert proof.difference.shape == (96, 96)
    assert proof.cells > 1
    assert "no seams" in str(proof)


def test_a_seam_is_seen(plane, small_model, monkeypatch) -> None:
    tiles = Field.tiles

    def off(field, region):
        values = yield from tiles(field, region)
        return values + np.float32(2e-4) * (region.shape[0] < 50)

    monkeypatch.setattr(Field, "tiles", off)
    proof = Run(verify_seams(plane, small_model, PARAMS, COMPUTE, 96)).result
    assert not proof.holds
    assert proof.largest == pytest.approx(2e-4, rel=0.1)


def test_blocks_that_change_labels_are_seen(plane, small_model, monkeypatch) -> None:
    def joined(foreground, instances, side, height=None):
        labels = verify.label_cells(verify.cell_landscape(foreground, instances, height), instances)
        labels[50, 50:60] += 1
        return labels

    monkeypatch.setattr(verify, "label_blocks", joined)
    assert Run(verify_seams(plane, small_model, PARAMS, COMPUTE, 96)).result.changed_by_blocks == 10


def test_a_store_and_one_that_was_tampered_with(tmp_path: Path, plane, small_model) -> None:
    place = tmp_path / "a.zarr"
    begin_store(place, plan_store([plane], small_model, PARAMS, COMPUTE, "layer", side=64), small_model)
    list(store_steps(place, planes=[plane], model=small_model))
    proof = Run(verify_store(place, 9, planes=[plane], model=small_model)).result
    assert proof.holds
    assert proof.identical == proof.blocks == 9
    labels = zarr.open_array(place / "labels/cells/0", mode="r+")
    labels[3, 3] = 999
    proof = Run(verify_store(place, 9, planes=[plane], model=small_model)).result
    assert proof.changed_labels == 1
    assert not proof.holds
