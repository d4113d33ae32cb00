"""Seeds grow to whole cells that keep their ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.compartments import compartments
from napari_utile.engine.cells.measure import measure
from napari_utile.engine.cells.seeds import grow_in_intensity, grow_in_model, stain_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.links import link
from napari_utile.engine.linking.measure import Spacing, link_table


@st.composite
def seeded_planes(draw):
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    seeds = np.zeros(shape, dtype=draw(st.sampled_from([np.uint16, np.int32, np.int64])))
    largest = np.iinfo(seeds.dtype).max
    for _ in range(draw(st.integers(0, 5))):
        seeds[rng.integers(shape[0]), rng.integers(shape[1])] = rng.integers(1, largest, dtype=np.int64)
    return seeds, rng.random(shape).astype(np.float32), rng.random(shape) > 0.4


diameters = st.one_of(st.none(), st.floats(0.5, 30))


@given(seeded_planes(), st.floats(0, 30), diameters)
@settings(deadline=None, max_examples=60)
def test_every_seed_keeps_its_id_and_its_pixels(case, distance, diameter):
    seeds, image, foreground = case
    for cells in (
        grow_in_model(seeds, foreground.astype(np.float32), image, distance=distance, diameter=diameter),
        grow_in_intensity(seeds, image, distance),
    ):
        assert cells.dtype == seeds.dtype
        assert set(np.unique(cells)) - {0} == set(np.unique(seeds)) - {0}
        np.testing.assert_array_equal(cells[seeds > 0], seeds[seeds > 0])


@given(seeded_planes(), st.floats(0, 12), diameters)
@settings(deadline=None, max_examples=60)
def test_no_cell_reaches_farther_than_the_distance(case, distance, diameter):
    seeds, image, foreground = case
    rows, columns = np.nonzero(seeds)
    for cells in (
        grow_in_model(seeds, foreground.astype(np.float32), image, distance=distance, diameter=diameter),
        grow_in_intensity(seeds, image, distance),
    ):
        for y, x in zip(*np.nonzero(cells), strict=True):
            assert np.hypot(rows - y, columns - x).min() <= distance


def test_two_cells_meet_in_the_valley_between_them():
    height = np.tile([1.0, 2, 3, 2, 1, 2, 3, 4, 3, 2], (3, 1)).astype(np.float32) / 4
    seeds = np.zeros((3, 10), int)
    seeds[1, 2], seeds[1, 7] = 5, 9
    for diameter in (None, 6.0):
        cells = grow_in_model(seeds, np.ones((3, 10), np.float32), height, diameter=diameter)
        assert cells[1, :4].tolist() == [5, 5, 5, 5]
        assert cells[1, 5:].tolist() == [9, 9, 9, 9, 9]


def test_a_valley_that_the_model_only_imagines_costs_a_seed_no_half_of_its_cell():
    height = np.tile([5, 7, 3.5, 7, 8, 8, 7, 5, 4, 5, 6, 7, 9, 7, 5], (3, 1)).astype(np.float32) / 10
    seeds = np.zeros((3, 15), int)
    seeds[1, 1], seeds[1, 12] = 5, 9  # they meet where the second valley is
    alone = grow_in_model(seeds, np.ones((3, 15), np.float32), height)
    assert alone[1].tolist() == [5] * 3 + [9] * 12
    cells = grow_in_model(seeds, np.ones((3, 15), np.float32), height, diameter=8)
    assert cells[1].tolist() == [5] * 8 + [9] * 7


@given(seeded_planes(), st.floats(1, 30))
@settings(deadline=None, max_examples=60)
def test_where_the_model_sees_one_hill_seeds_share_it_by_the_distance(case, diameter):
    seeds, _, _ = case
    even = np.full(seeds.shape, 0.5, np.float32)
    cells = grow_in_model(seeds, np.ones_like(even), even, diameter=diameter)
    away = {each: ndimage.distance_transform_edt(seeds != each) for each in np.unique(seeds[seeds > 0])}
    for label, own in away.items():
        nearest = np.min(list(away.values()), axis=0)
        # Pixels climb in eight directions, so they drift a little from the straight way to the nearest seed.
        assert (own[cells == label] <= 1.25 * nearest[cells == label] + 1.5).all()


def test_foreground_without_a_seed_is_background():
    foreground = np.zeros((5, 11), bool)
    foreground[1:4, 1:4] = foreground[1:4, 7:10] = True
    seeds = np.zeros((5, 11), int)
    seeds[2, 2] = 3
    cells = grow_in_model(seeds, foreground.astype(np.float32), None, diameter=4)
    np.testing.assert_array_equal(cells, np.where(np.arange(11) < 5, foreground * 3, 0))


def stained_discs():
    yy, xx = np.mgrid[:60, :90]
    discs = [(30, 25, 14), (30, 62, 18)]
    truth, seeds = (
        sum((i + 1) * ((yy - y) ** 2 + (xx - x) ** 2 < reach(r)) for i, (y, x, r) in enumerate(discs))
        for reach in (lambda r: r**2, lambda _: 25)
    )
    return 20 + 80 * (truth > 0) + np.random.default_rng(0).normal(0, 4, truth.shape), seeds, truth


def test_cells_end_where_the_stain_does():
    image, seeds, truth = stained_discs()
    cells = grow_in_intensity(seeds, image, 30)
    for cell in (1, 2):
        both = ((cells == cell) & (truth == cell)).sum()
        assert both / ((cells == cell) | (truth == cell)).sum() > 0.85


def test_an_edge_is_strong_that_only_a_tenth_around_the_seeds_exceeds():
    slopes = np.repeat([1.0, 5.0], [70, 30])
    image, seeds = np.tile(np.cumsum(slopes), (20, 1)), np.zeros((20, 100), int)
    seeds[10, 50] = 1
    stain = stain_of(image.__getitem__, seeds.__getitem__, seeds.shape, distance=1000)
    assert stain.strong == pytest.approx(2 * 5 / np.sqrt(2))  # Sobel, over two pixels along one of two axes


@pytest.mark.parametrize("lost", [np.inf, -np.inf])
@pytest.mark.parametrize("where", [np.s_[5, 5], np.s_[20:50], np.s_[10:50, 5:40]], ids=str)
def test_what_is_infinite_is_missing(where, lost):
    image, seeds, _ = stained_discs()
    missing, infinite = image.copy(), image.copy()
    missing[where], infinite[where] = np.nan, lost
    cells = grow_in_intensity(seeds, infinite, 12)
    np.testing.assert_array_equal(cells, grow_in_intensity(seeds, missing, 12))
    assert set(np.unique(cells)) == {0, 1, 2}


@given(st.integers(-100, 120), st.booleans())
@settings(deadline=None, max_examples=30)
def test_cells_do_not_depend_on_the_unit_of_grey_values(exponent, bright):
    image, seeds, _ = stained_discs()
    image = image.astype(np.float32) - 60 * (not bright)
    np.testing.assert_array_equal(
        grow_in_intensity(seeds, np.ldexp(image, exponent), 12), grow_in_intensity(seeds, image, 12)
    )


def test_grey_values_that_cannot_be_computed_with_are_refused():
    image, seeds, _ = stained_discs()
    with pytest.raises(UtileError, match=r"1e\+302 is too large .* for seeds, which go up to 3.4e\+38"):
        grow_in_intensity(seeds, np.where(seeds == 1, 1e302, image), 12)


def test_an_even_image_leaves_the_distance_to_decide():
    seeds = np.zeros((9, 9), int)
    seeds[4, 4] = 2
    cells = grow_in_intensity(seeds, np.ones((9, 9)), 2)
    yy, xx = np.mgrid[:9, :9]
    np.testing.assert_array_equal(cells, 2 * ((yy - 4) ** 2 + (xx - 4) ** 2 <= 4))


@pytest.mark.parametrize(
    "grow", [lambda s, i: grow_in_model(s, i, None), lambda s, i: grow_in_intensity(s, i, 3)]
)
def test_shapes_that_differ_are_refused(grow):
    with pytest.raises(ValueError, match=r"shape|differ"):
        grow(np.zeros((4, 4), int), np.zeros((4, 5)))


def test_compartments_have_a_row_for_every_cell_whatever_it_lacks():
    cells = np.array([[2, 2, 2, 0, 7, 7, 0, 9]])
    nuclei = np.array([[0, 2, 0, 0, 7, 7, 0, 0]])
    image = np.array([[1, 4, 3, 9, 5, 7, 9, 8]])
    table = compartments(cells, nuclei, image, ring=1)
    assert table["index"].tolist() == [2, 7, 9]
    assert table["area_nucleus_px2"].tolist() == [1, 2, 0]
    assert table["area_cytoplasm_px2"].tolist() == [2, 0, 1]
    np.testing.assert_allclose(table["intensity_mean_nucleus"], [4, 6, np.nan])
    np.testing.assert_allclose(table["intensity_mean_cytoplasm"], [2, np.nan, 8])
    np.testing.assert_allclose(table["intensity_nucleus_to_cytoplasm"], [2, np.nan, np.nan])


@pytest.mark.parametrize(
    ("pixel_size", "unit", "suffix"),
    [(None, None, "px"), ((1, 1), None, "px"), ((0.5, 0.5), None, "unit"), ((0.5, 0.5), "µm", "um")],
)
def test_cells_compartments_and_links_name_lengths_alike(pixel_size, unit, suffix):
    cells = np.array([[2, 2, 0, 2]])
    table = compartments(cells, cells, cells, pixel_size=pixel_size, unit=unit)
    assert table[f"area_nucleus_{suffix}2"].tolist() == [0.75 if pixel_size == (0.5, 0.5) else 3]
    assert f"perimeter_{suffix}" in measure(cells, pixel_size=pixel_size, unit=unit)
    frames = [{"T": 0}, {"T": 1}]
    links = link(np.stack([cells, cells]), "t").links
    assert f"path_{suffix}" in link_table(links, frames, Spacing(pixel_size, unit))


def test_compartments_are_measured_in_each_channel_and_in_physical_units():
    cells, nuclei = np.array([[1, 1, 1]]), np.array([[0, 1, 0]])
    table = compartments(
        cells, nuclei, np.stack([[[1, 2, 3]], [[4, 6, 8]]]), pixel_size=(0.5, 0.5), unit="µm"
    )
    assert table["area_nucleus_um2"].tolist() == [0.25]
    assert table["intensity_mean_ring_1"].tolist() == [6]
    assert table["area_nucleus_share"].tolist() == pytest.approx([1 / 3])
