"""Cells that are coloured by a column of their table follow it."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.colormaps import DirectLabelColormap

from napari_utile.engine.errors import UtileError
from napari_utile.session.cell_classes import FIRST_CLASSES
from napari_utile.widgets.viewer.cell_colours import colour_by, colour_limits, coloured_by


@pytest.fixture
def layer(viewer):
    labels = np.zeros((20, 20), np.int32)
    for label in (1, 2, 3):
        labels[: 2 * label, 6 * label : 6 * label + 2] = label
    features = {"index": [1, 2, 3], "area_px": [4, 8, 12], "class": [FIRST_CLASSES[0], "", ""]}
    return viewer.add_labels(labels, features=features)


def colours(layer):
    return [tuple(np.round(layer.get_color(label), 3)) for label in (1, 2, 3)]


def test_the_colours_are_those_of_the_table_of_now(viewer, layer):
    colour_by(viewer, layer, "area_px")
    before = colours(layer)
    layer.features = {"index": [1, 2, 3], "area_px": [12, 8, 4]}
    assert colours(layer) == before[::-1]
    layer.features = {"index": [1, 2, 3, 4], "area_px": [4, 8, 12, 20]}
    assert tuple(np.round(layer.get_color(4), 3)) == before[2]
    assert colour_limits(layer) == (4, 20)


def test_the_colours_of_classes_are_those_of_the_table_of_now(viewer, layer):
    colour_by(viewer, layer, "class")
    before = colours(layer)
    layer.features = {"index": [1, 2, 3], "class": ["", "", FIRST_CLASSES[0]]}
    assert colours(layer) == before[::-1] != before
    layer.features = {"index": [], "class": []}
    assert coloured_by(layer) == "class"
    assert colours(layer) == [before[1]] * 3


def test_cells_of_a_column_that_is_gone_have_their_own_colours(viewer, layer):
    own = colours(layer)
    colour_by(viewer, layer, "area_px")
    assert colours(layer) != own
    layer.features = {"index": [1, 2, 3], "perimeter": [8, 12, 16]}
    assert colours(layer) == own
    assert coloured_by(layer) == ""


def test_colours_that_the_user_takes_instead_stay(viewer, layer):
    colour_by(viewer, layer, "area_px")
    layer.new_colormap(seed=3)
    taken = colours(layer)
    assert coloured_by(layer) == ""
    layer.features = {"index": [1, 2, 3], "area_px": [12, 8, 4]}
    assert colours(layer) == taken
    colour_by(viewer, layer, "area_px")
    colour_by(viewer, layer, "")
    assert colours(layer) == taken


def test_colours_that_napari_cannot_show_are_refused_and_the_layer_stays_as_it_was(monkeypatch):
    """Without numba, it maps no colours of ids above 65,536."""
    labels = np.zeros((8, 8), np.int32)
    labels[:4], labels[6:] = 70_000, 3
    viewer = ViewerModel()
    layer = viewer.add_labels(labels, features={"index": [3, 70_000], "area_px": [16, 32]})
    before = layer.colormap

    def refuse(*_):
        raise RuntimeError("Please install numba.")

    monkeypatch.setattr(DirectLabelColormap, "map", refuse)
    with pytest.raises(UtileError, match="none has a number above 65,536: install numba"):
        colour_by(viewer, layer, "area_px")
    assert coloured_by(layer) == ""
    assert layer.colormap is before
