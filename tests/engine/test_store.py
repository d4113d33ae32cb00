"""Stores: the bits of one piece, resumed after anything, and never taken for a result before they are one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaozarrs

from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.relief import smoothed, unsmoothed_height
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, write_image
from napari_utile.engine.files.pyramid import read_pyramid
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.inference.decode import foreground_of
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.models.outputs import by_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.journal import only_run
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.remove import remove_store
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.work import OpenStore
from napari_utile.engine.windows import Window
from stores import SIDE, fill, image_of, labels_in, planned


def in_one_piece(place, plan, planes, model):
    """Decode the outputs of all blocks at once."""
    store = OpenStore(place, plan, planes, model)
    foreground = np.zeros(plan.grid.shape, np.float32)
    height = np.zeros(plan.grid.shape, np.float32) if plan.by_height else None
    for key in plan.grid:
        window = plan.grid.window(key)
        likely, high, *_ = store.outputs(0, window)
        foreground[window] = likely
        if height is not None:
            height[window] = high
    params = plan.params.instances
    return label_cells(
        cell_landscape(foreground, params, height if height is None else smoothed(height)), params
    )


@pytest.mark.parametrize("kind", ["small_model", "distances_model"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("region", [None, Window(slice(20, 110), slice(33, 180))])
def test_labels_are_those_of_one_piece(tmp_path: Path, request, kind, threads, region) -> None:
    model, place = request.getfixturevalue(kind), tmp_path / "a.ome.zarr"
    plane, plan = planned(model, image_of(), region=region)
    begin_store(place, plan, model)
    made = fill(place, jobs=Here(threads), planes=[plane], model=model)
    expected = in_one_piece(place, plan, (plane,), model)
    np.testing.assert_array_equal(labels_in(place), expected)
    assert made.cells == (expected.max(),)
    assert expected.max() > 3
    assert is_complete(place)


def test_levels_are_halves_and_metadata_place_them(tmp_path: Path, small_model) -> None:
    place = tmp_path / "a.ome.zarr"
    data = image_of((1100, 700))
    plane = ImagePlane(data[None], pixel_size=(0.5, 0.25), unit="µm")
    params = SegmentParams(diameter=None, device="cpu", precision="float32", instances=InstanceParams())
    compute = choose_compute("cpu", "float32")
    plan = plan_store([plane], small_model, params, compute, "layer", side=512)
    begin_store(place, plan, small_model)
    fill(place, planes=[plane], model=small_model)
    image = read_pyramid(place)
    assert [level.shape for level in image.levels] == [(1100, 700), (550, 350), (275, 175)]
    assert image.scale == (0.5, 0.25)
    assert image.units == ("µm", "µm")
    [cells] = image.labels
    assert [level.shape for level in cells.levels] == [level.shape for level in image.levels]
    labels = np.asarray(cells.levels[0])
    np.testing.assert_array_equal(cells.levels[1], labels[::2, ::2])
    np.testing.assert_array_equal(cells.levels[2], labels[::4, ::4])
    recipe = json.loads((place / "recipe.json").read_text())
    assert recipe["planes"][0]["cells"] == labels.max()
    assert not list((place / HOME).glob("plane*"))


@pytest.mark.parametrize("axes", ["", "ZT"])
def test_stores_are_valid_ome_zarr(tmp_path: Path, small_model, axes) -> None:
    data = image_of((70, 90))
    planes = [ImagePlane(data[None], pixel_size=(0.5, 0.5), unit="µm")] * 2 ** len(axes)
    params = SegmentParams(diameter=None, instances=InstanceParams(minimum_size=5))
    indices = [{"Z": z, "T": t} for z in (0, 1) for t in (0, 1)] if axes else [{}]
    steps = {"Z": (2.0, "µm"), "T": (30.0, "s")}
    compute = choose_compute("cpu", "float32")
    plan = plan_store(
        planes,
        small_model,
        params,
        compute,
        "x",
        indices=indices,
        stacked=axes,
        sizes=(2,) * len(axes),
        steps=steps,
    )
    begin_store(tmp_path / "a.ome.zarr", plan, small_model)
    made = fill(tmp_path / "a.ome.zarr", planes=planes, model=small_model)
    assert load_plan(made.place).space.axes == "".join(sorted(axes)) + "YX"
    yaozarrs.validate_zarr_store(str(tmp_path / "a.ome.zarr"))
    yaozarrs.validate_zarr_store(str(tmp_path / "a.ome.zarr" / "labels" / "cells"))


def test_a_stack_has_each_plane_as_it_is_alone(tmp_path: Path, small_model) -> None:
    planes = [ImagePlane(image_of((90, 70), seed)[None]) for seed in range(3)]
    params = SegmentParams(diameter=None, device="cpu", precision="float32", instances=InstanceParams())
    compute = choose_compute("cpu", "float32")
    indices = [{"T": number} for number in range(3)]
    plan = plan_store(
        planes, small_model, params, compute, "layer", indices=indices, stacked="T", sizes=(3,), side=SIDE
    )
    begin_store(tmp_path / "all.zarr", plan, small_model)
    fill(tmp_path / "all.zarr", planes=planes, model=small_model)
    alone = plan_store([planes[1]], small_model, params, compute, "layer", side=SIDE)
    begin_store(tmp_path / "one.zarr", alone, small_model)
    fill(tmp_path / "one.zarr", planes=[planes[1]], model=small_model)
    np.testing.assert_array_equal(labels_in(tmp_path / "all.zarr")[1], labels_in(tmp_path / "one.zarr"))


@pytest.mark.parametrize("after", [0, 3, 8, 14, 21, 28])
def test_what_was_stopped_is_resumed_to_the_same_bits(tmp_path: Path, small_model, after) -> None:
    plane, plan = planned(small_model, image_of())
    for name in ("whole", "stopped"):
        begin_store(tmp_path / name, plan, small_model)
    fill(tmp_path / "whole", planes=[plane], model=small_model)
    run = Run(store_steps(tmp_path / "stopped", jobs=Here(1), planes=[plane], model=small_model))
    for _, _ in zip(range(after), run, strict=False):
        pass
    run.close()
    assert not is_complete(tmp_path / "stopped")
    again = list(Run(store_steps(tmp_path / "stopped", jobs=Here(2), planes=[plane], model=small_model)))
    assert len(again) == 6 * 5 - after
    np.testing.assert_array_equal(labels_in(tmp_path / "stopped"), labels_in(tmp_path / "whole"))


def test_a_store_that_was_started_when_gaps_were_not_kept_is_finished(tmp_path: Path, small_model) -> None:
    plane, plan = planned(small_model, image_of())
    for name in "ab":
        begin_store(tmp_path / name, plan, small_model)
    fill(tmp_path / "a", planes=[plane], model=small_model)
    run = store_steps(tmp_path / "b", jobs=Here(1), planes=[plane], model=small_model)
    while next(run).done < 6 * 4:
        pass
    run.close()
    for path in (tmp_path / "b" / HOME / "plane0" / "growth").glob("*.*.npz"):
        with np.load(path) as kept:
            before = {name: kept[name] for name in ("present", "place")}
        np.savez(path, **before)
    fill(tmp_path / "b", planes=[plane], model=small_model)
    np.testing.assert_array_equal(labels_in(tmp_path / "a"), labels_in(tmp_path / "b"))


def test_the_time_that_is_left_is_that_of_this_run(tmp_path: Path, small_model, monkeypatch) -> None:
    plane, plan = planned(small_model, image_of())
    begin_store(tmp_path / "a", plan, small_model)
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def left(blocks):
        run, said = store_steps(tmp_path / "a", jobs=Here(1), planes=[plane], model=small_model), []
        for _ in range(blocks):
            now[0] += 10
            said.append(next(run).seconds_left)
        run.close()
        return said

    assert left(2) == [None, 20]
    assert left(3) == [None, 10, pytest.approx(20 / 3)]


def test_an_unfinished_store_is_not_a_result(tmp_path: Path, small_model) -> None:
    place = tmp_path / "a.ome.zarr"
    plane, plan = planned(small_model, image_of())
    begin_store(place, plan, small_model)
    run = Run(store_steps(place, jobs=Here(1), planes=[plane], model=small_model))
    for _, _ in zip(range(28), run, strict=False):
        pass
    run.close()
    for folder in (place, place / "labels" / "cells"):
        with pytest.raises(UtileError, match=r"not finished.*--resume"):
            read_image(folder)
    with pytest.raises(UtileError, match="not finished"):
        read_pyramid(place)


def test_two_runs_into_one_store_are_kept_apart(tmp_path: Path, small_model) -> None:
    plane, plan = planned(small_model, image_of())
    begin_store(tmp_path / "a", plan, small_model)
    with only_run(tmp_path / "a" / HOME, "a"):
        with pytest.raises(UtileError, match="Another run is writing a"):
            fill(tmp_path / "a", planes=[plane], model=small_model)
        with pytest.raises(UtileError, match="Another run"):
            remove_store(tmp_path / "a")


def test_an_image_that_has_changed_is_refused(tmp_path: Path, small_model) -> None:
    plane, plan = planned(small_model, image_of())
    begin_store(tmp_path / "a", plan, small_model)
    other = replace(plane, data=plane.data + 1)
    with pytest.raises(UtileError, match="has changed since"):
        fill(tmp_path / "a", planes=[other], model=small_model)


def test_no_room_on_the_disk_is_said_before_anything_runs(tmp_path: Path, small_model, monkeypatch) -> None:
    _, plan = planned(small_model, image_of())
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UtileError, match=r"need about [0-9.]+ [MG]B"):
        begin_store(tmp_path / "a", plan, small_model)
    assert not list(tmp_path.iterdir())


def test_no_memory_for_a_block_is_said_before_anything_runs(tmp_path: Path, small_model, monkeypatch) -> None:
    _, plan = planned(small_model, image_of())
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(UtileError, match=r"needs about .* GB of memory"):
        begin_store(tmp_path / "a", plan, small_model)


def test_what_joining_many_blocks_takes_is_counted(small_model) -> None:
    _, plan = planned(small_model, image_of())

    def memory(side: int) -> int:
        return replace(plan, region=((0, side), (0, side))).memory_bytes(threads=2)

    assert memory(64) == memory(128)  # two blocks at a time are most of it
    assert memory(1 << 17) == pytest.approx(4 * memory(1 << 16))
    assert memory(1 << 16) > memory(64)


@pytest.mark.parametrize("fails", [0, 3, 5])
def test_memory_that_runs_out_at_a_block_costs_one_thread(
    tmp_path: Path, small_model, monkeypatch, fails
) -> None:
    plane, plan = planned(small_model, image_of())
    begin_store(tmp_path / "a", plan, small_model)
    begin_store(tmp_path / "b", plan, small_model)
    outputs, calls = OpenStore.outputs, []

    def scarce(store, *arguments):
        calls.append(1)
        if len(calls) == fails + 1:
            raise MemoryError
        return outputs(store, *arguments)

    fill(tmp_path / "a", planes=[plane], model=small_model)
    monkeypatch.setattr(OpenStore, "outputs", scarce)
    jobs = Here(2)
    fill(tmp_path / "b", jobs=jobs, planes=[plane], model=small_model)
    assert jobs.threads == 1
    np.testing.assert_array_equal(labels_in(tmp_path / "a"), labels_in(tmp_path / "b"))


def test_a_mask_and_empty_glass_leave_blocks_out(tmp_path: Path, small_model) -> None:
    data = image_of()
    data[:, 100:] = 7000  # nothing to see
    mask = np.zeros((12, 19), bool)
    mask[:6] = True  # at a tenth of the resolution
    plane, plan = planned(small_model, data, mask=mask)
    begin_store(tmp_path / "a", plan, small_model, mask)
    made = fill(tmp_path / "a", planes=[plane], model=small_model)
    labels = labels_in(tmp_path / "a")
    assert labels.max() > 0
    assert not labels[62:].any()  # gaps between cells are closed by a pixel
    assert made.empty >= 1 + 3  # what no cell is near
    assert load_plan(tmp_path / "a").mask == plan.mask


CHILD = """
import sys
from pathlib import Path
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.steps import Run
from napari_utile.engine.store.run import store_steps
for step in Run(store_steps(Path(sys.argv[1]), jobs=Here(2))):
    print(step.done, flush=True)
