"""Networks trained alike: the same images, recipe, seed and CPU time; only what is compared differs.

A budget is a number of steps: the CPU time that each network is given, over the CPU time that one of its steps takes
when it is first measured here. Unlike a clock it does not mind being paused or resumed, and it makes a run
repeatable.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from accuracy_runs.images import Annotated
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.networks.network import Network
from napari_utile.engine.parameters import to_json
from napari_utile.engine.steps import Run as Steps
from napari_utile.engine.training.data import training_planes
from napari_utile.engine.training.learned import best_instances, predictions
from napari_utile.engine.training.recipes import DEFAULT, Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun
from napari_utile.engine.training.samples import TrainingPlane

# A sample costs each of them the same: 3.5 to 3.6 GFLOP forwards.
CONFIGURATIONS = {
    "unet": {"width": 16, "depth": 3, "batch_norm": True, "dropout": 0.0},
    "fcn32s": {"width": 8, "batch_norm": True, "dropout": 0.0},
    "fcn16s": {"width": 8, "batch_norm": True, "dropout": 0.0},
    "fcn8s": {"width": 8, "batch_norm": True, "dropout": 0.0},
}
EVERY = 5
"""The threshold is chosen on every so manieth of the training images."""
THRESHOLDS = (0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
WARM_UP, MEASURED = 3, 8
"""Steps before the clock starts, and steps whose median is taken."""


@dataclass(frozen=True)
class Run:
    """One network to be trained."""

    family: str
    w0: float = 10.0
    seed: int = 0

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.family}-w{self.w0:g}-seed{self.seed}"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with the instance parameters that suit it, chosen on training images.

    Attributes
    ----------
    model : Model
    split : InstanceParams
        Touching cells are separated at their neck, as the product does.
    plain : InstanceParams
        Connected components alone, as in the U-Net paper.
    """

    run: Run
    model: Model
    split: InstanceParams
    plain: InstanceParams

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(each.numel() for each in self.model.network.parameters())


class Lane:
    """Trains networks one after another, and keeps them in a folder, so that a killed run goes on where it was."""

    def __init__(self, images: Sequence[Annotated], work: Path, minutes: float, steps: int | None) -> None:
        self.images, self.work, self.minutes, self.fixed_steps = images, work, minutes, steps
        work.mkdir(parents=True, exist_ok=True)

    def trained(self, run: Run) -> Trained:
        """Train a network, or load it where that was done before."""
        steps = self._steps(run.family)
        path = self.work / f"{run.name}-{steps}steps.safetensors"
        if not path.is_file():
            self._train(run, steps, path)
        model = load_model(path)
        chosen = self._chosen(model, path.with_suffix(".json"))
        return Trained(run, model, chosen["split"], chosen["plain"])

    def _train(self, run: Run, steps: int, path: Path) -> None:
        recipe = replace(DEFAULT, w0=run.w0)
        card = ModelCard(name=run.name, family=run.family, config=_config(run.family))
        planes = self._planes(card, recipe, self.images)
        cpu, wall, seen = time.process_time(), time.monotonic(), 0
        steps_of = Steps(
            TrainingRun(
                _network(run), planes, recipe=recipe, budget=Budget(steps=steps), seed=run.seed
            ).steps(path.with_suffix(".checkpoint"), resume=True)
        )
        for step in steps_of:
            seen += 1
            if step.step % 50 == 0:
                print(f"  {run.name}: step {step.step} of {steps}, loss {step.plain:.3f}", flush=True)
        result = steps_of.result
        taken = (time.process_time() - cpu) / max(seen, 1)
        about = {
            "data": [each.name for each in self.images],
            "recipe": to_json(recipe),
            "seed": run.seed,
            "steps": steps,
            "CPU minutes": round(taken * steps / 60, 2),
            "wall minutes of the last sitting": round((time.monotonic() - wall) / 60, 2),
        }
        save_model(replace(card, training=about), result.network, path)
        path.with_suffix(".checkpoint").unlink(missing_ok=True)

    def _chosen(self, model: Model, path: Path) -> dict[str, InstanceParams]:
        """Choose instance parameters on some of the training images, once for each network."""
        if not path.is_file():
            planes = self._planes(model.card, DEFAULT, self.images[::EVERY])
            maps = predictions(model, planes, choose_compute())
            best = {
                name: to_json(
                    best_instances(
                        maps, planes, params, thresholds=THRESHOLDS, sizes=(0.5,), splits=(params.split,)
                    )
                )
                for name, params in (("split", InstanceParams()), ("plain", InstanceParams(split=0.0)))
            }
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(best))
        return {name: InstanceParams(**each) for name, each in json.loads(path.read_text()).items()}

    def _planes(
        self, card: ModelCard, recipe: TrainingRecipe, images: Sequence[Annotated]
    ) -> list[TrainingPlane]:
        return training_planes(images, card, recipe, scale=1.0)

    def _steps(self, family: str) -> int:
        """Return how many steps the time is worth."""
        if self.fixed_steps is not None:
            return self.fixed_steps
        path = self.work / "seconds_per_step.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        if family not in known:
            known[family] = self._seconds(family)
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(known))
        return max(1, round(60 * self.minutes / known[family]))

    def _seconds(self, family: str) -> float:
        """Measure the CPU time of a step, all threads together."""
        card = ModelCard(name=family, family=family, config=_config(family))
        planes = self._planes(card, DEFAULT, self.images)
        clock, taken = time.process_time(), []
        for _ in TrainingRun(_network(Run(family)), planes, budget=Budget(steps=WARM_UP + MEASURED)).steps():
            now = time.process_time()
            taken.append(now - clock)
            clock = now
        return statistics.median(taken[WARM_UP:])


def _config(family: str) -> dict:
    return {"in_channels": 1, "classes": 2, **CONFIGURATIONS[family]}


def _network(run: Run) -> Network:
    torch.manual_seed(run.seed)
    return build_network(run.family, _config(run.family))
