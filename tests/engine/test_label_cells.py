"""Cells from a landscape: of every size, split and growth without finding the basins again."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import (
    InstanceParams,
    cell_landscape,
    foreground_mask,
    label_cells,
    label_instances,
)
from napari_utile.engine.cells.runs import connected_runs, runs_of


@st.composite
def probability_maps(draw, largest=60):
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width)), draw(st.sampled_from([0, 1, 2, 3])))
    likely = 0.5 + 0.5 * smooth / (np.abs(smooth).max() or 1.0)
    values = draw(st.sampled_from([None, 4, 1]))
    if values is not None:
        likely = np.round(likely * values) / values
    return likely.astype(np.float32)


parameters = st.builds(
    InstanceParams,
    threshold=st.floats(0.3, 0.7),
    fill_holes=st.integers(0, 30),
    minimum_size=st.integers(0, 30),
    split=st.floats(0, 1),
    grow=st.integers(0, 3),
)


@settings(max_examples=100, deadline=None)
@given(probability_maps(), parameters, st.lists(parameters, max_size=4))
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
    assert joined.holding(np.array([0, 2, 3, 7])).tolist() == [0, 0, 1, 2]
