import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.gaps import gap_pixels
from napari_utile.engine.cells.instances import (
    InstanceParams,
    cell_landscape,
    foreground_mask,
    label_cells,
    label_instances,
)
from pictures import discs
from strategies import parameters, probability_maps

LITERAL = InstanceParams(fill_holes=0, minimum_size=0, split=0, grow=0)


def labelled(probability, params):
    return label_instances(probability, foreground_mask(probability, params), params)


def picture(rows):
    """Turn rows of digits into an array: '9' is probability 0.9, a blank is 0."""
    return np.array([[int(c) / 10 if c != " " else 0 for c in row] for row in rows], dtype=np.float32)


def numbers(rows):
    return np.array([[int(c) if c != " " else 0 for c in row] for row in rows], dtype=np.int32)


def same_cells(one, other):
    """Whether two label images cut the same pixels into the same cells, whatever the ids."""
    if not np.array_equal(one > 0, other > 0):
        return False
    pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
    return pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def test_only_pixels_above_the_threshold_are_foreground():
    probability = np.array([[0.5, np.nextafter(np.float32(0.5), np.float32(1)), np.nan]], dtype=np.float32)
    assert foreground_mask(probability, LITERAL).tolist() == [[False, True, False]]


def test_a_hole_is_filled_up_to_the_given_size_and_not_beyond():
    ring = picture(["9999", "9  9", "9999"])
    filled = foreground_mask(ring, InstanceParams(fill_holes=2, minimum_size=0))
    left = foreground_mask(ring, InstanceParams(fill_holes=1, minimum_size=0))
    assert filled.all()
    assert left.tolist() == (ring > 0).tolist()


def test_a_bay_that_reaches_the_image_border_is_no_hole():
    bay = picture(["999", "9 9", "9 9"])
    assert foreground_mask(bay, InstanceParams(minimum_size=0)).sum() == 7


def test_objects_below_the_minimum_size_are_dropped():
    probability = picture(["99   9", "99    ", "     9"])
    mask = foreground_mask(probability, InstanceParams(minimum_size=4))
    assert mask.tolist() == (picture(["99    ", "99    ", "      "]) > 0).tolist()


def test_diagonal_neighbours_are_two_cells_numbered_in_raster_order():
    probability = picture(["  9", "99 ", "99 "])
    assert labelled(probability, LITERAL).tolist() == numbers(["  1", "22 ", "22 "]).tolist()


def test_two_touching_discs_are_cut_at_their_neck_and_one_disc_is_not():
    two = discs((40, 60), (20, 20), (20, 38), radius=10)
    labels = labelled(two, InstanceParams())
    assert labels.max() == 2
    assert labels[20, 20] == 1
    assert labels[20, 38] == 2
    border = np.flatnonzero(np.diff(labels[20, 12:46]))
    assert abs(border[0] + 12 - 28.5) <= 1  # halfway between the centres
    assert labelled(discs((40, 60), (20, 20), radius=10), InstanceParams()).max() == 1


def test_a_dip_of_probability_without_a_neck_is_a_border_too():
    probability = np.full((20, 40), 0.0, dtype=np.float32)
    probability[5:15, 5:35] = 1
    probability[5:15, 20] = 0.6
    assert labelled(probability, InstanceParams()).max() == 2


def test_split_zero_leaves_connected_components():
    two = discs((40, 60), (20, 20), (20, 38), radius=10)
    assert labelled(two, InstanceParams(split=0)).max() == 1


def test_a_bump_smaller_than_the_minimum_size_is_not_cut_off():
    probability = np.zeros((30, 40), dtype=np.float32)
    probability[5:25, 5:25] = 1
    probability[14, 25:28] = 1
    probability[12:17, 28:33] = 1  # 25 pixels on a one-pixel stalk
    assert labelled(probability, InstanceParams(minimum_size=20)).max() == 2
    assert labelled(probability, InstanceParams(minimum_size=40)).max() == 1


