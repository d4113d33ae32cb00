"""Cells of linked labels have the number of their object or track in whatever measures them."""

import json

import numpy as np
import pytest
import zarr

from napari_utile.cli import main
from pictures import label_discs
from sheets import rows_of

WORDS = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--quiet"]
COLUMNS = {"t": "track_id", "z": "object"}


@pytest.fixture
def make(bright_nuclei, tmp_path):
    """Give an OME-Zarr image of three planes along an axis, in which two cells come in another order on the last."""

    def image(axis):
        cells = [[(10, 12, 5), (28, 40, 6)], [(12, 12, 5), (28, 40, 6)], [(28, 40, 6)]]
        pixels = np.array([np.where(label_discs((40, 60), *each), 200, 0) for each in cells], np.uint8)
        path = tmp_path / f"{axis}.zarr"
        root = zarr.create_group(path, zarr_format=3)
        root.create_array("0", data=pixels)
        axes = [{"name": name} for name in (axis, "y", "x")]
        root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
        return path

    return image


def measured(labels, table):
    assert main(["measure", str(labels), "-o", str(table)]) == 0
    return rows_of(table)


@pytest.mark.parametrize("axis", ["t", "z"])
def test_linked_labels_are_measured_with_the_column_of_their_run(make, tmp_path, axis):
    image, out = make(axis), tmp_path / "out"
    words = ["segment", str(image), *WORDS, "--link", axis]
    assert main([*words, "-o", str(out), "--measurements", "--mask", "--into-image"]) == 0
    assert main([*words, "-o", str(tmp_path / "made.ome.zarr")]) == 0
    wanted = rows_of(out / f"{axis}_cells.csv")
    assert [row[COLUMNS[axis]] for row in wanted] == ["1", "2", "1", "2", "2"]
    labels = [out / f"{axis}_labels.tif", tmp_path / "made.ome.zarr", image / "labels/cells"]
    for each in labels:
        rows = measured(each, tmp_path / "a.csv")
        first = [*wanted[0]][: 1 + [*wanted[0]].index("label")]
        assert [*rows[0]][: 1 + len(first)] == ["image", *first]
        assert [[row[name] for name in first] for row in rows] == [
            [row[name] for name in first] for row in wanted
        ]
    assert COLUMNS[axis] not in measured(out / f"{axis}_mask.tif", tmp_path / "a.csv")[0]  # it holds no ids
    assert main([*words, "-o", str(tmp_path / "inside.ome.zarr"), "--into-image", "--overwrite"]) == 0
    assert COLUMNS[axis] in measured(image / "labels/cells", tmp_path / "a.csv")[0]


def test_labels_that_nothing_links_and_those_of_three_views_are_told_apart(make, tmp_path):
    image = make("z")
    words = ["segment", str(image), *WORDS, "-o"]
    assert main([*words, str(tmp_path / "plain"), "--into-image"]) == 0
    assert main([*words, str(tmp_path / "views"), "--three-views", "--plane-distance", "1"]) == 0
    plain, views = (tmp_path / name / "z_labels.tif" for name in ("plain", "views"))
    for labels in (plain, image / "labels/cells"):
        assert not {"object", "track_id"} & {*measured(labels, tmp_path / "a.csv")[0]}
    rows = measured(views, tmp_path / "a.csv")
    assert rows
    assert all(row["object"] == row["index"] for row in rows)


def test_a_recipe_that_holds_links_alone_counts_for_labels_of_as_many_planes(make, tmp_path):
    image = make("t")
    assert main(["segment", str(image), *WORDS, "--link", "t", "-o", str(tmp_path)]) == 0
    path = tmp_path / "t_recipe.json"
    linking = json.loads(path.read_text())["linking"]
    for given, known in ((linking, True), (linking | {"labels": linking["labels"][:2]}, False)):
        path.write_text(json.dumps({"format": "napari-utile links 1", "linking": given}))
        assert ("track_id" in measured(tmp_path / "t_labels.tif", tmp_path / "a.csv")[0]) == known
