"""A graphics card, a small model, a picture. Nothing here needs more than torch, scikit-image and pytest."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_utile.engine.inference import device_check
from napari_utile.engine.inference.warm import forget_networks
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.networks.unet import UNet, UNetConfig


def the_card() -> str | None:
    """Name torch's kind of the graphics card of this computer, None where it has none."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, saying why, what needs a graphics card."""
    if item.get_closest_marker("gpu") and the_card() is None:
        pytest.skip("there is no graphics card that torch can use")


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The graphics card, not yet checked, with no network on it."""
    monkeypatch.setattr(device_check, "checks_file", lambda: tmp_path / "devices.json")
    monkeypatch.setattr(device_check, "found_here", {})
    forget_networks()
    found = the_card()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def model() -> Model:
    """A U-Net of fixed weights whose probabilities spread over 0 to 1."""
    config = UNetConfig(width=16, depth=3, dropout=0)
    network = UNet(config)
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            inputs = value.shape[0] if name.startswith("up.") else value[0].numel()
            value.normal_(0, (2 / inputs) ** 0.5, generator=generator)
    network.eval().requires_grad_(False)
    card = ModelCard("fixed", "unet", dataclasses.asdict(config), object_diameter=20.0)
    return Model(card, network, fingerprint_of(card, network))


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """Bright discs with noise (Y, X)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:300, :420]
    pixels = rng.normal(0, 0.1, y.shape)
    for row, column, radius in zip(
        rng.uniform(0, 300, 60), rng.uniform(0, 420, 60), rng.uniform(4, 14, 60), strict=True
    ):
        pixels += (y - row) ** 2 + (x - column) ** 2 < radius**2
    return pixels.astype(np.float32)
