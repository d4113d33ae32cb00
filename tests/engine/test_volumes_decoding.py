"""Cells of volumes are decoded by what decodes planes: laws that hold in both, and a volume by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.distance import distance_to_background
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.runs import connected_runs, runs_of
from napari_utile.engine.cells.watershed import highest_neighbours

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7))


def random_mask(shape: tuple[int, ...], seed: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=60)
@given(SHAPES, st.integers(0, 99), st.floats(0.1, 0.9), st.booleans())
def test_components_of_a_volume_are_those_of_scipy(shape, seed, share, diagonally):
    mask = random_mask(shape, seed, share)
    runs = runs_of(mask)
    count, component = connected_runs(runs, runs.values, diagonally=diagonally)
    of_run = np.zeros(runs.values.size, int)
    of_run[runs.values] = component + 1
    structure = ndimage.generate_binary_structure(3, 3 if diagonally else 1)
    expected, total = ndimage.label(mask, structure)
    assert count == total
    pairs = np.unique(np.stack([runs.paint(of_run)[mask], expected[mask]]), axis=1)
    assert pairs.shape[1] == total


@settings(max_examples=60)
@given(SHAPES, st.integers(0, 99))
def test_the_highest_neighbour_of_a_voxel_is_the_last_of_the_highest(shape, seed):
    relief = np.random.default_rng(seed).integers(0, 4, shape).astype(np.float32)
    steps = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    ways = highest_neighbours(relief)
    padded = np.pad(relief, 1, constant_values=-1)
    for place in np.ndindex(shape):
        around = [padded[tuple(np.add(place, step) + 1)] for step in steps]
        assert ways[place] == max(range(7), key=lambda way: (around[way], way))


@settings(max_examples=40)
@given(st.integers(0, 99), st.floats(0.2, 0.8), st.floats(0, 1), st.integers(0, 30))
def test_a_volume_of_one_plane_has_the_cells_of_the_plane(seed, threshold, split, holes):
    values = ndimage.gaussian_filter(np.random.default_rng(seed).random((24, 24)), 1.5)
    values = ((values - values.min()) / np.ptp(values)).astype(np.float32)
    params = InstanceParams(threshold=threshold, split=split, fill_holes=0, minimum_size=0, grow=holes % 3)
    height = ndimage.gaussian_filter(values, 1)
    flat = label_cells(cell_landscape(values, params, height), params)
    deep = label_cells(cell_landscape(values[None], params, height[None]), params)
    assert np.array_equal(deep[0], flat)


def test_two_balls_that_touch_are_two_cells_and_a_hole_is_filled():
    z, y, x = np.indices((12, 16, 28))
    left = (z - 6) ** 2 + (y - 8) ** 2 + (x - 8) ** 2 <= 25
    right = (z - 6) ** 2 + (y - 8) ** 2 + (x - 18) ** 2 <= 25
    values = np.where(left | right, np.float32(0.9), np.float32(0))
    values[6, 8, 8] = 0
    params = InstanceParams(minimum_size=20, fill_holes=5).in_volume(1.0)
    labels = label_cells(cell_landscape(values, params), params)
    assert labels.max() == 2
    assert labels[6, 8, 8] == labels[6, 8, 7] != labels[6, 8, 19]
    assert labels[6, 8, 8] == 1  # its first voxel comes first in raster order


def test_planes_that_are_farther_apart_make_longer_distances():
    mask = np.ones((5, 5, 5), bool)
    mask[0] = False
    assert distance_to_background(mask, 64, 3.0)[:, 2, 2].tolist() == [0, 3, 6, 9, 12]
    assert distance_to_background(mask, 7, 3.0)[:, 2, 2].tolist() == [0, 3, 6, 7, 7]
    assert (distance_to_background(np.ones((2, 3, 4), bool), 9) == 9).all()


def test_areas_become_the_volumes_of_balls():
    disc = InstanceParams(minimum_size=314, fill_holes=0)
    assert disc.in_volume(1).minimum_size == 4186
    assert disc.in_volume(2).minimum_size == 2093
    assert disc.in_volume(1).fill_holes == 0


def test_a_map_is_a_plane_or_a_volume():
    with pytest.raises(ValueError, match=r"must be \(Y, X\) or \(Z, Y, X\)"):
        cell_landscape(np.zeros(3, np.float32), InstanceParams())
