"""One training run: network, running mean of its weights, optimiser, progress; and the steps that it takes.

What a run does is decided by its planes, recipe, budget and seed. The random numbers of a step follow from the seed
and the step's number, so a run that was killed continues from its checkpoint to the same weights as one that was not
(float32 on the CPU, with a budget in steps: identical, bit by bit).
"""

import contextlib
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_utile.engine.errors import UtileError, is_out_of_memory
from napari_utile.engine.inference.device import Compute, release_memory, training_compute
from napari_utile.engine.inference.heap import kept_heap
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.networks.network import Network
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.training.objective import Objective
from napari_utile.engine.training.recipes import DEFAULT, Budget, TrainingRecipe
from napari_utile.engine.training.samples import Sample, Sampler, TrainingPlane
from napari_utile.engine.training.state import (
    RunState,
    Weights,
    copy_weights,
    follow,
    read_checkpoint,
    write_checkpoint,
)
from napari_utile.engine.training.validation import Validation, held_out_samples, validate

SKIPS_BEFORE_LOWERING = 3
"""Steps in a row without a finite loss and gradient, before the learning rate is lowered."""
LOWERINGS_BEFORE_STOP = 5
LOWERING = 0.3
A_HUNDRED_STEPS = Budget(steps=100)


@dataclass(frozen=True)
class TrainStep:
    """One step of a run.

    Attributes
    ----------
    step : int
        Steps done, this one included.
    loss, plain : float
        What is minimised, and the batch's unweighted cross-entropy; not a number where the step was skipped.
    rate : float
        Learning rate.
    seconds : float
        Time spent training so far, all sittings together.
    spent : float
        Share of the budget used, 0 to 1.
    validation : Validation or None
        Where this step ended with one.
    best : bool
        Whether that was the best so far.
    skipped : bool
        Whether the step changed nothing, because loss or gradient were not finite.
    """

    step: int
    loss: float
    plain: float
    rate: float
    seconds: float
    spent: float
    validation: Validation | None = None
    best: bool = False
    skipped: bool = False


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a run gives: the network with its best weights loaded, in evaluation mode, and how it went."""

    network: Network
    steps: int
    seconds: float
    best_step: int
    best_loss: float
    history: tuple[tuple[Any, ...], ...]
    reason: str


class TrainingRun:
    """One run: network, running mean, optimiser and progress.

    Parameters
    ----------
    network : Network
        Changed in place.
    planes, held_out : sequence of TrainingPlane
        To train on, and to validate on; without the second the last weights are the best.
    recipe : TrainingRecipe
    budget : Budget
    seed : int
    compute : Compute, optional
        Where; chosen automatically by default.
    card : ModelCard, optional
        Describes the network's outputs and inputs; without it all output channels are classes.
    """

    def __init__(
        self,
        network: Network,
        planes: Sequence[TrainingPlane],
        held_out: Sequence[TrainingPlane] = (),
        recipe: TrainingRecipe = DEFAULT,
        budget: Budget = A_HUNDRED_STEPS,
        seed: int = 0,
        compute: Compute | None = None,
        card: ModelCard | None = None,
    ) -> None:
        self.compute = compute or training_compute("auto", recipe.precision)
        self.device = torch.device(self.compute.device)
        self.recipe, self.budget, self.seed = recipe, budget, seed
        self.objective = Objective(card, recipe)
        network.requires_grad_(True)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.geometry = geometry = network.geometry
        self.optimizer = _optimizer(self.network, recipe)
        self.average = copy_weights(self.network) if recipe.average else None
        self.best: Weights | None = None
        self.progress = RunState(size=geometry.output_at_least(recipe.tile))
        self.sampler = Sampler(
            planes,
            geometry.halo,
            recipe.augment,
            focus=recipe.focus,
            density=recipe.density,
            seed=seed,
            device=self.device,
            optional=card.optional_inputs if card is not None else 0,
        )
        self.held_out = held_out_samples(held_out, self.progress.size, geometry.halo)
        # not the budget: a run may be given more time
        self.identity: dict[str, Any] = {
            "recipe": to_json(recipe),
            "seed": seed,
            "annotation": _contents(planes),
            "held-out tiles": _contents(held_out),
        }
        self.reason = ""

    def steps(
        self, checkpoint: Path | None = None, *, checkpoint_every: float = 60.0, resume: bool = False
    ) -> Generator[TrainStep, None, TrainResult]:
        """Train to the end of the budget; yield each step, a point where it may be cancelled.

        Parameters
        ----------
        checkpoint : Path, optional
            File to keep the run in, so that it can be resumed.
        checkpoint_every : float
            Seconds between checkpoints; one is written at the end and on cancelling, too.
        resume : bool
            Continue from `checkpoint`, if it is there.

        Yields
        ------
        TrainStep

        Returns
        -------
        TrainResult
            The network with its best weights.

        Raises
        ------
        UtileError
            If training diverges for good, there is not enough memory for the smallest tile, or the checkpoint is of
            another run.
        """
        if resume and checkpoint is not None and checkpoint.is_file():
            self.load(checkpoint)
        saved = time.monotonic()
        on_cpu = self.device.type == "cpu"
        try:
            with kept_heap() if on_cpu else contextlib.nullcontext():
                while not self.reason:
                    yield self.step()
                    if checkpoint is not None and time.monotonic() - saved >= checkpoint_every:
                        self.save(checkpoint)
                        saved = time.monotonic()
            if checkpoint is not None:
                self.save(checkpoint)
            return self.finish()
        except GeneratorExit:
            if checkpoint is not None:
                self.save(checkpoint)
            raise
        finally:
            self.close()

    def step(self) -> TrainStep:
        """Take one step, and validate where it is time for it."""
        started = time.perf_counter()
        progress = self.progress
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, plain, finite = self._update()
        progress.step += 1
        if finite:
            progress.skipped = 0
            if self.average is not None:
                warming = (1 + progress.step) / (10 + progress.step)
                follow(self.average, self.network, min(self.recipe.average, warming))
        else:
            self._recover()
        validation = None
        progress.seconds += time.perf_counter() - started
        spent = self.budget.spent(progress.step, progress.seconds)
        if self.held_out and (progress.step % self.recipe.validate_every == 0 or spent >= 1):
            started = time.perf_counter()
            validation = self._validate()
            progress.seconds += time.perf_counter() - started
        best = validation is not None and self._keep_if_best(validation)
        scores = (validation.loss, validation.overlap) if validation else (None, None)
        progress.history.append([progress.step, loss, plain, *scores])
        spent = self.budget.spent(progress.step, progress.seconds)
        self.reason = progress.why_ended(self.budget, self.recipe.patience)
        return TrainStep(
            progress.step, loss, plain, rate, progress.seconds, spent, validation, best, not finite
        )

    def _update(self) -> tuple[float, float, bool]:
        """Take one step; give the loss, the plain loss and whether both loss and gradient were finite."""
        buffers = [buffer.clone() for buffer in self.network.buffers()]
        while True:
            try:
                loss, plain = self._gradient()
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._halve_tile()  # outside the except block, whose traceback holds on to the memory
        parameters = [each for each in self.network.parameters() if each.grad is not None]
        clip = self.recipe.clip or math.inf
        norm = nn.utils.clip_grad_norm_(parameters, clip)
        finite = math.isfinite(loss) and bool(torch.isfinite(norm))
        if finite:
            self.optimizer.step()
        else:  # batch normalisation has already taken in the broken batch
            for buffer, before in zip(self.network.buffers(), buffers, strict=True):
                buffer.copy_(before)
        self.optimizer.zero_grad(set_to_none=True)
        return loss, plain, finite

    def _gradient(self) -> tuple[float, float]:
        progress = self.progress
        batch = self.sampler.batch(progress.step, self.recipe.batch, progress.size)
        cuda = [torch.cuda.current_device()] if self.device.type == "cuda" else []
        self.network.train()
        with torch.random.fork_rng(cuda):  # dropout, without touching anybody else's random numbers
            torch.manual_seed(hash((self.seed, progress.step)) & 0x7FFF_FFFF_FFFF_FFFF)
            logits = self._forward(batch)
        loss = self.objective(logits, batch)
        loss.weighted.backward()  # type: ignore[no-untyped-call]
        return float(loss.weighted.detach()), float(loss.plain)

    def _forward(self, batch: Sample) -> Tensor:
        image = batch.image.to(memory_format=torch.channels_last)
        mixed = self.compute.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=mixed):
            logits: Tensor = self.network(image)
        return logits

    def _rate(self) -> float:
        recipe, progress = self.recipe, self.progress
        rate = recipe.rate * progress.rate_factor
        if progress.step < recipe.warm_up:
            rate *= (progress.step + 1) / recipe.warm_up
        if recipe.schedule == "cosine":
            spent = self.budget.spent(progress.step, progress.seconds)
            rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent))
        return rate

    def _recover(self) -> None:
        """After a step without a finite gradient: skip it, then lower the rate, then stop."""
        progress = self.progress
        progress.skipped += 1
        if progress.skipped < SKIPS_BEFORE_LOWERING:
            return
        progress.skipped = 0
        progress.lowered += 1
        if progress.lowered > LOWERINGS_BEFORE_STOP:
            raise UtileError(
                "Training diverged: the loss is not a number although the learning rate was lowered "
                f"{LOWERINGS_BEFORE_STOP} times. Choose a lower learning rate, and look for broken pixels in the "
                "images."
            )
        progress.rate_factor *= LOWERING
        self.optimizer.state.clear()
        if good := self.best or self.average:
            self.network.load_state_dict(good)

    def _halve_tile(self) -> None:
        progress = self.progress
        self.optimizer.zero_grad(set_to_none=True)
        release_memory(self.device.type)
        smaller = self.geometry.output_at_least(progress.size // 2)
        if smaller >= progress.size:
            raise UtileError("There is not enough memory to train this network, even with its smallest tile.")
        progress.size = smaller

    def _validate(self) -> Validation:
        """Validate the running mean of the weights, or the weights where there is none."""
        present = copy_weights(self.network)
        if self.average is not None:
            self.network.load_state_dict(self.average)
        mixed = self.compute.precision == "bfloat16"
        result = validate(self.network, self.held_out, self.device, self.objective, mixed)
        self.network.load_state_dict(present)
        return result

    def _keep_if_best(self, validation: Validation) -> bool:
        progress = self.progress
        # by the plain loss: the weighted one hangs on a few border pixels, and stopped improving long before cells did
        if not validation.plain < progress.best_loss:
            progress.stale += 1
            return False
        progress.best_loss, progress.best_step, progress.stale = validation.plain, progress.step, 0
        self.best = self.present()
        return True

    def present(self) -> Weights:
        """Return copies of the weights as they are now: their running mean, where there is one."""
        if self.average is not None:
            return {key: value.clone() for key, value in self.average.items()}
        return copy_weights(self.network)

    def finish(self) -> TrainResult:
        """Load the best weights and return the result."""
        progress = self.progress
        self.network.load_state_dict(self.best if self.best is not None else self.present())
        history = tuple(tuple(each) for each in progress.history)
        return TrainResult(
            self.network,
            progress.step,
            progress.seconds,
            progress.best_step,
            progress.best_loss,
            history,
            self.reason,
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        weights = {"network": copy_weights(self.network)}
        if self.average is not None:
            weights["average"] = self.average
        if self.best is not None:
            weights["best"] = self.best
        write_checkpoint(path, self.progress, weights, self.optimizer, self.identity)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint of the same run."""
        self.progress, weights = read_checkpoint(path, self.identity, self.optimizer, self.device)
        self.network.load_state_dict(weights["network"])
        self.average, self.best = weights.get("average"), weights.get("best")
        self.reason = self.progress.why_ended(self.budget, self.recipe.patience)

    def close(self) -> None:
        """Leave the network ready for use, on the CPU, and give memory back."""
        self.optimizer.zero_grad(set_to_none=True)
        self.network.requires_grad_(False).eval().to("cpu")
        release_memory(self.device.type)


def _contents(planes: Sequence[TrainingPlane]) -> list[list[str]]:
    """Name planes by what is asked of their pixels."""
    return sorted([plane.name, sha256_of(plane.target)] for plane in planes)


def _optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """Weight decay pulls on the convolutions alone, not on biases and normalisation."""
    decayed = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum)
    return torch.optim.AdamW(groups, lr=recipe.rate)
