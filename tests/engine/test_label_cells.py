"""Cells from a landscape: of every size, split and growth without finding the basins again."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import (
    cell_landscape,
    foreground_mask,
    label_cells,
    label_instances,
)
from napari_utile.engine.cells.runs import connected_runs, runs_of
from strategies import parameters, probability_maps


@settings(max_examples=100, deadline=None)
@given(probability_maps(60, ties=True), parameters, st.lists(parameters, max_size=4))
def test_one_landscape_gives_the_labels_of_every_size_split_and_growth(probability, first, others):
    landscape = cell_landscape(probability, first)
    for other in [first, *others]:
        params = replace(other, threshold=first.threshold, fill_holes=first.fill_holes)
        mask = foreground_mask(probability, params)
        expected = label_instances(probability, mask, params)
        assert np.array_equal(label_cells(landscape, params), expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.booleans(), st.integers(0, 2**32 - 1))
def test_runs_are_connected_as_their_pixels_are(height, width, share, diagonally, seed):
    mask = np.random.default_rng(seed).random((height, width)) < share
    runs = runs_of(mask)
    count, component = connected_runs(runs, runs.values, diagonally=diagonally)
    per_run = np.zeros(runs.values.size, dtype=int)
    per_run[runs.values] = component + 1
    painted = runs.paint(per_run)
    expected, expected_count = ndimage.label(mask, np.ones((3, 3)) if diagonally else None)
    assert count == expected_count
    pairs = set(zip(painted.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_runs_with_new_values_join_only_within_a_row():
    runs = runs_of(np.array([[1, 2, 2, 3], [3, 3, 1, 1]]))
    assert runs.starts.tolist() == [0, 1, 3, 4, 6]
    joined = runs.with_values(np.array([7, 7, 5, 5, 5]))
    assert joined.starts.tolist() == [0, 3, 4]
    assert joined.paint(joined.values).tolist() == [[7, 7, 7, 5], [5, 5, 5, 5]]
    assert joined.lengths.tolist() == [3, 1, 4]
