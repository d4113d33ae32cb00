"""Calls that cannot be meant: status 2 and one sentence that names the option, or what is contradictory."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import read_image
from napari_utile.engine.planes.selection import SelectedPlanes, Selection

IMAGE = np.arange(600, dtype=np.uint16).reshape(20, 30)


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--z", "foo"),
        ("--z", "0:2:1"),
        ("--t", "1.5"),
        ("--axes", "XX"),
        ("--axes", "YXQ"),
        ("--axes", ""),
        ("--project", "z:min"),
        ("--project", "max"),
        ("--percentiles", "99,1"),
        ("--percentiles", "1,101"),
        ("--preprocess", "smooth"),
        ("--preprocess", "blur:2"),
        ("--limits", "channel"),
        ("--diameter", "automatic"),
    ],
)
def test_an_option_that_cannot_be_is_named_where_it_is_typed(option: str, value: str, capsys) -> None:
    assert option in said(["segment", "a.tif", "-o", "out", option, value], capsys)


def test_a_mask_without_a_file_that_takes_the_only_image_is_named(capsys) -> None:
    error = said(["segment", "--mask", "cells.tif", "-o", "out"], capsys)
    assert "--mask took cells.tif" in error
    assert "IMAGE" in said(["segment", "-o", "out", "--mask"], capsys)


@pytest.mark.parametrize("command", ["measure", "weight-map", "export", "evaluate", "compare"])
def test_axes_are_checked_in_every_command(command: str, capsys) -> None:
    files = ["a.tif", "b.tif"] if command in ("evaluate", "compare") else ["a.tif", "-o", "b.tif"]
    assert "--axes" in said([command, *files, "--axes", "ZZ"], capsys)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["--seed-distance", "4"], "--seeds"),
        (["--conditions", "a.csv", "--format", "ome-zarr"], "--conditions"),
        (["--link-gap", "2"], "--link-gap says how planes are linked"),
        (["--plane-distance", "2"], "--plane-distance is for three views"),
    ],
)
def test_options_that_say_nothing_about_this_call_are_refused(tmp_path: Path, words, about, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    assert main(["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert about in error
    assert not (tmp_path / "out").exists()


def test_stores_of_seeds_are_not_linked(tmp_path: Path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    words = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--seeds", "s.tif"]
    assert main([*words, "--format", "ome-zarr", "--link", "z"]) == 2
    assert "--seeds does not take --link" in capsys.readouterr().err


@pytest.mark.parametrize(
    "selection", [Selection(z="3"), Selection(t="1:2"), Selection(z="0:2"), Selection(t="4")]
)
def test_planes_along_an_axis_that_is_not_there_are_refused(tmp_path: Path, selection: Selection) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    with pytest.raises(UtileError, match=r"a has 1 entry along [ZT], counted from 0"):
        len(SelectedPlanes(read_image(tmp_path / "a.tif"), selection))
    same = SelectedPlanes(read_image(tmp_path / "a.tif"), Selection(z="0", t="all"))
    assert len(same) == 1


def test_results_that_would_overwrite_each_other_are_refused(tmp_path: Path, capsys) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        for name in ("one", "two"):
            tif.write(IMAGE, metadata={"axes": "YX", "Name": name})
    tifffile.imwrite(tmp_path / "a_two.tif", IMAGE)
    words = ["segment", str(tmp_path / "*.tif"), "-o", str(tmp_path / "out"), "--diameter", "none", "--quiet"]
    assert main([*words, "--series", "all"]) == 1
    error = capsys.readouterr().err
    assert "would overwrite those of" in error
    assert sorted(path.name for path in (tmp_path / "out").glob("*_labels.tif")) == [
        "a_one_labels.tif",
        "a_two_labels.tif",
    ]


@pytest.mark.parametrize("words", [["segment", "a.tif", "-o", ""], ["weight-map", " ", "-o", "w.tif"]])
def test_an_empty_name_is_a_wrong_call(words: list[str], capsys) -> None:
    assert "the name is empty" in said(words, capsys)


@pytest.mark.parametrize("option", ["--settings", "--conditions"])
def test_a_pipe_is_a_wrong_call_and_not_waited_for(tmp_path: Path, option: str, capsys) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in said(["segment", "a.tif", "-o", "out", option, str(tmp_path / "pipe")], capsys)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["verify", "a.tif", "--size", "0"], "--size"),
        (["segment", "a.tif", "-o", "a.zarr", "--workers", "-2"], "--workers"),
        (["evaluate", "a.tif", "b.tif", "--iou", "2"], "--iou"),
        (["evaluate", "a.tif", "b.tif", "--iou", "0"], "--iou"),
        (["measure", "a.tif", "-o", "a.csv", "--pixel-size", "0"], "--pixel-size"),
        (["measure", "a.tif", "-o", "a.csv", "--pixel-size", "1e-300"], "--pixel-size"),
    ],
)
def test_numbers_out_of_bounds_are_wrong_calls(words: list[str], option: str, capsys) -> None:
    assert f"argument {option}" in said(words, capsys)


@pytest.mark.parametrize(
    "words",
    [["--model", "nope"], ["--z", "7"], ["--threshold", "0.9"], ["--device", "cpu"], ["--size", "100"]],
)
def test_options_of_images_are_refused_of_stores(tmp_path: Path, words: list[str], capsys) -> None:
    store = tmp_path / "a.zarr" / ".utile"
    store.mkdir(parents=True)
    (store / "plan.json").write_text("{}")
    error = said(["verify", str(store.parent), *words], capsys)
    assert f"{words[0]} is for images, and a.zarr is a store" in error


def test_options_of_stores_are_refused_of_images(tmp_path: Path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    assert "--blocks is for stores" in said(["verify", str(tmp_path / "a.tif"), "--blocks", "2"], capsys)


@pytest.mark.parametrize("target", ["out", "out.zarr"])
def test_a_result_is_finished_or_replaced_not_both(tmp_path: Path, target: str, capsys) -> None:
    words = ["segment", "a.tif", "-o", str(tmp_path / target), "--resume", "--overwrite"]
    assert "--resume keeps what is there and --overwrite deletes it" in said(words, capsys)


def test_what_is_measured_of_several_images_is_said(tmp_path: Path, capsys) -> None:
    labels = np.zeros(IMAGE.shape, np.uint16)
    labels[3:6, 3:6] = 1
    tifffile.imwrite(tmp_path / "l.tif", labels)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        for number, name in enumerate(("one", "two")):
            tif.write(np.full_like(IMAGE, 10 * (number + 1)), metadata={"axes": "YX", "Name": name})
    words = ["measure", str(tmp_path / "l.tif"), str(tmp_path / "a.ome.tif"), "-o", str(tmp_path / "t.csv")]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out == f"1 cell of 1 image in {tmp_path / 't.csv'}\n"
    assert "series 0 (one) of 2" in printed.err
    assert main([*words, "--series", "two"]) == 0
    assert ",20.0," in (tmp_path / "t.csv").read_text()


@pytest.mark.parametrize("content", [b"{}", b"hello", b"II*\0"])
def test_a_file_that_is_no_model_is_not_called_code(tmp_path: Path, content: bytes, capsys) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    assert main(["models", "import", str(tmp_path / "a.pt")]) == 1
    assert "a.pt is not a model in a known format" in capsys.readouterr().err


def test_markers_that_are_no_table_are_one_sentence(tmp_path: Path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE + 200)
    words = ["click", str(tmp_path / "a.tif"), "-o", str(tmp_path / "c.tif"), "--points"]
    assert main([*words, str(tmp_path / "a.tif")]) == 1
    assert capsys.readouterr().err.endswith("a.tif is not a table in UTF-8: save it as “CSV UTF-8”.\n")
    assert main([*words, str(tmp_path / "gone.csv")]) == 1
    assert capsys.readouterr().err.endswith("gone.csv: No such file or directory.\n")


def test_an_empty_image_name_does_not_mean_the_folder_where_one_is(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    monkeypatch.chdir(tmp_path)
    assert main(["segment", "", "-o", "out"]) == 1
    assert capsys.readouterr().err == "utile segment: The name of a file is empty.\n"


def test_three_views_of_one_plane_are_refused_by_their_name(tmp_path: Path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    words = [str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--diameter", "none", "--quiet"]
    assert main(["segment", *words, "--three-views"]) == 1
    assert "leave out --three-views" in capsys.readouterr().err


def test_seeds_whose_ids_no_file_holds_are_refused_before_the_work(tmp_path: Path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    seeds = np.zeros(IMAGE.shape, np.uint64)
    seeds[3:6, 3:6] = 2**40
    tifffile.imwrite(tmp_path / "s.tif", seeds)
    words = [str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--seeds", str(tmp_path / "s.tif")]
    assert main(["segment", *words]) == 1
    assert "s.tif holds the id 1099511627776; results hold ids up to 4294967295" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_must_not_be_looked_into_is_said_by_what_reads_it(
    tmp_path, monkeypatch, capsys
) -> None:
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_fifo", refuse)
    assert main(["replay", str(tmp_path / "closed" / "a_recipe.json")]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("bright_nuclei")
def test_images_in_a_folder_that_must_not_be_entered_do_not_stop_the_others(
    tmp_path, monkeypatch, capsys
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    for path in (closed / "a.tif", closed / "b.tif", tmp_path / "c.tif"):
        tifffile.imwrite(path, IMAGE)

    def refusing(usual):
        def call(path, *more, **options):
            if isinstance(path, (str, Path)) and closed in Path(path).parents:
                raise PermissionError(13, "Permission denied", str(path))
            return usual(path, *more, **options)

        return call

    for owner, name in ((os, "stat"), (Path, "open")):  # nothing is closed to root
        monkeypatch.setattr(owner, name, refusing(getattr(owner, name)))
    words = ["-o", str(tmp_path / "out"), "--model", "nuclei", "--diameter", "none", "--quiet"]
    assert main(["segment", str(closed), str(tmp_path / "c.tif"), *words]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        *(f"{closed / name}: Cannot read {closed / name}: Permission denied." for name in ("a.tif", "b.tif")),
        "2 of 3 images failed.",
    ]
    assert (tmp_path / "out" / "c_labels.tif").is_file()


@pytest.mark.usefixtures("bright_nuclei")
@pytest.mark.parametrize("seeds", [False, True])
def test_no_folder_is_made_inside_an_image(tmp_path, capsys, seeds) -> None:
    image = tmp_path / "a.zarr"
    zarr.create_array(image, data=IMAGE)
    tifffile.imwrite(tmp_path / "a_labels.tif", np.eye(*IMAGE.shape, dtype=np.uint8))
    before = sorted(tmp_path.rglob("*"))
    words = ["segment", str(image), "-o", str(image / "results" / "new"), "--quiet"]
    assert main([*words, *(["--seeds", str(tmp_path / "a_labels.tif")] if seeds else [])]) == 1
    said = capsys.readouterr().err
    assert "results/new: it is what is read here" in said.replace(os.sep, "/")
    assert said.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("bright_nuclei")
def test_nothing_is_said_of_tables_that_a_single_image_does_not_join(tmp_path, capsys) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    (tmp_path / "quality.html").mkdir()
    words = ["-o", str(tmp_path), "--model", "nuclei", "--diameter", "none", "--quiet"]
    assert main(["segment", str(tmp_path / "a.tif"), *words]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [["segment", "https://a.org/b.tif"], ["measure", "s3://a/b.zarr"]])
def test_an_address_is_not_taken_for_a_file(tmp_path, words, capsys) -> None:
    assert main([*words, "-o", str(tmp_path / ("out" if words[0] == "segment" else "t.csv"))]) == 1
    assert "nothing is downloaded here" in capsys.readouterr().err


def test_a_pattern_in_quotes_may_begin_with_the_home_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    assert find_images(["~/*.tif"]) == find_images(["~"]) == find_images(["~/a.tif"]) == [tmp_path / "a.tif"]


def test_a_working_folder_that_was_deleted_is_said(tmp_path, monkeypatch, capsys) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["models", "list"]) == 1
    assert "does not exist any more" in capsys.readouterr().err
