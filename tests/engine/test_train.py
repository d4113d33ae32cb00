"""The training loop: resumes identically, can be cancelled, survives bad numbers, keeps the best."""

import dataclasses
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.steps import Run
from napari_utile.engine.training import objective
from napari_utile.engine.training import run as training_run
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.training.recipes import DEFAULT, RECIPES, RONNEBERGER2015, Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun, TrainResult, TrainStep
from napari_utile.engine.training.samples import Sample, TrainingPlane, training_plane
from napari_utile.engine.training.validation import Validation, validate
from napari_utile.engine.weights.annotation import Annotation

FAST = TrainingRecipe(
    tile=20, batch=2, rate=1e-2, warm_up=0, validate_every=4, average=0.9, augment=AugmentParams(elastic=2)
)
CPU = choose_compute("cpu", "float32")


def plane(seed: int = 0, annotation: Annotation | None = None) -> TrainingPlane:
    """Bright discs on a dark ground."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((64, 64), np.int32)
    y, x = np.mgrid[:64, :64]
    for index in range(1, 9):
        cy, cx = rng.integers(6, 58, 2)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < 25] = index
    image = ((labels > 0) + rng.normal(0, 0.1, labels.shape)).astype(np.float32)[None]
    return training_plane(f"plane {seed}", image, labels, annotation or Annotation())


def network(seed: int = 0, **config: Any) -> UNet:
    torch.manual_seed(seed)
    return UNet(UNetConfig(**{"width": 4, "depth": 1, "batch_norm": True, "dropout": 0.3, **config}))


def start(
    recipe: TrainingRecipe = FAST, steps: int = 12, minutes: float | None = None, **options: Any
) -> Generator[TrainStep, None, TrainResult]:
    saving = {key: options.pop(key) for key in ("checkpoint", "checkpoint_every", "resume") if key in options}
    budget = Budget(None if minutes else steps, minutes)
    given = {
        "network": network(),
        "planes": [plane(0), plane(1)],
        "held_out": [plane(2)],
        "compute": CPU,
        **options,
    }
    return TrainingRun(recipe=recipe, budget=budget, **given).steps(**saving)


def finish(steps: Generator[TrainStep, None, TrainResult]) -> tuple[list[TrainStep], TrainResult]:
    run = Run(steps)
    return list(run), run.result


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_training_learns() -> None:
    seen, result = finish(start(steps=60))
    validations = [step.validation for step in seen if step.validation]
    assert validations[-1].overlap > 0.8 > validations[0].overlap
    assert result.best_loss < 0.6 * validations[0].plain
    assert [step.step for step in seen] == list(range(1, 61))
    assert result.reason == "budget"
    assert not result.network.training


def empty_tile(sure: float, weight: float) -> Sample:
    """Three pixels of background, and as their image the logits that a network gives them."""
    logits = torch.tensor([sure, 0.0]).reshape(2, 1, 1).expand(2, 1, 3)
    return Sample(logits, torch.zeros(1, 3, dtype=torch.uint8), torch.full((1, 3), weight))


def test_held_out_tiles_count_as_much_as_their_pixels_weigh() -> None:
    tiles = [empty_tile(0.0, 2.0), empty_tile(40.0, 1.0)]
    found = validate(torch.nn.Identity(), tiles, torch.device("cpu"), objective.Objective(None, FAST))
    assert found.loss == pytest.approx(np.log(2) * 6 / 9)
    assert found.plain == pytest.approx(np.log(2) / 2)


def test_tiles_without_an_object_in_which_none_is_found_overlap_fully() -> None:
    tiles = [empty_tile(40.0, 1.0)]
    found = validate(torch.nn.Identity(), tiles, torch.device("cpu"), objective.Objective(None, FAST))
    assert found.overlap == 1


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_killed_run_resumes_to_the_very_same_weights(tmp_path: Path, optimizer: str) -> None:
    recipe = dataclasses.replace(FAST, optimizer=optimizer, momentum=0.9, rate=5e-3)
    seen, whole = finish(start(recipe))
    checkpoint = tmp_path / "run.safetensors"
    killed = start(recipe, checkpoint=checkpoint, checkpoint_every=0.0)
    first = list(itertools.islice(killed, 6))  # the checkpoint on disk is that of step 5: step 6 is lost
    text = checkpoint.read_bytes()
    killed.close()
    checkpoint.write_bytes(text)
    rest, resumed = finish(start(recipe, network=network(99), checkpoint=checkpoint, resume=True))
    assert [step.step for step in rest] == list(range(6, 13))
    assert [step.loss for step in (*first[:5], *rest)] == [step.loss for step in seen]
    assert same_weights(whole.network, resumed.network)
    assert resumed.history == whole.history
    assert not same_weights(whole.network, network())


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.safetensors"
    finish(start(steps=1, checkpoint=checkpoint))
    with pytest.raises(UtileError, match="other seed"):
        next(start(seed=5, checkpoint=checkpoint, resume=True))
    with pytest.raises(UtileError, match="other recipe"):
        next(start(dataclasses.replace(FAST, rate=1e-4), checkpoint=checkpoint, resume=True))
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UtileError, match="not a readable checkpoint"):
        next(start(checkpoint=checkpoint, resume=True))


def test_a_finished_run_given_more_steps_goes_on(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.safetensors"
    finish(start(steps=3, checkpoint=checkpoint))
    assert finish(start(steps=3, checkpoint=checkpoint, resume=True))[0] == []
    assert len(finish(start(steps=5, checkpoint=checkpoint, resume=True))[0]) == 2


def test_cancelling_ends_within_a_step_and_keeps_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.safetensors"
    chosen = network()
    steps = start(network=chosen, checkpoint=checkpoint)
    next(steps)
    steps.close()
    assert checkpoint.is_file()
    assert not chosen.training
    assert all(each.grad is None and not each.requires_grad for each in chosen.parameters())
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_nobody_elses_random_numbers_are_touched() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    steps = start(steps=2)
    torch.manual_seed(1)
    finish(steps)
    assert torch.equal(torch.rand(3), expected)


def test_the_seed_decides_the_run() -> None:
    first, second, third = (finish(start(steps=2, seed=seed))[0][-1].loss for seed in (0, 0, 1))
    assert first == second != third


def test_the_best_state_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.2, 0.9])
    states = []

    def validate(judged: torch.nn.Module, *_: Any) -> Validation:
        states.append({key: value.clone() for key, value in judged.state_dict().items()})
        return Validation(0.0, next(losses), 0.0)

    monkeypatch.setattr(training_run, "validate", validate)
    seen, result = finish(start())
    assert [step.best for step in seen if step.validation] == [True, True, False]
    assert (result.best_step, result.best_loss) == (8, 0.2)
    assert all(torch.equal(value, states[1][key]) for key, value in result.network.state_dict().items())
    assert not torch.equal(states[1]["head.weight"], states[2]["head.weight"])


def test_without_improvement_it_stops_early_and_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "validate", lambda *_: Validation(1.0, 1.0, 0.0))
    recipe, checkpoint = dataclasses.replace(FAST, patience=2, validate_every=1), tmp_path / "kept"
    seen, result = finish(start(recipe, checkpoint=checkpoint))
    assert len(seen) == 3
    assert result.reason == "no improvement"
    seen, result = finish(start(recipe, checkpoint=checkpoint, resume=True))
    assert not seen
    assert result.reason == "no improvement"


def test_a_step_without_a_finite_loss_changes_nothing() -> None:
    broken = plane(0)
    broken.image[:] = np.nan
    chosen = network()
    before = {key: value.clone() for key, value in chosen.state_dict().items()}
    steps = start(network=chosen, planes=[broken], held_out=[])
    seen = list(itertools.islice(steps, 2))
    assert all(step.skipped for step in seen)
    after = chosen.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items() if "num_batches" not in key)
    steps.close()


def test_a_diverged_run_lowers_its_rate_and_then_stops_with_a_sentence() -> None:
    broken = plane(0)
    broken.image[:] = np.inf
    rates = []
    recipe = dataclasses.replace(FAST, schedule="constant")
    steps = start(recipe, 100, planes=[broken], held_out=[])
    with pytest.raises(UtileError, match="diverged"):
        rates.extend(step.rate for step in steps)
    assert rates[0] > rates[4] > rates[-1]
    assert len(rates) == 3 * 6 - 1


def test_training_goes_on_after_a_broken_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    real = objective.weighted_cross_entropy
    calls = itertools.count()

    def sometimes(logits: torch.Tensor, *rest: Any) -> Any:
        return real(logits * (float("nan") if next(calls) == 2 else 1.0), *rest)

    monkeypatch.setattr(objective, "weighted_cross_entropy", sometimes)
    seen, result = finish(start())
    assert [step.skipped for step in seen] == [index == 2 for index in range(12)]
    assert all(bool(torch.isfinite(value).all()) for value in result.network.state_dict().values())


def test_a_lack_of_memory_halves_the_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    real = UNet.forward

    def small_memory(self: UNet, image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] > 24:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, image)

    monkeypatch.setattr(UNet, "forward", small_memory)
    seen, _ = finish(start(dataclasses.replace(FAST, tile=60), 2, held_out=[]))
    assert not any(step.skipped for step in seen)
    monkeypatch.setattr(
        UNet, "forward", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("out of memory"))
    )
    with pytest.raises(UtileError, match="not enough memory"):
        next(start())


def test_pixels_that_nobody_annotated_have_no_influence() -> None:
    boxes = Annotation("boxes", boxes=[(0, 0, 64, 32)])
    ordinary = plane(0, boxes)
    scribbled = dataclasses.replace(ordinary, weight=ordinary.weight.copy())
    scribbled.weight[:, 32:] = 1000
    first, second = (finish(start(steps=3, planes=[each], held_out=[]))[1] for each in (ordinary, scribbled))
    assert same_weights(first.network, second.network)


def test_a_budget_in_minutes_ends_training() -> None:
    seen, result = finish(start(minutes=0.02))
    assert result.seconds >= 1.2
    assert seen[-1].spent == 1
    assert seen[-1].rate < 0.5 * FAST.rate  # the cosine follows the time


def test_recipes_are_named_and_checked() -> None:
    assert RECIPES["default"] is DEFAULT
    assert RONNEBERGER2015.momentum == 0.99
    assert RONNEBERGER2015.batch == 1
    with pytest.raises(ValueError, match="optimizer must be one of"):
        TrainingRecipe(optimizer="adam")
    with pytest.raises(ValueError, match="steps or minutes"):
        Budget()


def test_the_recipe_of_the_paper_trains_the_network_of_the_paper() -> None:
    recipe = dataclasses.replace(RONNEBERGER2015, tile=20)
    seen, _ = finish(start(recipe, 3, network=network(batch_norm=False, dropout=0.5)))
    assert all(np.isfinite(step.loss) for step in seen)
    assert seen[0].rate == recipe.rate
