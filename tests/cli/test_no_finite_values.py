"""Of an image that holds no number it is said that it holds none, whatever asks for its cells."""

import numpy as np
import pytest
import tifffile

from napari_utile import grow_seeds, segment
from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.outputs import InputChannel

SAID = "has no finite values: all its pixels are NaN or infinite."


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bright_model):
    make_bright_model(user_model_folder() / "bright.safetensors", object_diameter=16.0)
    make_bright_model(
        user_model_folder() / "two.safetensors",
        channels=2,
        object_diameter=16.0,
        inputs=(InputChannel("cells"), InputChannel("nuclei", optional=True)),
    )
    tifffile.imwrite(tmp_path / "lost.tif", np.full((96, 120), np.nan, np.float32))
    stack = np.full((3, 96, 120), np.nan, np.float32)
    tifffile.imwrite(tmp_path / "lost_stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    stack[1] = np.random.default_rng(0).random((96, 120))
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    seeds = np.zeros(stack.shape, np.int32)
    seeds[:, 20:25, 30:35], seeds[:, 60:65, 80:85] = 1, 2
    tifffile.imwrite(tmp_path / "seeds.tif", seeds[0])
    tifffile.imwrite(tmp_path / "seeds_stack.tif", seeds, photometric="minisblack", metadata={"axes": "ZYX"})
    (tmp_path / "markers.csv").write_text(
        "index,axis-0,axis-1,kind,cell,order,threshold\n0,12,12,cell,1,0,0.5\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("limits", ["stack", "plane"])
@pytest.mark.parametrize("diameter", ["auto", "16"])
@pytest.mark.parametrize(
    "words",
    [
        ("segment", "lost.tif", "-o", "made", "--model", "bright"),
        ("segment", "lost.tif", "-o", "made", "--model", "two"),
        ("segment", "lost.tif", "-o", "made", "--model", "bright", "--preprocess", "invert"),
        ("segment", "lost_stack.tif", "-o", "made", "--model", "bright"),
        ("segment", "lost.tif", "-o", "made.ome.zarr", "--model", "bright"),
        ("click", "lost.tif", "--points", "markers.csv", "-o", "cells_labels.tif", "--model", "bright"),
    ],
    ids=["plane", "optional channel", "preprocessed", "stack", "store", "click"],
)
def test_it_is_said(folder, capsys, words, diameter, limits):
    assert main([*words, "--diameter", diameter, "--limits", limits]) in (1, 2)
    said = capsys.readouterr()
    assert SAID in said.err
    assert "no cells found" not in said.out


@pytest.mark.parametrize("limits", ["stack", "plane"])
@pytest.mark.parametrize("target", ["made", "made.ome.zarr"])
def test_a_plane_may_be_missing_in_a_stack(folder, capsys, limits, target):
    words = ["--model", "bright", "--diameter", "16", "--limits", limits, "--quiet"]
    assert main(["segment", "stack.tif", "-o", target, *words]) == 0
    assert SAID not in capsys.readouterr().err


def test_an_inverted_plane_that_is_missing_has_no_cells(folder):
    words = ["--model", "bright", "--diameter", "16", "--preprocess", "invert", "--quiet"]
    assert main(["segment", "stack.tif", "-o", "made", *words]) == 0
    assert [plane.any() for plane in tifffile.imread("made/stack_labels.tif")] == [False, True, False]


@pytest.mark.parametrize("limits", ["stack", "plane"])
@pytest.mark.parametrize("link", ["none", "z"])
def test_python_says_it(folder, link, limits):
    image = np.full((3, 96, 120), np.nan, np.float32)
    one = {"z": 0} if link == "none" else {}
    with pytest.raises(UtileError, match=SAID):
        segment(image, "bright", axes="ZYX", diameter=16, limits=limits, link=link, **one)


@pytest.mark.parametrize(
    "model", [(), ("--model", "bright", "--limits", "plane")], ids=["grey values", "model"]
)
@pytest.mark.parametrize("target", ["made", "made.ome.zarr"])
@pytest.mark.parametrize(("image", "seeds"), [("lost", "seeds"), ("lost_stack", "seeds_stack")])
def test_seeds_do_not_grow_where_there_is_nothing_to_grow_in(folder, capsys, image, seeds, target, model):
    words = ["segment", f"{image}.tif", "--seeds", f"{seeds}.tif", "-o", target, "--quiet"]
    assert main([*words, *model]) == 1
    assert SAID in capsys.readouterr().err


def test_python_says_it_of_seeds(folder):
    with pytest.raises(UtileError, match=SAID):
        grow_seeds("lost.tif", "seeds.tif")


@pytest.mark.parametrize("target", ["made", "made.ome.zarr"])
def test_seeds_stay_what_they_are_on_a_plane_that_is_missing(folder, target):
    words = ["segment", "stack.tif", "--seeds", "seeds_stack.tif", "-o", target, "--quiet"]
    assert main(words) == 0
    made = read_labels(folder / (target if "zarr" in target else "made/stack_labels.tif")).data
    seeds = tifffile.imread("seeds_stack.tif")
    np.testing.assert_array_equal(made[::2], seeds[::2])
    assert (made[1] > 0).sum() > (seeds[1] > 0).sum()
