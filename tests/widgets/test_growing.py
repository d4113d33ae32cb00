"""Grow from: nuclei become whole cells in another channel, with their numbers."""

import shlex

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtGui import QGuiApplication

from napari_utile.cli import main
from napari_utile.engine.files.images import read_image
from napari_utile.engine.grow import grow_seeds
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of

WAIT = 60_000


def discs(radius: float) -> np.ndarray:
    y, x = np.mgrid[:120, :160]
    return ((y % 40) - 20) ** 2 + ((x % 40) - 20) ** 2 < radius**2


CELLS = discs(13) * np.float32(200)
NUCLEI = np.zeros((120, 160), np.int32)
for number, (row, column) in enumerate(np.ndindex(3, 4)):
    NUCLEI[row * 40 + 16 : row * 40 + 24, column * 40 + 16 : column * 40 + 24] = 5 + 3 * number


@pytest.fixture
def page(qtbot):
    return page_of(ViewerModel(), "segment", qtbot)


def grow(page, qtbot):
    page.growing.run()
    qtbot.waitUntil(lambda: not page.growing.running, timeout=WAIT)


def test_each_nucleus_becomes_its_whole_cell_and_both_are_measured(page, qtbot):
    viewer = page.viewer
    viewer.add_image(CELLS, name="membrane", scale=(0.5, 0.5), units=("µm", "µm"))
    seeds = viewer.add_labels(NUCLEI, name="nuclei", scale=(0.5, 0.5), units=("µm", "µm"))
    page.form.grow.distance.value = 15
    grow(page, qtbot)
    made = viewer.layers["membrane cells of nuclei"]
    np.testing.assert_array_equal(made.data, grow_seeds(CELLS, NUCLEI, distance=15))
    assert set(np.unique(made.data)) == set(np.unique(NUCLEI))
    table = made.features
    assert list(table["index"]) == sorted(np.unique(NUCLEI)[1:])
    assert (table["area_cytoplasm_um2"] > 0).all()
    assert "intensity_nucleus_to_cytoplasm" in table
    assert page.form.grow.status.text().startswith("12 cells")
    assert session_of(viewer).cells is made
    assert seeds.data is NUCLEI
    np.testing.assert_array_equal(made.scale, (0.5, 0.5))


def test_nothing_grows_in_an_image_without_numbers(page, qtbot):
    page.viewer.add_image(np.full(CELLS.shape, np.nan, np.float32), name="lost")
    page.viewer.add_labels(NUCLEI, name="nuclei")
    grow(page, qtbot)
    assert page.form.grow.status.text() == "lost has no finite values: all its pixels are NaN or infinite."
    assert [each.name for each in page.viewer.layers] == ["lost", "nuclei"]


def test_all_planes_of_a_stack_grow_and_a_model_can_say_where_cells_end(page, qtbot, bright_nuclei):
    viewer = page.viewer
    viewer.add_image(np.stack([CELLS, CELLS[:, ::-1]]), name="film", axis_labels=("t", "y", "x"))
    viewer.add_labels(np.stack([NUCLEI, NUCLEI[:, ::-1]]), name="nuclei")
    page.form.planes.kind.setCurrentIndex(1)
    page.form.diameter.value = None
    page.form.grow.way.setCurrentIndex(1)
    grow(page, qtbot)
    made = viewer.layers["film cells of nuclei"]
    assert made.data.shape == (2, 120, 160)
    for plane, image in zip(made.data, (discs(13), discs(13)[:, ::-1]), strict=True):
        assert (plane > 0)[image].mean() > 0.95
        assert set(np.unique(plane)) == set(np.unique(NUCLEI))
    table = made.features
    assert table["t"].tolist() == [0] * 12 + [1] * 12, (
        "a nucleus keeps its number, which starts again on each plane"
    )
    assert table["index"].tolist() == sorted(np.unique(NUCLEI)[1:]) * 2
    areas = [np.count_nonzero(made.data[t] == n) for t, n in zip(table["t"], table["index"], strict=True)]
    assert table["area_px"].tolist() == areas


