"""The parameters of training on annotated images; known without torch, so that forms and options are quick to make."""

from dataclasses import dataclass
from typing import Annotated

from napari_utile.engine.compute_params import Device, Precision
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.training.recipes import RECIPES, Budget


@dataclass(frozen=True)
class FineTuneParams:
    """How a model is trained on annotated images."""

    recipe: Annotated[str, Bounds(choices=tuple(RECIPES), label="Recipe", help="How it is trained.")] = (
        "fine-tune"
    )
    minutes: Annotated[
        float | None, Bounds(0.01, 100_000, unit="min", label="Time", help="Time to train.")
    ] = None
    steps: Annotated[int | None, Bounds(1, 100_000_000, label="Steps", help="Steps to train.")] = None
    held_out: Annotated[
        float,
        Bounds(
            0,
            0.9,
            step=0.05,
            share="of the tiles",
            label="Hold out",
            help="Share of the annotated tiles that is never trained on, to tell whether the model became better.",
        ),
    ] = 0.15
    scale: Annotated[
        float | None,
        Bounds(
            0.05,
            20,
            step=0.05,
            label="Scale",
            help="How much larger images are made for the model; by the size of the cells where empty.",
        ),
    ] = None
    channels: Annotated[
        tuple[int, ...] | None, Bounds(label="Channels", help="Image channels to read, counted from 0.")
    ] = None
    seed: Annotated[
        int, Bounds(0, 2**31 - 1, label="Seed", help="The same seed makes the same random choices.")
    ] = 0
    device: Device = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def budget(self) -> Budget:
        """Steps or minutes, whichever is given; else 5 minutes."""
        if self.steps is None and self.minutes is None:
            return Budget(minutes=5.0)
        return Budget(self.steps, self.minutes)
