import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imread

from napari_utile import cli
from napari_utile.cli import demo
from sheets import rows_of

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory) -> tuple[Path, str]:
    """The output folder of a demo without a display on a part of a sample, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    tifffile.imwrite(folder / "part.tif", tifffile.imread(TOP / "sample_data/nuclei.tif")[:120, :140])
    command = [sys.executable, "-m", "napari_utile.cli", "demo", "--offscreen", "-o", str(folder / "out")]
    done = subprocess.run(
        [*command, str(folder / "part.tif")], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", done.stdout


def test_the_demo_without_a_display_says_what_it_wrote(demonstrated):
    folder, printed = demonstrated
    assert {path.name for path in folder.iterdir()} == {
        "part_labels.tif",
        "part_measurements.csv",
        "part_figure.png",
    }
    for path in folder.iterdir():
        assert str(path) in printed


def test_the_demo_measures_each_instance_that_it_labels(demonstrated):
    folder, printed = demonstrated
    labels = tifffile.imread(folder / "part_labels.tif")
    rows = rows_of(folder / "part_measurements.csv")
    assert labels.shape == (120, 140)
    assert len(rows) >= 3
    assert [int(row["index"]) for row in rows] == np.unique(labels[labels > 0]).tolist()
    assert f"{len(rows)} instances" in printed


def test_the_figure_of_the_demo_has_four_panels_with_colour(demonstrated):
    figure = imread(demonstrated[0] / "part_figure.png")[..., :3].astype(int)
    assert min(figure.shape[:2]) > 400
    assert (np.ptp(figure, axis=2) > 100).any()


def test_the_demo_gives_the_labels_of_the_command_line(demonstrated, tmp_path):
    part = demonstrated[0].parent / "part.tif"
    assert cli.main(["segment", str(part), "-o", str(tmp_path), "--quiet"]) == 0
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "part_labels.tif"), tifffile.imread(demonstrated[0] / "part_labels.tif")
    )


def test_an_image_that_cannot_be_read_is_one_sentence(tmp_path, capfd):
    assert cli.main(["demo", "--offscreen", "-o", str(tmp_path), str(tmp_path / "none.tif")]) == 1
    printed = capfd.readouterr().err
    assert f"utile demo: There is no file {tmp_path / 'none.tif'}." in printed
    assert "Traceback" not in printed


def test_a_window_that_cannot_open_points_to_the_doctor(monkeypatch, capsys):
    monkeypatch.setattr(demo.subprocess, "run", lambda *_, **__: argparse.Namespace(returncode=-6))
    assert cli.main(["demo"]) == 1
    assert "utile doctor" in capsys.readouterr().err


def test_without_napari_the_demo_names_the_line_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert cli.main(["demo"]) == 1
    assert 'pip install "napari-utile[all]"' in capsys.readouterr().err
