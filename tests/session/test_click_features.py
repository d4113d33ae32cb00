import numpy as np
import pytest

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.windows import Window
from napari_utile.session.clicks.features import CellTable
from napari_utile.session.clicks.label_plane import LabelPlane


class Known:
    def __init__(self, probability):
        self.probability = probability

    def is_known(self, window):
        return True

    def read(self, window):
        return self.probability[window]


@pytest.fixture
def labels():
    return np.zeros((20, 30), dtype=np.int32)


def table_of(labels, where=None):
    plane = ImagePlane(np.arange(600.0).reshape(1, 20, 30), pixel_size=(0.5, 0.5), unit="µm")
    return CellTable(plane, where=where)


def plane_of(labels):
    return LabelPlane(labels, (slice(None), slice(None)))


def test_rows_come_change_go_and_come_back_with_their_cells(labels):
    table = table_of(labels)
    window = Window(slice(2, 6), slice(3, 8))
    labels[window] = 4
    table.note({4: window})
    features = table.update(plane_of(labels), {}, Known(np.full((20, 30), 0.5)))
    assert features["index"].tolist() == [4]
    assert features["area_px"].tolist() == [20]
    assert features["area_um2"].tolist() == [5.0]
    assert features["centroid_y"].tolist() == [3.5]
    assert 0 < features["confidence"][0] < 0.5
    assert table.update(plane_of(labels), features, None) is None
    labels[2] = 0
    features = table.update(plane_of(labels), features, None)
    assert features["area_px"].tolist() == [15]
    assert np.isnan(features["confidence"][0])
    before = labels.copy()
    labels[:] = 0
    features = table.update(plane_of(labels), features, None)
    assert features["index"].tolist() == []
    labels[:] = before
    assert table.update(plane_of(labels), features, None)["area_px"].tolist() == [15]


class Chunked:
    """Counts how often it is read, as each read of an array in chunks unpacks a chunk."""

    def __init__(self, pixels):
        self.pixels, self.shape, self.dtype, self.reads = pixels, pixels.shape, pixels.dtype, 0

    def __getitem__(self, index):
        self.reads += 1
        return self.pixels[index]


def test_labels_in_chunks_are_read_once_however_many_cells_there_are(labels):
    table, kept = table_of(labels), table_of(labels)
    for number in range(1, 6):
        labels[3 * number : 3 * number + 2, number : 4 * number] = number
    boxes = {
        number: Window(slice(3 * number, 3 * number + 2), slice(number, 4 * number)) for number in range(1, 6)
    }
    chunked = Chunked(labels)
    for each in (table, kept):
        each.note(boxes)
    assert table.changed(plane_of(chunked)) == kept.changed(plane_of(labels)) == ([1, 2, 3, 4, 5], [])
    assert chunked.reads == 1
    labels[3:5] = 0
    assert table.changed(plane_of(chunked)) == kept.changed(plane_of(labels)) == ([], [1])


def test_rows_and_columns_of_other_cells_stay(labels):
    table = table_of(labels)
    labels[1, 1] = 9
    table.note({9: Window(slice(1, 2), slice(1, 2))})
    old = {"index": np.array([2, 9]), "mine": np.array([7.0, 8.0])}
    features = table.update(plane_of(labels), old, None)
    assert features["index"].tolist() == [2, 9]
    assert features["mine"][0] == 7.0
    assert features["area_px"][1] == 1


def test_rows_say_their_plane_where_ids_start_again_and_nothing_was_measured():
    stack, features = np.zeros((2, 20, 30), np.int32), {}
    for step, side in enumerate((2, 3)):
        window = Window.span((1, 1), (1 + side, 1 + side))
        stack[step][window] = 4
        table = table_of(stack, {"t": step})
        table.note({4: window})
        plane = LabelPlane(stack, (step, slice(None), slice(None)))
        features = table.update(plane, features, None)
    assert features["t"].tolist() == [0, 1]
    assert features["area_px"].tolist() == [4, 9]
    stack[1] = 0
    assert table.update(plane, features, None)["t"].tolist() == [0]
