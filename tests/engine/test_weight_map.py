import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from napari_utile.engine.weights.touching import contacts, separate_touching
from napari_utile.engine.weights.weight_map import WeightMapParams, weight_map


def naive(cells, w0=10.0, sigma=5.0, aspect=(1.0, 1.0), everywhere=False):
    """One full distance transform per cell, as the formula reads."""
    ids = [i for i in np.unique(cells) if i != 0]
    far = np.full(cells.shape, np.inf)
    distances = [ndimage.distance_transform_edt(cells != i, sampling=aspect) for i in ids]
    stack = np.sort(np.stack([*distances, far, far]), axis=0)
    d1, d2 = stack[0], stack[1]
    border = w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    if not everywhere:
        border[cells != 0] = 0
    return d1, d2, border


def scattered_cells(seed, shape=(120, 150), count=30, radii=(2, 14)):
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    yy, xx = np.indices(shape)
    for i in range(1, count + 1):
        y, x, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(*radii)
        labels[((yy - y) ** 2 + (xx - x) ** 2 < r * r) & (labels == 0)] = i
    return labels


small_labels = hnp.arrays(
    np.int16,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
    elements=st.integers(0, 4),
    fill=st.just(0),
)


@pytest.mark.parametrize("sigma", [0.7, 5.0, 11.0])
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("pixel_size", [None, (2.0, 1.0), (0.3, 0.5)])
def test_the_map_equals_one_distance_transform_per_cell(sigma, everywhere, pixel_size):
    labels = scattered_cells(int(sigma))
    made = weight_map(labels, 12.0, sigma, everywhere=everywhere, pixel_size=pixel_size)
    aspect = (1.0, 1.0) if pixel_size is None else tuple(np.array(pixel_size) / min(pixel_size))
    d1, d2, border = naive(made.cells, 12.0, sigma, aspect, everywhere)
    np.testing.assert_allclose(made.border, border, rtol=0, atol=1e-5)
    np.testing.assert_allclose(made.d1, d1, rtol=1e-6)
    np.testing.assert_allclose(made.d2, d2, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(labels=small_labels, sigma=st.sampled_from([0.5, 2.0, 5.0]))
def test_the_map_equals_the_formula_on_any_label_image(labels, sigma):
    made = weight_map(labels, sigma=sigma)
    d1, d2, border = naive(made.cells, sigma=sigma)
    np.testing.assert_allclose(made.total - made.class_balance, border, rtol=0, atol=1e-5)
    np.testing.assert_allclose(made.d1, d1, rtol=1e-6)
    np.testing.assert_allclose(made.d2, d2, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(labels=small_labels)
def test_a_mirrored_or_turned_image_gives_the_mirrored_or_turned_map(labels):
    total = weight_map(labels).total
    for turned in (np.flipud, np.fliplr, np.transpose, np.rot90):
        np.testing.assert_array_equal(weight_map(turned(labels)).total, turned(total))


@settings(max_examples=40, deadline=None)
@given(labels=small_labels, ids=st.permutations([7, 10**12, 3, 40000]))
def test_new_ids_do_not_change_the_map(labels, ids):
    parted = separate_touching(labels)
    renamed = np.array([0, *ids])[parted]
    np.testing.assert_array_equal(weight_map(renamed).total, weight_map(parted).total)


def test_new_ids_do_not_change_the_map_of_touching_cells():
    labels = scattered_cells(3, count=80)
    ids = np.random.default_rng(0).permutation(np.arange(1, 81)) * 1000
    np.testing.assert_array_equal(
        weight_map(np.concatenate([[0], ids])[labels]).total, weight_map(labels).total
    )


@settings(max_examples=60, deadline=None)
@given(labels=small_labels)
def test_no_two_cells_touch_once_separated(labels):
    before = labels.copy()
    parted = separate_touching(labels)
    np.testing.assert_array_equal(labels, before)
    assert not any(meets.any() for _, _, meets in contacts(parted))
    kept = parted != 0
    np.testing.assert_array_equal(parted[kept], labels[kept])


def test_the_ridge_between_two_touching_cells_is_one_pixel_wide_and_cut_from_the_larger():
    labels = np.array([[1, 1, 1, 2, 2], [1, 1, 1, 2, 2], [0, 0, 0, 0, 0]])
    expected = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(separate_touching(labels), expected)


def test_equal_cells_are_parted_by_one_pixel_too():
    parted = separate_touching(np.repeat([[1] * 4 + [2] * 4], 3, axis=0))
    assert (parted == 0).sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("labels", [np.zeros((5, 6), int), np.zeros((0, 4), int)])
def test_without_cells_every_weight_is_one(labels):
    made = weight_map(labels)
    assert made.total.shape == labels.shape
    assert (made.total == 1).all()
    assert np.isinf(made.d1).all()


def test_one_cell_has_no_border():
    labels = np.zeros((9, 9), int)
    labels[3:6, 3:6] = 5
    made = weight_map(labels)
    assert (made.border == 0).all()
    assert np.isinf(made.d2).all()
    assert made.d1[4, 0] == 3


def test_balanced_classes_weigh_the_same_in_total():
    labels = scattered_cells(1)
    made = weight_map(labels)
    inside = made.cells != 0
    assert made.class_balance[inside].sum() == pytest.approx(made.class_balance[~inside].sum(), rel=1e-4)
    assert made.class_balance.mean() == pytest.approx(1, rel=1e-4)


def test_a_rare_class_weighs_no_more_than_the_limit():
    labels = np.zeros((50, 50), int)
    labels[0, 0] = 1
    assert weight_map(labels).class_balance.max() == 10
    assert weight_map(labels, balance=False).class_balance.max() == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float32])
def test_every_number_type_gives_the_same_map(dtype):
    labels = scattered_cells(2, count=20)
    np.testing.assert_array_equal(weight_map(labels.astype(dtype)).total, weight_map(labels).total)


def test_the_largest_ids_are_told_apart():
    labels = separate_touching(scattered_cells(2, count=20))
    huge = np.where(labels > 0, labels.astype(np.uint64) + np.uint64(2**63 - 100), np.uint64(0))
    np.testing.assert_array_equal(weight_map(huge).total, weight_map(labels).total)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 4, 5), int), r"\(3, 4, 5\)"),
        (np.zeros(4, int), r"\(4,\)"),
        (np.array([[0, -3]]), "-3"),
        (np.array([[0.5, 1.0]]), "0.5"),
        (np.array([[np.nan, 1.0]]), "nan"),
        (np.array([["a"]]), "integer or boolean"),
        (np.array([[2**63]], np.uint64), r"below 2\^63"),
    ],
)
def test_a_label_image_that_makes_no_sense_is_refused_with_a_reason(labels, message):
    with pytest.raises(ValueError, match=message):
        weight_map(labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": 0}, "sigma"),
        ({"w0": -1}, "w0"),
        ({"pixel_size": (1, 0)}, "pixel_size"),
        ({"pixel_size": (1, 2, 3)}, "pixel_size"),
    ],
)
def test_a_parameter_out_of_bounds_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        weight_map(np.zeros((4, 4), int), **arguments)


def test_without_border_weight_nothing_is_in_reach():
    assert WeightMapParams(w0=0).reach == 0
    assert (weight_map(scattered_cells(0), w0=0).border == 0).all()
