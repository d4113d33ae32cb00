import numpy as np
import pytest

from napari_utile.engine.reports.figure import LARGEST_PANEL, OUTLINE, as_colours, overview


def arrays(height: int, width: int):
    labels = np.zeros((height, width), np.int32)
    labels[1 : height // 2, 1 : width // 2] = 7
    labels[height // 2 + 1 : -1, width // 2 + 1 : -1] = 9
    return np.random.default_rng(0).normal(size=(height, width)), labels, labels / 9.0, labels + 1.0


def test_the_figure_names_its_panels_and_counts_the_instances():
    figure = overview(*arrays(24, 32), title="cells")
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["image", "2 instances", "cell probability", "weight map"]
    assert figure.get_suptitle() == "cells"


def test_outlines_lie_on_the_border_pixels_of_cells_and_nowhere_else():
    image, labels, probability, weights = arrays(24, 32)
    shown = np.asarray(overview(image, labels, probability, weights).axes[1].images[0].get_array())
    outlined = (np.abs(shown - OUTLINE) < 1e-6).all(axis=2)
    border = np.zeros_like(labels, bool)
    for value in (7, 9):
        rows, columns = np.nonzero(labels == value)
        box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        border[box] = True
        border[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()] = False
    np.testing.assert_array_equal(outlined, border)


def test_large_images_are_thinned_to_the_size_of_a_panel():
    figure = overview(*arrays(8, 3 * LARGEST_PANEL))
    assert {axes.images[0].get_array().shape[:2] for axes in figure.axes[:4]} == {(3, LARGEST_PANEL)}


@pytest.mark.parametrize("image", [np.zeros((3, 4)), np.full((3, 4), np.nan), np.full((3, 4), np.inf)])
def test_images_without_contrast_are_shown_in_black(image):
    assert not as_colours(image).any()


def test_colours_stay_what_they_are():
    image = np.array([[[0, 51, 255]]], np.uint8)
    np.testing.assert_allclose(as_colours(image), [[[0.0, 0.2, 1.0]]], atol=1e-6)
    np.testing.assert_allclose(as_colours(image / 255), [[[0.0, 0.2, 1.0]]], atol=1e-6)


def test_results_of_another_size_are_refused():
    image, labels, probability, weights = arrays(24, 32)
    with pytest.raises(ValueError, match="same pixels"):
        overview(image, labels[:-1], probability, weights)
