"""Planes of labels and of images belong together by the names of their axes, else by order, else not."""

import json
from pathlib import Path

import dask.array
import numpy as np
import pytest
import tifffile
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile import evaluate, fine_tune, grow_seeds
from napari_utile.cli import main
from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.label_planes import index_in_image, labels_of, whole_numbers
from napari_utile.engine.files.label_reading import label_image, read_labels
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.training.fine_tune import new_model

CELL = np.zeros((20, 24), np.uint16)
CELL[5:12, 6:15] = 3


def write(path: Path, planes: np.ndarray, axes: str | None) -> Path:
    if axes is None:
        tifffile.imwrite(path, planes, photometric="minisblack")
    else:
        tifffile.imwrite(path, planes, imagej=True, metadata={"axes": axes})
    return path


def means(folder: Path, labels: np.ndarray, label_axes, image: np.ndarray, image_axes, *more: str):
    one = write(folder / "labels.tif", labels, label_axes)
    other = write(folder / "image.tif", image, image_axes)
    status = main(["measure", str(one), str(other), "-o", str(folder / "a.csv"), "--basic", *more])
    if status:
        return None
    table = np.genfromtxt(folder / "a.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    return np.atleast_1d(table["intensity_mean"]).tolist()


STACK = np.stack([np.full(CELL.shape, 10 * (number + 1), np.uint16) for number in range(4)])


@pytest.mark.parametrize("label_axes", [None, "TYX", "ZYX"])
@pytest.mark.parametrize("image_axes", [None, "TYX", "ZYX"])
def test_each_plane_is_measured_on_its_own_plane(tmp_path: Path, capsys, label_axes, image_axes) -> None:
    found = means(tmp_path, np.stack([CELL] * 4), label_axes, STACK, image_axes)
    assert found == [10, 20, 30, 40]
    renamed = (label_axes or "TYX") != (image_axes or "TYX")
    assert ("by the order of their planes" in capsys.readouterr().out) == renamed


@pytest.mark.parametrize(("labels", "image"), [(4, 3), (1, 4), (4, 1)])
def test_what_does_not_pair_is_one_sentence_that_names_the_option(tmp_path, capsys, labels, image) -> None:
    def stack(planes, number):
        return planes[0] if number == 1 else planes[:number]

    assert means(tmp_path, stack(np.stack([CELL] * 4), labels), None, stack(STACK, image), None) is None
    assert "they do not pair; where the axes" in capsys.readouterr().err


def test_channels_of_the_image_need_no_partner(tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.tif", CELL, "YX")
    image = write(tmp_path / "image.tif", STACK[:2], "CYX")
    assert index_in_image({}, read_image(labels), SelectedPlanes(read_image(image))) == ({}, "")


def test_labels_of_selected_planes_pair_with_these(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "image.tif", STACK, "ZYX"))
    some = SelectedPlanes(image, Selection(z="1:3"))
    of_all = read_image(write(tmp_path / "all.tif", np.stack([CELL] * 4), "ZYX"))
    of_some = read_image(write(tmp_path / "some.tif", np.stack([CELL] * 2), "TYX"))
    of_one = read_image(write(tmp_path / "one.tif", CELL, "YX"))
    assert index_in_image({"Z": 2}, of_all, some)[0] == {"Z": 2}
    assert index_in_image({"T": 1}, of_some, some)[0] == {"Z": 2}
    assert index_in_image({}, of_one, SelectedPlanes(image, Selection(z="3")))[0] == {"Z": 3}
    assert index_in_image({}, of_one, SelectedPlanes(image, Selection(project="z:max")))[0] == {}
    with pytest.raises(UtileError, match="they do not pair"):
        index_in_image({}, of_one, some)


def grid(axes: str) -> np.ndarray:
    """Planes of one cell each; cell t*3+z moves to the right."""
    planes = np.zeros((2, 3, 20, 60), np.uint16)
    for place, (t, z) in enumerate(np.ndindex(2, 3)):
        planes[t, z, 5:12, 6 * place : 6 * place + 8] = 1 + place
    return planes.transpose(["TZYX".index(axis) for axis in axes])


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_planes_are_scored_by_the_names_of_their_axes(tmp_path: Path, command) -> None:
    one, other = tmp_path / "one.ome.tif", tmp_path / "other.ome.tif"
    for path, axes in ((one, "TZYX"), (other, "ZTYX")):
        tifffile.imwrite(path, grid(axes), ome=True, metadata={"axes": axes})
    words = [str(one), str(other)] if command == "evaluate" else [str(other), str(one), str(one)]
    assert main([command, *words, "--json", str(tmp_path / "a.json")]) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    mean = found["mean"] if command == "evaluate" else found["predictions"][0]["mean"]
    assert mean["seg"] == 1


NAMED = np.zeros((3, 20, 24), np.uint16)
NAMED[:, 2:6, 3:9], NAMED[1, 10:15, 4:9] = 1, 2


@settings(deadline=None, max_examples=12)
@given(order=st.permutations("TYX"), kind=st.sampled_from(["xarray", "axes", "dask"]))
def test_arrays_are_scored_by_the_names_of_their_axes(order: list[str], kind: str) -> None:
    moved = NAMED.transpose(["TYX".index(axis) for axis in order])
    axes = "".join(order)
    if kind == "axes":
        found = evaluate(moved, moved, axes=axes)
    else:
        data = moved if kind == "xarray" else dask.array.from_array(moved, chunks=7)
        named = xarray.DataArray(data, dims=tuple(axes.lower()))
        found = evaluate(named, xarray.DataArray(NAMED, dims=("t", "y", "x")))
    assert list(found.planes) == ["t0", "t1", "t2"]
    assert found.planes["t1"].scores["truth_cells"] == 2
    assert found.scores["seg"] == 1


def test_files_arrays_and_the_command_score_alike(tmp_path: Path, capsys) -> None:
    worse = NAMED * (NAMED != 2)
    prediction, truth = write(tmp_path / "p.tif", worse, "ZYX"), write(tmp_path / "t.tif", NAMED, "ZYX")
    assert main(["evaluate", str(prediction), str(truth), "--json", str(tmp_path / "a.json")]) == 0
    said = json.loads((tmp_path / "a.json").read_text())["images"]
    planes = evaluate(prediction, truth).planes
    assert [plane["seg"] for plane in said] == [plane.scores["seg"] for plane in planes.values()]
    assert evaluate(worse, truth, volume=False, axes="ZYX").scores == evaluate(prediction, truth).scores
    assert evaluate(worse, NAMED).scores == evaluate(prediction, truth, volume=True).scores
    with pytest.raises(UtileError, match=r"do not pair.*axes= in Python"):
        evaluate(prediction, NAMED[:2], axes="ZYX")


PIECES = np.zeros((40, 40), np.uint8)
PIECES[2:8, 2:8] = PIECES[2:8, 20:28] = PIECES[20:30, 5:25] = 1
CELLS = PIECES.copy()
CELLS[2:8, 20:28], CELLS[20:30, 5:25] = 2, 3


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (PIECES, "holds 1 id in 3 separate pieces"),
        (PIECES * np.uint8(255), "holds 1 id in 3 separate pieces"),
        (PIECES.astype(bool), "holds 1 id in 3 separate pieces"),
        (np.stack([CELLS, CELLS * 0 + PIECES]), ""),
        (np.stack([PIECES, PIECES]), "holds 2 ids in 6 separate pieces"),
        (np.where(CELLS == 0, 255, CELLS), "its id 255 reaches all four sides"),
        (np.where(CELLS == 0, np.uint16(65535), CELLS), "its id 65535 reaches all four sides"),
        (CELLS + 1, "its id 1 reaches all four sides"),
        (CELLS, ""),
        (CELLS * 0, ""),
        (np.where(CELLS == 1, 1, 0), ""),
        (np.arange(1600).reshape(40, 40) // 160 + 1, ""),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "measure", "weight-map"])
def test_what_looks_like_a_mask_or_lacks_a_background_is_said(
    tmp_path, capsys, command, labels, words
) -> None:
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, labels, photometric="minisblack")
    more = {"evaluate": [str(path)], "measure": ["-o", "a.csv"], "weight-map": ["-o", "a.tif"]}[command]
    more = [str(tmp_path / each) if each.startswith("a.") else each for each in more]
    if not words:
        assert main([command, str(path), *more]) == 0
        return
    with pytest.warns(UtileWarning, match=rf"labels\.tif .*{words}.*an id of its own"):
        assert main([command, str(path), *more]) == 0


@pytest.mark.parametrize("from_file", [False, True])
def test_functions_say_what_looks_like_a_mask_as_commands_do(tmp_path: Path, from_file: bool) -> None:
    mask = PIECES * np.uint8(255)
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    given = tmp_path / "mask.tif" if from_file else mask
    name = r"mask\.tif" if from_file else "label image 2"
    start = new_model("small", width=2, depth=1)
    with pytest.warns(UtileWarning, match=f"{name} holds 1 id in 3 separate pieces"):
        fine_tune([PIECES, PIECES], [CELLS, given], start, steps=1, held_out=0, device="cpu")
    name = r"mask\.tif" if from_file else "the seed image"
    with pytest.warns(UtileWarning, match=f"{name} holds 1 id in 3 separate pieces"):
        grow_seeds(PIECES, given)


def test_planes_of_labels_are_counted_where_one_is_taken() -> None:
    with pytest.raises(UtileError, match="There are 2 planes in the seed image: give those of one plane"):
        grow_seeds(PIECES, np.stack([CELLS, CELLS]))


def test_scored_planes_of_other_names_pair_by_order_and_others_not(tmp_path: Path, capsys) -> None:
    one = write(tmp_path / "one.tif", grid("TZYX")[0], "ZYX")
    other = write(tmp_path / "other.tif", grid("TZYX")[0], "TYX")
    with pytest.warns(UtileWarning, match="paired by the order of their planes, T with Z"):
        assert main(["evaluate", str(one), str(other), "--minimum", "seg=1"]) == 0
    short = write(tmp_path / "short.tif", grid("TZYX")[0, :2], "TYX")
    assert main(["evaluate", str(one), str(short)]) == 1
    assert "they do not pair; where the axes of the labels are wrongly named" in capsys.readouterr().err
    with pytest.warns(UtileWarning, match="paired by the order"):
        assert main(["evaluate", str(other), str(one), "--volume"]) == 1
    assert "other.tif has no axis Z: say which is which with --axes" in capsys.readouterr().err
    assert main(["evaluate", str(other), str(one), "--volume", "--axes", "ZYX", "--minimum", "seg=1"]) == 0


def test_every_plane_of_a_stack_is_trained_on_with_its_own_labels(tmp_path: Path, capsys) -> None:
    for folder, planes in (("images", grid("TZYX")[0] * 20), ("labels", grid("TZYX")[0])):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    words = ["fine-tune", "--images", str(tmp_path / "images"), "--labels", str(tmp_path / "labels")]
    words += [
        "-o",
        str(tmp_path / "m.safetensors"),
        "--dry-run",
        "--quiet",
        "--family",
        "unet",
        "--width",
        "4",
    ]
    words[0] = "train"
    assert main(words) == 0
    said = capsys.readouterr().out
    assert all(f"a z{number}: 20 x 60 pixels, 1 cell," in said for number in range(3))


Y, X = np.mgrid[:48, :72]
DISCS = ((Y // 24) * 3 + X // 24 + 1) * ((Y % 24 - 12) ** 2 + (X % 24 - 12) ** 2 < 64).astype(np.uint16)
PLANES = np.stack([np.roll(DISCS, plane, 1) for plane in range(3)])


def as_colours(path: Path, stack: np.ndarray) -> Path:
    """Write three planes as tifffile does where it is told nothing: as colours stored as planes."""
    tifffile.imwrite(path, stack, photometric="rgb", planarconfig="separate")
    return path


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("train", ["--width", "4", "--dry-run"]),
        ("fit", ["--model", "cells"]),
        ("fit", ["--model", "cells", "--z", "1"]),
        ("segment", []),
        ("segment", ["--z", "1"]),
        ("store", []),
        ("store", ["--z", "1"]),
    ],
)
def test_named_axes_of_an_image_are_those_of_its_labels_too(
    tmp_path: Path, capsys, command: str, more: list[str]
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    labels = as_colours(folder / "a_labels.tif", PLANES)
    image = as_colours(tmp_path / "a.tif", (PLANES > 0) * np.uint16(400) + np.uint16(20))
    words = {
        "train": [
            "train",
            "--images",
            image,
            "--labels",
            labels,
            "-o",
            tmp_path / "m.safetensors",
            "--quiet",
        ],
        "fit": ["fit", image, "--labels", labels, "-o", tmp_path / "found.json"],
        "segment": ["segment", image, "--seeds", labels, "-o", tmp_path / "out", "--quiet"],
        "store": ["segment", image, "--seeds", labels, "-o", tmp_path / "a.zarr", "--quiet"],
    }[command]
    assert main([*map(str, words), "--axes", "ZYX", *more]) == 0
    assert "--axes" not in capsys.readouterr().err
    if command == "segment":
        recipe = tmp_path / "out" / "a_recipe.json"
        assert main(["replay", str(recipe), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("shape", "names", "asked", "axes"),
    [
        ((3, 20, 30), None, "ZYX", "ZYX"),
        ((3, 20, 30), None, "ZCYX", "ZYX"),
        ((3, 20, 30), "TYX", "ZYX", "ZYX"),
        ((3, 20, 20), "ZYX", "ZXY", "ZYX"),  # the file knows better
        ((3, 30, 20), None, "ZXY", "ZXY"),
        ((3, 20, 30), None, "ZXY", "TYX"),  # of other pixels: as it would be read alone
        ((20, 30), None, "ZYX", "YX"),
        ((20, 30), None, "CYX", "YX"),
        ((5, 20, 30), None, "ZYX", "TYX"),
    ],
)
def test_axes_are_taken_from_the_image_where_labels_then_pair_with_it(
    tmp_path: Path, shape, names, asked, axes
) -> None:
    labels = write(tmp_path / "labels.tif", np.zeros(shape, np.uint8), names)
    width = 20 if shape[-2:] == (20, 20) else 30
    sizes = {"Z": 3, "C": 2, "Y": 20, "X": width}
    image = ImageFile(np.zeros([sizes[each] for each in asked]), asked, None, None, Path("image.tif"))
    planes = SelectedPlanes(image, Selection(axes=asked))
    assert label_image(labels, planes=planes).axes == axes


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">i4", "int64", "uint64", "float16", ">f4", "float64"])
def test_ids_of_any_type_are_the_same_ids(tmp_path: Path, dtype) -> None:
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, CELL.astype(dtype), byteorder=">" if dtype.startswith(">") else "<")
    ((_, plane),) = labels_of(read_labels(path))
    assert plane.dtype.kind in "iu"
    assert plane.dtype.isnative
    np.testing.assert_array_equal(plane, CELL)


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (-1, "int32", r"^labels.tif must hold whole numbers from 0 \(background\) up, got -1"),
        (0.5, "float32", "must hold whole numbers .* got 0.5"),
        (np.nan, "float64", "must hold whole numbers .* got nan"),
        (1e30, "float64", "too large"),
        (2**63, "uint64", "renumber them"),
    ],
)
def test_what_is_no_id_is_refused_with_the_remedy(value, dtype, words) -> None:
    labels = CELL.astype(dtype)
    labels[0, 0] = value
    with pytest.raises(UtileError, match=words):
        whole_numbers(labels, "labels.tif")
    assert int(whole_numbers(CELL.astype("u8") + np.uint64(2**62), "labels.tif").max()) == 2**62 + 3
