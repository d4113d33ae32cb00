import numpy as np
import pytest
from napari.utils.colormaps import ensure_colormap

from napari_utile.widgets.viewer.own_pictures import glow


def test_a_viewer_takes_layers_on_this_machine(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((4, 5), np.float32))
    viewer.add_labels(np.zeros((4, 5), np.int32))
    assert [layer.name for layer in viewer.layers] == ["Image", "Labels"]


@pytest.mark.real_window
def test_a_real_window_draws_what_is_in_its_layers(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.full((64, 64), 200, np.uint8), contrast_limits=(0, 255))
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    height, width = pixels.shape[:2]
    assert pixels[height // 2, width // 2].tolist() == [200, 200, 200, 255]


@pytest.mark.real_window
@pytest.mark.parametrize("grey", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_values_glow_over_bright_images_as_over_dark_ones(make_napari_viewer, grey, value):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.full((64, 64), grey, np.uint8), contrast_limits=(0, 255))
    viewer.add_layer(glow(np.full((64, 64), value, np.float32)))
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    height, width = pixels.shape[:2]
    colour = ensure_colormap("magma").map(np.array([value]))[0, :3]
    shown = colour + (1 - colour.max()) * grey / 255
    np.testing.assert_allclose(pixels[height // 2, width // 2, :3] / 255, shown, atol=0.02)
