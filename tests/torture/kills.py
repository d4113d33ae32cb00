"""Processes that are killed while they save, train or fill a store."""

import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch
import zarr

from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.provenance.recipe import load_recipe, save_recipe
from napari_utile.engine.provenance.settings import Settings, load_settings, save_settings
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.training.recipes import Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun, TrainResult
from napari_utile.engine.training.samples import training_plane
from napari_utile.engine.weights.annotation import Annotation
from torture.runs import Case, in_a_child, picture, some, status_of
from torture.stores import small_plan, small_plane

SHAPE = (300, 310)


def kill_after(seconds: float, work: Callable[[], int]) -> None:
    """Kill a process that has had so much processor time, whatever else the machine does; or let it end."""
    child = in_a_child(work)
    process = psutil.Process(child)
    while process.status() != psutil.STATUS_ZOMBIE and sum(process.cpu_times()[:2]) < seconds:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    status_of(child)


def _labels(path: Path, version: int) -> None:
    write_labels(path, np.full(SHAPE, version, np.int32), "YX")


def _image(path: Path, version: int) -> None:
    write_image(path, np.full(SHAPE, version, np.float32), "YX")


def _model(path: Path, version: int) -> None:
    base = load_model(path.parent / "valid.safetensors")
    with torch.no_grad():
        for parameter in base.network.parameters():
            parameter.fill_(version)
    save_model(base.card, base.network, path)


def _settings(path: Path, version: int) -> None:
    save_settings(Settings({"diameter": float(version)}), path)


def _table(path: Path, version: int) -> None:
    write_table(path, {"index": np.arange(4000), "value": np.full(4000, version)})


def _recipe(path: Path, version: int) -> None:
    made = load_recipe(path.parent / "right" / "cells_recipe.json")
    (plane,) = made.planes
    save_recipe(replace(made, planes=(replace(plane, cells=version),) * 200), path)


def _read_pixels(path: Path) -> set[float]:
    return {float(value) for value in np.unique(read_image(path).data)}


def _read_model(path: Path) -> set[float]:
    parameters = load_model(path).network.parameters()
    return {float(value) for each in parameters for value in each.detach().unique()}


def _read_settings(path: Path) -> set[float]:
    return {float(load_settings(path).segment["diameter"])}


def _read_recipe(path: Path) -> set[float]:
    planes = load_recipe(path).planes
    return {float(plane.cells) for plane in planes} if len(planes) == 200 else {-1.0}


def _read_table(path: Path) -> set[float]:
    rows = np.genfromtxt(path, delimiter=",", names=True)
    return set(rows["value"].tolist()) if rows.size == 4000 else {-1.0}


SAVES: dict[str, tuple[str, Callable[[Path, int], None], Callable[[Path], set[float]]]] = {
    "labels": ("a_labels.tif", _labels, _read_pixels),
    "images": ("a.tif", _image, _read_pixels),
    "models": ("m.safetensors", _model, _read_model),
    "settings": ("s.json", _settings, _read_settings),
    "recipes": ("a_recipe.json", _recipe, _read_recipe),
    "tables": ("t.csv", _table, _read_table),
}


def kill_during_save(kind: str, seed: int, folder: Path) -> str:
    """Kill a process that saves again and again; what is there must be one whole version."""
    name, save, read = SAVES[kind]
    path = folder / name
    save(path, 1)
    rng = np.random.default_rng(seed)

    def work() -> int:
        while True:
            for version in (2, 3):
                save(path, version)

    kill_after(float(rng.uniform(0.0, 0.15)), work)
    found = read(path)
    if found not in ({1.0}, {2.0}, {3.0}):
        return f"neither version: {found}"
    left = [each for each in folder.iterdir() if each.name.startswith(".")]
    if any(each.name.startswith(".") for each in find_images([folder])):
        return "a temporary file is taken for an image"
    for each in left:
        each.unlink()
    return "whole"


class Stores:
    """Stores that are filled by processes that are killed again and again, until they are complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan, self.model = small_plan(folder)
        self.right = self._filled(folder / "undisturbed.ome.zarr")

    def _filled(self, place: Path) -> dict[str, bytes]:
        if not place.exists():
            begin_store(place, self.plan, self.model)
        list(store_steps(place, jobs=Here(2), planes=[small_plane()], model=self.model))
        names = ("0", "labels/cells/0")
        return {name: zarr.open_array(place / name, mode="r")[...].tobytes() for name in names}

    def kill(self, seed: int) -> str:
        """Kill a run into a store at a random moment, twice, and resume it."""
        place, rng = self.folder / f"killed-{seed}.ome.zarr", np.random.default_rng(seed)
        begin_store(place, self.plan, self.model)

        def work() -> int:
            self._filled(place)
            return 0

        for _ in range(2):
            kill_after(float(rng.uniform(0.0, 0.6)), work)
        found = self._filled(place)
        left = [each.name for each in place.rglob("*.part")]
        shutil.rmtree(place)
        if found != self.right:
            return "other bits"
        return f"left behind: {left}" if left else "whole"


class Trainings:
    """Trainings that are killed and resumed."""

    recipe = TrainingRecipe(tile=20, batch=2, rate=1e-2, warm_up=0, validate_every=4, average=0.9)
    steps = 24

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        labels = np.zeros(picture().shape, np.int32)
        labels[picture() > 100] = 1
        image = picture()[None].astype(np.float32) / 255
        self.plane = training_plane("discs", image, labels, Annotation())
        self.right = self._bits(self.trained(None))

    def trained(self, checkpoint: Path | None) -> TrainResult:
        torch.manual_seed(0)
        network = UNet(UNetConfig(width=4, depth=1, batch_norm=True, dropout=0.3))
        return Run(
            TrainingRun(
                network,
                [self.plane],
                [self.plane],
                recipe=self.recipe,
                budget=Budget(steps=self.steps),
                compute=choose_compute("cpu", "float32"),
            ).steps(checkpoint, checkpoint_every=0.0, resume=True)
        ).result

    def _bits(self, result: TrainResult) -> tuple[bytes, ...]:
        if result.steps != self.steps:
            return ()
        return tuple(each.numpy().tobytes() for each in result.network.state_dict().values())

    def kill(self, seed: int) -> str:
        """Kill a training at a random moment, and resume it."""
        checkpoint, rng = self.folder / f"run-{seed}.checkpoint", np.random.default_rng(seed)

        def work() -> int:
            self.trained(checkpoint)
            return 0

        kill_after(float(rng.uniform(0.0, 0.8)), work)
        found = self._bits(self.trained(checkpoint))
        checkpoint.unlink()
        return "whole" if found == self.right else "other weights"


def cases(folder: Path, scale: float) -> Iterator[Case]:
    """Give 240 kills while files are saved, and 100 while stores are filled and models trained."""
    for kind in SAVES:
        for seed in some(40, scale):
            yield (
                f"kills: saving {kind}",
                str(seed),
                lambda kind=kind, seed=seed: kill_during_save(kind, seed, folder),
            )
    subjects = {"blocks": Stores, "training": Trainings}
    for name, subject in subjects.items():
        made = functools.cache(lambda subject=subject: subject(folder))  # where it is needed
        for seed in some(50, scale):
            yield f"kills: {name}", str(seed), lambda made=made, seed=seed: made().kill(seed)
