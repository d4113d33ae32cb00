import numpy as np
import pytest

from napari_utile.engine.clicks.markers import Marker
from napari_utile.session.clicks.marker_store import MarkerStore


@pytest.fixture
def labels():
    labels = np.zeros((2, 6, 6), dtype=int)
    labels[1, :3] = 5
    return labels


@pytest.fixture
def store():
    store = MarkerStore()
    store.add(Marker((1, 1, 1), 5))
    store.add(Marker((1, 4, 4), 5, "background", beside=(1, 2, 4)))
    return store


def follow(store, labels):
    return store.follow(labels)


def test_markers_stand_while_the_labels_agree_with_them(store, labels):
    follow(store, labels)
    assert [marker.stands for marker in store.markers] == [True, True]
    labels[1, :3] = 0
    assert follow(store, labels)
    assert [marker.stands for marker in store.markers] == [False, False], "its cell is gone"
    labels[1] = 5
    assert follow(store, labels)
    assert [marker.stands for marker in store.markers] == [True, False]
    assert not follow(store, labels)


def test_a_marker_gets_the_id_of_the_cell_it_lies_in(store, labels):
    labels[1, :3] = 8
    follow(store, labels)
    assert store.markers[0].cell == 8


def test_a_background_marker_comes_back_with_its_cell_and_goes_with_it_into_another(store, labels):
    without = np.zeros_like(labels)
    for now, stands in ((without, False), (labels, True), (without, False), (labels, True)):
        follow(store, now)
        assert store.markers[1].stands is stands
    store.read_table(*store.table())  # a user moved another one
    follow(store, without)
    assert not store.markers[1].stands
    follow(store, np.where(labels == 5, 8, 0))  # merged
    assert [(marker.cell, marker.stands) for marker in store.markers] == [(8, True), (8, True)]


def test_markers_of_a_plane_come_as_the_engine_takes_them(store, labels):
    follow(store, labels)
    store.set_threshold(5, 0.3)
    found = store.on_plane((1, slice(None), slice(None)))
    assert found == [Marker((1, 1), 5, "cell", 0.3, 1), Marker((4, 4), 5, "background", None, 2)]
    assert store.on_plane((0, slice(None), slice(None))) == []


def test_a_marker_set_twice_at_one_place_is_one(store):
    store.add(Marker((1, 1, 1), 6))
    assert len(store.markers) == 2


def test_a_table_written_and_read_gives_the_same_markers(store):
    store.set_threshold(5, 0.3)
    positions, columns = store.table()
    other = MarkerStore()
    other.read_table(positions, columns)
    assert [(m.kind, m.point, m.cell, m.order) for m in other.markers] == [
        (m.kind, m.point, m.cell, m.order) for m in store.markers
    ]
    assert [m.threshold for m in other.markers] == [0.3, None]


def test_moved_and_deleted_points_count_and_undone_markers_are_kept(store, labels):
    labels[1, 4, 4] = 5
    follow(store, labels)
    positions, columns = store.table()
    store.read_table(np.add(positions, (0, 0.4, 1.6)), columns)
    assert [marker.point for marker in store.markers] == [(1, 1, 3), (1, 4, 4)]
    store.read_table(positions[:0], {name: column[:0] for name, column in columns.items()})
    assert [marker.kind for marker in store.markers] == ["background"]


def test_a_moved_marker_stands_until_it_is_applied_and_then_follows_again(store, labels):
    positions, columns = store.table()
    store.read_table(np.add(positions, ((0, 3, 0), (0, 0, 0))), columns)
    follow(store, labels)
    assert store.markers[0].stands
    assert store.markers[0].moved
    labels[1, 3:] = 5
    follow(store, labels)
    assert not store.markers[0].moved
    labels[1, 3:] = 0
    follow(store, labels)
    assert not store.markers[0].stands


def test_points_that_are_no_markers_are_refused_or_left_out(store):
    with pytest.raises(ValueError, match="no column kind, cell, order"):
        store.read_table(np.zeros((1, 3)), {})
    rows = {"kind": ["cell", None], "cell": [1, np.nan], "order": [1, np.nan]}
    store.read_table(np.zeros((2, 3)), rows)
    assert len(store.markers) == 1
