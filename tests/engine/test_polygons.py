"""Cells as polygons: they cover exactly the pixels of the cells."""

import json
from pathlib import Path

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path as Outline

from napari_utile.cli import main
from napari_utile.engine.cells.polygons import CellPolygon, cell_polygons
from napari_utile.engine.files.images import write_labels


def filled(cell: CellPolygon, shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    centres = np.column_stack([x.ravel() + 0.5, y.ravel() + 0.5])
    mask = np.zeros(shape, bool)
    for outline, holes in cell.parts:
        inside = Outline([*outline, outline[0]]).contains_points(centres)
        for hole in holes:
            inside &= ~Outline([*hole, hole[0]]).contains_points(centres)
        mask |= inside.reshape(shape)
    return mask


@given(
    hnp.arrays(
        np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.sampled_from([0, 3, 900])
    )
)
def test_polygons_cover_exactly_their_pixels(labels: np.ndarray) -> None:
    cells = list(cell_polygons(labels))
    assert [cell.label for cell in cells] == [label for label in np.unique(labels).tolist() if label]
    for cell in cells:
        np.testing.assert_array_equal(filled(cell, labels.shape), labels == cell.label)
        for outline, holes in cell.parts:
            assert all(len(set(ring)) == len(ring) for ring in (outline, *holes)), "no ring meets itself"


def test_a_ring_has_a_hole_and_a_corner_parts() -> None:
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    [cell] = cell_polygons(ring)
    [(outline, holes)] = cell.parts
    assert sorted(outline) == [(0, 0), (0, 3), (3, 0), (3, 3)]
    assert sorted(holes[0]) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    [pinched] = cell_polygons(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]]))
    [(outline, holes)] = pinched.parts
    assert sorted(holes[0]) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    [diagonal] = cell_polygons(np.eye(2, dtype=int))
    assert len(diagonal.parts) == 2


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    labels = np.zeros((2, 12, 10), int)
    labels[0, 2:5, 3:7] = 4
    labels[1, 6:9, 1:4] = 4
    labels[1, 0:2, 8:] = 70_000
    write_labels(tmp_path / "film.tif", labels, "TYX")
    return tmp_path / "film.tif"


def test_imagej_gets_regions_on_their_frames(stack: Path, tmp_path: Path, capsys) -> None:
    assert main(["export", str(stack), "-o", str(tmp_path / "cells.zip")]) == 0
    assert "3 cells" in capsys.readouterr().out
    rois = {roi.name: roi for roi in roifile.roiread(tmp_path / "cells.zip")}
    assert set(rois) == {"t0-4", "t1-4", "t1-70000"}
    assert rois["t0-4"].t_position == 1
    assert sorted(map(tuple, rois["t0-4"].coordinates().astype(int).tolist())) == [
        (3, 2),
        (3, 5),
        (7, 2),
        (7, 5),
    ]


def test_qupath_gets_geojson(stack: Path, tmp_path: Path) -> None:
    assert main(["export", str(stack), "-o", str(tmp_path / "cells.geojson")]) == 0
    content = json.loads((tmp_path / "cells.geojson").read_text())
    assert content["type"] == "FeatureCollection"
    first = content["features"][0]
    assert first["properties"]["name"] == "4"
    assert first["geometry"]["plane"] == {"c": -1, "z": 0, "t": 0}
    (ring,) = first["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert len(ring) == 5
    assert main(["export", str(stack), "-o", str(tmp_path / "cells.geojson"), "--axes", "ZYX"]) == 0
    last = json.loads((tmp_path / "cells.geojson").read_text())["features"][-1]
    assert last["geometry"]["plane"] == {"c": -1, "z": 1, "t": 0}


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.tif", ".zip or .geojson"), ("film.tif", ".zip or .geojson"), ("no/a.zip", "does not exist")],
)
def test_what_cannot_be_written_is_one_sentence(
    stack: Path, tmp_path: Path, name: str, said: str, capsys
) -> None:
    before = stack.read_bytes()
    assert main(["export", str(stack), "-o", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert stack.read_bytes() == before


def test_labels_without_cells_are_said(tmp_path: Path, capsys) -> None:
    write_labels(tmp_path / "empty.tif", np.zeros((5, 5), int))
    assert main(["export", str(tmp_path / "empty.tif"), "-o", str(tmp_path / "a.zip")]) == 1
    assert "no cells to export" in capsys.readouterr().err
    assert not (tmp_path / "a.zip").exists()
