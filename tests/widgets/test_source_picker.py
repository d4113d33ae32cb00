"""Which channels of an image a model is given."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.engine.models.outputs import InputChannel
from napari_utile.widgets.parts.source_picker import SourcePicker

TWO = (InputChannel("any"), InputChannel("nuclei", optional=True))


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def picker(viewer, qtbot):
    picker = SourcePicker(viewer)
    qtbot.addWidget(picker)
    picker.set_model_inputs(TWO)
    return picker


def choose(picker, label, text):
    box = next(box for each, box in picker._channel_boxes if each.text() == label)
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())


def test_an_optional_channel_is_offered_by_name_and_left_out_until_it_is_chosen(viewer, picker):
    viewer.add_image(np.zeros((3, 20, 20)), axis_labels=("c", "y", "x"))
    assert [label.text() for label, _ in picker._channel_boxes] == ["Channel", "Nuclei, optional"]
    choose(picker, "Channel", "Channel 1")
    assert picker.channels == (1,)
    choose(picker, "Nuclei, optional", "Channel 2")
    assert picker.channels == (1, 2)
    choose(picker, "Nuclei, optional", "none")
    assert picker.channels == (1,)


def test_of_a_colour_image_an_optional_channel_goes_with_a_colour_only(viewer, picker):
    viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True)
    (_, main), (_, nuclei) = picker._channel_boxes
    assert picker.channels is None
    assert main.currentText().startswith("Brightness")
    assert not nuclei.isEnabled()
    choose(picker, "Channel", "Green")
    assert nuclei.isEnabled()
    choose(picker, "Nuclei, optional", "Blue")
    assert picker.channels == (1, 2)


def test_an_image_without_channels_asks_nothing(viewer, picker):
    viewer.add_image(np.zeros((20, 20)))
    assert picker.channels is None
    assert picker._channel_boxes == []