def close_gaps(labels, reach):
    pixels, owners = gap_pixels(labels, reach)
    closed = labels.copy()
    closed.ravel()[pixels] = owners
    return closed


def test_gaps_close_between_cells_and_outlines_elsewhere_stay():
    apart = numbers(["11  22", "11  22", "11    "])
    assert close_gaps(apart, 1).tolist() == numbers(["111222", "111222", "111   "]).tolist()
    alone = numbers(["     ", " 111 ", "     "])
    assert close_gaps(alone, 3).tolist() == alone.tolist()


def test_a_wide_gap_stays_open():
    apart = numbers(["1   2"])
    assert close_gaps(apart, 1).tolist() == apart.tolist()


def test_ids_follow_the_first_pixel_of_each_cell_with_its_closed_gaps():
    probability = picture(["    9", "9  9 ", "9  9 "])
    assert labelled(probability, LITERAL).tolist() == numbers(["    1", "2  3 ", "2  3 "]).tolist()
    apart = picture(["   99", "99 99"])
    assert labelled(apart, LITERAL).tolist() == numbers(["   11", "22 11"]).tolist()
    params = InstanceParams(fill_holes=0, minimum_size=0, split=0, grow=1)
    assert labelled(apart, params).tolist() == numbers([" 1222", "11122"]).tolist()


@pytest.mark.parametrize("shape", [(1, 1), (0, 0), (0, 5), (1, 30), (30, 1)])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_constant_maps_of_any_shape_give_one_cell_or_none(shape, value):
    labels = labelled(np.full(shape, value), InstanceParams(minimum_size=0))
    assert labels.dtype == np.int32
    assert labels.tolist() == np.full(shape, int(value == 1), dtype=int).tolist()


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(Y, X\); got shape \(2, 3, 3\)"):
        foreground_mask(np.zeros((2, 3, 3)), InstanceParams())
    with pytest.raises(ValueError, match=r"shape \(3, 3\), the probability map \(4, 4\)"):
        label_instances(np.zeros((4, 4)), np.zeros((3, 3), dtype=bool), InstanceParams())


@pytest.mark.parametrize(
    ("name", "value"), [("threshold", 1.5), ("split", -0.1), ("grow", 101), ("minimum_size", -1)]
)
def test_parameters_out_of_bounds_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        InstanceParams(**{name: value})


@settings(max_examples=60, deadline=None)
@given(probability_maps(), parameters)
def test_ids_are_consecutive_and_cells_keep_to_the_mask_or_the_gaps(probability, params):
    mask = foreground_mask(probability, params)
    labels = label_instances(probability, mask, params)
    assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
    first = [np.flatnonzero(labels == i)[0] for i in range(1, labels.max() + 1)]
    assert first == sorted(first)
    assert labels[mask].all()
    if params.grow == 0:
        assert np.array_equal(labels > 0, mask)


@settings(max_examples=60, deadline=None)
@given(probability_maps(), parameters)
def test_every_cell_is_one_connected_piece_inside_one_component(probability, params):
    params = InstanceParams(params.threshold, params.fill_holes, params.minimum_size, params.split, grow=0)
    mask = foreground_mask(probability, params)
    labels = label_instances(probability, mask, params)
    for cell in range(1, labels.max() + 1):
        assert ndimage.label(labels == cell)[1] == 1
        assert (labels == cell).sum() >= params.minimum_size


@settings(max_examples=60, deadline=None)
@given(probability_maps(), parameters, st.floats(0, 0.2))
def test_a_higher_threshold_never_adds_foreground(probability, params, more):
    higher = InstanceParams(params.threshold + more, params.fill_holes, params.minimum_size)
    assert not (foreground_mask(probability, higher) & ~foreground_mask(probability, params)).any()


