"""`utile models show`: everything that a card says."""

import dataclasses

import torch

from napari_utile.cli import main
from napari_utile.engine.models.card import DataSource, ModelCard
from napari_utile.engine.models.library import save_model
from napari_utile.engine.models.outputs import DISTANCES, InputChannel, class_output
from napari_utile.engine.networks.unet import UNet, UNetConfig


def test_outputs_optional_channels_and_data_are_shown(tmp_path, capsys) -> None:
    torch.manual_seed(0)
    config = UNetConfig(in_channels=2, classes=4, width=2, depth=1)
    card = ModelCard(
        "crowded",
        "unet",
        dataclasses.asdict(config),
        outputs=(class_output(2), *DISTANCES),
        relief="distances",
        inputs=(InputChannel("membrane"), InputChannel("nuclei", optional=True)),
        confidence=0.62,
        data=(DataSource("BBBC038v1", "CC0-1.0", 235, "Caicedo et al. 2019"),),
    )
    save_model(card, UNet(config), tmp_path / "crowded.safetensors")
    assert main(["models", "show", str(tmp_path / "crowded.safetensors")]) == 0
    shown = capsys.readouterr().out
    for words in (
        "classes (softmax, 2 channels), B (clip), C (clip)",
        "membrane, nuclei (optional)",
        "distances",
        "at least 0.62",
        "BBBC038v1: 235 images, CC0-1.0 Caicedo et al. 2019",
    ):
        assert words in shown
    assert main(["models", "show", str(tmp_path / "crowded.safetensors"), "--json"]) == 0
    assert '"relief": "distances"' in capsys.readouterr().out
