"""The cell size in the docks: measured when image and model are chosen, shown, and changeable."""

import re

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QGuiApplication
from scipy import ndimage

from napari_utile.engine.parameters import describe
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets.parts.size_field import SizeField
from napari_utile.widgets.viewer.layers import place_of, plane_at, some_of
from pages import page_of, result_on_screen

WAIT = 60_000


@pytest.fixture
def field(qtbot):
    made = SizeField(next(each for each in describe(SegmentParams) if each.name == "diameter"))
    qtbot.addWidget(made.native)
    return made


def test_the_size_is_measured_until_a_number_is_typed(field) -> None:
    told = []
    field.changed.connect(told.append)
    assert field.value == "auto"
    field.show_measured(104.0)
    assert (field.value, field.box.value(), told) == ("auto", 104.0, [])
    field.box.setValue(90.0)
    assert (field.value, told) == (90.0, [90.0])
    field.show_measured(104.0)
    assert field.value == 90.0


@pytest.mark.parametrize("value", ["auto", None, 33.5])
def test_what_is_set_is_what_is_read(field, value) -> None:
    field.value = 12.0
    field.value = value
    assert field.value == value


def test_some_planes_of_a_stack_are_measured() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.arange(30 * 4 * 5).reshape(30, 4, 5))
    planes = [plane_at(layer, place) for place in some_of(place_of(layer, viewer))]
    shown = [int(plane.data[0, 0, 0]) // 20 for plane in planes]
    assert shown == sorted(set(shown))
    assert (
        3 <= len(shown) <= 12
    )  # those that the grey limits of the stack are measured on, the size on some of them
    assert shown[-1] - shown[0] > 20
    plain = viewer.add_image(np.zeros((4, 5)))
    assert len(some_of(place_of(plain, viewer))) == 1


def test_large_nuclei_are_measured_shown_used_and_recorded(qtbot) -> None:
    y, x = np.mgrid[:300, :300]
    image = ((y % 100 - 50) ** 2 + (x % 100 - 50) ** 2 < 30**2) * 500.0
    image = ndimage.gaussian_filter(image, 2) + np.random.default_rng(0).normal(100, 8, image.shape)
    viewer = ViewerModel()
    dock = page_of(viewer, "segment")
    qtbot.addWidget(dock.dock)
    viewer.add_image(image.astype(np.float32), name="large", scale=(0.5, 0.5), units=("um", "um"))
    qtbot.waitUntil(lambda: "µm) across, measured" in dock.form.estimate.text(), timeout=WAIT)
    assert dock.form.diameter.value == "auto"
    shown = dock.form.diameter.box.value()
    assert shown == pytest.approx(60, rel=0.2)
    px, um = (
        float(each) for each in re.findall(r"about ([\d.]+) px \(([\d.]+) µm\)", dock.form.estimate.text())[0]
    )
    assert um == pytest.approx(px / 2, rel=0.01)
    assert dock.form.instances["minimum_size"].value > 200  # 30 pixels of the model
    dock.copy_command()
    assert f"--diameter {shown:g}" in QGuiApplication.clipboard().text()
    dock.run()
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
    result = result_on_screen(dock)
    assert result.segmentation.params.diameter == shown
    assert result.count == 9
    assert f"--diameter {shown:g}" in result.recipe.command
