"""Preprocessing as ticks and boxes: the text that the command line takes, whatever was set before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.planes.preprocessing import parse_steps, steps_in_words
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.windows import Window
from napari_utile.widgets.parts.forms import Form
from pages import page_of
from pictures import bright_discs

STEPS = st.lists(
    st.tuples(st.sampled_from(["smooth", "median", "background", "contrast"]), st.integers(1, 200))
    | st.just(("invert", 0)),
    max_size=5,
)


@pytest.fixture
def form(qtbot):
    made = Form(SegmentParams(), ("preprocess", "percentiles"))
    qtbot.addWidget(made.native)
    return made


@settings(deadline=None)
@given(STEPS)
def test_steps_are_written_as_they_are_read(steps):
    assert list(parse_steps(steps_in_words(steps))) == steps


def test_any_steps_are_kept_as_they_were_set_until_they_are_changed(form):
    for text in ("invert,background:50", "smooth:1.5,invert", "median:2,smooth:1,median:3", None):
        form.set_value(SegmentParams(preprocess=text))
        assert form.value().preprocess == text


def test_ticks_and_boxes_make_the_steps_in_their_usual_order(form):
    field = form["preprocess"]
    field.boxes["smooth"].setValue(1.5)
    field.invert.click()
    field.boxes["background"].setValue(50)
    assert form.value().preprocess == "invert,background:50,smooth:1.5"
    field.boxes["background"].setValue(0)
    field.invert.click()
    field.boxes["smooth"].setValue(2)
    assert form.value().preprocess == "smooth:2"
    field.boxes["smooth"].setValue(0)
    assert form.value().preprocess is None


def test_percentiles_are_two_numbers_or_those_of_the_model(form):
    assert form.value().percentiles is None
    form["percentiles"].low.setValue(1)
    assert form.value().percentiles is None
    form["percentiles"].high.setValue(99.8)
    assert form.value().percentiles == (1, 99.8)
    form["percentiles"].low.setValue(99.9)
    with pytest.raises(ValueError, match="the lower one first"):
        form.value()
    form.set_value(SegmentParams())
    assert form.value().percentiles is None


def test_what_the_network_gets_is_shown_and_follows_the_steps(qtbot, bright_nuclei):
    viewer = ViewerModel()
    image = viewer.add_image(bright_discs(), name="cells")
    page = page_of(viewer, "segment", qtbot)
    assert page.form.minimumSizeHint().width() <= 340
    page.form.diameter.value = None
    page.form.network_view.click()
    name = "cells as the network gets it"
    qtbot.waitUntil(lambda: name in viewer.layers, timeout=30_000)
    seen = viewer.layers[name]
    _, request = page.request()
    field = Field(request.plane, load_model("nuclei"), request.params)
    everything = Window.part_of(field.shape, None)
    np.testing.assert_array_equal(seen.data, field.network_input(everything)[0])
    assert np.corrcoef(seen.data.ravel(), image.data.ravel())[0, 1] > 0.99
    page.form.seen["preprocess"].invert.click()
    qtbot.waitUntil(lambda: np.corrcoef(seen.data.ravel(), image.data.ravel())[0, 1] < -0.99, timeout=30_000)
    assert page.dock.header.source.image.findText(name) < 0
    page.form.network_view.click()
    assert not seen.visible


@pytest.mark.parametrize("diameter", [None, 9.0, 60.0])
def test_the_networks_input_is_that_of_any_window(bright_nuclei, diameter):
    plane = plane_from_array(bright_discs())
    field = Field(plane, load_model("nuclei"), SegmentParams(diameter=diameter, preprocess="smooth:1"))
    whole = field.network_input(Window.part_of(field.shape, None))
    part = Window(slice(5, 31), slice(7, 22))
    np.testing.assert_allclose(field.network_input(part), whole[:, 5:31, 7:22], atol=1e-6)
    assert whole.shape[1:] == plane.shape
