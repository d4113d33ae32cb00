"""What a store is made of: the file that a layer shows, read as the command line reads it; else the layer."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtGui import QGuiApplication

import napari_utile.session.store_jobs as store_jobs
from napari_utile.cli import main
from napari_utile.engine.files.images import write_image
from napari_utile.engine.files.unfinished import is_complete
from napari_utile.engine.planes.pixels import seen_of
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.sources import planes_of
from napari_utile.session.store_source import source_of
from pages import page_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def two_channels(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Squares in the second channel, fewer of them in the first."""
    data = np.full((2, 90, 120), 100, np.uint8)
    for y in range(5, 80, 20):
        for x in range(5, 110, 20):
            data[1, y : y + 9, x : x + 9] = 220
    data[0, 40:52, 40:52] = 220
    path = tmp_path / "two.tif"
    write_image(path, data, "CYX", (0.5, 0.5), "µm")
    return path, data


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill stores here: what is read, and by whom, is the same in the process beside napari."""
    monkeypatch.setattr("napari_utile.session.store_jobs.steps_apart", store_steps)


def shown(path, data, qtbot, tmp_path, monkeypatch):
    PluginManager.instance().discover()  # with a window, napari does it
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)
    viewer = ViewerModel()
    [layer] = viewer._add_layer_from_data(
        data,
        {"name": "actin", "scale": (1.0, 0.5, 0.5)[-data.ndim :], "axis_labels": "tyx"[-data.ndim :]},
        "image",
    )
    layer.source.__dict__["path"] = str(path)
    page = page_of(viewer, "segment", qtbot)
    page.dock.show()
    page.form.diameter.value = None
    return page


def test_a_channel_of_a_file_is_read_by_any_process(two_channels, qtbot, tmp_path, monkeypatch) -> None:
    path, data = two_channels
    page = shown(path, data[1], qtbot, tmp_path, monkeypatch)
    source = source_of([page.request()[1]])
    assert (source.name, source.channels) == (str(path), (1,))
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    place = tmp_path / "actin.cells.ome.zarr"
    assert is_complete(place), page.form.status.text()
    plan = load_plan(place)
    assert seen_of(list(planes_of(plan))) == plan.seen
    labels = zarr.open_array(place / "labels/cells/0", mode="r")[...]
    assert labels.max() == 24
    command = ["segment", str(path), "--channels", "1"]
    assert main([*command, "-o", str(tmp_path / "a.zarr"), "--diameter", "none", "--quiet"]) == 0
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr/labels/cells/0", mode="r")[...], labels)
    assert main([*command, "-o", str(place), "--resume"]) == 0


@pytest.mark.usefixtures("in_this_process")
def test_the_time_between_frames_is_that_of_the_file(two_channels, qtbot, tmp_path, monkeypatch) -> None:
    _, data = two_channels
    write_image(tmp_path / "film.tif", data, "TYX", (0.5, 0.5), "µm", steps={"T": (30.0, "s")})
    page = shown(tmp_path / "film.tif", data, qtbot, tmp_path, monkeypatch)
    page.form.planes.kind.setCurrentIndex(page.form.planes.kind.findData("all"))
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    place = tmp_path / "actin.cells.ome.zarr"
    assert is_complete(place), page.form.status.text()
    plan = load_plan(place)
    assert (plan.space.axes, plan.space.scale[0], plan.space.units[0]) == ("TYX", 30.0, "s")
    assert plan.planes == ({"T": 0}, {"T": 1})


def test_a_layer_that_was_changed_is_not_taken_for_its_file(
    two_channels, qtbot, tmp_path, monkeypatch
) -> None:
    path, data = two_channels
    page = shown(path, data[1] // 2, qtbot, tmp_path, monkeypatch)
    source = source_of([page.request()[1]])
    assert (source.name, source.located) == ("actin", None)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    place = tmp_path / "actin.cells.ome.zarr"
    assert is_complete(place), page.form.status.text()
    assert zarr.open_array(place / "labels/cells/0", mode="r")[...].max() == 24


def copied(page, qtbot):
    """Return what "Copy command" puts on the clipboard, as arguments."""
    clipboard = QGuiApplication.clipboard()
    clipboard.setText("")
    page.form.copy_command.click()
    qtbot.waitUntil(lambda: clipboard.text() != "", timeout=20_000)
    program, *arguments = shlex.split(clipboard.text())
    assert program == "utile"
    return [*arguments, "--quiet"]


@pytest.mark.usefixtures("in_this_process")
def test_the_copied_command_makes_the_store_of_a_range_of_planes(
    two_channels, qtbot, tmp_path, monkeypatch
) -> None:
    _, data = two_channels
    write_image(tmp_path / "film.tif", data[[1, 1, 0]], "TYX", (0.5, 0.5), "µm", steps={"T": (30.0, "s")})
    page = shown(tmp_path / "film.tif", data[[1, 1, 0]], qtbot, tmp_path, monkeypatch)
    form, place = page.form, tmp_path / "actin.cells.ome.zarr"
    form.planes.first.setValue(1)
    form.planes.last.setValue(2)
    form.planes.kind.setCurrentIndex(form.planes.kind.findData("range"))
    form.linking.kind.setCurrentIndex(form.linking.kind.findData("t"))
    assert main(copied(page, qtbot)) == 0
    labels = zarr.open_array(place / "labels/cells/0", mode="r")[...]
    assert labels.shape == (2, 90, 120)
    assert (labels[0] == labels[1]).all()
    assert labels.max() == 24
    assert (place / "tables" / "tracks.csv").is_file()
    page.run()  # the dock finds the same plan there, and nothing to do
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert "24 tracks" in form.status.text()


@pytest.mark.usefixtures("in_this_process")
def test_the_copied_command_finishes_what_was_cancelled(two_channels, qtbot, tmp_path, monkeypatch) -> None:
    path, data = two_channels
    page = shown(path, data[1], qtbot, tmp_path, monkeypatch)
    place = tmp_path / "actin.cells.ome.zarr"
    cancel = page.form.store.progress.connect(lambda done, *_: done and page.cancel())
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    page.form.store.progress.disconnect(cancel)
    assert not is_complete(place)
    page.form.instances["threshold"].value = 0.8  # of the dock now: the plan of the store counts
    assert main(copied(page, qtbot)) == 0
    assert "It finishes what is started." in page.form.status.text()
    assert zarr.open_array(place / "labels/cells/0", mode="r")[...].max() == 24


def test_the_estimate_of_a_stack_is_that_of_all_planes(two_channels, qtbot, tmp_path, monkeypatch) -> None:
    _, data = two_channels
    write_image(tmp_path / "film.tif", data, "TYX", (0.5, 0.5), "µm", steps={"T": (30.0, "s")})
    page = shown(tmp_path / "film.tif", data, qtbot, tmp_path, monkeypatch)
    page.form.planes.kind.setCurrentIndex(page.form.planes.kind.findData("all"))
    said = page.form.estimate.text
    qtbot.waitUntil(lambda: "Together, the 2 planes will take 2 blocks, " in said(), timeout=60_000)
    assert "of memory in a process of its own" in said()
    page.form.store.run_on.setText("tcp://workstation:8786")
    page.form.store.run_on.editingFinished.emit()
    qtbot.waitUntil(lambda: "of memory in each worker" in said(), timeout=60_000)
