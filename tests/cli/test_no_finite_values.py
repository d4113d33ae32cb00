"""Of an image that holds no number it is said that it holds none, whatever asks for its cells."""

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
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
    (tmp_path / "markers.csv").write_text(
        "index,axis-0,axis-1,kind,cell,order,threshold\n0,12,12,cell,1,0,0.5\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
def test_it_is_said(folder, capsys, words, diameter):
    assert main([*words, "--diameter", diameter]) in (1, 2)
    said = capsys.readouterr()
    assert SAID in said.err
    assert "no cells found" not in said.out


@pytest.mark.parametrize("limits", ["stack", "plane"])
@pytest.mark.parametrize("target", ["made", "made.ome.zarr"])
def test_a_plane_may_be_missing_in_a_stack(folder, capsys, limits, target):
    words = ["--model", "bright", "--diameter", "16", "--limits", limits, "--quiet"]
    assert main(["segment", "stack.tif", "-o", target, *words]) == 0
    assert SAID not in capsys.readouterr().err