def test_what_is_missing_or_does_not_fit_is_one_sentence(page, qtbot):
    viewer, fields = page.viewer, page.form.grow
    viewer.add_image(CELLS, name="membrane")
    page.growing.run()
    assert "nuclei first" in fields.status.text()
    viewer.add_labels(NUCLEI[:50], name="nuclei")
    page.growing.run()
    assert (
        fields.status.text()
        == "nuclei has 50 x 160 pixels, and the image 120 x 160: nuclei lie on the image's pixels."
    )
    assert not page.growing.running
    assert len(viewer.layers) == 2


def test_growing_can_be_cancelled_and_ends_with_the_dock(page, qtbot):
    viewer = page.viewer
    viewer.add_image(np.stack([CELLS] * 30), name="film", axis_labels=("t", "y", "x"))
    viewer.add_labels(np.stack([NUCLEI] * 30), name="nuclei")
    page.form.planes.kind.setCurrentIndex(1)
    page.growing.run()
    page.growing.cancel()
    qtbot.waitUntil(lambda: not page.growing.running, timeout=WAIT)
    assert not page.form.grow.run_bar.busy
    page.growing.run()
    page.let_go()
    assert not page.growing.running
    assert len(viewer.layers) == 2


def test_the_recipe_is_kept_with_the_cells_and_its_command_grows_them_again(page, qtbot, tmp_path):
    viewer = page.viewer
    image, seeds, saved = tmp_path / "membrane.tif", tmp_path / "nuclei.tif", tmp_path / "grown_labels.tif"
    tifffile.imwrite(image, CELLS)
    tifffile.imwrite(seeds, NUCLEI)
    viewer.open(str(image), plugin="napari")
    viewer.open(str(seeds), plugin="napari", layer_type="labels")
    grow(page, qtbot)
    made = viewer.layers["membrane cells of nuclei"]
    page.form.grow.copy_command.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:2] == ["utile", "segment"]
    words[words.index("-o") + 1] = str(tmp_path / "again")
    assert main(words[1:]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again" / "membrane_labels.tif"), made.data)
    made.save(str(saved), plugin="napari-utile")
    assert main(["replay", str(tmp_path / "grown_recipe.json")]) == 0
    made.save(str(tmp_path / "any name.tif"), plugin="napari-utile")
    assert main(["replay", str(tmp_path / "any name_recipe.json")]) == 0


def test_layers_without_a_file_get_a_command_that_says_what_is_missing(page, qtbot):
    viewer = page.viewer
    viewer.add_image(CELLS, name="membrane")
    viewer.add_labels(NUCLEI, name="nuclei")
    assert not page.form.grow.copy_command.isEnabled()
    grow(page, qtbot)
    page.form.grow.copy_command.click()
    assert "IMAGE.tif --seeds SEEDS.tif" in QGuiApplication.clipboard().text()
    assert "replace IMAGE.tif and SEEDS.tif with the names of their files" in page.form.grow.status.text()


def test_a_large_image_is_left_to_the_command_line_which_is_given(page, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_utile.session.store_jobs.MOST_IN_MEMORY", 1000)
    viewer, fields = page.viewer, page.form.grow
    tifffile.imwrite(tmp_path / "membrane.tif", CELLS)
    tifffile.imwrite(tmp_path / "nuclei.tif", NUCLEI)
    viewer.open(tmp_path / "membrane.tif", layer_type="image", plugin="napari")
    viewer.open(tmp_path / "nuclei.tif", layer_type="labels", plugin="napari")
    fields.distance.value = 15
    page.growing.run()
    assert not page.growing.running
    assert "only the command line" in fields.status.text()
    fields.copy_command.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[0] == "utile"
    assert main([*words[1:], "--quiet"]) == 0
    made = read_image(tmp_path / "membrane.grown.ome.zarr" / "labels" / "cells").data
    np.testing.assert_array_equal(made, grow_seeds(CELLS, NUCLEI, distance=15))
    assert (tmp_path / "membrane.grown.ome.zarr" / "tables" / "cells.csv").is_file()
