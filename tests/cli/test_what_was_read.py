"""Every command that segments says which channels it read."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from napari_utile.engine.models.outputs import InputChannel

OPTIONAL = (InputChannel("membrane"), InputChannel("nuclei", optional=True))


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bright_model):
    """Bright discs of several channels, seeds and markers in them, and models of two channels."""
    monkeypatch.chdir(tmp_path)
    make_bright_model(Path("both.safetensors"), channels=2)
    make_bright_model(Path("optional.safetensors"), channels=2, inputs=OPTIONAL)
    y, x = np.mgrid[:48, :72]
    discs = (y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 64
    plane = (40 + 200 * discs).astype(np.uint8)
    for name, count in {"two": 2, "three": 3}.items():
        tifffile.imwrite(f"{name}.tif", np.stack([plane] * count), imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite("colour.tif", np.stack([plane] * 3, axis=-1), photometric="rgb")
    tifffile.imwrite("seeds.tif", (discs * (1 + y // 24 + 2 * (x // 24))).astype(np.uint8))
    Path("markers.csv").write_text("index,axis-0,axis-1,kind,cell,order,threshold\n0,12,12,cell,1,0,0.5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "image", "said"),
    [
        ("both", "two", None),
        ("both", "three", "channels 0, 1 of 3"),
        ("optional", "two", "channel 0 of 2"),
        ("optional", "colour", "mean of red, green and blue"),
    ],
)
def test_the_channels_that_a_model_reads_are_said(folder, capsys, model, image, said):
    for words in (
        ("segment", f"{image}.tif", "-o", "made", "--quiet"),
        ("segment", f"{image}.tif", "-o", "made.ome.zarr", "--quiet"),
        ("segment", f"{image}.tif", "-o", "grown", "--seeds", "seeds.tif", "--quiet"),
        ("click", f"{image}.tif", "-o", "clicked.tif", "--points", "markers.csv"),
    ):
        assert main([*words, "--model", f"{model}.safetensors", "--diameter", "none"]) == 0
        out = capsys.readouterr().out
        assert said in out if said else "channel" not in out
