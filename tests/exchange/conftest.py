"""Models of all kinds, exported once, and what the field's own program makes of the packages."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_utile.engine.exchange.export import export_model
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, save_model
from napari_utile.engine.models.outputs import DISTANCES, InputChannel, ModelClass, class_output
from napari_utile.engine.networks.families import build_network

FIELD = Path(sys.prefix) / "bioimageio"
"""Where `make test` installs the field's own library, see bioimageio.txt."""
OWN_IMAGE = np.random.default_rng(1).random((90, 70))


@dataclass(frozen=True)
class Packaged:
    """A model and its package."""

    model: Model
    package: Path


@dataclass(frozen=True)
class Exchanged(Packaged):
    """Beside these the image (C, Y, X) and what bioimageio.core computes: (3, K, Y, X)."""

    image: np.ndarray
    outputs: np.ndarray


def save_random_model(path: Path, family: str, config: dict, **card) -> Model:
    """Save a small network of random weights, whose batch normalisations are no identities."""
    torch.manual_seed(len(path.stem))
    network = build_network(family, {"dropout": 0.0, **config})
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    if family.startswith("fcn"):  # whose scores begin near 0
        for score in (network.score, *network.skip_scores):
            torch.nn.init.normal_(score.weight, std=0.5)
    return save_model(ModelCard(path.stem, family, config, **card), network, path)


def models_of_all_kinds(folder: Path) -> dict[str, Model]:
    """Make a model with distances and an optional second input, one with several classes, an FCN."""
    distances = (class_output(2), *DISTANCES)
    three = (ModelClass("background", "background"), *(ModelClass(f"cell {n}", "foreground") for n in "ab"))
    two_inputs = (InputChannel("any"), InputChannel("nuclei", optional=True))
    kinds = {
        "distances": (
            "unet",
            {"width": 4, "depth": 2, "batch_norm": True, "in_channels": 2, "classes": 4},
            {"outputs": distances, "relief": "distances", "inputs": two_inputs},
        ),
        "three-classes": (
            "unet",
            {"width": 3, "depth": 3, "classes": 3},
            {"classes": three, "pixel_size": 0.5},
        ),
        "fcn": ("fcn8s", {"width": 1}, {"licence": "to be shared as it is"}),
    }
    return {
        name: save_random_model(folder / f"{name}.safetensors", family, config, **card)
        for name, (family, config, card) in kinds.items()
    }


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Packaged]:
    """Export models of all kinds, two at a time as two windows may, one of them with an image of its own."""
    folder = tmp_path_factory.mktemp("exchange")
    models = models_of_all_kinds(folder)
    own = {"three-classes": {"image": OWN_IMAGE, "authors": ["A. Author"]}}

    def package(name: str) -> Packaged:
        return Packaged(models[name], export_model(models[name], folder / f"{name}.zip", **own.get(name, {})))

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(models, threads.map(package, models), strict=True))


@pytest.fixture(scope="session")
def exchanged(
    packaged: dict[str, Packaged], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exchanged]:
    """Run the packages in bioimageio.core."""
    if not FIELD.is_dir():
        pytest.skip(f"bioimageio.core is not in {FIELD}: make test installs it")
    folder = tmp_path_factory.mktemp("exchanged")
    rng = np.random.default_rng(0)
    images, arguments = {}, []
    for name, each in packaged.items():
        grid = each.model.network.geometry.grid
        # Blocks of so many grid cells more than the smallest: several to an image, few where one takes long.
        side, more = (40 * grid, 4) if grid < 16 else (26 * grid, 8)
        channels = len(each.model.card.inputs)
        images[name] = rng.gamma(2.0, 300.0, (channels, side, side + grid)).astype(np.float32)
        np.save(folder / f"{name}_image.npy", images[name])
        arguments += [each.package, folder / f"{name}_image.npy", folder / f"{name}_out.npy", more]
    subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("run_packages.py"), *map(str, arguments)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(FIELD)},
    )
    return {
        name: Exchanged(each.model, each.package, images[name], np.load(folder / f"{name}_out.npy"))
        for name, each in packaged.items()
    }
