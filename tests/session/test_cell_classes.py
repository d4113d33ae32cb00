"""Classes that people gave outlive the rows of the table, and are never those of another cell."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.session.cell_classes import KeptClasses

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
    kept, before = KeptClasses(), table(cells)
    fewer = kept.into(
        table({key: cell for key, cell in cells.items() if key not in gone}, words=False), before, "z"
    )
    again = kept.into(table(cells, words=False), fewer, "z")
    assert classes(fewer) == {key: word for key, word in classes(before).items() if key not in gone}
    assert classes(again) == classes(before)


def test_another_cell_of_the_same_number_has_no_class_and_the_first_gets_its_own_back():
    kept, first = KeptClasses(), {(1, 0): (9, "dead")}
    nothing = kept.into(table({}), table(first))
    other = kept.into(table({(1, 0): (4, "")}), nothing)
    assert classes(other) == {(1, 0): ""}
    nothing = kept.into(table({}), other)
    assert classes(kept.into(table({(1, 0): (9, "")}), nothing)) == {(1, 0): "dead"}


def test_a_class_that_was_taken_away_does_not_come_back():
    kept, first = KeptClasses(), {(1, 0): (9, "dead")}
    back = kept.into(table({(1, 0): (9, "")}), kept.into(table({}), table(first)))
    assert classes(back) == {(1, 0): "dead"}
    nothing = kept.into(table({}), table({(1, 0): (9, "")}))
    assert classes(kept.into(table({(1, 0): (9, "")}), nothing)) == {(1, 0): ""}


def test_a_table_of_classes_alone_that_gets_measurements_keeps_them():
    words = {"index": np.array([3, 5]), "class": np.array(["dead", ""], dtype=object)}
    measured = table({(3, 1): (9, ""), (5, 1): (7, "")}, words=False)
    assert classes(KeptClasses().into(measured, words, "z")) == {(3, 1): "dead", (5, 1): ""}
