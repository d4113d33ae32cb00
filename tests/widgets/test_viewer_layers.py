import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtGui import QOpenGLContext
from vispy.gloo.glir import GlirParser

from napari_utile.engine.errors import UtileError
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.viewer.layers import (
    place_of,
    session_of,
    space_of,
)
from napari_utile.widgets.viewer.lengths import pixel_size_of
from napari_utile.widgets.viewer.source import image_place, plane_of, read_alike


def plane_on_screen(layer, viewer, **chosen):
    image = ChosenImage(layer, **chosen)
    return plane_of(image, image_place(image, viewer))


def numbered(*shape, dtype=np.uint16):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def test_a_flat_image_is_one_channel(viewer):
    data = numbered(4, 5)
    layer = viewer.add_image(data, name="cells")
    plane = plane_on_screen(layer, viewer)
    assert plane.name == "cells"
    assert plane.data.dtype == np.uint16
    np.testing.assert_array_equal(plane.data, data[None])
    assert np.shares_memory(plane.data, data)


def test_a_stack_gives_the_plane_on_which_the_slider_stands(viewer):
    data = numbered(3, 4, 5, 6)
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 1)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[2, 1][None])


def test_a_stack_of_coarse_planes_is_indexed_by_plane_not_by_world_position(viewer):
    data = numbered(4, 5, 6)
    layer = viewer.add_image(data, scale=(2.5, 0.5, 0.5), translate=(10, 0, 0))
    viewer.dims.set_current_step(0, 3)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[3][None])


def test_a_plane_seen_from_the_side_is_the_one_on_screen(viewer):
    data = numbered(4, 5, 6)
    layer = viewer.add_image(data)
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 3)
    place = place_of(layer, viewer)
    assert place.axes == (0, 2)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[:, 3, :][None])


def test_a_flat_image_among_stacks_is_seen_from_every_step(viewer):
    viewer.add_image(np.zeros((7, 4, 5)))
    data = numbered(4, 5)
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 6)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[None])


def test_a_short_stack_has_nothing_where_a_longer_one_goes_on(viewer):
    viewer.add_image(np.zeros((7, 4, 5)))
    layer = viewer.add_image(np.zeros((3, 4, 5)), name="short")
    viewer.dims.set_current_step(0, 6)
    with pytest.raises(ValueError, match="short has nothing at the current position"):
        plane_on_screen(layer, viewer)


def test_in_three_dimensions_the_plane_at_the_slider_counts(viewer):
    data = numbered(4, 5, 6)
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 2)
    viewer.dims.ndisplay = 3
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[2][None])


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_become_channels_without_transparency(viewer, colours):
    data = numbered(4, 5, colours, dtype=np.uint8)
    layer = viewer.add_image(data, rgb=True)
    plane = plane_on_screen(layer, viewer)
    assert plane.rgb
    np.testing.assert_array_equal(plane.data, np.moveaxis(data, -1, 0)[:3])


def test_a_channel_axis_gives_all_or_the_chosen_channels(viewer):
    data = numbered(2, 3, 4, 5)
    layer = viewer.add_image(data)
    viewer.dims.set_current_step(0, 1)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer, channel_axis=1).data, data[1])
    chosen = plane_on_screen(layer, viewer, channels=(2, 0), channel_axis=1).data
    np.testing.assert_array_equal(chosen, data[1][[2, 0]])


@pytest.mark.parametrize(
    ("shape", "options", "axis", "channels"),
    [
        ((2, 9, 8), {}, 0, (1,)),
        ((2, 9, 8), {"axis_labels": ("z", "y", "x")}, None, None),
        ((3, 9, 8), {}, None, None),
        ((9, 8), {}, None, None),
        ((2, 9, 8, 3), {"rgb": True}, None, (1,)),
    ],
)
def test_another_image_is_read_alike_where_it_has_such_channels(viewer, shape, options, axis, channels):
    chosen = ChosenImage(viewer.add_image(np.zeros((2, 4, 5))), 0, (1,))
    other = viewer.add_image(np.zeros(shape, np.uint8), **options)
    assert read_alike(other, chosen) == ChosenImage(other, axis, channels)
    assert read_alike(chosen.layer, chosen) is chosen
    assert read_alike(None, chosen) == ChosenImage()


def test_channels_that_do_not_exist_are_named(viewer):
    layer = viewer.add_image(np.zeros((2, 4, 5)))
    with pytest.raises(UtileError, match="no channel 5"):
        plane_on_screen(layer, viewer, channels=(5,), channel_axis=0)


def test_an_axis_on_screen_cannot_hold_channels(viewer):
    layer = viewer.add_image(np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="on screen"):
        plane_on_screen(layer, viewer, channel_axis=1)


@pytest.mark.parametrize("lazy", [da.from_array, zarr.array])
def test_lazy_layers_stay_lazy(viewer, lazy):
    data = numbered(3, 40, 50)
    layer = viewer.add_image(lazy(data), multiscale=False)
    viewer.dims.set_current_step(0, 1)
    plane = plane_on_screen(layer, viewer)
    assert not isinstance(plane.data, np.ndarray)
    window = np.asarray(plane.data[:, 5:9, 3:30])
    np.testing.assert_array_equal(window, data[1, 5:9, 3:30][None])


