import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams, foreground_mask, label_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.clicks.actions import Clicks
from napari_utile.session.clicks.label_plane import Edit, LabelPlane, joined_edits
from napari_utile.session.clicks.view import accept_all, rate_cells
from pictures import discs

PARAMS = InstanceParams(minimum_size=5)


class FixedField:
    """A probability that is there already."""

    def __init__(self, probability):
        self.probability = np.asarray(probability, dtype=np.float32)
        self.reads = 0

    @property
    def shape(self):
        return self.probability.shape

    def read_steps(self, window):
        self.reads += 1
        yield
        return self.probability[window]

    def height_steps(self, window):
        return None
        yield


def finish(action, meanwhile=lambda: None):
    """Run an action; its slow part is run here, `meanwhile` before its answer is sent."""
    run = Run(action)
    for work in run:
        run.answer = Run(work).result
        meanwhile()
    return run.result


class Plane:
    """Two discs that touch, one apart, and an empty label image with the actions on it."""

    def __init__(self, probability=None):
        self.probability = (
            discs((50, 90), (25, 20), (25, 34), (25, 70)) if probability is None else probability
        )
        self.labels = np.zeros(self.probability.shape, dtype=np.int32)
        self.clicks = Clicks(
            LabelPlane(self.labels, (slice(None), slice(None))), FixedField(self.probability), PARAMS
        )
        self.history = []

    def do(self, action, meanwhile=lambda: None):
        outcome = finish(action, meanwhile)
        if outcome.edit is not None:
            self.history.append(self.labels.copy())
            self.labels[outcome.edit.rows, outcome.edit.columns] = outcome.edit.values
        self.clicks.markers.extend(outcome.markers)
        return outcome


@pytest.fixture
def plane():
    return Plane()


def test_a_click_takes_the_cell_of_a_full_segmentation_under_the_next_free_label(plane):
    plane.clicks.next_label = 5
    outcome = plane.do(plane.clicks.take((25, 70)))
    full = label_instances(plane.probability, foreground_mask(plane.probability, PARAMS), PARAMS)
    assert np.array_equal(plane.labels == 5, full == full[25, 70])
    assert (outcome.selected, plane.clicks.next_label) == (5, 6)
    assert outcome.markers[0].kind == "cell"


def test_large_cells_are_counted_as_elsewhere_in_the_dock():
    plane = Plane(discs((90, 90), (45, 45), radius=30))
    outcome = plane.do(plane.clicks.take((45, 45)))
    assert outcome.message == f"Cell 1: {np.count_nonzero(plane.labels):,} pixels."
    assert "," in outcome.message


def test_a_click_on_a_labelled_cell_selects_it_and_changes_nothing(plane):
    plane.labels[20:30, 65:75] = 9
    outcome = plane.do(plane.clicks.take((25, 70)))
    assert outcome.selected == 9
    assert outcome.edit is None
    assert plane.clicks.field.reads == 0


def test_a_cell_labelled_while_the_network_computes_is_selected_and_not_taken_twice(plane):
    def paint():
        plane.labels[20:30, 65:75] = 3

    outcome = plane.do(plane.clicks.take((25, 70)), meanwhile=paint)
    assert outcome.selected == 3
    assert outcome.edit is None


def test_pixels_of_other_cells_are_kept_unless_asked(plane):
    plane.labels[15:24, 60:80] = 4
    plane.do(plane.clicks.take((27, 70)))
    assert (plane.labels[15:24, 60:80] == 4).all()
    assert plane.labels[27, 70] == 1
    fresh = Plane()
    fresh.labels[15:24, 60:80] = 4
    fresh.clicks.overwrite = True
    fresh.do(fresh.clicks.take((27, 70)))
    assert fresh.labels[22, 70] == 1


@pytest.mark.parametrize("label", [1, 2**31 - 1])
def test_a_cell_that_is_mostly_labelled_is_selected_by_a_click_beside_it(plane, label):
    plane.do(plane.clicks.take((25, 70)))
    plane.labels[plane.labels == 1] = label
    edge = np.flatnonzero(plane.labels[25] == label).max()
    outcome = plane.do(plane.clicks.take((25, int(edge) + 1)))
    assert outcome.selected == label
    assert outcome.edit is None


def test_a_click_on_background_says_so(plane):
    outcome = plane.do(plane.clicks.take((2, 2)))
    assert outcome.edit is None
    assert "no cell here" in outcome.message


@pytest.mark.parametrize("name", ["take", "split", "push_back", "remove"])
@pytest.mark.parametrize("point", [(-1, 5), (50, 5), (5, 90)])
def test_a_click_outside_the_image_says_so(plane, name, point):
    outcome = plane.do(getattr(plane.clicks, name)(point))
    assert "outside" in outcome.message
    assert outcome.edit is None


