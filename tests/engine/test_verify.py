"""`verify`: what holds is said to hold, and what was planted is seen."""

import shutil
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
from napari_utile.engine.store.verify import replay_store, verify_seams, verify_store
from napari_utile.engine.training.classes import with_classes
from stores import image_of

COMPUTE = choose_compute("cpu", "float32")
PARAMS = SegmentParams(
    diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
)


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((130, 150)), 3)
    return ImagePlane(((smooth - smooth.min()) / np.ptp(smooth) * 60000).astype(np.uint16)[None])


@pytest.fixture
def two_kinds(distances_model):
    return with_classes(distances_model, ["round", "long"])


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
    assert proof.changed == {"labels/cells": 1}
    assert not proof.holds


@pytest.mark.parametrize("outputs", ["float32", "uint16"])
def test_whatever_a_store_keeps_is_compared(tmp_path: Path, two_kinds, monkeypatch, outputs) -> None:
    plane = ImagePlane(image_of((60, 600))[None])
    place = tmp_path / "a.zarr"
    plan = plan_store([plane], two_kinds, PARAMS, COMPUTE, "layer", side=64, with_mask=True, outputs=outputs)
    begin_store(place, plan, two_kinds)
    list(store_steps(place, planes=[plane], model=two_kinds))
    monkeypatch.setattr(verify, "planes_of", lambda _: (plane,))

    def proof():
        return Run(verify_store(place, 10, planes=[plane], model=two_kinds)).result

    for each in (proof(), Run(replay_store(place)).result):
        assert each.holds
        assert each.identical == each.blocks == 10
        assert str(each) == "10 of 10 blocks identical to the last bit"
    found = [path.parent.relative_to(place).as_posix() for path in sorted(place.glob("**/[0-9]/zarr.json"))]
    assert "1" in found
    assert {path.rsplit("/", 1)[0] for path in found if "/" in path} == {
        "labels/cells",
        "labels/mask",
        "labels/classes",
        *(f"outputs/{each.name}" for each in two_kinds.card.outputs),
    }
    named = set()
    for path in found:
        array = zarr.open_array(place / path, mode="r+")
        before = array[...]
        array[...] = 0
        said = proof()
        assert not said.holds, path
        assert said.identical < said.blocks
        named |= {*said.changed}
        group = path.rsplit("/", 1)[0] if "/" in path else "the probability (0)"
        assert f"{group} differs in " in str(said)
        array[...] = before
    for path in found:
        zarr.open_array(place / path, mode="r+")[...] = 0
    said = Run(replay_store(place)).result
    assert not said.holds
    assert {*said.changed} == named


def test_a_store_without_one_of_its_images_does_not_hold(tmp_path: Path, plane, small_model) -> None:
    place = tmp_path / "a.zarr"
    plan = plan_store([plane], small_model, PARAMS, COMPUTE, "layer", side=64, with_mask=True)
    begin_store(place, plan, small_model)
    list(store_steps(place, planes=[plane], model=small_model))
    shutil.rmtree(place / "labels" / "mask")
    proof = Run(verify_store(place, 9, planes=[plane], model=small_model)).result
    assert proof.changed == {"labels/mask": 9}


def test_last_digits_of_outputs_are_no_difference(tmp_path: Path, plane, small_model) -> None:
    place = tmp_path / "a.zarr"
    plan = plan_store([plane], small_model, PARAMS, COMPUTE, "layer", side=64, outputs="float32")
    begin_store(place, plan, small_model)
    list(store_steps(place, planes=[plane], model=small_model))
    kept = zarr.open_array(place / "outputs" / small_model.card.outputs[0].name / "0", mode="r+")
    kept[:, 3, 3] += np.float32(2e-5)
    proof = Run(verify_store(place, 9, planes=[plane], model=small_model)).result
    assert proof.holds
    assert proof.identical == 8
    assert str(proof) == "8 of 9 blocks identical to the last bit, outputs of others differ by up to 2e-05"
