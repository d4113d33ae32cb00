import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.session.layer_specs import merged_features, merged_labels, merged_recipes, remeasured


def test_a_result_alone_in_its_layer_keeps_its_ids():
    labels = np.array([[1, 0, 2]], dtype=np.int32)
    merged, first, kept = merged_labels(np.array([[7, 7, 7]], dtype=np.int32), labels, None)
    np.testing.assert_array_equal(merged, labels)
    assert first == 0
    assert kept.size == 0


def test_ids_taken_on_other_planes_are_skipped():
    labels = np.array([[1, 0, 2]], dtype=np.int32)
    merged, first, _ = merged_labels(np.zeros((1, 3), np.int32), labels, None, above=10)
    np.testing.assert_array_equal(merged, [[11, 0, 12]])
    assert merged.dtype == np.int32
    assert first == 10


def test_instances_outside_of_the_window_stay_and_keep_their_ids_to_themselves():
    plane = np.array([[5, 5, 3, 0]], dtype=np.int32)
    window = Window(slice(0, 1), slice(1, 4))
    merged, first, kept = merged_labels(plane, np.array([[0, 1, 2]], np.int32), window)
    np.testing.assert_array_equal(merged, [[0, 6, 7]])
    assert first == 5
    np.testing.assert_array_equal(kept, [5])


def test_new_rows_replace_those_of_instances_that_are_gone():
    old = {"index": np.array([1, 2, 3]), "area": np.array([10.0, 20.0, 30.0])}
    new = {"area": np.array([99.0]), "index": np.array([1])}
    joined = merged_features(old, new, first=3, gone=np.array([1, 3]))
    assert list(joined) == ["index", "label", "area"]
    np.testing.assert_array_equal(joined["label"], joined["index"])
    np.testing.assert_array_equal(joined["index"], [2, 4])
    np.testing.assert_array_equal(joined["area"], [20.0, 99.0])


def test_a_column_that_one_table_lacks_is_nan_there():
    old = {"index": np.array([1]), "round": np.array([0.5])}
    new = {"index": np.array([1]), "area": np.array([9.0]), "z": 4}
    joined = merged_features(old, new, first=1, gone=np.array([], dtype=int))
    np.testing.assert_array_equal(joined["round"], [0.5, np.nan])
    np.testing.assert_array_equal(joined["area"], [np.nan, 9.0])
    np.testing.assert_array_equal(joined["z"], [np.nan, 4])


def test_a_column_of_words_that_one_table_lacks_is_empty_there():
    old = {"index": np.array([1]), "class": np.array(["mitotic"])}
    joined = merged_features(old, {"index": np.array([2]), "area": [3]}, 0, np.array([], dtype=int))
    assert list(joined["class"]) == ["mitotic", ""]


TABLE = {"index": np.array([1, 2, 3]), "area": np.array([5, 6, 7]), "class": np.array(["a", "b", "c"])}


def test_cells_that_are_as_they_were_measured_leave_the_table_alone():
    assert remeasured(TABLE, {"index": [1, 2, 3], "area": [5, 6, 7], "other": [0, 0, 0]}, {}) is None


def test_rows_of_cells_that_changed_came_or_went_are_brought_up_to_date():
    new = remeasured({**TABLE, "confidence": [0.5, 0.6, 0.7]}, {"index": [1, 3, 4], "area": [5, 9, 2]}, {})
    assert list(new["index"]) == [1, 3, 4]
    assert list(new["area"]) == [5, 9, 2]
    assert list(new["class"]) == ["a", "c", ""]
    np.testing.assert_array_equal(new["confidence"], [0.5, np.nan, np.nan])


def test_rows_of_other_planes_stay():
    table = {**TABLE, "z": np.array([0, 0, 1])}
    new = remeasured(table, {"index": [3], "area": [8]}, {"z": 1})
    assert list(new["area"]) == [5, 6, 8]
    new = remeasured(table, {"index": np.array([], int), "area": np.array([], int)}, {"z": 0})
    assert list(new["index"]) == [3]


def test_what_is_undone_is_the_table_that_was():
    once = remeasured(TABLE, {"index": [1, 2], "area": [5, 60]}, {})
    again = remeasured(once, {"index": [1, 2, 3], "area": [5, 6, 7]}, {})
    for name in ("index", "area"):
        assert list(again[name]) == list(TABLE[name])
    assert again["area"].dtype == TABLE["area"].dtype


def test_a_cell_that_is_painted_where_none_was_found_gets_a_row():
    nothing = {"index": np.zeros(0, int), "area": np.zeros(0), "class": np.zeros(0, object)}
    new = remeasured(nothing, {"index": [4], "area": [9.0]}, {})
    assert {name: list(column) for name, column in new.items()} == {
        "index": [4],
        "label": [4],
        "area": [9.0],
        "class": [""],
    }


def test_an_empty_table_is_replaced():
    joined = merged_features({}, {"index": np.array([1, 2]), "z": 3}, first=0, gone=np.array([], dtype=int))
    np.testing.assert_array_equal(joined["z"], [3, 3])


def recipe(threshold, z, rows=(0, 9), inside=None):
    plane = {"index": {"Z": z}, "region": (rows, (0, 9)), "inside": inside, "cells": z}
    return {"parameters": {"threshold": threshold}, "planes": [plane]}


def planes_of(recipes):
    return [
        (
            each["parameters"]["threshold"],
            [(plane["index"]["Z"], plane["region"][0]) for plane in each["planes"]],
        )
        for each in recipes
    ]


def test_planes_made_alike_share_a_recipe_and_a_plane_made_again_leaves_its_old_one():
    kept = merged_recipes([], recipe(0.5, 0))
    kept = merged_recipes(kept, recipe(0.3, 1))
    kept = merged_recipes(kept, recipe(0.5, 2))
    assert planes_of(kept) == [(0.5, [(0, (0, 9)), (2, (0, 9))]), (0.3, [(1, (0, 9))])]
    before = planes_of(kept)
    again = merged_recipes(kept, recipe(0.3, 0))
    assert planes_of(again) == [(0.5, [(2, (0, 9))]), (0.3, [(1, (0, 9)), (0, (0, 9))])]
    assert planes_of(kept) == before
    assert planes_of(merged_recipes(merged_recipes([], recipe(0.5, 0)), recipe(0.3, 0))) == [
        (0.3, [(0, (0, 9))])
    ]


def test_regions_of_one_plane_are_kept_until_a_result_covers_them():
    kept = merged_recipes([], recipe(0.5, 0, rows=(0, 4)))
    kept = merged_recipes(kept, recipe(0.5, 0, rows=(2, 9)))
    assert planes_of(kept) == [(0.5, [(0, (0, 4)), (0, (2, 9))])]
    assert planes_of(merged_recipes(kept, recipe(0.5, 0, inside=(3, 78)))) == [
        (0.5, [(0, (0, 4)), (0, (2, 9)), (0, (0, 9))])
    ]
    assert planes_of(merged_recipes(kept, recipe(0.5, 0))) == [(0.5, [(0, (0, 9))])]