@settings(max_examples=60, deadline=None)
@given(probability_maps(), parameters, st.floats(0, 1))
def test_a_stronger_split_never_gives_fewer_cells(probability, params, other):
    weak, strong = sorted([params.split, other])
    mask = foreground_mask(probability, params)
    counts = [
        label_instances(probability, mask, InstanceParams(minimum_size=0, split=split, grow=0)).max()
        for split in (weak, strong)
    ]
    assert counts[0] <= counts[1]


@settings(max_examples=60, deadline=None)
@given(probability_maps(), parameters, st.booleans())
def test_a_mirrored_image_gives_mirrored_cells(probability, params, upside_down):
    def flip(array):
        return np.ascontiguousarray(array[::-1] if upside_down else array[:, ::-1])

    params = InstanceParams(params.threshold, params.fill_holes, params.minimum_size, params.split, grow=0)
    assert same_cells(flip(labelled(probability, params)), labelled(flip(probability), params))


@settings(max_examples=60, deadline=None)
@given(probability_maps(smallest=3), parameters, st.integers(0, 2**32 - 1))
def test_a_cell_does_not_depend_on_what_lies_outside_its_window(probability, params, seed):
    labels = labelled(probability, params)
    reach = 3 * params.grow + 2
    components, _ = ndimage.label(foreground_mask(probability, params))
    for component, (rows, columns) in enumerate(ndimage.find_objects(components), start=1):
        around = tuple(slice(max(place.start - reach, 0), place.stop + reach) for place in (rows, columns))
        other = np.random.default_rng(seed).random(probability.shape, dtype=np.float32)
        other[around] = probability[around]
        inside = components == component
        if not np.array_equal(
            foreground_mask(other, params)[around], foreground_mask(probability, params)[around]
        ):
            continue  # a neighbour at the rim of the window became large enough, or too small
        again = labelled(other, params)
        assert same_cells(np.where(inside, labels, 0), np.where(inside, again, 0))


@settings(max_examples=30, deadline=None)
@given(probability_maps(), parameters)
def test_the_same_map_gives_the_same_bytes(probability, params):
    assert labelled(probability, params).tobytes() == labelled(probability.copy(), params).tobytes()


@pytest.mark.parametrize("factor", [1, 2, 6, 24])
def test_what_is_resized_makes_the_same_cells_of_an_enlarged_map(factor):
    """Two touching cells of 16.6 px, a hole and a speck, seen at another size: up to 400 px across."""
    side = round(64 * factor)
    y, x = (np.mgrid[:side, :side] + 0.5) / factor
    depth = np.maximum(8.3 - np.hypot(y - 30, x - 20), 8.3 - np.hypot(y - 30, x - 35))
    depth = np.minimum(depth, np.hypot(y - 30, x - 20) - 1.2)
    depth = np.maximum(depth, 2 - np.hypot(y - 55, x - 55))
    probability = (1 / (1 + np.exp(-2 * depth))).astype(np.float32)
    params = InstanceParams(0.5, fill_holes=10, minimum_size=30, split=0.7, grow=1).resized(factor)
    labels = label_cells(cell_landscape(probability, params), params)
    assert labels.max() == 2
    assert labels[round(30 * factor), round(20 * factor)] > 0
    np.testing.assert_allclose(np.bincount(labels.ravel())[1:] / factor**2, 208, rtol=0.1)


def test_cells_of_six_pixels_are_not_dropped_as_specks():
    y, x = np.mgrid[:20, :20]
    probability = (np.hypot(y - 9, x - 9) < 3.2).astype(np.float32)
    params = InstanceParams(minimum_size=60)
    assert foreground_mask(probability, params).sum() == 0
    assert foreground_mask(probability, params.resized(6 / 16.6)).sum() == 37


def test_resizing_by_one_changes_nothing_and_no_growth_stays_none():
    params = InstanceParams(0.5, 123, 45, 0.6, 0, 64)
    assert params.resized(1) == params
    assert params.resized(7).grow == 0
