"""Parts of a finished store that are edited and written back, and undone."""

import json

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import read_columns, write_table
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.steps import Run
from napari_utile.engine.store import versions
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.journal import only_run
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.table import path_of_table
from napari_utile.engine.store.versions import read_part, undo_version, versions_of, write_part
from napari_utile.engine.windows import Window
from stores import SIDE, fill, image_of, labels_in, planned

WINDOW = Window(slice(20, 110), slice(30, 150))


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_model):
    place = tmp_path_factory.mktemp("stores") / "image.ome.zarr"
    plane, plan = planned(small_model, image_of((120, 600)), measured=True)
    begin_store(place, plan, small_model)
    fill(place, planes=[plane], model=small_model)
    return place, plane, plan


def contents(place):
    files = {
        str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
    }
    return {name: data for name, data in files.items() if not name.endswith(("recipe.json", "lock"))}


def levels_agree(place):
    whole, level = labels_in(place), 0
    while (place / f"labels/cells/{level}").is_dir():
        stored = zarr.open_array(place / f"labels/cells/{level}", mode="r")[...]
        np.testing.assert_array_equal(stored, whole[:: 2**level, :: 2**level])
        level += 1
    return level


def table_agrees(place, plan):
    table, labels = read_columns(path_of_table(place, plan.planes[0])), labels_in(place)
    ids, areas = np.unique(labels[labels > 0], return_counts=True)
    np.testing.assert_array_equal(table["index"], ids)
    np.testing.assert_array_equal(table["area_px"], areas)
    for row in range(0, len(ids), max(1, len(ids) // 20)):
        y, x = np.nonzero(labels == ids[row])
        assert (table["centroid_y"][row], table["centroid_x"][row]) == (y.mean(), x.mean())


@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_what_is_written_back_is_in_every_level_and_the_table_and_undone_to_the_byte(made, data) -> None:
    place, plane, plan = made
    before = contents(place)
    rows = sorted(data.draw(st.lists(st.integers(0, 120), min_size=2, max_size=2, unique=True)))
    columns = sorted(data.draw(st.lists(st.integers(0, 600), min_size=2, max_size=2, unique=True)))
    window = Window(slice(*rows), slice(*columns))
    part = read_part(place, 0, window)
    edited = part.copy()
    top, left = (data.draw(st.integers(0, size - 1)) for size in part.shape)
    others = st.sampled_from(np.unique(part).tolist())  # of cells near or far
    edited[top : top + 9, left : left + 9] = data.draw(st.integers(0, 400) | others)
    if np.array_equal(part, edited):
        return
    version = write_part(place, 0, window, part, edited, [plane])
    now = labels_in(place)
    np.testing.assert_array_equal(now[window] > 0, edited > 0)
    assert levels_agree(place) == 2
    table_agrees(place, plan)
    assert json.loads((place / "recipe.json").read_text())["edits"][-1]["cells"] == version.cells
    undo_version(place, [plane])
    assert contents(place) == before


@pytest.mark.parametrize("erase", [False, True], ids=["a second piece", "one of two pieces goes"])
def test_a_cell_in_two_pieces_far_apart_is_measured_whole(made, erase) -> None:
    place, plane, plan = made
    whole = Window(slice(0, 120), slice(0, 600))
    part = read_part(place, 0, whole)
    edited = part.copy()
    edited[50:60, 590:600] = part[:, :20].max()
    assert edited[55, 595] > 0
    write_part(place, 0, whole, part, edited, [plane])
    if erase:
        again = edited.copy()
        again[50:60, 590:600] = 0
        write_part(place, 0, whole, edited, again, [plane])
    table_agrees(place, plan)
    for _ in range(1 + erase):
        undo_version(place, [plane])
        table_agrees(place, plan)


def test_new_cells_get_ids_that_no_other_cell_has(made) -> None:
    place, plane, _ = made
    part, taken = read_part(place, 0, WINDOW), np.unique(labels_in(place))
    elsewhere = np.setdiff1d(taken, np.append(part, 0))
    edited = part.copy()
    edited[40:50, 40:50] = elsewhere[0]
    write_part(place, 0, WINDOW, part, edited, [plane])
    assert (read_part(place, 0, WINDOW)[40:50, 40:50] == taken.max() + 1).all()
    undo_version(place, [plane])


def test_a_table_of_before_gets_its_column_label_with_an_edit(made) -> None:
    place, plane, plan = made
    path = path_of_table(place, plan.planes[0])
    write_table(path, {name: column for name, column in read_columns(path).items() if name != "label"})
    part = read_part(place, 0, WINDOW)
    write_part(place, 0, WINDOW, part, np.where(part == part.max(), 0, part), [plane])
    table = read_columns(path)
    assert [*table][:2] == ["index", "label"]
    np.testing.assert_array_equal(table["label"], table["index"])
    undo_version(place, [plane])


def test_the_mask_is_that_of_the_edited_labels(tmp_path, small_model) -> None:
    place = tmp_path / "image.ome.zarr"
    plane, plan = planned(small_model, image_of((120, 600)), with_mask=True)
    begin_store(place, plan, small_model)
    fill(place, planes=[plane], model=small_model)
    mask = zarr.open_array(place / "labels/mask/0", mode="r")
    first = mask[...]
    before = read_part(place, 0, WINDOW)
    write_part(place, 0, WINDOW, before, np.zeros_like(before), [plane])
    np.testing.assert_array_equal(mask[...], labels_in(place) > 0)
    assert not mask[WINDOW].any()
    np.testing.assert_array_equal(zarr.open_array(place / "labels/mask/1", mode="r")[...], mask[::2, ::2])
    undo_version(place, [plane])
    np.testing.assert_array_equal(mask[...], first)


def test_conflicts_are_refused(made) -> None:
    place, plane, _ = made
    part = read_part(place, 0, WINDOW)
    with pytest.raises(UtileError, match="Nothing was changed"):
        write_part(place, 0, WINDOW, part, part, [plane])
    edited = np.where(part == part.max(), 0, part)
    with only_run(place / HOME, "x"), pytest.raises(UtileError, match="Another run"):
        write_part(place, 0, WINDOW, part, edited, [plane])
    version = write_part(place, 0, WINDOW, part, edited, [plane])
    assert version.cells == 1
    with pytest.raises(UtileError, match="open it again"):
        write_part(place, 0, WINDOW, part, edited, [plane])
    undo_version(place, [plane])
    with pytest.raises(UtileError, match="nothing to undo"):
        undo_version(place, [plane])


def test_values_that_are_no_ids_are_refused_before_anything_is_written(made) -> None:
    place, plane, _ = made
    before, part = contents(place), read_part(place, 0, WINDOW)
    for value in (-1, 0.5):
        edited = part.astype(type(value))
        edited[5, 5] = value
        with pytest.raises(UtileError, match=f"must hold whole numbers from 0 .* up, got {value}"):
            write_part(place, 0, WINDOW, part, edited, [plane])
    assert contents(place) == before


def test_cells_that_reach_beyond_the_part_are_counted(made) -> None:
    place, plane, _ = made
    labels = labels_in(place)
    cell = next(each for each in np.unique(labels[60])[1:] if (labels[59] == each).any())
    y, x = (slice(int(each.min()), int(each.max()) + 1) for each in np.nonzero(labels == cell))
    window = Window(slice(60, y.stop), x)
    part = read_part(place, 0, window)
    version = write_part(place, 0, window, part, np.where(part == cell, 0, part), [plane])
    assert version.cut == 1
    undo_version(place, [plane])


def test_a_change_that_was_interrupted_is_put_back(made, monkeypatch) -> None:
    place, plane, _ = made
    before, part = contents(place), read_part(place, 0, WINDOW)
    edited = np.where(part == part.max(), 0, part)

    def fails(*_):
        raise OSError("the plug was pulled")

    with monkeypatch.context() as patch:
        patch.setattr(versions, "update_table", fails)
        with pytest.raises(OSError, match="plug"):
            write_part(place, 0, WINDOW, part, edited, [plane])
    assert contents(place) != before
    with pytest.raises(UtileError, match="nothing to undo"):
        undo_version(place, [plane])
    assert contents(place) == before
    assert not versions_of(place)


def test_an_unfinished_store_is_not_edited(tmp_path, small_model) -> None:
    place = tmp_path / "half.ome.zarr"
    plane, plan = planned(small_model, image_of())
    begin_store(place, plan, small_model)
    run = Run(store_steps(place, planes=[plane], model=small_model))
    next(iter(run))
    run.close()
    empty = np.zeros((SIDE, SIDE), np.int32)
    with pytest.raises(UtileError, match="not finished"):
        write_part(place, 0, Window.whole(empty.shape), empty, empty + 1, [plane])
