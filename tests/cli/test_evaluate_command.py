"""`utile evaluate`, `utile compare` and `utile measure` on files and folders."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.files.images import write_image, write_labels
from napari_utile.engine.files.label_files import pair_files
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.label_reading import read_labels
from sheets import rows_of


def cells(shift: int = 0, count: int = 4) -> np.ndarray:
    labels = np.zeros((40, 60), np.int32)
    for number in range(count):
        labels[5 + 17 * (number // 2) :, 4 + 26 * (number % 2) + shift :][:10, :12] = number + 1
    return labels


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three predictions (one perfect, one shifted, one without a cell) and their references."""
    predictions, truths = tmp_path / "predicted", tmp_path / "truth"
    for folder in (predictions, truths):
        folder.mkdir()
    for name, prediction in {"a": cells(), "b": cells(3), "c": cells(count=3)}.items():
        write_labels(predictions / f"{name}_labels.tif", prediction)
        write_labels(truths / f"{name}.tif", cells())
    return predictions, truths


def test_two_files_are_scored_and_printed(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    assert main(["evaluate", str(predictions / "c_labels.tif"), str(truths / "b.tif")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[:4] == ["image", "seg", "ap50", "ap75"]
    assert printed[1].split()[:4] == ["b", "0.750", "0.750", "0.750"]
    assert len(printed) == 2


def test_folders_are_paired_by_name_and_written(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, truths = folders
    json_file, csv_file = tmp_path / "scores.json", tmp_path / "scores.csv"
    command = ["evaluate", str(predictions), str(truths), "--json", str(json_file), "--csv", str(csv_file)]
    assert main(command) == 0
    content = json.loads(json_file.read_text())
    assert {"seg", "ap50", "ap75", "rand_error", "warping_error", "pixel_error"} <= set(content["mean"])
    assert [image["name"] for image in content["images"]] == ["a", "b", "c"]
    assert [image["ap50"] for image in content["images"]] == [1, 1, 0.75]
    assert content["mean"]["seg"] == pytest.approx((1 + 9 / 15 + 0.75) / 3)
    rows = rows_of(csv_file)
    assert [row["name"] for row in rows] == ["a", "b", "c", "mean"]
    assert float(rows[3]["seg"]) == pytest.approx(content["mean"]["seg"])


def test_a_reference_without_prediction_fails(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    (predictions / "b_labels.tif").unlink()
    write_labels(predictions / "other.tif", cells())
    assert main(["evaluate", str(predictions), str(truths)]) == 1
    said = capsys.readouterr().err
    assert "b.tif: there is no prediction for this reference" in said
    assert "other.tif: there is no reference for this prediction; left out" in said


def test_one_bad_file_does_not_stop_the_others(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    write_labels(predictions / "b_labels.tif", cells()[:-1])
    assert main(["evaluate", str(predictions), str(truths)]) == 1
    captured = capsys.readouterr()
    assert "b_labels.tif has 39 x 60 pixels and b.tif 40 x 60: they do not pair" in captured.err
    assert [line.split()[0] for line in captured.out.splitlines()] == ["image", "a", "c", "mean"]


def test_a_minimum_that_is_not_reached_fails(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", *map(str, folders)]
    assert main([*command, "--minimum", "ap50=0.9", "--minimum", "pixel_error=0.2"]) == 0
    assert main([*command, "--minimum", "ap50=0.95"]) == 1
    assert "ap50 is 0.917, not at least 0.95" in capsys.readouterr().err
    assert main([*command, "--minimum", "pixel_error=0.01"]) == 1
    assert "not at most 0.01" in capsys.readouterr().err


def test_ignored_pixels_are_given_as_masks(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    masks, json_file = tmp_path / "masks", tmp_path / "scores.json"
    masks.mkdir()
    write_labels(masks / "c.tif", (cells() == 4).astype(np.uint8))
    command = ["evaluate", str(predictions), str(truths), "--ignore", str(masks), "--json", str(json_file)]
    assert main(command) == 0
    assert [image["ap50"] for image in json.loads(json_file.read_text())["images"]] == [1, 1, 1]
    assert [line.split(": ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "there is no mask for this image; all of it is scored"
    ] * 2


def test_one_mask_is_that_of_the_image_of_its_name(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    for name in ("c.tif", "other.tif"):
        write_labels(tmp_path / name, (cells() == 4).astype(np.uint8))
    command = ["compare", str(truths), str(predictions), str(truths), "--ignore"]
    assert main([*command, str(tmp_path / "c.tif")]) == 0
    said = capsys.readouterr().err
    assert f"{predictions / 'a_labels.tif'}: there is no mask for this image; all of it is scored" in said
    assert "c_labels.tif: " not in said
    assert main([*command, str(tmp_path / "other.tif")]) == 1
    assert "no mask in" in capsys.readouterr().err
    one = ["evaluate", str(predictions / "c_labels.tif"), str(truths / "c.tif"), "--minimum", "ap50=1"]
    assert main([*one, "--ignore", str(tmp_path / "other.tif")]) == 0, "one mask for one image"


@pytest.mark.parametrize("letters", ["ZYX", "TYX"])
def test_given_axes_are_those_of_the_mask_as_well(tmp_path: Path, letters: str) -> None:
    stack, mask = np.stack([cells(), cells(count=3)]), np.stack([cells() * 0, cells() == 4])
    for name, planes in {"p": stack, "t": np.stack([cells()] * 2), "m": mask.astype(np.uint8)}.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", planes)
    found, truth, ignored = (str(tmp_path / f"{name}.tif") for name in "ptm")
    command = ["evaluate", found, truth, "--axes", letters, "--minimum", "seg=1"]
    volume = ["--volume"] if letters == "ZYX" else []
    assert main([*command, *volume]) == 1
    assert main([*command, *volume, "--ignore", ignored]) == 0


def test_undefined_scores_are_null_in_json(tmp_path: Path) -> None:
    empty, json_file = tmp_path / "empty.tif", tmp_path / "scores.json"
    write_labels(empty, np.zeros((8, 8), np.uint8))
    assert main(["evaluate", str(empty), str(empty), "--json", str(json_file)]) == 0
    means = json.loads(json_file.read_text())["mean"]
    assert means["seg"] is None
    assert means["ap50"] == 1


def test_stacks_are_scored_plane_by_plane_or_as_volumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = tmp_path / "stack.tif"
    write_labels(stack, np.stack([cells(), cells(1)]), "ZYX")
    assert main(["evaluate", str(stack), str(stack)]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:3]] == [
        ["stack", "z0"],
        ["stack", "z1"],
    ]
    assert main(["evaluate", str(stack), str(stack), "--volume"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["stack", "1.000"]


def test_pictures_are_no_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, truth = tmp_path / "p.tif", tmp_path / "t.tif"
    write_image(picture, np.full((40, 60), 0.5, np.float32))
    write_labels(truth, cells())
    assert main(["evaluate", str(picture), str(truth)]) == 1
    assert "p.tif must hold whole numbers from 0 (background) up, got 0.5" in capsys.readouterr().err


def test_whole_numbers_stored_as_floats_are_labels(tmp_path: Path) -> None:
    write_image(tmp_path / "f.tif", cells().astype(np.float32))
    [(index, labels)] = labels_of(read_labels(tmp_path / "f.tif"))
    assert index == {}
    assert (labels == cells()).all()


def test_files_with_the_same_name_are_refused(folders: tuple[Path, Path]) -> None:
    predictions, truths = folders
    write_labels(predictions / "a_masks.tif", cells())
    with pytest.raises(UtileError, match="both labels of a"):
        pair_files(predictions, truths)


@pytest.fixture
def results_and_data(tmp_path: Path) -> tuple[Path, Path]:
    """What `utile segment data -o results --mask --probability` leaves, and a folder of images and references."""
    results, data = tmp_path / "results", tmp_path / "data"
    results.mkdir()
    data.mkdir()
    for name in "ab":
        write_labels(results / f"{name}_labels.tif", cells(count=3))
        write_labels(results / f"{name}_mask.tif", (cells() > 0).astype(np.uint8))
        write_image(results / f"{name}_probability.tif", np.full((40, 60), 0.5, np.float32))
        (results / f"{name}_recipe.json").write_text("{}")
        write_image(data / f"{name}.tif", np.full((40, 60), 9, np.uint8))
        write_labels(data / f"{name}_truth.tif", cells())
    return results, data


def test_results_of_segment_are_scored_by_their_labels(
    results_and_data: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results, data = results_and_data
    assert main(["evaluate", str(results), str(data)]) == 0
    captured = capsys.readouterr()
    assert [line.split()[:3] for line in captured.out.splitlines()[1:3]] == [
        ["a", "0.750", "0.750"],
        ["b", "0.750", "0.750"],
    ]
    said = "ignored: a_mask.tif, a_probability.tif, b_mask.tif and 3 more"
    assert captured.err.splitlines() == [said]


def test_results_of_one_image_are_scored_by_their_labels(
    results_and_data: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results, data = results_and_data
    assert main(["evaluate", str(results), str(data / "b_truth.tif")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["b", "0.750"]
    for path in [*results.glob("a_*"), results / "b_labels.tif"]:
        path.unlink()
    with pytest.warns(UtileWarning, match="separate pieces"):  # a mask is better than nothing
        assert main(["evaluate", str(results), str(data / "b_truth.tif")]) == 0


def test_images_and_labels_in_one_folder_are_told_apart(
    results_and_data: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results, data = results_and_data
    for name in "ab":
        (results / f"{name}_labels.tif").rename(data / f"{name}_labels.tif")
    assert main(["evaluate", str(data), str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["a", "0.750", "0.750"]
    pairing = pair_files(data, data, "image", "reference")
    assert [(pair.first.name, pair.second.name) for pair in pairing.pairs] == [
        ("a.tif", "a_truth.tif"),
        ("b.tif", "b_truth.tif"),
    ]
    assert main(["measure", str(data), str(data), "-o", str(tmp_path / "cells.csv")]) == 0
    assert "6 cells of 2 images" in capsys.readouterr().out
    assert main(["measure", str(data), "-o", str(tmp_path / "cells.csv")]) == 0
    assert "6 cells of 2 images" in capsys.readouterr().out


def test_a_comparison_says_where_the_difference_is_clear(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, truths = folders
    better = tmp_path / "better"
    better.mkdir()
    for name in "abc":
        write_labels(better / f"{name}.tif", cells())
    json_file = tmp_path / "comparison.json"
    command = ["compare", str(truths), str(predictions), str(better), "--json", str(json_file)]
    assert main(command) == 0
    first, second = json.loads(json_file.read_text())["predictions"]
    change = second["difference_to_first"]["seg"]
    assert change["mean"] == pytest.approx(second["mean"]["seg"] - first["mean"]["seg"])
    assert change["low"] <= change["mean"] <= change["high"]
    assert change["images"] == 3
    printed = capsys.readouterr().out
    assert "3 images" in printed
    assert "predicted" in printed.splitlines()[1]
    assert "better" in printed.splitlines()[1]


def test_a_comparison_counts_images_apart_from_their_planes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("truth", "one", "two"):
        (tmp_path / folder).mkdir()
        for name in "abcd":
            write_labels(tmp_path / folder / f"{name}.tif", np.stack([cells(), cells(3)]), "ZYX")
    json_file = tmp_path / "comparison.json"
    command = ["compare", *(str(tmp_path / folder) for folder in ("truth", "one", "two"))]
    assert main([*command, "--json", str(json_file)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "8 planes of 4 images"
    content = json.loads(json_file.read_text())
    assert content["images"] == ["a", "b", "c", "d"]
    assert content["planes"][:3] == ["a z0", "a z1", "b z0"]
    change = content["predictions"][1]["difference_to_first"]["seg"]
    assert (change["images"], change["planes"]) == (4, 8)
    assert main([*command, "--volume"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "4 images"


def test_a_comparison_needs_two_predictions(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(folders[1]), str(folders[0])]) == 1
    assert "at least two predictions" in capsys.readouterr().err


def test_cells_of_a_folder_are_measured_into_one_table(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, _ = folders
    images = tmp_path / "images"
    images.mkdir()
    for name in "abc":
        write_image(images / f"{name}.tif", np.full((40, 60), 9, np.uint8), "YX", (0.5, 0.5), "µm")
    table = tmp_path / "cells.csv"
    assert main(["measure", str(predictions), str(images), "-o", str(table)]) == 0
    rows = rows_of(table)
    assert [row["image"] for row in rows] == ["a.tif"] * 4 + ["b.tif"] * 4 + ["c.tif"] * 3
    assert {row["area_um2"] for row in rows} == {"30.0"}
    assert {row["intensity_mean"] for row in rows} == {"9.0"}
    assert "11 cells of 3 images" in capsys.readouterr().out


def test_stacks_are_measured_with_their_plane(tmp_path: Path) -> None:
    stack, table = tmp_path / "stack.tif", tmp_path / "cells.csv"
    write_labels(stack, np.stack([cells(), cells()]), "TYX")
    assert main(["measure", str(stack), "-o", str(table), "--basic", "--pixel-size", "2"]) == 0
    rows = rows_of(table)
    assert [row["t"] for row in rows] == ["0"] * 4 + ["1"] * 4
    assert {row["area_um2"] for row in rows} == {"480.0"}
