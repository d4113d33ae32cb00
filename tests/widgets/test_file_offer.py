"""The pixel size and axes that a file names are offered where napari shows the image without them."""

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from napari.layers._source import layer_source
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_utile.engine.files.images import write_image
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.header import Header

FOUR = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)


@pytest.fixture
def header(viewer, qtbot):
    header = Header(viewer, session_of(viewer))
    qtbot.addWidget(header)
    return header


def opened(viewer, path):
    """Open a file as napari's own reader does: the pixels, and nothing else."""
    with layer_source(path=str(path)):
        layer = Image(tifffile.imread(path), name=path.stem)
    viewer.add_layer(layer)
    return layer


def test_pixel_size_and_channels_of_the_file_are_used_when_the_user_says_so(viewer, header, qtbot, tmp_path):
    offer, path = header.source.file, tmp_path / "two.tif"
    assert offer.isHidden()
    metadata = {"axes": "ZCYX", "unit": "um", "spacing": 0.5}
    tifffile.imwrite(
        path, FOUR.swapaxes(0, 1), imagej=True, resolution=(1 / 0.325, 1 / 0.325), metadata=metadata
    )
    layer = opened(viewer, path)
    painted = viewer.add_labels(np.zeros(layer.data.shape, int), name="painted")
    apart = viewer.add_labels(np.zeros((8, 9), int), name="apart")
    qtbot.waitUntil(lambda: not offer.isHidden(), timeout=60_000)
    assert offer.text.text() == (
        "napari does not show what the file says: 3 slices 0.5 µm apart, 2 channels, pixels of 0.325 µm."
    )
    viewer.dims.current_step = (2, 1, 4, 4)
    assert list(layer.scale) == [1, 1, 1, 1], "nothing is changed unasked"
    QTest.mouseClick(offer.buttons[0], Qt.MouseButton.LeftButton)
    for each in (layer, painted):
        assert list(each.scale) == pytest.approx([0.5, 1, 0.325, 0.325])
        assert [f"{unit:~}" for unit in each.units] == ["µm", "pixel", "µm", "µm"]
        assert each.axis_labels == ("z", "c", "y", "x")
    assert list(apart.scale) == [1, 1]
    assert viewer.dims.current_step[:2] == (2, 1)
    np.testing.assert_array_equal(layer._data_view, FOUR.swapaxes(0, 1)[2, 1])  # and it is drawn
    assert session_of(viewer).image.channel_axis == 1
    assert offer.isHidden()


@pytest.mark.parametrize("said", [{"scale": (1, 0.2, 0.2)}, {"affine": np.diag([1, 0.2, 0.2, 1])}], ids=list)
def test_nothing_is_offered_that_the_layer_says_itself_or_the_file_does_not(
    viewer, header, qtbot, tmp_path, said
):
    plain, sized = tmp_path / "plain.tif", tmp_path / "sized.tif"
    tifffile.imwrite(plain, FOUR[0, 0])
    write_image(sized, FOUR[0], "ZYX", pixel_size=(0.2, 0.2), unit="µm")
    layer = opened(viewer, sized)
    offer = header.source.file
    qtbot.waitUntil(lambda: not offer.isHidden(), timeout=60_000)
    opened(viewer, plain)
    header.source.image.set_layer(viewer.layers["plain"])
    assert offer.isHidden(), "what was said of another image goes at once"
    layer.axis_labels = ("z", "y", "x")
    for name, value in said.items():
        setattr(layer, name, value)
    with qtbot.waitSignals([header.source.reading.read] * 2, timeout=60_000):
        header.source.image.set_layer(layer)
    assert offer.isHidden()
