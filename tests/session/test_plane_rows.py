"""Rows of a table say which plane of a stack they are of, and one that does not is of its cell on every plane."""

import numpy as np

from napari_utile.session.cell_classes import with_class
from napari_utile.session.layer_specs import merged_features
from napari_utile.session.own_columns import KeptColumns
from napari_utile.session.plane_rows import cells_of, placed, with_index


def classes(columns):
    return dict(zip(cells_of(columns, ["z"]), columns["class"], strict=True))


def test_a_class_that_is_given_on_a_plane_is_of_the_cell_of_that_plane():
    first = with_class({}, 3, "dead", {"z": 0})
    both = with_class(with_class(first, 3, "mitotic", {"z": 1}), 3, "round", {"z": 0})
    assert classes(both) == {(3, 0): "round", (3, 1): "mitotic"}
    assert classes(with_class(both, 3, "", {"z": 1})) == {(3, 0): "round", (3, 1): ""}


def test_a_row_whose_plane_nobody_knows_is_of_its_cell_on_every_plane():
    table = {"index": np.array([3, 5]), "label": np.array([3, 5]), "volume": np.array([8.0, 9.0])}
    named = with_class(with_class(table, 3, "dead", {"z": 0}), 3, "mitotic", {"z": 1})
    assert named["index"].tolist() == [3, 5]
    assert named["class"].tolist() == ["mitotic", ""]
    more = with_class(named, 7, "dead", {"z": 1})
    np.testing.assert_array_equal(more["z"], [np.nan, np.nan, 1])
    np.testing.assert_array_equal(more["volume"], [8, 9, np.nan])
    assert more["class"].tolist() == ["mitotic", "", "dead"]
    measured = {"index": np.array([3, 5, 7]), "z": np.array([1, 1, 1]), "area_px": np.array([4, 5, 6])}
    assert classes(KeptColumns().into(measured, placed(more, measured, "z"), "z")) == {
        (3, 1): "mitotic",
        (5, 1): "",
        (7, 1): "dead",
    }


def test_a_plain_image_has_no_planes_to_say():
    assert list(with_class({}, 3, "dead", {})) == ["index", "label", "class"]
    nothing_left = {"index": np.zeros(0, int), "area_px": np.zeros(0, int)}
    assert with_class(nothing_left, 3, "dead", {})["class"].tolist() == ["dead"]


def test_a_table_without_ids_has_a_row_for_each_from_0_and_loses_nothing():
    table = {"gene": np.array(["", "a", "b"], dtype=object)}
    named = with_class(table, 2, "dead")
    assert named["index"].tolist() == [0, 1, 2]
    assert named["class"].tolist() == ["", "", "dead"]
    assert with_class(table, 7, "dead")["gene"].tolist() == ["", "a", "b", ""]
    new = {"index": np.array([1, 2]), "area_px": np.array([5, 6])}
    joined = merged_features(table, new, 0, np.array([1, 2]))
    assert joined["index"].tolist() == [0, 1, 2]
    assert KeptColumns().into(joined, with_index(table))["gene"].tolist() == ["", "a", "b"]
