"""Stores of models that tell classes apart: their layer, the class of each cell, and what each class covers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.library import fingerprint_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.versions import read_part, undo_version, write_part
from napari_utile.engine.training.classes import with_classes
from napari_utile.engine.windows import Window
from sheets import rows_of
from stores import fill, image_of, labels_in

NAMES = ("live", "dead")


@pytest.fixture
def kinds(small_model):
    """A model that tells two classes apart, at random, each in about half of the cells."""
    torch.manual_seed(3)
    model = with_classes(small_model, list(NAMES))
    head = model.network.head
    turn = 0.5 * torch.randn_like(head.weight[1])
    with torch.no_grad():
        head.weight[1] += turn
        head.weight[2] -= turn
        values = in_memory(model, ImagePlane(image_of()[None])).probabilities
        middle = float(np.median(np.log(values[1]) - np.log(values[2])))
        head.bias[1] -= middle / 2
        head.bias[2] += middle / 2
    return dataclasses.replace(model, fingerprint=fingerprint_of(model.card, model.network))


def params():
    return SegmentParams(
        diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
    )


def made(place, model, planes, side=64, **options):
    compute = choose_compute("cpu", "float32")
    plan = plan_store(planes, model, params(), compute, "layer", side=side, measured=True, **options)
    begin_store(place, plan, model, options.get("mask"))
    return plan, fill(place, planes=planes, model=model)


def in_memory(model, plane, inside=None):
    return Run(segment_steps(plane, params(), model=model, inside=inside)).result


def classes_in(place):
    return zarr.open_array(place / "labels/classes/0", mode="r")[...]


@pytest.mark.parametrize("side", [32, 256])
@pytest.mark.parametrize("masked", [False, True])
def test_layer_table_and_shares_are_those_of_an_image_in_memory(tmp_path: Path, kinds, side, masked) -> None:
    plane = ImagePlane(image_of()[None])
    mask = np.arange(190)[None] > np.arange(120)[:, None] if masked else None
    plan, result = made(tmp_path / "a", kinds, [plane], side, mask=mask)
    assert load_plan(tmp_path / "a").classes == plan.classes == NAMES
    whole = in_memory(kinds, plane, mask)
    np.testing.assert_array_equal(labels_in(tmp_path / "a"), whole.labels)
    np.testing.assert_array_equal(classes_in(tmp_path / "a"), whole.classes.layer)
    assert [
        row["class"] for row in rows_of(tmp_path / "a/tables/cells.csv")
    ] == whole.classes.of_cells.tolist()
    assert masked or set(whole.classes.of_cells) == set(NAMES)
    assert result.covered == pytest.approx(whole.classes.covered)
    ome = zarr.open_group(tmp_path / "a/labels", mode="r").attrs["ome"]
    assert ome["labels"] == ["cells", "classes"]
    said = zarr.open_group(tmp_path / "a/labels/classes", mode="r").attrs["ome"]["image-label"]["properties"]
    assert [(each["label-value"], each["class"]) for each in said] == [(1, "live"), (2, "dead")]


def test_linked_planes_keep_the_classes_of_their_cells(tmp_path: Path, kinds) -> None:
    planes = [ImagePlane(image_of(seed=seed)[None]) for seed in (0, 1)]
    stack = {"indices": [{"Z": 0}, {"Z": 1}], "stacked": "Z", "sizes": (2,), "linking": LinkParams("z")}
    made(tmp_path / "a", kinds, planes, **stack)
    for number, plane in enumerate(planes):
        whole = in_memory(kinds, plane)
        np.testing.assert_array_equal(classes_in(tmp_path / "a")[number], whole.classes.layer)
        table = rows_of(tmp_path / "a" / "tables" / f"cells_Z{number}.csv")
        assert sorted(row["class"] for row in table) == sorted(whole.classes.of_cells)


def test_edited_cells_keep_their_class_and_new_ones_have_none(tmp_path: Path, kinds) -> None:
    planes, place = [ImagePlane(image_of()[None])], tmp_path / "a"
    made(place, kinds, planes)
    before_kinds, before_table = classes_in(place), rows_of(place / "tables/cells.csv")
    window = Window.whole((120, 190))
    before = read_part(place, 0, window)
    after = before.copy()
    cell = int(before[before > 0][0])
    word = next(row["class"] for row in rows_of(place / "tables/cells.csv") if int(row["index"]) == cell)
    y, x = (int(each[0]) for each in np.nonzero(before == 0))
    after[y, x] = cell
    empty = np.argwhere(after == 0)[-1]
    after[tuple(empty)] = before.max() + 9
    gone = int(before.max())
    after[before == gone] = 0
    write_part(place, 0, window, before, after, planes)
    kinds_now, table = classes_in(place), rows_of(place / "tables/cells.csv")
    assert ((kinds_now == 0) | (read_part(place, 0, window) > 0)).all()
    assert kinds_now[y, x] == 1 + NAMES.index(word)
    assert kinds_now[tuple(empty)] == 0
    words = {int(row["index"]): row["class"] for row in table}
    assert words[cell] == word
    assert words[gone + 1] == ""
    assert gone not in words
    undo_version(place, planes)
    np.testing.assert_array_equal(classes_in(place), before_kinds)
    assert rows_of(place / "tables/cells.csv")[0].keys() == table[0].keys()
    assert {row["index"] for row in rows_of(place / "tables/cells.csv")} == {
        row["index"] for row in before_table
    }
