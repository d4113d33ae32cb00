"""Small models with weights that behave like trained ones."""

import dataclasses

import pytest
import torch
from torch import nn

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.models.outputs import DISTANCES, InputChannel, class_output
from napari_utile.engine.networks.unet import UNet, UNetConfig


def trained_like(config: UNetConfig, seed: int = 0, **card: object) -> Model:
    """Make a model whose logits spread over both classes, with batch statistics that are not trivial."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = UNet(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    network.eval().requires_grad_(False)
    side = network.geometry.input_size(network.geometry.output_at_least(16))
    with torch.inference_mode():
        logits = network(torch.rand(1, config.in_channels, side, side, generator=generator))
        centre, spread = logits.mean((0, 2, 3)), logits.std((0, 2, 3)).clamp_min(1e-3)
    network.head.weight.data *= (2 / spread)[:, None, None, None]
    network.head.bias.data = (network.head.bias - centre) * 2 / spread
    made = ModelCard("trained-like", "unet", dataclasses.asdict(config), **card)
    return Model(made, network, fingerprint_of(made, network))


@pytest.fixture(scope="session")
def small_model() -> Model:
    """A U-Net of depth 2 and width 4, with batch normalisation."""
    return trained_like(UNetConfig(width=4, depth=2, batch_norm=True), object_diameter=20.0)


@pytest.fixture(scope="session")
def several_models() -> dict[tuple[int, int, bool], Model]:
    """U-Nets by depth, width and whether they have batch normalisation."""
    kinds = [(1, 3, False), (2, 4, True), (3, 2, True)]
    return {
        kind: trained_like(UNetConfig(depth=kind[0], width=kind[1], batch_norm=kind[2]), seed=kind[0])
        for kind in kinds
    }


@pytest.fixture(scope="session")
def distances_model() -> Model:
    """A U-Net that predicts two classes and the distances B and C."""
    outputs = (class_output(2), *DISTANCES)
    return trained_like(UNetConfig(width=4, depth=1, batch_norm=True, classes=4), outputs=outputs)


@pytest.fixture(scope="session")
def two_inputs_model() -> Model:
    """A U-Net that reads a channel and, where there is one, a second."""
    inputs = (InputChannel("membrane"), InputChannel("nuclei", optional=True))
    return trained_like(UNetConfig(in_channels=2, width=4, depth=1, batch_norm=True), inputs=inputs)