"""


@pytest.mark.parametrize("after", [3, 22])
def test_a_killed_process_loses_only_the_blocks_in_flight(tmp_path: Path, after) -> None:
    from napari_utile.engine.models.library import load_model

    source, place = tmp_path / "image.tif", tmp_path / "a.ome.zarr"
    write_image(source, image_of((100, 130)))
    model = load_model("nuclei")
    data = np.asarray(read_image(source).data)
    plane, plan = planned(model, data, source)
    begin_store(place, plan, model)
    command = [sys.executable, "-c", CHILD, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as child:
        seen = 0
        while seen < after and (line := child.stdout.readline()):
            seen = int(line)
        child.kill()
    journal = (place / HOME / "journal.jsonl").read_bytes()
    with open(place / HOME / "journal.jsonl", "ab") as file:
        file.write(b'{"plane": 0, "sta')  # as if it had been writing
    again = list(Run(store_steps(place, planes=[plane], model=model)))
    assert len(again) <= 6 * 5 - after
    assert (place / HOME / "journal.jsonl").read_bytes().startswith(journal)
    expected = in_one_piece(place, plan, (plane,), model)
    np.testing.assert_array_equal(labels_in(place), expected)


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from napari_utile.engine.store.journal import only_run\n"
        "with only_run(Path(sys.argv[1]), 'a'):\n    print('in', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        with pytest.raises(UtileError, match="Another run"), only_run(tmp_path, "a"):
            pass
        child.kill()
        child.wait()
    with only_run(tmp_path, "a"):
        pass


@pytest.mark.parametrize("kind", ["small_model", "distances_model"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_cells_are_decoded_from_the_outputs_that_are_kept(tmp_path: Path, request, kind, dtype) -> None:
    model, place = request.getfixturevalue(kind), tmp_path / "a.ome.zarr"
    mask = np.ones((12, 19), bool)
    mask[:, 12:] = False  # two blocks are left out
    plane, plan = planned(model, image_of(), mask=mask, outputs=dtype)
    begin_store(place, plan, model, mask)
    fill(place, planes=[plane], model=model)
    assert load_plan(place) == plan
    kept = []
    for output in model.card.outputs:
        image = read_pyramid(place / "outputs" / output.name)
        assert image.axes == "CYX"
        values = np.asarray(image.levels[0])
        assert values.dtype == dtype
        kept.append(values / np.float32(65535) if dtype == "uint16" else values)
    values = np.concatenate(kept).astype(np.float32)
    params, height = plan.params.instances, None
    if plan.by_height:
        named = by_name(model.card.outputs, values)
        height = smoothed(unsmoothed_height(named["B"], named["C"]))
    expected = label_cells(cell_landscape(foreground_of(values, model.card), params, height), params)
    np.testing.assert_array_equal(labels_in(place), expected)
    assert expected.max() > 3
