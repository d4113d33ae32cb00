"""What was chosen on the page Segment is chosen in a dock that is opened again."""

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication
from superqt import QCollapsible

from pictures import bright_discs
from window import Window

pytestmark = [pytest.mark.real_window, pytest.mark.usefixtures("bright_nuclei")]


@pytest.fixture
def window(make_napari_viewer, qtbot):
    window = Window(make_napari_viewer(show=True), qtbot)
    disc = bright_discs(centres=((20, 25), (50, 70)))
    window.viewer.add_image(np.stack([disc] * 6), name="film", axis_labels="tyx")
    return window


def test_a_range_and_how_it_is_linked(window):
    form = window.open("segment").form
    window.choose(form.planes.kind, "A range")
    form.planes.first.setValue(2)
    form.planes.last.setValue(4)
    window.choose(form.linking.kind, "Over time")
    form.linking.params["link_distance"].value = 7.0
    window.close_dock()
    again = window.open("segment").form
    assert again is not form
    assert again.planes.kind.currentText() == "A range of frames"
    assert again.planes.first.isVisible()
    assert again.planes.entries == (1, 4)
    assert again.linking.wanted == "t"
    assert again.linking.link.isVisible()
    assert again.linking.chosen.link_distance == 7.0
    window.press(again.copy_command)
    assert "--link t --link-distance 7" in QGuiApplication.clipboard().text()


def folded_around(widget):
    while not isinstance(widget, QCollapsible):
        widget = widget.parentWidget()
    return widget


def test_how_nuclei_grow(window):
    viewer = window.viewer
    for name in ("left nuclei", "right nuclei"):
        viewer.add_labels(np.ones((80, 110), np.int32), name=name)
    form = window.open("segment").form
    assert form.grow.seeds.layer.name == "right nuclei"
    window.press(folded_around(form.grow).toggleButton())
    window.choose(form.grow.seeds, "left nuclei")
    window.choose(form.grow.way, "cells that the model sees")
    form.grow.distance.value = 12
    window.close_dock()
    again = window.open("segment").form.grow
    assert again is not form.grow
    assert again.seeds.layer.name == "left nuclei"
    assert again.way.currentText() == "cells that the model sees"
    assert again.distance.value == 12
    window.close_dock()
    viewer.layers.remove("left nuclei")
    again = window.open("segment").form.grow
    assert again.seeds.layer.name == "right nuclei"
    assert again.distance.value == 12


def test_nuclei_that_nobody_chose_stay_those_that_were_shown(window):
    viewer = window.viewer
    viewer.add_labels(np.ones((80, 110), np.int32), name="nuclei")
    assert window.open("segment").form.grow.seeds.layer.name == "nuclei"
    viewer.add_labels(np.ones((80, 110), np.int32), name="whole cells")
    window.close_dock()
    assert window.open("segment").form.grow.seeds.layer.name == "nuclei"


@pytest.mark.parametrize("kind", ["Drawn shapes", "Inside labels"])
def test_where_it_works(window, kind):
    viewer, square = window.viewer, np.array([[5.0, 5.0], [5.0, 40.0], [40.0, 40.0], [40.0, 5.0]])
    for name in ("left", "right"):
        viewer.add_shapes([square], name=f"{name} shapes")
        viewer.add_labels(np.ones((80, 110), np.int32), name=f"{name} labels")
    form = window.open("segment").form
    window.choose(form.region.kind, kind)
    combo = form.region.shapes if "shapes" in kind else form.region.labels
    window.choose(combo, "left")
    window.close_dock()
    again = window.open("segment").form.region
    combo = again.shapes if "shapes" in kind else again.labels
    assert again.kind.currentText() == kind
    assert combo.isVisible()
    assert combo.layer.name.startswith("left")
    window.close_dock()
    viewer.layers.remove(combo.layer)
    again = window.open("segment").form.region
    assert again.kind.currentText() == kind
    combo = again.shapes if "shapes" in kind else again.labels
    assert combo.layer.name.startswith("right")
