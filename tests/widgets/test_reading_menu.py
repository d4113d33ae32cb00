"""What an image can be read as: names of axes, one plane of a stack, other images of its file."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Layer
from napari.layers._source import layer_source

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.planes.projection import project_stack
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.widgets.viewer.layers import place_of, plane_at, session_of
from napari_utile.widgets.workbench.source_picker import SourcePicker

STACK = np.random.default_rng(2).integers(0, 99, (3, 4, 30, 40)).astype(np.uint16)


@pytest.fixture
def picker(viewer, qtbot):
    picker = SourcePicker(viewer, session_of(viewer))
    qtbot.addWidget(picker)
    return picker


def texts(menu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def test_a_plain_picture_offers_nothing_and_a_stack_its_axes_and_projections(viewer, picker):
    viewer.add_image(STACK[0, 0])
    assert picker.reading.isHidden()
    picker.image.set_layer(viewer.add_image(STACK[0]))
    assert not picker.reading.isHidden()
    picker.reading.fill()
    first, *others = texts(picker.reading.menu())
    assert first == "Axis 0 (4) is"
    ways = ("largest value", "mean", "the sharpest")
    assert others == [f"Make one plane: {way} along axis 0 (4)" for way in ways]
    picker.image.set_layer(viewer.add_image(STACK[0], axis_labels=("H&E", "y", "x")))
    picker.reading.fill()
    assert "Make one plane: mean along H&&E (4)" in texts(picker.reading.menu()), "as Qt writes an &"


def test_an_axis_that_is_named_channels_offers_them_and_names_stay_unique(viewer, picker):
    layer = viewer.add_image(STACK)
    picker.reading.name_axis(1, "c")
    assert layer.axis_labels[1] == "c"
    assert session_of(viewer).image.channel_axis == 1
    picker.reading.name_axis(0, "c")
    assert layer.axis_labels[:2] == ("c", "-4")
    assert session_of(viewer).image.channel_axis == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_a_projection_is_chosen_and_is_seen_at_every_plane_of_its_stack(viewer, picker, axis):
    layer = viewer.add_image(
        STACK, scale=(2, 3, 0.5, 0.5), translate=(1, 5, 0, 0), axis_labels=("t", "z", "y", "x")
    )
    picker.reading.project(axis, "max")
    made = session_of(viewer).image.layer
    assert made.name == f"STACK (largest value along {'TZ'[axis]})"
    for place in np.ndindex(STACK.shape[:2]):
        viewer.dims.current_step = (*place, 0, 0)
        seen = np.asarray(plane_at(made, place_of(made, viewer)).data)[0]
        np.testing.assert_array_equal(seen, STACK.max(axis)[place[1 - axis]])
        made.refresh()
        np.testing.assert_array_equal(np.asarray(made._data_view), seen)
    assert layer.data is STACK


@settings(deadline=None, max_examples=40)
@given(
    axes=st.sampled_from(["ZYX", "TZYX", "ZCYX", "CZYX", "TZCYX", "CTZYX", "ZYXS"]),
    how=st.sampled_from(["max", "mean", "focus"]),
    seed=st.integers(0, 99),
)
def test_a_projected_layer_has_the_pixels_of_the_command(axes, how, seed):
    sizes = {"T": 2, "Z": 3, "C": 2, "S": 3, "Y": 12, "X": 15}
    pixels = np.random.default_rng(seed).integers(0, 255, [sizes[axis] for axis in axes]).astype(np.uint8)
    channel = next((axes.index(axis) for axis in "CS" if axis in axes), None)
    made = np.asarray(project_stack(pixels, axes.index("Z"), how, channel))
    planes = SelectedPlanes(ImageFile(pixels, axes, None, None, Path("a")), Selection(project=f"z:{how}"))
    left = axes.replace("Z", "")
    for index, plane in planes:
        at = tuple(index.get(axis, slice(None)) for axis in left)
        kept = [axis for axis in left if axis not in index]
        order = [kept.index(axis) for axis in ("S" if "S" in kept else "C", "Y", "X") if axis in kept]
        np.testing.assert_array_equal(
            made[at].transpose(order).reshape(plane.data.shape), plane.data[:, :, :]
        )


def test_other_images_of_the_file_are_opened_and_chosen(viewer, picker, qtbot, tmp_path):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for number in range(3):
            file.write(STACK[0, number], metadata={"axes": "YX", "Name": f"Pos{number}"})
    with layer_source(path=str(path)):
        viewer.add_layer(Layer.create(STACK[0, 0], {"name": "a"}, "image"))
    qtbot.waitUntil(lambda: len(picker.reading.series) == 3)
    assert picker.reading.text() == "3 images ⋯"
    picker.reading.fill()
    assert texts(picker.reading.menu()) == ["Open another image of this file"]
    picker.reading.open_series(2)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    made = session_of(viewer).image.layer
    assert made.name == "a_Pos2"
    assert made.source.path == str(path)
    np.testing.assert_array_equal(made.data, STACK[0, 2])
