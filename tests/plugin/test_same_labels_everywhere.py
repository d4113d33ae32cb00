"""The Segment dock, the command line and Python give the same labels, to the pixel."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtGui import QGuiApplication

import napari_utile
from napari_utile.cli import main
from napari_utile.engine.files.images import read_image
from napari_utile.widgets.files.writer import save_labels
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY
from pages import page_of
from pictures import bright_discs
from simulation.simulate import simulate


@pytest.fixture(scope="module")
def image_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "cells.tif"
    tifffile.imwrite(path, simulate("clustered_nuclei", height=160, width=200, cells=20, seed=5).image)
    return path


@pytest.fixture
def viewer():
    # A bare model, unlike a viewer with a window, does not make sure that napari's own reader is known.
    PluginManager.instance().discover()
    return ViewerModel()


def in_the_dock(viewer, qtbot, path, adjust=lambda dock: None, plugin="napari"):
    dock = page_of(viewer, "segment")
    qtbot.addWidget(dock.dock)
    viewer.open(str(path), plugin=plugin)
    qtbot.waitUntil(lambda: "take" in dock.form.estimate.text(), timeout=30_000)
    adjust(dock)
    dock.run()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    said = dock.form.status
    assert said.kind != "problem" or "does not look like" in said.text(), said.text()
    return dock, viewer.layers[-1]


def by_command(words, path, folder):
    words = list(words)
    words[words.index("-o") + 1] = str(folder)
    assert main([*words, "--quiet"]) == 0
    return tifffile.imread(folder / f"{path.stem}_labels.tif")


@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.25, "split": 0.3, "minimum_size": 60}, {"diameter": 20.0}]
)
def test_dock_command_and_python_agree(viewer, qtbot, image_file, tmp_path, options):
    def adjust(dock):
        for name, value in options.items():
            if name == "diameter":
                dock.form.diameter.value = value
            else:
                dock.form.instances[name].value = value

    dock, layer = in_the_dock(viewer, qtbot, image_file, adjust)
    dock.copy_command()
    copied = shlex.split(QGuiApplication.clipboard().text())
    assert copied[:2] == ["utile", "segment"]
    by_cli = by_command(copied[1:], image_file, tmp_path)
    by_python = napari_utile.segment(tifffile.imread(image_file), **options).labels
    assert layer.data.max() > 5
    np.testing.assert_array_equal(layer.data, by_cli)
    np.testing.assert_array_equal(layer.data, by_python)


@pytest.mark.parametrize("axes", ["xy", "yxz", "xyt"])
def test_they_agree_on_rows_and_columns_whatever_the_order_in_the_file(
    viewer, qtbot, image_file, tmp_path, axes
):
    path, pixels = tmp_path / "cells.zarr", tifffile.imread(image_file)
    planes = pixels if len(axes) == 2 else np.stack([pixels, pixels[::-1]])
    order = ["zyx".replace("z", axes[2:])[-planes.ndim :].index(axis) for axis in axes]
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=planes.transpose(order))
    named = [{"name": axis, "type": "time" if axis == "t" else "space"} for axis in axes]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": named, "datasets": [{"path": "0"}]}]
    dock, layer = in_the_dock(
        viewer, qtbot, path, lambda dock: dock.form.planes.kind.setCurrentIndex(1), "napari-utile"
    )
    assert layer.data.shape == planes.shape
    dock.copy_command()
    copied = shlex.split(QGuiApplication.clipboard().text())[1:]
    by_cli = by_command(copied, path, tmp_path / "copied")
    np.testing.assert_array_equal(layer.data > 0, by_cli > 0)
    plain = by_command(["segment", str(path), "-o", "", "--diameter", "auto"], path, tmp_path / "plain")
    np.testing.assert_array_equal(by_cli, plain)
    data, state, _ = layer.as_layer_data_tuple()
    save_labels(str(tmp_path / "saved_labels.tif"), data, state)
    saved = read_image(tmp_path / "saved_labels.tif")
    assert saved.axes == read_image(tmp_path / "plain" / "cells_labels.tif").axes
    np.testing.assert_array_equal(saved.data, layer.data)


def test_a_slider_moved_afterwards_gives_what_a_new_run_would(viewer, qtbot, image_file, tmp_path):
    dock, layer = in_the_dock(viewer, qtbot, image_file)
    dock.form.instances["threshold"].value = 0.3
    dock.form.instances["split"].value = 0.4
    qtbot.waitUntil(lambda: not dock.adjusting, timeout=30_000)
    by_python = napari_utile.segment(tifffile.imread(image_file), threshold=0.3, split=0.4).labels
    np.testing.assert_array_equal(layer.data, by_python)
    command = layer.metadata[METADATA_KEY]["recipe"]["command"]
    np.testing.assert_array_equal(layer.data, by_command(shlex.split(command)[1:], image_file, tmp_path))


def test_tile_size_does_not_change_the_labels_of_the_dock(viewer, qtbot, image_file):
    _, layer = in_the_dock(viewer, qtbot, image_file, lambda dock: dock.form.compute["tile"].set_value(48))
    np.testing.assert_array_equal(layer.data, napari_utile.segment(tifffile.imread(image_file)).labels)


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore:.*does not look like:napari_utile.engine.errors.UtileWarning")
@pytest.mark.parametrize("folder", ["bbbc039_fluo_nuclei", "dsb2018_stage1"])
def test_real_images_agree_as_well(viewer, qtbot, shared_data: Path, tmp_path, folder):
    prefix = "he_" if folder == "dsb2018_stage1" else ""
    path = sorted((shared_data / folder / "images").glob(f"{prefix}*.tif"))[0]
    dock, layer = in_the_dock(viewer, qtbot, path)
    dock.copy_command()
    by_cli = by_command(shlex.split(QGuiApplication.clipboard().text())[1:], path, tmp_path)
    np.testing.assert_array_equal(layer.data, by_cli)
    image = read_image(path)
    np.testing.assert_array_equal(layer.data, napari_utile.segment(image.data, axes=image.axes).labels)


@pytest.mark.parametrize("run_first", [True, False])
def test_the_command_of_a_channel_is_its_own_also_from_an_empty_plane(
    viewer, qtbot, bright_nuclei, tmp_path, run_first
):
    film = np.stack([np.stack([bright_discs(centres=((20, 25 + t), (50, 70)))] * 3) for t in range(2)])
    film[:, 0] = 0  # of each time point
    group = zarr.open_group(tmp_path / "film.ome.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.stack([film[..., ::-1], film], axis=1))
    axes = [{"name": name, "type": kind} for name, kind in (("t", "time"), ("c", "channel"))]
    axes += [{"name": name, "type": "space"} for name in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    viewer.open(str(tmp_path / "film.ome.zarr"), plugin="napari-utile")
    viewer.dims.set_current_step(1, 0)
    dock = page_of(viewer, "segment", qtbot)
    dock.form.planes.kind.setCurrentIndex(dock.form.planes.kind.findData("all"))
    if not run_first:
        dock.copy_command()
    dock.run()
    qtbot.waitUntil(lambda: not dock.running, timeout=60_000)
    cells = np.asarray(session_of(viewer).cells.data)
    if run_first:
        dock.copy_command()
    words = shlex.split(QGuiApplication.clipboard().text())[1:]
    by_cli = by_command(words, Path("film"), tmp_path / "made")
    assert cells[:, 1:].any()
    np.testing.assert_array_equal(by_cli > 0, cells > 0)
    recipe = viewer.layers[-1].metadata[METADATA_KEY]["recipe"]["command"]
    assert "--channels 1" in recipe
