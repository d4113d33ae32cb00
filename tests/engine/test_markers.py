import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.markers import Marker, cells_from_markers, read_markers
from napari_utile.engine.clicks.prompts import cell_at
from napari_utile.engine.steps import Run
from pictures import discs

PARAMS = InstanceParams(minimum_size=5)


class Field:
    """A probability that is there already."""

    def __init__(self, probability):
        self.probability, self.shape = probability, probability.shape

    def read_steps(self, window):
        yield
        return self.probability[window]

    def height_steps(self, window):
        return None
        yield


def made(probability, markers, params=PARAMS):
    labels = np.zeros(probability.shape, dtype=int)
    for label, cell in Run(cells_from_markers(Field(probability), markers, params)).result.items():
        assert not labels[cell.window][cell.mask].any()
        labels[cell.window][cell.mask] = label
    return labels


def test_a_marker_makes_the_cell_a_click_takes():
    probability = discs((40, 60), (20, 15), (20, 45))
    cell = Run(cell_at(Field(probability), (20, 45), PARAMS)).result
    labels = made(probability, [Marker((20, 45), 7)])
    assert np.array_equal(labels == 7, np.isin(np.arange(60), np.arange(30, 60))[None] & (probability > 0.5))
    assert labels[cell.window][cell.mask].all()


def test_two_markers_of_different_cells_split_an_object_and_of_one_cell_leave_it():
    blob = np.zeros((20, 40), dtype=np.float32)
    blob[5:15, 5:35] = 1
    split = made(blob, [Marker((10, 8), 1), Marker((10, 31), 2)])
    assert set(np.unique(split)) == {0, 1, 2}
    assert np.array_equal(split > 0, blob > 0)
    assert np.array_equal(made(blob, [Marker((10, 8), 1), Marker((10, 31), 1)]) == 1, blob > 0)


def test_markers_of_one_cell_in_two_objects_merge_them():
    probability = discs((40, 60), (20, 15), (20, 40))
    merged = made(probability, [Marker((20, 15), 3), Marker((20, 40), 3)])
    assert np.unique(merged).tolist() == [0, 3]
    assert ndimage.label(merged)[1] == 1


def test_a_background_marker_pushes_back_the_object_it_lies_in():
    blob = np.zeros((20, 40), dtype=np.float32)
    blob[5:15, 5:35] = 1
    labels = made(blob, [Marker((10, 8), 1), Marker((10, 33), 1, "background")])
    assert labels[10, 8] == 1
    assert labels[10, 33] == 0
    assert made(blob, [Marker((10, 33), 1, "background")]).max() == 0


def test_the_threshold_of_a_marker_outlines_its_cell():
    probability = discs((40, 40), (20, 20), radius=10)
    wide = made(probability, [Marker((20, 20), 1, threshold=0.1)])
    narrow = made(probability, [Marker((20, 20), 1, threshold=0.9)])
    assert (narrow > 0).sum() < (wide > 0).sum()
    assert not ((narrow > 0) & (wide == 0)).any()


def test_a_merged_cell_has_the_lowest_threshold_of_its_parts():
    probability = discs((40, 60), (20, 15), (20, 40))
    for markers in ([(20, 15), (20, 40)], [(20, 40), (20, 15)]):
        low, other = markers
        both = [Marker(low, 3, threshold=0.3), Marker(other, 3)]
        cells = Run(cells_from_markers(Field(probability), both, PARAMS)).result
        assert cells[3].threshold == 0.3


def test_a_marker_on_nothing_makes_nothing():
    assert made(np.zeros((9, 9), dtype=np.float32), [Marker((4, 4), 1)]).max() == 0
    assert made(np.zeros((9, 9), dtype=np.float32), []).max() == 0


def test_more_than_ten_axes_of_a_file_are_in_their_order(tmp_path):
    names = ",".join(f"axis-{axis}" for axis in range(11))
    rows = f"index,{names},kind,cell,order\n0,{','.join(map(str, range(11)))},cell,1,0\n"
    (tmp_path / "markers.csv").write_text(rows)
    (marker,) = read_markers(tmp_path / "markers.csv")
    assert marker.point == tuple(range(11))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.randoms(use_true_random=False), st.data())
def test_the_order_of_markers_does_not_matter_and_each_is_in_its_cell(seed, random, data):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(40, 50)), 3)
    probability = (0.5 + 0.5 * smooth / np.abs(smooth).max()).astype(np.float32)
    inside = [tuple(int(v) for v in point) for point in np.argwhere(probability > 0.55)]
    points = data.draw(st.lists(st.sampled_from(inside), min_size=1, max_size=6, unique=True))
    kinds = data.draw(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=6, max_size=6))
    markers = [
        Marker(p, cell, "cell" if inside else "background")
        for p, (cell, inside) in zip(points, kinds, strict=False)
    ]
    labels = made(probability, markers)
    shuffled = markers.copy()
    random.shuffle(shuffled)
    assert np.array_equal(made(probability, shuffled), labels)
    for marker in markers:
        if marker.inside:
            assert labels[marker.point] == marker.cell
        else:
            assert labels[marker.point] != marker.cell
