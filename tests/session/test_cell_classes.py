"""Classes that people gave outlive the rows of the table, and are never those of another cell."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.linking.params import LinkParams
from napari_utile.session.linking import StackSpace, link_layers
from napari_utile.session.own_columns import KeptColumns, is_added, renumbered, same_cells

CELLS = st.dictionaries(
    st.tuples(st.integers(1, 4), st.integers(0, 1)),
    st.tuples(st.integers(1, 9), st.sampled_from(["", "dead", "mitotic"])),
    max_size=6,
)


def table(cells, words=True):
    """Make a table of cells: by id and plane, their area and class."""
    rows = sorted(cells.items())
    columns = {
        "index": [label for (label, _), _ in rows],
        "z": [plane for (_, plane), _ in rows],
        "area_px": [area for _, (area, _) in rows],
        "class": [word for _, (_, word) in rows],
    }
    return {
        name: np.array(column, dtype=object if name == "class" else int)
        for name, column in columns.items()
        if words or name != "class"
    }


def classes(columns):
    words = columns.get("class", [""] * len(columns["index"]))
    return dict(zip(zip(columns["index"].tolist(), columns["z"].tolist(), strict=True), words, strict=True))


@given(cells=CELLS, gone=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 1))))
def test_what_goes_and_comes_back_as_it_was_has_its_class(cells, gone):
    kept, before = KeptColumns(), table(cells)
    fewer = kept.into(
        table({key: cell for key, cell in cells.items() if key not in gone}, words=False), before, "z"
    )
    again = kept.into(table(cells, words=False), fewer, "z")
    assert classes(fewer) == {key: word for key, word in classes(before).items() if key not in gone}
    assert classes(again) == classes(before)


def test_another_cell_of_the_same_number_has_no_class_and_the_first_gets_its_own_back():
    kept, first = KeptColumns(), {(1, 0): (9, "dead")}
    nothing = kept.into(table({}), table(first), "z")
    other = kept.into(table({(1, 0): (4, "")}), nothing, "z")
    assert classes(other) == {(1, 0): ""}
    nothing = kept.into(table({}), other, "z")
    assert classes(kept.into(table({(1, 0): (9, "")}), nothing, "z")) == {(1, 0): "dead"}


def test_a_class_that_was_taken_away_does_not_come_back():
    kept, first = KeptColumns(), {(1, 0): (9, "dead")}
    back = kept.into(table({(1, 0): (9, "")}), kept.into(table({}), table(first)))
    assert classes(back) == {(1, 0): "dead"}
    nothing = kept.into(table({}), table({(1, 0): (9, "")}))
    assert classes(kept.into(table({(1, 0): (9, "")}), nothing)) == {(1, 0): ""}


def test_a_table_of_classes_alone_that_gets_measurements_keeps_them():
    words = {"index": np.array([3, 5]), "class": np.array(["dead", ""], dtype=object)}
    measured = table({(3, 1): (9, ""), (5, 1): (7, "")}, words=False)
    assert classes(KeptColumns().into(measured, words, "z")) == {(3, 1): "dead", (5, 1): ""}


def test_a_class_that_is_renamed_while_a_cell_is_gone_has_its_new_name_when_it_comes_back():
    kept, first = KeptColumns(), {(1, 0): (9, "dead"), (2, 0): (7, "dead")}
    fewer = kept.into(table({(2, 0): (7, "")}), table(first))
    named = kept.renamed(fewer, "dead", "apoptotic")
    assert classes(named) == {(2, 0): "apoptotic"}
    again = kept.into(table({(1, 0): (9, ""), (2, 0): (7, "")}), named)
    assert classes(again) == {(1, 0): "apoptotic", (2, 0): "apoptotic"}


def test_columns_that_people_added_stay_with_cells_that_are_still_there_and_measurements_do_not():
    old = {"index": [1, 2], "area_px": [9, 8], "solidity": [1.0, 0.9], "mine": [1.5, 2.5], "batch": [7, 7]}
    new = KeptColumns().into({"index": [2, 3], "area_px": [6, 5]}, old)
    assert list(new) == ["index", "area_px", "mine", "batch"]
    np.testing.assert_array_equal(new["mine"], [2.5, np.nan])
    np.testing.assert_array_equal(new["batch"], [7, np.nan])


def test_columns_that_people_added_keep_their_type_and_stay_before_they_are_filled():
    old = {
        "index": np.array([1, 2]),
        "note": np.array(["", ""], object),
        "mark": np.array([np.nan, np.nan]),
        "keep": np.array([True, False]),
        "batch": np.array([1, 2], np.int16),
    }
    kept = KeptColumns()
    same = kept.into({"index": np.array([2, 1])}, old)
    assert {name: (column.dtype, column.tolist()) for name, column in same.items() if name != "mark"} == {
        "index": (np.dtype(int), [2, 1]),
        "note": (np.dtype(object), ["", ""]),
        "keep": (np.dtype(bool), [False, True]),
        "batch": (np.dtype(np.int16), [2, 1]),
    }
    assert np.isnan(same["mark"]).all()
    more = kept.into({"index": np.array([1, 2, 3])}, same)
    assert json.dumps(more["keep"].tolist()) == '[true, false, ""]'
    assert list(kept.into({"index": np.zeros(0, int)}, more)) == [*old]


def test_no_column_that_is_measured_is_taken_for_one_that_a_user_added():
    labels = np.array([[[1, 1, 0, 2], [1, 1, 0, 2]]] * 2)
    image = np.stack([labels[0]] * 3)
    names = [*measure(labels[0], image, (0.5, 0.5), "µm", channel_names=("red", "green", "blue"))]
    names += [*measure(labels[0], image[0])]
    for letter, unit in (("T", "s"), ("Z", "µm")):
        for size in (None, (0.5, 0.5)):
            space = StackSpace(letter, size, "µm", {letter: (2.0, unit)})
            names += [*link_layers(labels, space, LinkParams(letter.lower())).features]
    assert [name for name in names if is_added(name)] == []


def test_rows_follow_cells_that_are_numbered_anew():
    ids = same_cells(np.array([[1, 1, 2, 2, 3]]), np.array([[2, 2, 3, 3, 0]]))
    moved = renumbered({"index": [1, 2, 3], "class": ["a", "b", "c"]}, ids)
    assert dict(zip(moved["index"], moved["class"], strict=True)) == {2: "a", 3: "b"}
