"""ONNX Runtime as a device: asked for by name, the same outputs as torch, never chosen by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

import napari_utile
from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, write_image
from napari_utile.engine.inference.device import choose_compute, training_compute
from napari_utile.engine.inference.fused import fused
from napari_utile.engine.networks import extra
from napari_utile.engine.networks.families import build_network

SAMPLE = Path(__file__).parents[2] / "sample_data" / "nuclei_clustered.tif"


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("unet", {"width": 2, "depth": 3, "batch_norm": True}),
        ("unet", {"width": 3, "depth": 1, "in_channels": 2, "classes": 5}),
        ("fcn8s", {"width": 1, "batch_norm": True}),
    ],
)
def test_any_network_gives_torchs_outputs_for_tiles_of_any_size(family, config):
    torch.manual_seed(0)
    network = build_network(family, {"dropout": 0.0, **config}).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    there = fused(network, "onnx", torch.float32)
    geometry = network.geometry
    with torch.inference_mode():
        for cells in ((0, 0), (1, 3)):
            size = (geometry.input_size(geometry.smallest + each * geometry.grid) for each in cells)
            image = torch.rand(1, network.config.in_channels, *size)
            expected = network(image)
            assert expected.shape == there(image).shape
            assert torch.allclose(expected, there(image), rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_an_image_is_segmented_as_on_the_cpu_and_the_recipe_replays(tmp_path):
    image = read_image(SAMPLE).data[..., 100:280, 100:300]
    write_image(tmp_path / "cells.tif", image)
    ours, theirs = (
        napari_utile.segment(image, device=device, precision="float32") for device in ("cpu", "onnx")
    )
    assert np.abs(ours.probabilities - theirs.probabilities).max() <= 1e-4
    near = np.abs(ours.probabilities[1] - 0.6) < 1e-3
    assert ((ours.labels > 0) == (theirs.labels > 0))[~near].mean() > 0.999
    assert theirs.compute.device == "onnx"
    wish = ["--device", "onnx", "--quiet"]
    assert main(["segment", str(tmp_path / "cells.tif"), "-o", str(tmp_path / "found"), *wish]) == 0
    recipe = next((tmp_path / "found").glob("*recipe.json"))
    assert main(["replay", str(recipe)]) == 0


def test_auto_never_takes_it_and_what_it_cannot_do_is_one_sentence():
    assert choose_compute().device != "onnx"
    assert choose_compute("onnx").key == ("onnx", "float32")
    with pytest.raises(UtileError, match=r"^ONNX Runtime computes in float32 only"):
        choose_compute("onnx", "bfloat16")
    with pytest.raises(UtileError, match=r"^ONNX Runtime cannot train"):
        training_compute("onnx")


def test_a_missing_extra_is_one_sentence_with_the_line_that_installs_it(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extra, "import_module", missing)
    with pytest.raises(UtileError, match=r'^This needs onnxruntime.*pip install "napari-utile\[exchange\]"'):
        choose_compute("onnx")
