"""Stores whose planes are linked: the ids of linking whole planes, whatever the blocks, stopped anywhere."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.linking.links import link_planes
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.verify import replay_store, verify_store
from napari_utile.engine.store.versions import read_part, undo_version, write_part
from napari_utile.engine.windows import Window
from sheets import rows_of
from stores import fill, image_of, labels_in

SHAPE = (90, 130)


def stack_of(count):
    """Planes that change little from one to the next."""
    first, last = (image_of(SHAPE, seed).astype(float) for seed in (0, 1))
    shares = np.linspace(0, 0.5, count)
    return [
        ImagePlane(
            ((1 - share) * first + share * last).astype(np.uint16)[None], pixel_size=(0.5, 0.5), unit="µm"
        )
        for share in shares
    ]


def planned(model, planes, link, *, stacked=None, sizes=None, side=64, measured=False):
    stacked = stacked or link.upper()
    sizes = sizes or (len(planes),)
    indices = [dict(zip(stacked, at, strict=True)) for at in np.ndindex(*sizes)]
    params = SegmentParams(
        diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
    )
    return plan_store(
        planes,
        model,
        params,
        choose_compute("cpu", "float32"),
        "layer",
        indices=indices,
        stacked=stacked,
        sizes=sizes,
        steps={"Z": (2.0, "µm"), "T": (30.0, "s")},
        linking=LinkParams(link),
        measured=measured,
        side=side,
    )


def in_order(plan, planes, stacked, sizes):
    """Return the planes as the store has them."""
    indices = [dict(zip(stacked, at, strict=True)) for at in np.ndindex(*sizes)]
    return [planes[indices.index(index)] for index in plan.planes]


def linked_whole(model, tmp_path, planes, plan):
    """Segment the same planes unlinked, and link them in one piece."""
    alone = plan_store(
        planes,
        model,
        plan.params,
        choose_compute("cpu", "float32"),
        "layer",
        indices=plan.planes,
        stacked=plan.space.axes[:-2],
        sizes=plan.space.shape[:-2],
    )
    begin_store(tmp_path / "alone", alone, model)
    fill(tmp_path / "alone", planes=planes, model=model)
    labels = labels_in(tmp_path / "alone")
    flat = labels.reshape(-1, *SHAPE)
    stack = Planes(labels.shape, plan.space.axes, labels.dtype, lambda: iter(flat))
    links = link_planes(stack, plan.linking)
    return np.stack(list(links.of_planes(stack).read())).reshape(labels.shape), links


@pytest.mark.parametrize(
    ("link", "stacked", "sizes", "side"),
    [("z", "Z", (4,), 64), ("t", "T", (4,), 32), ("t", "ZT", (2, 3), 64), ("z", "ZT", (3, 2), 128)],
)
def test_ids_are_those_of_linking_whole_planes(
    tmp_path: Path, small_model, link, stacked, sizes, side
) -> None:
    planes = stack_of(int(np.prod(sizes)))
    plan = planned(small_model, planes, link, stacked=stacked, sizes=sizes, side=side)
    planes = in_order(plan, planes, stacked, sizes)
    begin_store(tmp_path / "a", plan, small_model)
    made = fill(tmp_path / "a", jobs=Here(2), planes=planes, model=small_model)
    expected, links = linked_whole(small_model, tmp_path, planes, plan)
    np.testing.assert_array_equal(labels_in(tmp_path / "a"), expected)
    assert made.linked == links.summary()
    assert 3 < links.total < sum(made.cells)
    recipe = json.loads((tmp_path / "a" / "recipe.json").read_text())
    assert recipe["linking"]["total"] == links.total
    assert recipe["linking"]["parameters"]["link"] == link
    assert {each.name for each in (tmp_path / "a" / HOME).iterdir()}.isdisjoint(
        {"links", "unlinked", "plane0"}
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, small_model):
    """A stack, its plan, its store that nothing stopped, and the steps that this took."""
    planes, place = stack_of(3), tmp_path_factory.mktemp("undisturbed") / "a"
    plan = planned(small_model, planes, "z", measured=True)
    begin_store(place, plan, small_model)
    return planes, plan, place, len(list(store_steps(place, planes=planes, model=small_model)))


@pytest.mark.parametrize("after", [0, 13, 30, 54, 60, 75, 107])
def test_what_was_stopped_is_resumed_to_the_same_ids_and_tables(
    tmp_path: Path, small_model, undisturbed, after
) -> None:
    planes, plan, whole, steps = undisturbed
    assert steps == 3 * len(plan.grid) * 6
    begin_store(tmp_path / "stopped", plan, small_model)
    run = Run(store_steps(tmp_path / "stopped", jobs=Here(1), planes=planes, model=small_model))
    for _, _ in zip(range(after), run, strict=False):
        pass
    run.close()
    assert not is_complete(tmp_path / "stopped")
    again = list(store_steps(tmp_path / "stopped", jobs=Here(2), planes=planes, model=small_model))
    assert len(again) == steps - after
    np.testing.assert_array_equal(labels_in(tmp_path / "stopped"), labels_in(whole))
    for name in ("objects", "cells_Z0", "cells_Z2"):
        one, other = (
            (place / "tables" / f"{name}.csv").read_bytes() for place in (whole, tmp_path / "stopped")
        )
        assert one == other


@pytest.fixture(scope="module")
def tracked_once(tmp_path_factory, small_model):
    planes, place = stack_of(3), tmp_path_factory.mktemp("tracked") / "a"
    plan = planned(small_model, planes, "t", measured=True)
    begin_store(place, plan, small_model)
    fill(place, planes=planes, model=small_model)
    return place, planes


@pytest.fixture
def tracked(tmp_path: Path, tracked_once):
    place, planes = tracked_once
    return shutil.copytree(place, tmp_path / "a"), planes


def test_tables_name_tracks_and_measure_them(tracked) -> None:
    place, _ = tracked
    labels = labels_in(place)
    cells = [rows_of(place / "tables" / f"cells_T{frame}.csv") for frame in range(3)]
    for frame, table in enumerate(cells):
        assert [int(row["track_id"]) for row in table] == [int(row["index"]) for row in table]
        assert {int(row["index"]) for row in table} == set(np.unique(labels[frame]).tolist()) - {0}
    tracks = rows_of(place / "tables" / "tracks.csv")
    assert [int(row["track_id"]) for row in tracks] == list(range(1, labels.max() + 1))
    for row in tracks:
        frames = [frame for frame in range(3) if (labels[frame] == int(row["track_id"])).any()]
        assert [int(row[name]) for name in ("frames", "t_first", "t_last")] == [
            len(frames),
            frames[0],
            frames[-1],
        ]
    assert {"path_um", "speed_um_per_s", "intensity_mean"} <= set(tracks[0])


def test_a_new_cell_gets_an_id_that_no_track_has(tracked) -> None:
    place, planes = tracked
    window = Window(slice(0, 40), slice(0, 40))
    before = read_part(place, 1, window)
    after = before.copy()
    after[:3, :3] = labels_in(place).max() + 50
    largest = int(labels_in(place).max())
    write_part(place, 1, window, before, after, planes)
    assert read_part(place, 1, window)[0, 0] == largest + 1
    undo_version(place, planes)
    np.testing.assert_array_equal(read_part(place, 1, window), before)


def test_plans_of_linked_stores_are_read_back_verified_and_replayed(tracked, monkeypatch) -> None:
    place, planes = tracked
    assert load_plan(place).linking == LinkParams("t")
    assert Run(verify_store(place, 4, planes=planes)).result.holds
    monkeypatch.setattr("napari_utile.engine.store.verify.planes_of", lambda _: tuple(planes))
    proof = Run(replay_store(place)).result
    assert proof.holds
    assert proof.identical == proof.blocks == 3 * len(load_plan(place).grid)


def test_an_axis_without_planes_is_refused_before_anything_is_written(small_model) -> None:
    with pytest.raises(UtileError, match="no planes along Z to link"):
        planned(small_model, stack_of(2), "z", stacked="T", sizes=(2,))
