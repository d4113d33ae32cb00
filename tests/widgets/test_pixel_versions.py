import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_utile.widgets.viewer.pixel_versions import version_of
from napari_utile.widgets.viewer.regions import camera_of


@pytest.mark.parametrize("lazy", [False, True])
def test_a_refresh_and_new_data_count_and_nothing_else_does(lazy):
    viewer = ViewerModel()
    pixels = np.zeros((3, 40, 40), np.uint8)
    layer = viewer.add_image(da.from_array(pixels) if lazy else pixels)
    first = version_of(viewer, layer)
    viewer.dims.set_current_step(0, 1)
    viewer.add_labels(np.zeros((3, 40, 40), int))
    viewer.add_points(np.zeros((1, 3)))
    layer.opacity = 0.5
    layer.colormap = "green"
    layer.contrast_limits = (0, 9)
    assert version_of(viewer, layer) == first
    layer.refresh()
    second = version_of(viewer, layer)
    assert second > first
    layer.data = pixels + 1
    assert version_of(viewer, layer) > second


def test_layers_are_told_apart():
    viewer = ViewerModel()
    one, other = viewer.add_image(np.zeros((9, 9))), viewer.add_image(np.zeros((9, 9)))
    assert version_of(viewer, one) == version_of(viewer, other)
    one.refresh()
    assert version_of(viewer, one) > version_of(viewer, other)


@pytest.mark.real_window
def test_moving_over_a_multiscale_image_is_no_refresh(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    full = np.random.default_rng(0).integers(0, 255, (4096, 4096), np.uint8)
    layer = viewer.add_image([full, full[::4, ::4]], multiscale=True)
    qtbot.wait(100)
    first, levels = version_of(viewer, layer), set()
    for centre, zoom in (((2000, 2000), 1.0), ((500, 500), 1.0), ((3000, 900), 3.0), ((2048, 2048), 0.1)):
        camera_of(viewer).center, camera_of(viewer).zoom = centre, zoom
        qtbot.wait(100)
        levels.add((layer.data_level, layer.corner_pixels.tobytes()))
    assert len(levels) > 2
    assert version_of(viewer, layer) == first
    layer.refresh()
    assert version_of(viewer, layer) > first
