"""`utile click`: saved markers make the same labels without a window."""

import shlex

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari_builtins.io import napari_write_points
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_utile.cli import main
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of
from pictures import CELLS, bright_discs

WAIT = 30_000


@pytest.fixture(autouse=True)
def _fast(bright_nuclei):
    """Click with a model that takes no time."""


class Clicked:
    """An image file that was clicked on in a viewer."""

    def __init__(self, qtbot, folder, image):
        self.qtbot, self.folder = qtbot, folder
        tifffile.imwrite(folder / "cells.tif", image, imagej=True, metadata={"axes": "TYX"[-image.ndim :]})
        self.viewer = ViewerModel()
        self.viewer.add_image(image, name="cells")
        self.dock = page_of(self.viewer, "click")
        qtbot.addWidget(self.dock.dock)
        qtbot.mouseClick(self.dock.form.toggle, Qt.MouseButton.LeftButton)
        self.finish()

    @property
    def labels(self):
        return self.dock.dock.header.cells.layer.data

    def finish(self):
        self.qtbot.waitUntil(lambda: self.dock.tool.queue.busy == 0, timeout=WAIT)
        self.qtbot.wait(20)

    def click(self, pixel, gesture="click"):
        self.dock.mouse.clicked.emit(pixel, gesture)
        self.finish()

    def run_copied_command(self):
        """Save the markers as napari does, and run the copied command on the files; returns its labels."""
        points = self.viewer.layers["cells cells markers"]
        data, meta, _ = points.as_layer_data_tuple()
        napari_write_points(str(self.folder / "markers.csv"), data, {"properties": points.properties, **meta})
        self.dock.form.copy_command.click()
        words = shlex.split(QGuiApplication.clipboard().text())
        assert words[:2] == ["utile", "click"]
        places = {"IMAGE.tif": "cells.tif", "MARKERS.csv": "markers.csv", "clicked_labels.tif": "out.tif"}
        assert main([str(self.folder / places[word]) if word in places else word for word in words[1:]]) == 0
        return tifffile.imread(self.folder / "out.tif")


def test_the_copied_command_makes_what_the_dock_makes(qtbot, tmp_path, capsys):
    clicked = Clicked(qtbot, tmp_path, bright_discs())
    for cell in CELLS[:4]:
        clicked.click(cell)
    clicked.click((47, 70), "shift")
    clicked.click((20, 66), "background")
    clicked.dock.form.apply_again.click()
    clicked.finish()
    made = clicked.run_copied_command()
    assert set(np.unique(made)) == {0, 1, 2, 3, 4, 5}
    assert made[20, 66] == 0
    np.testing.assert_array_equal(made, clicked.labels)
    assert "cells.tif: 5 cells" in capsys.readouterr().out


def test_parameters_that_were_changed_are_in_the_command(qtbot, tmp_path):
    clicked = Clicked(qtbot, tmp_path, bright_discs())
    clicked.dock.form.instances.set_value(clicked.dock.form.instances.value().__class__(threshold=0.9))
    clicked.dock.form.instances.changed.emit()
    clicked.click(CELLS[0])
    made = clicked.run_copied_command()
    assert "--threshold 0.9" in QGuiApplication.clipboard().text()
    np.testing.assert_array_equal(made, clicked.labels)


def test_clicks_see_what_segment_gave_the_network(qtbot, tmp_path):
    image = 255 - bright_discs()
    clicked = Clicked(qtbot, tmp_path, image)
    session_of(clicked.viewer).asked = SegmentParams(preprocess="invert")
    clicked.click(CELLS[0])
    assert clicked.labels.max() == 1
    made = clicked.run_copied_command()
    assert "--preprocess invert" in QGuiApplication.clipboard().text()
    np.testing.assert_array_equal(made, clicked.labels)


def test_markers_of_a_film_make_cells_on_their_planes(qtbot, tmp_path):
    film = np.stack([bright_discs(), bright_discs(centres=CELLS[:1]), bright_discs(centres=CELLS[2:])])
    clicked = Clicked(qtbot, tmp_path, film)
    for step, cell in ((0, CELLS[1]), (2, CELLS[2])):
        clicked.viewer.dims.set_current_step(0, step)
        clicked.click(cell)
    made = clicked.run_copied_command()
    assert made.shape == film.shape
    np.testing.assert_array_equal(made, clicked.labels)


