"""The tables of a batch tell what lies in the folder, whatever was done to it since, and by whom."""

import csv
import os

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main

pytestmark = pytest.mark.usefixtures("bright_nuclei")
WORDS = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--quiet", "--measurements"]


def spots(count):
    plane = np.zeros((30, 60), np.uint8)
    for number in range(count):
        plane[5:12, 3 + 9 * number : 9 + 9 * number] = 200
    return plane


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Folder:
    """Images, and a folder of what is made of them."""

    def __init__(self, path):
        self.images, self.out = path / "images", path / "out"
        self.images.mkdir()

    def draw(self, **counts):
        for name, count in counts.items():
            tifffile.imwrite(self.images / f"{name}.tif", spots(count))

    def segment(self, *names, options=()):
        """Segment some of the images; all of them without names."""
        given = [str(self.images / f"{name}.tif") for name in names] or [str(self.images)]
        return main(["segment", *given, "-o", str(self.out), *WORDS, *options])

    def told(self, ending=""):
        """Give the cells that the table of fields has, "failed" where there are none; that of cells has as many."""
        counts = {row["image"]: int(row["cells"] or -1) for row in rows(self.out / f"fields{ending}.csv")}
        cells = self.out / f"cells{ending}.csv"
        listed = [row["image"] for row in rows(cells)] if cells.exists() else []
        assert {name: listed.count(name) for name in {*listed}} == {
            name: count for name, count in counts.items() if count > 0
        }
        return {name: "failed" if count < 0 else count for name, count in counts.items()}

    def sheet(self, ending=""):
        return (self.out / f"quality{ending}.html").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_names_that_are_not_utf_8_stay_in_the_tables(folder):
    folder.draw(a=1, b=2)
    try:
        os.rename(folder.images / "b.tif", folder.images / os.fsdecode(b"caf\xe9.tif"))
    except OSError:
        pytest.skip("this disk has names in UTF-8 only")
    assert folder.segment() == 0
    told = folder.told()
    assert sorted(told.values()) == [1, 2]
    assert folder.segment("a") == 0
    assert folder.told() == told
    assert folder.sheet().count("data:image/png;base64,") == 2
