"""Which channels of an image a model is given."""

import numpy as np
import pytest

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import save_model
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.engine.networks.families import build_network
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.source_picker import SourcePicker


@pytest.fixture
def model(tmp_path):
    """A model that reads one channel, and another one where there is one."""
    inputs = InputChannel("any"), InputChannel("nuclei", optional=True)
    config = {"in_channels": 2, "classes": 2, "width": 2, "depth": 1, "dropout": 0.0}
    card = ModelCard("two", "unet", config, inputs=inputs)
    return save_model(card, build_network("unet", config), tmp_path / "two.safetensors").path


@pytest.fixture
def picker(viewer, qtbot, model):
    session = session_of(viewer)
    session.model = str(model)
    picker = SourcePicker(viewer, session)
    qtbot.addWidget(picker)
    return picker


def choose(picker, label, text):
    box = next(box for each, box in picker.channel_boxes if each.text() == label)
    box.setCurrentIndex(box.findText(text))


def test_an_optional_channel_is_offered_by_name_and_left_out_until_it_is_chosen(viewer, picker):
    viewer.add_image(np.zeros((3, 20, 20)), axis_labels=("c", "y", "x"))
    assert [label.text() for label, _ in picker.channel_boxes] == ["Channel", "Nuclei, optional"]
    choose(picker, "Channel", "Channel 1")
    assert session_of(viewer).image.channels == (1,)
    choose(picker, "Nuclei, optional", "Channel 2")
    assert session_of(viewer).image.channels == (1, 2)
    choose(picker, "Nuclei, optional", "none")
    assert session_of(viewer).image.channels == (1,)


def test_of_a_colour_image_an_optional_channel_goes_with_a_colour_only(viewer, picker):
    viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True)
    (_, main), (_, nuclei) = picker.channel_boxes
    assert session_of(viewer).image.channels is None
    assert main.currentText().startswith("Brightness")
    assert not nuclei.isEnabled()
    choose(picker, "Channel", "Green")
    assert nuclei.isEnabled()
    choose(picker, "Nuclei, optional", "Blue")
    assert session_of(viewer).image.channels == (1, 2)


def test_an_image_without_channels_asks_nothing(viewer, picker):
    viewer.add_image(np.zeros((20, 20)))
    assert session_of(viewer).image.channels is None
    assert picker.channel_boxes == []
