"""The relief from predicted distances: the same in every window, and it tells crowded cells apart."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells, label_instances
from napari_utile.engine.cells.relief import HEIGHT_REACH, height_of
from napari_utile.engine.segment import segment


def two_halves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A square of 16 x 16 pixels, sure to be cell everywhere, of which left and right half are a cell each."""
    labels = np.zeros((20, 20), int)
    labels[2:18, 2:10], labels[2:18, 10:18] = 1, 2
    y, x = np.mgrid[:20, :20]
    edge, centre = np.zeros((20, 20)), np.ones((20, 20))
    for label, middle in ((1, 5.5), (2, 13.5)):
        own = labels == label
        edge[own] = np.minimum(4.5 - abs(x - middle), 8.5 - abs(y - 9.5))[own] / 4
        centre[own] = (np.hypot(y - 9.5, x - middle) / np.hypot(7.5, 3.5))[own]
    return labels, edge, centre


def test_cells_without_a_gap_are_told_apart_by_their_distances() -> None:
    labels, edge, centre = two_halves()
    probability, params = (
        (labels > 0).astype(np.float32),
        InstanceParams(fill_holes=0, minimum_size=1, grow=0),
    )
    alone = label_cells(cell_landscape(probability, params), params)
    assert alone.max() == 1
    found = label_cells(cell_landscape(probability, params, height_of(edge, centre)), params)
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(
        label_instances(probability, labels > 0, params, height_of(edge, centre)), labels
    )


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(0, 20), st.integers(1, 30), st.integers(1, 30)
)
@settings(max_examples=50, deadline=None)
def test_the_height_has_the_same_bits_in_every_window(
    seed: int, top: int, left: int, rows: int, columns: int
) -> None:
    edge, centre = np.random.default_rng(seed).random((2, 50, 45), np.float32)
    whole = height_of(edge, centre)
    y0, x0 = max(top - HEIGHT_REACH, 0), max(left - HEIGHT_REACH, 0)
    wide = slice(y0, top + rows + HEIGHT_REACH), slice(x0, left + columns + HEIGHT_REACH)
    part = height_of(edge[wide], centre[wide])[top - y0 :, left - x0 :]
    part, wanted = part[:rows, :columns], whole[top : top + rows, left : left + columns]
    np.testing.assert_array_equal(part[: wanted.shape[0], : wanted.shape[1]], wanted)


def test_the_height_is_between_0_and_1_and_broken_pixels_do_not_spread() -> None:
    edge, centre = np.ones((12, 12), np.float32), np.zeros((12, 12), np.float32)
    np.testing.assert_allclose(height_of(edge, centre), 1, atol=1e-6)
    edge[6, 6] = np.nan
    assert np.isfinite(height_of(edge, centre)).all()


def test_a_model_says_by_its_card_which_relief_its_cells_come_from(distances_model) -> None:
    image = np.random.default_rng(3).random((60, 70))
    by_distances = dataclasses.replace(
        distances_model, card=dataclasses.replace(distances_model.card, relief="distances")
    )
    choices = {"threshold": 0.4, "minimum_size": 1, "split": 0.9}
    one, other = segment(image, distances_model, **choices), segment(image, by_distances, **choices)
    np.testing.assert_array_equal(one.values, other.values)
    height = height_of(other.outputs["B"], other.outputs["C"])
    assert other.params.instances is not None
    expected = label_cells(
        cell_landscape(other.foreground, other.params.instances, height), other.params.instances
    )
    np.testing.assert_array_equal(other.labels, expected)
    assert not np.array_equal(one.labels, other.labels)
    lower = dataclasses.replace(other.params.instances, threshold=0.2)
    again = label_cells(cell_landscape(other.foreground, lower, height), lower)
    np.testing.assert_array_equal(other.relabelled(lower).labels, again)


@pytest.mark.parametrize("tile", [16, 40])
def test_labels_from_distances_do_not_depend_on_the_tile(distances_model, tile) -> None:
    card = dataclasses.replace(distances_model.card, relief="distances")
    model = dataclasses.replace(distances_model, card=card)
    image = np.random.default_rng(4).random((60, 70))
    whole, tiled = (
        segment(image, model, tile=side, device="cpu", precision="float32") for side in (None, tile)
    )
    np.testing.assert_allclose(tiled.values, whole.values, atol=1e-4)
