import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams, foreground_mask, label_instances
from napari_utile.engine.clicks import prompts
from napari_utile.engine.clicks.prompts import SMALLEST_RADIUS, Cell, cell_from_mask
from napari_utile.engine.errors import UtileError
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from strategies import probability_maps


class Reader:
    """Reads windows of an array and remembers which."""

    def __init__(self, probability):
        self.probability = np.asarray(probability, dtype=np.float32)
        self.windows = []

    def __call__(self, window):
        self.windows.append(window)
        return self.probability[window]


class Read:
    """A field of a shape whose windows a function gives."""

    def __init__(self, read, shape):
        self.read, self.shape = read, shape

    def read_steps(self, window):
        yield
        return self.read(window)

    def height_steps(self, window):
        return None
        yield


def cell_at(read, shape, point, params, radius=SMALLEST_RADIUS):
    return Run(prompts.cell_at(Read(read, shape), point, params, radius)).result


def whole(cell, shape):
    mask = np.zeros(shape, dtype=bool)
    mask[cell.window] = cell.mask
    return mask


def segmented(probability, params):
    return label_instances(probability, foreground_mask(probability, params), params)


@st.composite
def maps_and_points(draw):
    probability = draw(probability_maps(70))
    return probability, tuple(draw(st.integers(0, size - 1)) for size in probability.shape)


parameters = st.builds(
    InstanceParams,
    threshold=st.floats(0.4, 0.8),
    fill_holes=st.integers(0, 30),
    minimum_size=st.integers(0, 30),
    split=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    grow=st.integers(0, 2),
)


@settings(max_examples=50, deadline=None)
@given(maps_and_points(), parameters, st.integers(1, 8))
def test_a_clicked_cell_is_that_of_a_full_segmentation(map_and_point, params, radius):
    probability, point = map_and_point
    labels = segmented(probability, params)
    assume(labels[point] > 0)
    components, _ = ndimage.label(foreground_mask(probability, params))
    reader = Reader(probability)
    cell = cell_at(reader, probability.shape, point, params, radius)
    # Where everything hangs together the window stops growing early; those cells are compared below.
    own = np.unique(components[(labels == labels[point]) & (components > 0)])
    rows, columns = reader.windows[-1]
    seen = np.zeros(probability.shape, dtype=bool)
    seen[rows, columns] = True
    if np.isin(components, own)[~seen].any():
        return
    assert np.array_equal(whole(cell, probability.shape), labels == labels[point])


@settings(max_examples=100, deadline=None)
@given(maps_and_points(), parameters)
def test_the_clicked_pixel_is_inside_the_cell_or_the_model_sees_nothing_there(map_and_point, params):
    probability, point = map_and_point
    cell = cell_at(Reader(probability), probability.shape, point, params)
    if cell is None:
        assert probability[point] < prompts.LEAST_PROBABILITY
        return
    assert point in cell
    assert ndimage.label(cell.mask)[1] == 1 or params.grow
    assert cell_from_mask(cell.mask).mask.shape == cell.mask.shape


@settings(max_examples=60, deadline=None)
@given(maps_and_points(), parameters)
def test_a_click_beside_a_cell_never_takes_pixels_of_two_cells(map_and_point, params):
    probability, point = map_and_point
    labels = segmented(probability, params)
    assume(labels[point] == 0)
    cell = cell_at(Reader(probability), probability.shape, point, params)
    assume(cell is not None)
    taken = np.unique(labels[whole(cell, probability.shape)])
    assert np.count_nonzero(taken) <= 1


def test_the_window_grows_until_the_cell_fits_and_no_further():
    y, x = np.mgrid[:700, :900]
    reader = Reader((np.hypot(y - 300, x - 400) < 150) * 1.0)
    cell = cell_at(reader, (700, 900), (320, 420), InstanceParams())
    assert np.array_equal(whole(cell, (700, 900)), reader.probability > 0.5)
    widths = [columns.stop - columns.start for _, columns in reader.windows]
    assert widths == [97, 193, 385]


def test_a_small_cell_needs_one_small_window_of_a_large_image():
    probability = np.zeros((500, 500), dtype=np.float32)
    probability[240:260, 230:250] = 0.9
    reader = Reader(probability)
    cell = cell_at(reader, (500, 500), (250, 240), InstanceParams())
    assert cell.window == Window(slice(240, 260), slice(230, 250))
    assert cell.mask.all()
    assert len(reader.windows) == 1


