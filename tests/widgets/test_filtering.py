"""Cells are removed where their rows say that they are: objects and tracks from all of their planes."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.session.cell_filter import CellFilter
from napari_utile.widgets.plots.filtering import erase, is_by_plane, taken_rows
from napari_utile.widgets.viewer.layers import place_of

STACK = np.zeros((3, 8, 8), np.int32)
STACK[:, 1:3, 1:3] = 1  # in all planes
STACK[2, 5:8, 5:8] = 2  # at the border, in the last one


@pytest.mark.parametrize("kind", ["smaller", "border"])
def test_objects_are_removed_from_all_planes_whichever_is_on_screen(kind):
    viewer = ViewerModel()
    layer = viewer.add_labels(STACK.copy(), features={"index": [1, 2], "volume_px": [12, 9]})
    place = place_of(layer, viewer)
    assert place.plane.steps == (1,)
    assert not is_by_plane(layer, place)
    taken = taken_rows(layer, place, CellFilter(kind, "volume_px", 10.0))
    assert taken.tolist() == [False, True]
    erase(layer, place, taken)
    np.testing.assert_array_equal(layer.data, np.where(STACK == 2, 0, STACK))
    assert layer.features["index"].tolist() == [1]
    layer.undo()
    np.testing.assert_array_equal(layer.data, STACK)


@pytest.mark.parametrize("every", [False, True])
def test_cells_of_planes_are_removed_from_the_plane_on_screen_or_from_all(every):
    viewer = ViewerModel()
    rows = {"axis 0": [0, 1, 2, 2], "index": [1, 1, 1, 2], "area_px": [4, 4, 4, 9]}
    layer = viewer.add_labels(STACK.copy(), features=rows)
    place = place_of(layer, viewer)
    assert is_by_plane(layer, place)
    taken = taken_rows(layer, place, CellFilter("smaller", "area_px", 5.0), every)
    erase(layer, place, taken, every)
    left = [plane for plane in range(3) if (layer.data[plane] == 1).any()]
    assert left == ([] if every else [0, 2])
    assert layer.features["axis 0"].tolist() == ([2] if every else [0, 2, 2])


def test_objects_of_one_frame_are_removed_from_all_planes_of_it():
    """Objects through z of a film have rows that say their frame, and not their planes."""
    viewer = ViewerModel()
    layer = viewer.add_labels(np.stack([STACK, STACK]), axis_labels=("t", "z", "y", "x"))
    layer.features = {"t": [0, 0, 1, 1], "index": [1, 2, 1, 2], "volume_px": [12, 9, 12, 9]}
    viewer.dims.set_current_step(0, 0)
    place = place_of(layer, viewer)
    taken = taken_rows(layer, place, CellFilter("larger", "volume_px", 10.0))
    assert taken.tolist() == [True, False, False, False]
    erase(layer, place, taken)
    np.testing.assert_array_equal(layer.data, np.stack([np.where(STACK == 1, 0, STACK), STACK]))
    assert layer.features["t"].tolist() == [0, 1, 1]
