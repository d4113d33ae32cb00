"""Models of all kinds, exported once, and what the field's own program makes of the packages."""

import os
import subprocess
import sys
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
BLOCK = 4
"""The size parameter of the blocks: so many grid cells more than the smallest."""


@dataclass(frozen=True)
class Exchanged:
    """A model, its package, the image (C, Y, X) and what bioimageio.core computes: (3, K, Y, X)."""

    model: Model
    package: Path
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
    """Make a model with distances, one with an optional second input, a finely tuned one, several classes, an FCN."""
    distances = (class_output(2), *DISTANCES)
    three = (ModelClass("background", "background"), *(ModelClass(f"cell {n}", "foreground") for n in "ab"))
    two_inputs = (InputChannel("any"), InputChannel("nuclei", optional=True))
    wide = {"width": 4, "depth": 2, "batch_norm": True}
    kinds = {
        "nuclei-like": ("unet", {**wide, "classes": 4}, {"outputs": distances, "relief": "distances"}),
        "cells-like": (
            "unet",
            {**wide, "in_channels": 2, "classes": 4},
            {"outputs": distances, "inputs": two_inputs},
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
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exchanged]:
    """Export models of all kinds, and run their packages in bioimageio.core."""
    if not FIELD.is_dir():
        pytest.skip(f"bioimageio.core is not in {FIELD}: make test installs it")
    folder = tmp_path_factory.mktemp("exchange")
    rng = np.random.default_rng(0)
    parts, arguments = {}, []
    for name, model in models_of_all_kinds(folder).items():
        grid = model.network.geometry.grid
        side = 40 * grid if grid < 16 else 22 * grid
        image = rng.gamma(2.0, 300.0, (len(model.card.inputs), side, side + 3 * grid)).astype(np.float32)
        package = export_model(model, folder / f"{name}.zip")
        np.save(folder / f"{name}_image.npy", image)
        parts[name] = model, package, image
        arguments += [package, folder / f"{name}_image.npy", folder / f"{name}_out.npy", BLOCK]
    subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("run_packages.py"), *map(str, arguments)],
        check=True,
        env={**os.environ, "PYTHONPATH": str(FIELD)},
    )
    return {name: Exchanged(*parts[name], np.load(folder / f"{name}_out.npy")) for name in parts}