def test_a_faint_cell_is_taken_at_the_threshold_it_needs():
    y, x = np.mgrid[:60, :60]
    faint = 0.3 * np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / 50)
    cell = cell_at(Reader(faint), (60, 60), (30, 30), InstanceParams())
    assert cell.threshold == pytest.approx(0.15)
    assert np.array_equal(whole(cell, (60, 60)), faint > 0.15)


def test_background_gives_no_cell():
    assert cell_at(Reader(np.full((9, 9), 0.05)), (9, 9), (4, 4), InstanceParams()) is None
    assert cell_at(Reader(np.full((9, 9), np.nan)), (9, 9), (4, 4), InstanceParams()) is None


def test_a_click_just_outside_a_cell_extends_that_cell():
    probability = np.zeros((30, 30), dtype=np.float32)
    probability[8:22, 8:22] = 0.3
    probability[10:20, 10:20] = 0.9
    cell = cell_at(Reader(probability), (30, 30), (8, 15), InstanceParams())
    assert np.array_equal(whole(cell, (30, 30)), probability > 0.2)


@pytest.mark.parametrize("point", [(-1, 0), (0, -1), (9, 0), (0, 9)])
def test_a_point_outside_the_image_is_an_error_in_one_sentence(point):
    with pytest.raises(ValueError, match="outside the image of 9 x 9 pixels"):
        cell_at(Reader(np.ones((9, 9))), (9, 9), point, InstanceParams())


def test_a_cell_without_end_is_an_error_and_not_a_search_through_all_pixels(monkeypatch):
    monkeypatch.setattr(prompts, "LARGEST_RADIUS", 100)
    shape = (10_000, 10_000)

    def everything(window):
        return np.ones([part.stop - part.start for part in window], dtype=np.float32)

    with pytest.raises(UtileError, match="wider than"):
        cell_at(everything, shape, (5000, 5000), InstanceParams())


def test_in_tissue_that_hangs_together_a_cell_is_found_without_reading_all_of_it():
    y, x = np.mgrid[:1200, :1200]
    sheet = np.minimum(np.abs((y % 30) - 15) ** 2 + np.abs((x % 30) - 15) ** 2, 200)
    probability = (0.95 - 0.4 * sheet / 200).astype(np.float32)
    probability[0, 0] = 0
    reader = Reader(probability)
    cell = cell_at(reader, probability.shape, (615, 615), InstanceParams())
    labels = segmented(probability, InstanceParams())
    assert np.array_equal(whole(cell, probability.shape), labels == labels[615, 615])
    assert max(columns.stop - columns.start for _, columns in reader.windows) < 600


def test_a_cell_knows_its_pixels():
    mask = np.zeros((6, 7), dtype=bool)
    mask[2, 3:5] = True
    cell = cell_from_mask(mask, (10, 20))
    assert cell.window == Window(slice(12, 13), slice(23, 25))
    assert cell.area == 2
    assert (12, 24) in cell
    assert (12, 25) not in cell
    assert [index.tolist() for index in cell.indices()] == [[12, 12], [23, 24]]
    assert cell.same_pixels(Cell(Window(slice(12, 13), slice(23, 25)), np.ones((1, 2), dtype=bool)))
    assert cell_from_mask(np.zeros((3, 3), dtype=bool)) is None


def test_a_gap_that_the_window_shows_only_half_of_is_looked_at_whole():
    probability = np.ones((31, 31), dtype=np.float32)
    y, x = np.mgrid[:31, :31] - 15
    probability[np.maximum(abs(y), abs(x)) == 3] = 0  # a gap of 24 pixels, which is filled
    params = InstanceParams(fill_holes=30, minimum_size=0, split=0, grow=0)
    cell = cell_at(Reader(probability), probability.shape, (15, 15), params, radius=3)
    assert whole(cell, probability.shape).all()


def test_a_neighbour_that_the_window_shows_only_half_of_is_looked_at_whole():
    probability = np.zeros((40, 60), dtype=np.float32)
    probability[13:18, 13:18] = 1
    probability[15, 19:31] = 1  # of 12 pixels, too few for a cell
    params = InstanceParams(fill_holes=0, minimum_size=20, split=0, grow=1)
    cell = cell_at(Reader(probability), probability.shape, (15, 15), params, radius=8)
    assert cell.area == 25
