import numpy as np
import pytest

from napari_utile.widgets.viewer.layers import place_of
from napari_utile.widgets.viewer.regions import (
    camera_of,
    go_to,
    inside_shapes,
    region_in_view,
    region_of_shapes,
)


def rectangle(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], dtype=float)


def bounds(region):
    return tuple((part.start, part.stop) for part in region)


def test_a_rectangle_gives_the_pixels_it_touches(viewer):
    layer = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(2.0, 3.0, 5.0, 8.0)], shape_type="rectangle")
    assert bounds(region_of_shapes(shapes, layer, place_of(layer, viewer))) == ((2, 6), (3, 9))


def test_shapes_of_another_scale_are_brought_to_the_pixels_of_the_image(viewer):
    layer = viewer.add_image(np.zeros((20, 30)), scale=(0.5, 0.5), translate=(10, 20))
    shapes = viewer.add_shapes([rectangle(11.0, 21.0, 13.0, 24.0)], shape_type="rectangle")
    assert bounds(region_of_shapes(shapes, layer, place_of(layer, viewer))) == ((2, 7), (2, 9))


def test_a_shape_that_sticks_out_is_cut_at_the_image(viewer):
    layer = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(-50, 10, 5, 99)], shape_type="rectangle")
    assert bounds(region_of_shapes(shapes, layer, place_of(layer, viewer))) == ((0, 6), (10, 30))


def test_selected_shapes_go_before_all_shapes(viewer):
    layer = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(1, 1, 2, 2), rectangle(10, 10, 12, 12)], shape_type="rectangle")
    shapes.selected_data = set()
    assert bounds(region_of_shapes(shapes, layer, place_of(layer, viewer))) == ((1, 13), (1, 13))
    shapes.selected_data = {1}
    assert bounds(region_of_shapes(shapes, layer, place_of(layer, viewer))) == ((10, 13), (10, 13))


def test_flat_shapes_apply_to_the_plane_of_a_stack_and_shapes_of_a_stack_to_a_flat_image(viewer):
    stack = viewer.add_image(np.zeros((5, 20, 30)), name="stack")
    flat = viewer.add_image(np.zeros((20, 30)), name="flat")
    shapes = viewer.add_shapes([rectangle(2, 3, 5, 8)], shape_type="rectangle")
    in_stack = np.insert(rectangle(2, 3, 5, 8), 0, 4, axis=1)
    shapes_of_stack = viewer.add_shapes([in_stack], shape_type="rectangle")
    expected = ((2, 6), (3, 9))
    assert bounds(region_of_shapes(shapes, stack, place_of(stack, viewer))) == expected
    assert bounds(region_of_shapes(shapes_of_stack, flat, place_of(flat, viewer))) == expected


def test_no_shape_and_a_shape_elsewhere_are_said_in_one_sentence(viewer):
    layer = viewer.add_image(np.zeros((20, 30)), name="cells")
    shapes = viewer.add_shapes(name="box")
    with pytest.raises(ValueError, match="box holds no shape yet"):
        region_of_shapes(shapes, layer, place_of(layer, viewer))
    shapes.add([rectangle(100, 100, 120, 120)], shape_type="rectangle")
    with pytest.raises(ValueError, match="outside cells"):
        region_of_shapes(shapes, layer, place_of(layer, viewer))


def test_inside_an_ellipse_are_its_pixels_only(viewer):
    layer = viewer.add_image(np.zeros((40, 40)))
    shapes = viewer.add_shapes([rectangle(10, 10, 30, 30)], shape_type="ellipse")
    place = place_of(layer, viewer)
    window = region_of_shapes(shapes, layer, place)
    inside = inside_shapes(shapes, layer, place, window)
    assert inside.shape == tuple(part.stop - part.start for part in window)
    assert abs(inside.sum() - np.pi * 10**2) < 15
    assert inside[10, 10]
    assert not inside[0, 0]


def test_what_is_in_view_is_what_the_canvas_shows(make_napari_viewer):
    viewer = make_napari_viewer(show=False)
    layer = viewer.add_image(np.zeros((400, 400)))
    layer.corner_pixels = np.array([[10, 20], [99, 119]])
    assert bounds(region_in_view(layer, place_of(layer, viewer))) == ((10, 100), (20, 120))


def test_the_view_of_a_pyramid_is_in_pixels_of_its_full_resolution(viewer):
    data = np.zeros((256, 320))
    layer = viewer.add_image([data, data[::2, ::2], data[::4, ::4]], multiscale=True)
    layer.data_level = 2
    layer.corner_pixels = np.array([[10, 20], [29, 39]])
    assert bounds(region_in_view(layer, place_of(layer, viewer))) == ((40, 120), (80, 160))


def test_going_to_a_place_moves_the_camera_and_the_slider_and_keeps_the_zoom(viewer):
    layer = viewer.add_image(np.zeros((5, 20, 30)), scale=(2, 0.5, 0.5), translate=(0, 10, 20))
    camera_of(viewer).zoom = 7
    go_to(viewer, layer, (3, 8, 12))
    assert viewer.dims.current_step[0] == 3
    np.testing.assert_allclose(camera_of(viewer).center[1:], (14, 26))
    assert camera_of(viewer).zoom == 7


def test_going_to_a_place_in_the_plane_leaves_the_slider(viewer):
    layer = viewer.add_image(np.zeros((5, 20, 30)))
    viewer.dims.set_current_step(0, 4)
    go_to(viewer, layer, (8, 12))
    assert viewer.dims.current_step[0] == 4
    np.testing.assert_allclose(camera_of(viewer).center[1:], (8, 12))


def test_a_place_in_a_flat_layer_among_stacks_is_found(viewer):
    viewer.add_image(np.zeros((5, 20, 30)))
    flat = viewer.add_image(np.zeros((20, 30)))
    viewer.dims.set_current_step(0, 2)
    go_to(viewer, flat, (8, 12))
    assert viewer.dims.current_step[0] == 2
    np.testing.assert_allclose(camera_of(viewer).center[1:], (8, 12))


def test_regions_of_a_stack_seen_from_the_side_are_in_its_plane(viewer):
    layer = viewer.add_image(np.zeros((8, 20, 30)))
    viewer.dims.order = (1, 0, 2)
    place = place_of(layer, viewer)
    layer.corner_pixels = np.array([[1, 0, 5], [3, 0, 9]])
    assert bounds(region_in_view(layer, place)) == ((1, 4), (5, 10))


def test_a_layer_that_was_never_drawn_is_all_in_view(viewer):
    layer = viewer.add_image(np.zeros((20, 30)))
    assert bounds(region_in_view(layer, place_of(layer, viewer))) == ((0, 20), (0, 30))
