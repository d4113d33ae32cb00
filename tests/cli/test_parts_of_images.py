"""Labels of a part of an image are measured and exported where that part lies in the image."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from napari_utile.cli import main
from napari_utile.engine.errors import UtileWarning
from napari_utile.engine.files.images import write_image
from sheets import rows_of

WORDS = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--quiet"]
SIZES = {"t": 2, "z": 3, "y": 40, "x": 60}


@pytest.fixture
def stack(bright_nuclei, tmp_path):
    """A stack (T, Z, Y, X) of other spots, and other grey values, on each plane."""
    pixels = np.zeros(tuple(SIZES.values()), np.uint8)
    for t, z in np.ndindex(2, 3):
        for number in range(1 + t + 2 * z):
            pixels[t, z, 12 + z : 20 + z, 12 + 8 * number : 18 + 8 * number] = 180 + 10 * t + 20 * z + number
    path = tmp_path / "stack.zarr"
    root = zarr.create_group(path, zarr_format=3)
    root.create_array("0", data=pixels)
    axes = [{"name": axis, "type": "time" if axis == "t" else "space"} for axis in SIZES]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    return path


def number(row, name):
    return float(next(value for key, value in row.items() if key.lower() == name) or "nan")


PARTS = [
    ["--z", "1"],
    ["--t", "1"],
    ["--z", "1:3"],
    ["--t", "1", "--z", "2"],
    ["--project", "z:max"],
    ["--z", "1:3", "--t", "1", "--project", "z:mean"],
    [],
]


@pytest.mark.parametrize("region", [[], ["--region", "8:38,5:58"]], ids=["whole", "region"])
@pytest.mark.parametrize("part", PARTS, ids=["-".join(part) or "all" for part in PARTS])
def test_measured_with_its_image_a_part_gives_the_table_of_its_run(stack, tmp_path, capsys, part, region):
    out = tmp_path / "out"
    words = ["segment", str(stack), *WORDS, *part, *region]
    assert main([*words, "-o", str(out), "--measurements", "--into-image"]) == 0
    assert main([*words, "-o", str(tmp_path / "made.ome.zarr")]) == 0
    wanted = rows_of(out / "stack_cells.csv")
    given = [out / "stack_labels.tif", tmp_path / "made.ome.zarr", tmp_path / "made.ome.zarr/labels/cells"]
    given += [stack / "labels/cells"]
    for labels in given:
        assert main(["measure", str(labels), str(stack), "-o", str(tmp_path / "a.csv")]) == 0
        found = rows_of(tmp_path / "a.csv")
        for name in ("t", "z", "centroid_y", "centroid_x", "area_px", "intensity_mean"):
            if name in map(str.lower, wanted[0]):
                assert [number(row, name) for row in found] == [number(row, name) for row in wanted], labels
        assert {"t", "z"} & {*map(str.lower, found[0])} == {"t", "z"} & {*map(str.lower, wanted[0])}, labels
        assert ("8 rows and 5 columns" in capsys.readouterr().err) == bool(region)


@pytest.mark.parametrize("store", [False, True], ids=["file", "store"])
def test_regions_of_interest_lie_where_the_cells_do(stack, tmp_path, capsys, store):
    part = ["--region", "8:38,5:58", "--z", "2", "--t", "1"]
    out = tmp_path / ("made.ome.zarr" if store else "out")
    assert main(["segment", str(stack), "-o", str(out), *WORDS, *part]) == 0
    labels = out if store else out / "stack_labels.tif"
    assert main(["export", str(labels), "-o", str(tmp_path / "a.geojson")]) == 0
    cells = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(cells) == 6
    corners = np.concatenate([np.array(cell["geometry"]["coordinates"][0]) for cell in cells])
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([12, 14], [58, 22])
    assert {tuple(cell["geometry"]["plane"].items()) for cell in cells} == {(("c", -1), ("z", 2), ("t", 1))}
    assert "8 rows and 5 columns" in capsys.readouterr().err


def test_a_recipe_of_other_labels_says_nothing(stack, tmp_path):
    out = tmp_path / "out"
    assert main(["segment", str(stack), "-o", str(out), *WORDS, "--t", "0", "--region", "8:38,5:58"]) == 0
    edited = np.zeros((3, 40, 60), np.uint16)
    edited[0, 1:3, 1:3] = 1
    write_image(out / "stack_labels.tif", edited, "ZYX")
    assert main(["measure", str(out / "stack_labels.tif"), "-o", str(tmp_path / "a.csv")]) == 0
    assert [(row["centroid_y"], row["z"]) for row in rows_of(tmp_path / "a.csv")] == [("1.5", "0")]


def test_labels_of_other_pixels_are_refused_in_a_sentence(tmp_path, capsys):
    labels = np.zeros((10, 20), np.uint16)
    labels[2:5, 2:5] = 1
    write_image(tmp_path / "labels.tif", labels)
    write_image(tmp_path / "image.tif", np.zeros((40, 60), np.uint8))
    words = ["measure", str(tmp_path / "labels.tif"), str(tmp_path / "image.tif")]
    assert main([*words, "-o", str(tmp_path / "a.csv")]) == 1
    said = "labels.tif has 10 x 20 pixels and image.tif 40 x 60: they do not pair."
    assert said in capsys.readouterr().err


def labels_inside(path, pixels, attributes):
    """Write labels into an image, as this or another program does."""
    group = zarr.open_group(path, mode="a").create_group("labels/cells")
    group.create_array("0", data=pixels)
    group.attrs.update(attributes)


AT_0 = [{"type": "scale", "scale": [1.0] * 4}, {"type": "translation", "translation": [0.0] * 4}]


@pytest.mark.parametrize(
    ("transformations", "ours", "plane"),
    [([], False, None), (AT_0[:1], False, None), (AT_0, False, {"t": "0", "z": "0"}), (AT_0, True, None)],
)
def test_one_plane_in_a_stack_is_its_first_only_where_it_says_so(
    stack, tmp_path, capsys, transformations, ours, plane
):
    pixels = np.zeros((1, 1, 40, 60), np.uint16)
    pixels[..., 12:20, 12:18] = 1
    dataset = {"path": "0", **({"coordinateTransformations": transformations} if transformations else {})}
    axes = [{"name": axis, "type": "time" if axis == "t" else "space"} for axis in SIZES]
    attributes = {"ome": {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [dataset]}]}}
    labels_inside(stack, pixels, attributes | ({"napari-utile": {"made by": "napari-utile"}} if ours else {}))
    words = ["measure", str(stack / "labels/cells"), str(stack), "-o", str(tmp_path / "a.csv")]
    assert main(words) == (plane is None)
    assert ("they do not pair" in capsys.readouterr().err) == (plane is None)
    if plane is not None:
        assert {name: rows_of(tmp_path / "a.csv")[0][name] for name in plane} == plane


def test_axes_of_one_plane_are_no_columns_of_the_table(bright_nuclei, tmp_path):
    path = tmp_path / "flat.zarr"
    root = zarr.create_group(path, zarr_format=3)
    pixels = np.zeros((1, 1, 1, 40, 60), np.uint8)
    pixels[..., 12:20, 12:18] = 180
    root.create_array("0", data=pixels)
    axes = [{"name": axis} for axis in "tczyx"]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    words = ["segment", str(path), "-o", str(tmp_path / "out"), *WORDS, "--measurements", "--into-image"]
    assert main(words) == 0
    assert main(["measure", str(path / "labels/cells"), str(path), "-o", str(tmp_path / "a.csv")]) == 0
    found, wanted = rows_of(tmp_path / "a.csv"), rows_of(tmp_path / "out/flat_cells.csv")
    assert {"t", "z"}.isdisjoint({*found[0], *wanted[0]})
    assert [row["area_px"] for row in found] == [row["area_px"] for row in wanted]


@pytest.fixture
def two(bright_nuclei, tmp_path):
    """A file of two images, whose cells lie at the same places and have other grey values."""
    pixels = np.zeros((40, 60), np.uint8)
    pixels[12:20, 12:18] = pixels[12:20, 30:36] = 100
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(pixels, metadata={"axes": "YX", "Name": "first"})
        file.write(pixels * 2, metadata={"axes": "YX", "Name": "second"})
    return path


@pytest.mark.parametrize("recorded", [None, "C:\\data\\two.ome.tif"], ids=["renamed", "of-windows"])
def test_intensities_are_of_the_series_that_was_segmented_whatever_the_file_is_called_now(
    two, tmp_path, recorded
):
    out = tmp_path / "out"
    assert main(["segment", str(two), "--series", "1", "-o", str(out), *WORDS]) == 0
    image = two if recorded else two.rename(tmp_path / "renamed.ome.tif")
    recipe = out / "two_recipe.json"
    values = json.loads(recipe.read_text())
    recipe.write_text(json.dumps(values | {"source": recorded or values["source"]}))
    words = ["measure", str(out / "two_labels.tif"), str(image), "-o", str(tmp_path / "a.csv")]
    assert main(words) == 0
    assert [row["intensity_mean"] for row in rows_of(tmp_path / "a.csv")] == ["200.0", "200.0"]
    assert main([*words, "--series", "0"]) == 0
    assert [row["intensity_mean"] for row in rows_of(tmp_path / "a.csv")] == ["100.0", "100.0"]


def test_an_image_without_the_series_that_was_segmented_is_measured_as_it_is_and_that_is_said(two, tmp_path):
    out = tmp_path / "out"
    assert main(["segment", str(two), "--series", "1", "-o", str(out), *WORDS]) == 0
    tifffile.imwrite(tmp_path / "one.tif", tifffile.imread(two, series=1) + 50)
    words = ["measure", str(out / "two_labels.tif"), str(tmp_path / "one.tif"), "-o", str(tmp_path / "a.csv")]
    with pytest.warns(
        UtileWarning, match=r"not read as the image of the labels was: one\.tif has no series 1"
    ):
        assert main(words) == 0
    assert [row["intensity_mean"] for row in rows_of(tmp_path / "a.csv")] == ["250.0", "250.0"]


@pytest.mark.parametrize("recipes", [True, False], ids=["recipes", "labels-alone"])
def test_results_of_all_series_are_paired_with_their_series(two, tmp_path, recipes):
    out = tmp_path / "out"
    assert main(["segment", str(two), "--series", "all", "-o", str(out), *WORDS]) == 0
    if not recipes:
        for path in out.glob("*_recipe.json"):
            path.unlink()
    assert main(["measure", str(out), str(two), "-o", str(tmp_path / "a.csv")]) == 0
    means = {(row["image"], row["intensity_mean"]) for row in rows_of(tmp_path / "a.csv")}
    assert means == {("two_first", "100.0"), ("two_second", "200.0")}
    if recipes:
        assert main(["measure", str(out), "-o", str(tmp_path / "b.csv")]) == 0
        assert {row["image"] for row in rows_of(tmp_path / "b.csv")} == {"two_first", "two_second"}
    (out / "two_third_labels.tif").write_bytes((out / "two_first_labels.tif").read_bytes())
    assert main(["measure", str(out), str(two), "-o", str(tmp_path / "a.csv")]) == 1
    assert {(row["image"], row["intensity_mean"]) for row in rows_of(tmp_path / "a.csv")} == means


def test_seeds_of_all_series_grow_on_their_series(two, tmp_path, capsys):
    out, cells = tmp_path / "out", tmp_path / "cells"
    assert main(["segment", str(two), "--series", "all", "-o", str(out), *WORDS]) == 0
    words = ["segment", str(two), "--seeds", str(out), "--seed-distance", "2", "--quiet", "-o", str(cells)]
    assert main([*words, "--measurements"]) == 0
    for name, mean in {"first": "100.0", "second": "200.0"}.items():
        assert {row["intensity_max"] for row in rows_of(cells / f"two_{name}_cells.csv")} == {mean}
        assert main(["replay", str(cells / f"two_{name}_recipe.json"), "--quiet"]) == 0
    assert main([*words, "--series", "1"]) == 1
    assert "There are seeds of several images of two.ome.tif: leave out --series" in capsys.readouterr().err
