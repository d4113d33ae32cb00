"""Simulated images and their truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from simulation.cell_shapes import draw_labels, place_cells, random_cell
from simulation.film import simulate_film
from simulation.simulate import PRESETS, SimulationParams, edge_distance, simulate


@st.composite
def small_fields(draw) -> SimulationParams:
    return SimulationParams(
        kind=draw(st.sampled_from(["nuclei", "phase", "dic", "brightfield"])),
        height=draw(st.integers(1, 70)),
        width=draw(st.integers(1, 70)),
        cells=draw(st.integers(0, 15)),
        diameter=draw(st.floats(4, 40)),
        roughness=draw(st.floats(0, 0.2)),
        elongation=draw(st.floats(1, 5)),
        touching=draw(st.floats(0, 1)),
        blur=draw(st.sampled_from([0, 0.7, 3])),
        debris=draw(st.integers(0, 5)),
        seed=draw(st.integers(0, 2**40)),
    )


@settings(max_examples=60, deadline=None)
@given(params=small_fields())
def test_every_field_has_consecutive_one_piece_labels_and_the_size_asked_for(params) -> None:
    field = simulate(params)
    assert field.image.shape == field.labels.shape == (params.height, params.width)
    assert field.image.dtype == np.uint16
    assert field.labels.dtype == np.int32
    present = np.unique(field.labels)
    count = int(field.labels.max())
    assert set(present) | {0} == set(range(count + 1))
    assert count <= params.cells
    for label in range(1, count + 1):
        assert ndimage.label(field.labels == label)[1] == 1


@settings(max_examples=15, deadline=None)
@given(params=small_fields())
def test_the_same_seed_gives_the_same_image(params) -> None:
    first, second = simulate(params), simulate(params)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_another_seed_gives_another_image() -> None:
    assert not np.array_equal(simulate(seed=1, height=64).labels, simulate(seed=2, height=64).labels)


def shared_border_pixels(labels) -> int:
    count = 0
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        count += int(((one > 0) & (other > 0) & (one != other)).sum())
    return count


def test_cells_touch_where_asked_and_only_there() -> None:
    assert shared_border_pixels(simulate("nuclei", touching=0.0).labels) == 0
    assert shared_border_pixels(simulate("clustered_nuclei").labels) > 300


def test_without_touching_a_gap_of_background_surrounds_every_cell() -> None:
    labels = simulate("nuclei", touching=0.0, height=256, width=256, cells=40).labels
    grown = ndimage.grey_dilation(labels, footprint=np.ones((3, 3)))
    shrunk = ndimage.grey_erosion(np.where(labels == 0, 10**6, labels), footprint=np.ones((3, 3)))
    assert (grown[labels > 0] == labels[labels > 0]).all()
    assert (shrunk[labels > 0] == labels[labels > 0]).all()


@pytest.mark.parametrize("diameter", [12.0, 30.0])
def test_cells_have_about_the_diameter_asked_for(diameter: float) -> None:
    labels = simulate("nuclei", diameter=diameter, touching=0.0, cells=60).labels
    inside = np.setdiff1d(labels, np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    areas = np.bincount(labels.ravel())[inside[inside > 0]]
    assert np.median(2 * np.sqrt(areas / np.pi)) == pytest.approx(diameter, rel=0.1)


def test_nuclei_are_brighter_than_their_background_everywhere() -> None:
    field = simulate("clustered_nuclei")
    ground = field.image[field.labels == 0]
    for label in range(1, int(field.labels.max()) + 1):
        assert np.median(field.image[field.labels == label]) > np.percentile(ground, 90)


def test_phase_contrast_has_dark_bodies_and_bright_halos() -> None:
    field = simulate("phase", touching=0.0, debris=0)
    image, inside = field.image.astype(float), field.labels > 0
    halo = ndimage.binary_dilation(inside, iterations=4) & ~ndimage.binary_dilation(inside, iterations=1)
    far = ~ndimage.binary_dilation(inside, iterations=15)
    assert image[ndimage.binary_erosion(inside, iterations=4)].mean() < 0.95 * image[far].mean()
    assert image[halo].mean() > 1.05 * image[far].mean()


def test_fewer_photons_are_noisier() -> None:
    def relative_noise(photons: float) -> float:
        field = simulate(
            "nuclei", cells=0, debris=0, uneven_light=0.0, photons=photons, height=128, width=128
        )
        values = field.image.astype(float) - 100
        return float(values.std() / values.mean())

    assert relative_noise(50) > 2 * relative_noise(1000)


def test_light_falls_off_towards_the_corners() -> None:
    even = simulate("phase", cells=0, debris=0, uneven_light=0.0).image
    uneven = simulate("phase", cells=0, debris=0, uneven_light=0.5).image
    corner, centre = np.s_[:40, :40], np.s_[236:276, 236:276]
    assert even[corner].mean() == pytest.approx(even[centre].mean(), rel=0.02)
    assert uneven[corner].mean() < 0.9 * uneven[centre].mean()


def test_debris_is_in_the_image_and_not_in_the_labels() -> None:
    clean = simulate("nuclei", cells=0, debris=0)
    dirty = simulate("nuclei", cells=0, debris=30)
    assert dirty.image.max() > 2 * clean.image.max()
    assert not dirty.labels.any()


def test_an_overlap_goes_to_the_cell_whose_outline_is_farther() -> None:
    rng = np.random.default_rng(0)
    disc = random_cell(rng, 20, 0, 1, 0)
    labels, level = draw_labels([disc.moved(15, 12), disc.moved(15, 27)], (31, 40))
    assert labels[15, 12] == 1
    assert labels[15, 27] == 2
    assert set(labels[15, 3:19]) == {1}  # the middle between the centres is 19.5
    assert set(labels[15, 21:36]) == {2}
    assert level[15, 12] == 0
    assert np.isinf(level[0, 0])


def test_a_small_cell_covered_by_others_leaves_no_pixel_and_no_error() -> None:
    rng = np.random.default_rng(0)
    disc = random_cell(rng, 20, 0, 1, 0)
    labels, _ = draw_labels([disc.moved(10, 10), disc.moved(10, 10), disc.moved(500, 500)], (20, 20))
    assert set(np.unique(labels)) == {0, 1}


def test_a_crowded_field_takes_only_the_cells_that_fit() -> None:
    rng = np.random.default_rng(0)
    cells = [random_cell(rng, 30, 0.1, 1.5, 0.02) for _ in range(50)]
    placed = place_cells(rng, cells, (64, 64), touching=0.0)
    assert 1 <= len(placed) < 10


def test_edge_distance_counts_from_neighbours_and_goes_on_beyond_the_image() -> None:
    labels = np.array([[1, 1, 1, 2, 2, 0]], np.int32)
    np.testing.assert_allclose(edge_distance(labels), [[2.5, 1.5, 0.5, 0.5, 0.5, 0]])
    assert (edge_distance(np.ones((3, 4), np.int32)) > 3).all()


def test_a_film_keeps_ids_and_nuclei_inside_their_cells() -> None:
    film = simulate_film(
        SimulationParams(height=96, width=128, cells=9, touching=0.5, seed=2), frames=4, speed=3
    )
    assert film.images.shape == (4, 2, 96, 128)
    assert (film.bodies[film.nuclei > 0] == film.nuclei[film.nuclei > 0]).all()
    assert not np.array_equal(film.nuclei[0], film.nuclei[3])
    for label in np.unique(film.nuclei[0])[1:]:
        before, after = film.nuclei[0] == label, film.nuclei[1] == label
        if before.sum() > 100 and after.any():
            centre = [np.mean(np.nonzero(mask), axis=1) for mask in (before, after)]
            assert np.hypot(*(centre[0] - centre[1])) < 15


def test_impossible_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="elongation must be at least 1"):
        SimulationParams(elongation=0.5)
    with pytest.raises(ValueError, match="no preset 'em'"):
        simulate("em")
    with pytest.raises(ValueError, match="at least one frame"):
        simulate_film(frames=0)


def test_every_preset_draws_cells() -> None:
    for name in PRESETS:
        assert simulate(name, height=200, width=200).labels.max() >= 10
