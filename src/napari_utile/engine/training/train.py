"""The training loop, as a generator: one `TrainStep` a step, each a point where it may be cancelled.

What a run does is decided by its planes, recipe, budget and seed. The random numbers of a step follow from the seed
and the step's number, so a run that was killed continues from its checkpoint to the same weights as one that was not
(float32 on the CPU, with a budget in steps: identical, bit by bit).
"""

from collections.abc import Generator, Sequence
from pathlib import Path

from napari_utile.engine.inference.device import Compute
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.networks.network import Network
from napari_utile.engine.training.recipes import DEFAULT, Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun, TrainResult, TrainStep
from napari_utile.engine.training.samples import TrainingPlane

A_HUNDRED_STEPS = Budget(steps=100)


def train(
    network: Network,
    planes: Sequence[TrainingPlane],
    held_out: Sequence[TrainingPlane] = (),
    *,
    recipe: TrainingRecipe = DEFAULT,
    budget: Budget = A_HUNDRED_STEPS,
    seed: int = 0,
    compute: Compute | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: float = 60.0,
    resume: bool = False,
    card: ModelCard | None = None,
) -> Generator[TrainStep, None, TrainResult]:
    """Train a network; yield each step, return the best weights.

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
    checkpoint : Path, optional
        File to keep the run in, so that it can be resumed.
    checkpoint_every : float
        Seconds between checkpoints; one is written at the end and on cancelling, too.
    resume : bool
        Continue from `checkpoint`, if it is there.
    card : ModelCard, optional
        Describes the network's outputs and inputs; without it all output channels are classes.

    Yields
    ------
    TrainStep

    Returns
    -------
    TrainResult

    Raises
    ------
    UtileError
        If training diverges for good, there is not enough memory for the smallest tile, or the checkpoint is of
        another run.
    """
    run = TrainingRun(network, planes, held_out, recipe, budget, seed, compute, card)
    return (yield from run.steps(checkpoint, checkpoint_every=checkpoint_every, resume=resume))
