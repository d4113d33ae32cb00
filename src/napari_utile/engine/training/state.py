"""The state of a training run, and its checkpoint: one safetensors file with JSON in its header, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.training.recipes import Budget

KEY = "utile_training"
Weights = dict[str, Tensor]


@dataclass
class RunState:
    """The numbers of a run that a checkpoint holds; random numbers follow from the seed and the step.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Time spent training, all sittings together.
    size : int
        Output pixels a side of a sample: smaller than the recipe's where memory ran out.
    rate_factor : float
        Below 1 after the rate had to be lowered.
    skipped, lowered : int
        Steps skipped one after another, and how often the rate was lowered.
    best_step : int
        When the best validation was; -1 before the first.
    best_loss : float
        Its plain (unweighted) loss.
    stale : int
        Validations since then.
    history : list of [step, loss, plain loss, validation loss or None, validation overlap or None]
    """

    step: int = 0
    seconds: float = 0.0
    size: int = 0
    rate_factor: float = 1.0
    skipped: int = 0
    lowered: int = 0
    best_step: int = -1
    best_loss: float = float("inf")
    stale: int = 0
    history: list[list[Any]] = field(default_factory=list)

    def why_ended(self, budget: Budget, patience: int) -> str:
        """Say why no step follows, of a run that may go on for `patience` validations that are none better."""
        if budget.spent(self.step, self.seconds) >= 1:
            return "budget"
        return "no improvement" if patience and self.stale >= patience else ""


def copy_weights(network: nn.Module) -> Weights:
    """Return copies of a network's weights and buffers."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


@torch.no_grad()
def follow(average: Weights, network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights towards the network's present ones."""
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            average[key].lerp_(value, 1.0 - decay)
        else:
            average[key].copy_(value)


def write_checkpoint(
    path: Path,
    progress: RunState,
    weights: Mapping[str, Weights],
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> None:
    """Write a checkpoint beside its place and rename it into it.

    Parameters
    ----------
    path : Path
    progress : RunState
    weights : mapping of name to weights
        The network's, the average's, the best.
    optimizer : torch.optim.Optimizer
    identity : mapping
        What a run must share to be continued from here, by names that stand in a sentence; JSON.
    """
    tensors = {f"{name}/{key}": value for name, each in weights.items() for key, value in each.items()}
    numbers: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
            else:
                numbers[f"{index}/{key}"] = value
    header = {"progress": asdict(progress), "identity": dict(identity), "optimizer": numbers}
    with atomic_path(path) as temporary:
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        save_file(plain, temporary, metadata={KEY: json.dumps(header)})


def steps_of(path: Path) -> int:
    """Return how many steps a checkpoint holds, without reading its weights.

    Raises
    ------
    UtileError
        If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return int(json.loads((file.metadata() or {})[KEY])["progress"]["step"])
    except Exception as error:  # a damaged header raises whatever its parts are not
        raise UtileError(
            f"{path.name} is not a readable checkpoint ({' '.join(str(error).split())[:200]})."
        ) from error


def read_checkpoint(
    path: Path, identity: Mapping[str, Any], optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[RunState, dict[str, Weights]]:
    """Read a checkpoint into the optimiser; return the progress and the weights by name.

    Raises
    ------
    UtileError
        If the file is damaged, or belongs to another run: other data, recipe, seed or network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[KEY])
            keys = file.keys()
            tensors = {key: file.get_tensor(key) for key in keys}
        wanted, kept = json.loads(json.dumps(dict(identity))), header["identity"]
        if wanted.keys() != kept.keys():
            raise UtileError(
                f"{path.name} belongs to a run of another version of U-Tile: it cannot be continued."
            )
        different = sorted(key for key in wanted if kept[key] != wanted[key])
        if different:
            raise UtileError(
                f"{path.name} belongs to a run with other {', '.join(different)}: it cannot be continued."
            )
        return _taken_up(header, tensors, optimizer, device)
    except UtileError:
        raise
    except Exception as error:  # a damaged file raises whatever its parts are not
        text = " ".join(str(error).split())[:200]
        raise UtileError(f"{path.name} is not a readable checkpoint ({text}).") from error


def _taken_up(
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> tuple[RunState, dict[str, Weights]]:
    weights: dict[str, Weights] = {}
    states: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        group, key = name.split("/", 1)
        if group == "optimizer":
            index, key = key.split("/", 1)
            states.setdefault(int(index), {})[key] = value
        else:
            weights.setdefault(group, {})[key] = value.to(device)
    for name, value in header["optimizer"].items():
        index, key = name.split("/", 1)
        states.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return RunState(**header["progress"]), weights
