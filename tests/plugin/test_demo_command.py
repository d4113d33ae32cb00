"""The image that `make demo IMAGE=path` opens knows its file: the copied command runs as it is."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtGui import QGuiApplication

from napari_utile import cli
from napari_utile.widgets.demo import open_with_dock

TOP = Path(__file__).parents[2]
WAIT = 60_000


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a part.tif"
    tifffile.imwrite(path, tifffile.imread(TOP / "sample_data/nuclei.tif")[:120, :140])
    return path


def test_the_command_copied_in_the_demo_makes_its_labels(make_napari_viewer, qtbot, image, monkeypatch):
    viewer = make_napari_viewer()
    monkeypatch.chdir(image.parent)
    dock = open_with_dock(viewer, Path(image.name))
    dock.run()
    qtbot.waitUntil(lambda: not dock.running, timeout=WAIT)
    dock.form.copy_command.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:3] == ["utile", "segment", str(image)]
    assert dock.form.status.text() == "The command is on the clipboard."
    assert cli.main([*words[1:], "--quiet"]) == 0
    labels = tifffile.imread(image.parent / "segmented" / f"{image.stem}_labels.tif")
    (shown,) = (layer for layer in viewer.layers if layer.name.endswith("instances"))
    assert labels.max() >= 3
    np.testing.assert_array_equal(shown.data, labels)


def test_of_several_channels_only_the_first_is_what_the_command_takes(make_napari_viewer, image):
    pixels = tifffile.imread(image)
    path = image.parent / "two.tif"
    tifffile.imwrite(path, np.stack([pixels, pixels]), imagej=True, metadata={"axes": "CYX"})
    viewer = make_napari_viewer()
    open_with_dock(viewer, path)
    assert [layer.source.path for layer in viewer.layers] == [str(path), None]
