import numpy as np
import pytest


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