def test_a_second_marker_splits_a_cell_and_a_merge_undoes_it(plane):
    plane.clicks.params = InstanceParams(split=0)
    plane.do(plane.clicks.take((25, 20)))
    former = plane.labels.copy()
    assert former[25, 34] == 1
    outcome = plane.do(plane.clicks.split((25, 34)))
    assert outcome.selected == 2
    assert (plane.labels[25, 20], plane.labels[25, 34]) == (1, 2)
    assert np.array_equal(plane.labels > 0, former > 0)
    plane.do(plane.clicks.merge([(25, 20), (25, 28), (25, 34)]))
    assert np.array_equal(plane.labels, former)


def test_a_drag_to_where_no_label_is_adds_what_the_model_sees_there(plane):
    plane.do(plane.clicks.take((25, 20)))
    plane.do(plane.clicks.merge([(25, 20), (25, 34)]))
    assert (plane.labels[25, 20], plane.labels[25, 34]) == (1, 1)
    assert ndimage.label(plane.labels == 1)[1] == 1
    outcome = plane.do(plane.clicks.merge([(25, 20), (2, 2)]))
    assert outcome.edit is None
    assert "nothing there" in outcome.message


def test_a_cell_without_markers_is_split_between_the_click_and_its_deepest_other_pixel(plane):
    plane.labels[plane.probability > 0.5] = 1
    plane.labels[:, 55:] = 0
    plane.clicks.next_label = 2
    outcome = plane.do(plane.clicks.split((25, 34)))
    assert plane.labels[25, 20] != plane.labels[25, 34]
    assert [marker.kind for marker in outcome.markers] == ["cell", "split"]


def test_splitting_background_takes_the_cell_instead(plane):
    assert plane.do(plane.clicks.split((25, 70))).selected == 1


def test_a_background_click_pushes_the_outline_back(plane):
    plane.clicks.params = InstanceParams(split=0)
    plane.do(plane.clicks.take((25, 20)))
    outcome = plane.do(plane.clicks.push_back((25, 34)))
    assert (plane.labels[25, 20], plane.labels[25, 34]) == (1, 0)
    assert outcome.selected == 1
    assert not (plane.labels == 1)[:, 30:50].any()
    [marker] = outcome.markers
    assert plane.labels[marker.beside] == 1


def test_a_cell_of_which_nothing_is_left_has_no_background_marker(plane):
    plane.labels[10, 10] = 1
    outcome = plane.do(plane.clicks.push_back((10, 10)))
    assert not plane.labels.any()
    assert not outcome.markers


def test_removing_takes_one_cell_away(plane):
    plane.do(plane.clicks.take((25, 20)))
    plane.do(plane.clicks.take((25, 70)))
    plane.do(plane.clicks.remove((25, 20)))
    assert np.unique(plane.labels).tolist() == [0, 2]


def test_growing_and_shrinking_follow_the_contour_and_stop_at_neighbours(plane):
    plane.do(plane.clicks.take((25, 70)))
    area = (plane.labels == 1).sum()
    plane.labels[:, 80:] = 7
    grown = plane.do(plane.clicks.resize((25, 70), 2))
    assert (plane.labels == 1).sum() > area
    assert (plane.labels[:, 80:] == 7).all()
    assert 0 < grown.threshold < 0.5
    plane.do(plane.clicks.resize((25, 70), -3))
    assert 0 < (plane.labels == 1).sum() < area


def test_applying_the_markers_again_makes_the_cells_of_the_new_prediction(plane):
    plane.clicks.params = InstanceParams(split=0)
    plane.do(plane.clicks.take((25, 20)))
    plane.do(plane.clicks.split((25, 34)))
    plane.labels[2:6, 2:6] = 50
    plane.labels[20:24, 66:74] = 51
    sharper = discs((50, 90), (25, 20), (25, 34), (25, 70), radius=6)
    plane.clicks.field = FixedField(sharper)
    outcome = plane.do(plane.clicks.apply_markers())
    assert outcome.cells == (1, 2)
    assert np.isin(plane.labels[(sharper > 0.5) & (np.arange(90) < 50)], [1, 2]).all()
    assert (plane.labels == 1).sum() == (sharper[:, :27] > 0.5).sum()
    assert (plane.labels == 50).sum() == 16
    assert (plane.labels == 51).sum() == 32
    assert plane.do(plane.clicks.apply_markers()).edit is None


def test_markers_on_nothing_leave_their_cells_as_they_are(plane):
    plane.do(plane.clicks.take((25, 20)))
    before = plane.labels.copy()
    plane.clicks.field = FixedField(np.zeros((50, 90)))
    outcome = plane.do(plane.clicks.apply_markers())
    assert outcome.edit is None
    assert np.array_equal(plane.labels, before)