def test_planes_and_axes_of_the_image_can_be_chosen(tmp_path, capsys):
    film = np.stack([bright_discs() // 5, bright_discs(), bright_discs(centres=CELLS[:1])])
    tifffile.imwrite(tmp_path / "film.tif", film, photometric="minisblack")
    (tmp_path / "here.csv").write_text(
        f"index,axis-0,axis-1,kind,cell,order\n0,{CELLS[0][0]},{CELLS[0][1]},cell,1,1\n"
    )
    (tmp_path / "there.csv").write_text(
        f"index,axis-0,axis-1,axis-2,kind,cell,order\n0,1,{CELLS[0][0]},{CELLS[0][1]},cell,1,1\n"
    )

    def clicked(points, *options):
        words = ["click", str(tmp_path / "film.tif"), "--points", str(tmp_path / points), *options]
        assert main([*words, "-o", str(tmp_path / "out.tif")]) == 0
        return tifffile.imread(tmp_path / "out.tif")

    one = clicked("here.csv", "--axes", "ZYX", "--z", "1")
    assert one.max() == 1
    assert "(Z 1 of 3" in capsys.readouterr().out
    several = clicked("there.csv", "--axes", "ZYX", "--z", "1:")
    np.testing.assert_array_equal(several, [one, np.zeros_like(one)])
    np.testing.assert_array_equal(clicked("here.csv", "--project", "t:max"), clicked("here.csv", "--t", "1"))


def test_the_command_of_a_layer_of_one_channel_names_the_channel(qtbot, tmp_path):
    both = np.stack([np.zeros_like(bright_discs()), bright_discs()])
    tifffile.imwrite(tmp_path / "both.tif", both, imagej=True, metadata={"axes": "CYX"})
    clicked = Clicked(qtbot, tmp_path, bright_discs())
    clicked.viewer.layers["cells"].source.__dict__["path"] = str(tmp_path / "both.tif")
    clicked.click(CELLS[0])
    made = clicked.run_copied_command()
    assert "--channels 1" in QGuiApplication.clipboard().text()
    np.testing.assert_array_equal(made, clicked.labels)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index,axis-0,axis-1\n0,20,22\n", "no column kind, cell, order"),
        ("a,b\n1,2\n", "holds no points"),
        ("index,axis-0,axis-1,kind,cell,order\n0,x,22,cell,1,1\n", "cannot be read"),
        ("index,axis-0,axis-1,axis-2,kind,cell,order\n0,0,20,22,cell,1,1\n", "3 coordinates"),
        ("index,axis-0,axis-1,kind,cell,order\n0,20,22,,1,1\n", "no markers in this file"),
    ],
)
def test_what_are_no_markers_of_the_image_is_refused_in_one_sentence(tmp_path, capsys, text, words):
    tifffile.imwrite(tmp_path / "cells.tif", bright_discs())
    (tmp_path / "markers.csv").write_text(text)
    options = ["--points", str(tmp_path / "markers.csv"), "-o", str(tmp_path / "out.tif")]
    assert main(["click", str(tmp_path / "cells.tif"), *options]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.tif").exists()


def test_markers_outside_of_the_image_or_on_nothing_are_counted(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "cells.tif", bright_discs())
    rows = ["0,20,22,cell,1,1,", "1,500,3,cell,2,2,", "2,2,40,cell,3,3,0.5"]
    (tmp_path / "markers.csv").write_text("\n".join(["index,axis-0,axis-1,kind,cell,order,threshold", *rows]))
    options = ["--points", str(tmp_path / "markers.csv"), "-o", str(tmp_path / "out.tif")]
    assert main(["click", str(tmp_path / "cells.tif"), *options]) == 0
    found, nothing = capsys.readouterr().out.splitlines()
    assert "1 cell (" in found
    assert nothing == "2 had nothing under their markers"
    assert set(np.unique(tifffile.imread(tmp_path / "out.tif"))) == {0, 1}