def test_of_a_pyramid_the_full_resolution_is_taken(viewer):
    data = numbered(64, 80)
    layer = viewer.add_image([data, data[::2, ::2], data[::4, ::4]], multiscale=True)
    np.testing.assert_array_equal(plane_on_screen(layer, viewer).data, data[None])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of napari, on a layer without pixels
def test_an_empty_layer_is_named(viewer):
    layer = viewer.add_image(np.zeros((0, 5, 6)), name="nothing", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="nothing is empty"):
        plane_on_screen(layer, viewer)


TURNED = {
    "scale": (2.0, 0.5, 0.25),
    "translate": (10.0, 20.0, 30.0),
    "rotate": 30.0,
    "shear": [0.0, 0.0, 0.3],
    "units": ("nm", "um", "um"),
    "axis_labels": ("z", "y", "x"),
}


def turned_stack(**more):
    angle = np.deg2rad(TURNED["rotate"])
    rotate = np.eye(3)
    rotate[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[1:3, 3] = 5, 6
    space = {**TURNED, "rotate": rotate, "affine": affine, **more}
    return Image(np.zeros((3, 8, 9)), **space)


def test_a_layer_made_with_the_copied_space_lies_where_its_source_lies():
    source = turned_stack()
    copy = Labels(np.zeros((3, 8, 9), dtype=int), **space_of(source, axes=(0, 1, 2)))
    for point in np.random.default_rng(0).uniform(-20, 20, size=(5, 3)):
        np.testing.assert_allclose(copy.data_to_world(point), source.data_to_world(point), atol=1e-9)
    assert copy.units == source.units
    assert copy.axis_labels == ("z", "y", "x")


def test_the_space_of_the_last_two_axes_makes_a_flat_layer_lie_on_the_stack():
    source = turned_stack()
    copy = Labels(np.zeros((8, 9), dtype=int), **space_of(source))
    for point in np.random.default_rng(1).uniform(-20, 20, size=(5, 3)):
        np.testing.assert_allclose(copy.data_to_world(point[1:]), source.data_to_world(point)[1:], atol=1e-9)
    assert [str(unit) for unit in copy.units] == ["micrometer", "micrometer"]
    assert copy.axis_labels == ("y", "x")


def test_the_pixel_size_is_what_a_step_of_one_pixel_covers():
    layer = Image(np.zeros((8, 9)), scale=(0.5, 0.25), rotate=37, units=("um", "um"))
    size, unit = pixel_size_of(layer)
    np.testing.assert_allclose(size, (0.5, 0.25))
    assert unit == "µm"


def test_both_pixel_sides_are_given_in_one_unit():
    layer = Image(np.zeros((8, 9)), scale=(0.5, 500), units=("um", "nm"))
    size, unit = pixel_size_of(layer)
    np.testing.assert_allclose(size, (0.5, 0.5))
    assert unit == "µm"


def test_without_a_unit_of_length_there_is_no_pixel_size():
    assert pixel_size_of(Image(np.zeros((8, 9)), scale=(2, 2))) == (None, None)


def test_the_plane_says_how_large_its_pixels_are(viewer):
    layer = viewer.add_image(np.zeros((3, 8, 9)), scale=(5, 0.5, 0.25), units=("um", "um", "um"))
    plane = plane_on_screen(layer, viewer)
    assert plane.pixel_size == (0.5, 0.25)
    assert plane.unit == "µm"


def test_docks_of_one_viewer_share_a_session_and_other_viewers_do_not(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    other = ViewerModel()
    assert session_of(PublicOnlyProxy(viewer)) is session_of(viewer)
    assert session_of(other) is not session_of(viewer)


def test_a_session_does_not_keep_its_viewer_alive():
    import gc
    import weakref

    viewer = ViewerModel()
    session = session_of(viewer)
    assert session_of(viewer) is session
    reference = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert reference() is None, "although its session is still here"
    assert session_of(ViewerModel()) is not session


@pytest.mark.real_window
def test_what_a_layer_had_on_the_graphics_card_is_deleted_where_it_was_made(
    make_napari_viewer, monkeypatch, qtbot
):
    viewer = make_napari_viewer(show=True)
    session_of(viewer)
    image = viewer.add_image(np.zeros((30, 40)))
    viewer.add_labels(np.zeros((30, 40), int))
    own = viewer.window._qt_viewer.canvas.native.context()
    done: list[tuple[bool, set[str]]] = []
    parse = GlirParser.parse

    def parsed(parser, commands):
        done.append((QOpenGLContext.currentContext() is own, {command[0] for command in commands}))
        parse(parser, commands)

    monkeypatch.setattr(GlirParser, "parse", parsed)
    qtbot.waitUntil(lambda: any("DRAW" in commands for _, commands in done))
    qtbot.wait(100)
    viewer.layers.remove(image)
    qtbot.wait(100)
    deletes = [where for where, commands in done if "DELETE" in commands]
    assert deletes
    assert all(deletes)