def test_accepting_all_takes_every_certain_cell_in_view_as_one_edit(plane):
    plane.labels[20:30, 65:75] = 9
    plane.clicks.next_label = 10
    outcome = plane.do(accept_all(plane.clicks, Window(slice(0, 50), slice(0, 90)), 0.3))
    assert outcome.cells == (10, 11)
    assert len(plane.history) == 1
    assert set(np.unique(plane.labels)) == {0, 9, 10, 11}
    assert plane.labels[25, 20] != plane.labels[25, 34]
    assert len(outcome.markers) == 2
    assert all(plane.labels[marker.point] == marker.cell for marker in outcome.markers)


def test_accepting_leaves_out_the_unsure_and_what_is_out_of_view(plane):
    plane.clicks.field = FixedField(plane.probability * np.where(np.arange(90) > 50, 0.7, 1))
    outcome = plane.do(accept_all(plane.clicks, Window(slice(0, 50), slice(0, 90)), 0.6))
    assert "1 less certain" in outcome.message
    assert plane.labels[25, 70] == 0
    fresh = Plane()
    fresh.do(accept_all(fresh.clicks, Window(slice(0, 50), slice(60, 90)), 0.3))
    assert np.unique(fresh.labels).tolist() == [0, 1]
    assert fresh.labels[25, 70] == 1


def test_too_much_in_view_is_refused(plane):
    message = finish(accept_all(plane.clicks, Window(slice(0, 5000), slice(0, 5000)), 0.5)).message
    assert "Zoom in" in message


def test_unsure_cells_come_first(plane):
    plane.do(accept_all(plane.clicks, Window(slice(0, 50), slice(0, 90)), 0.3))
    dim = FixedField(plane.probability * np.where(np.arange(90) > 50, 0.6, 1))
    steps = rate_cells(dim, plane.labels, Window(slice(0, 50), slice(0, 90)))
    try:
        while True:
            next(steps)
    except StopIteration as end:
        rated = end.value
    assert rated[0].label == plane.labels[25, 70]
    assert rated[0].centre == pytest.approx((25, 70), abs=0.5)
    assert [cell.confidence for cell in rated] == sorted(cell.confidence for cell in rated)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_nothing_outside_the_cells_concerned_changes(seed, data):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(60, 60)), 3)
    plane = Plane((0.5 + 0.5 * smooth / np.abs(smooth).max()).astype(np.float32))
    plane.labels[ndimage.gaussian_filter(rng.normal(size=(60, 60)), 4) > 0.05] = 1000
    for _ in range(6):
        name = data.draw(st.sampled_from(["take", "split", "push_back", "remove", "resize"]))
        point = data.draw(st.integers(0, 59)), data.draw(st.integers(0, 59))
        clicked, before = plane.labels[point], plane.labels.copy()
        extra = (data.draw(st.integers(-2, 2)),) if name == "resize" else ()
        outcome = plane.do(getattr(plane.clicks, name)(point, *extra))
        changed = before != plane.labels
        assert set(np.unique(before[changed])) <= {0, clicked}
        assert set(np.unique(plane.labels[changed])) <= {0, clicked, *outcome.cells}
        if outcome.edit is not None and name != "resize":
            keys = outcome.edit.rows * 60 + outcome.edit.columns
            assert np.unique(keys).size == keys.size


def test_joined_edits_keep_the_last_value_of_a_pixel():
    one = Edit(np.array([0, 0]), np.array([0, 1]), np.array([1, 1]))
    other = Edit(np.array([0]), np.array([1]), np.array([2]))
    joined = joined_edits([one, other])
    assert sorted(zip(joined.columns.tolist(), joined.values.tolist(), strict=True)) == [(0, 1), (1, 2)]


def test_a_plane_of_a_stack_is_read_and_indexed_in_place():
    stack = np.zeros((3, 20, 4, 30), dtype=np.uint16)
    plane = LabelPlane(stack, (2, slice(None), 1, slice(None)))
    assert plane.shape == (20, 30)
    edit = Edit(np.array([5]), np.array([7]), np.array([9]))
    stack[plane.full_index(edit)] = edit.values
    assert stack[2, 5, 1, 7] == 9
    assert plane.at((5, 7)) == 9
    box, mask = plane.object_at((5, 7))
    assert box == Window(slice(5, 6), slice(7, 8))
    assert mask.all()
    with pytest.raises(ValueError, match="two axes"):
        LabelPlane(stack, (slice(None),) * 4)


def test_on_a_large_plane_only_the_surroundings_of_a_cell_are_searched():
    class Watched:
        def __init__(self):
            self.shape, self.largest = (100_000, 100_000), 0

        def __getitem__(self, index):
            rows, columns = index
            self.largest = max(self.largest, rows.stop - rows.start)
            y, x = np.mgrid[rows, columns]
            return ((np.abs(y - 50_000) < 100) & (np.abs(x - 50_000) < 20)).astype(np.int32)

    data = Watched()
    box, mask = LabelPlane(data, (slice(None), slice(None))).object_at((50_010, 50_000))
    assert box == Window(slice(49_901, 50_100), slice(49_981, 50_020))
    assert mask.all()
    assert data.largest < 1000
