"""Recipes: everything that decides how a network is trained, but its data, its budget and its seed.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional networks for biomedical image segmentation.
       MICCAI 2015, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.weights.weight_map import WeightMapParams

EVEN_W0 = 1.0
"""Extra weight of the narrowest gaps where pixels count about evenly: the ridge between touching cells counts twice."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained; the defaults are what gave the best model in a given time on two CPU cores."""

    name: Annotated[str, Bounds(label="Recipe", help="What this recipe is called.")] = "default"
    tile: Annotated[
        int,
        Bounds(
            4,
            4096,
            unit="px",
            label="Tile",
            help="Output pixels a side of a sample, made legal for the network.",
        ),
    ] = 196
    batch: Annotated[int, Bounds(1, 256, label="Batch", help="Samples per step.")] = 4
    optimizer: Annotated[
        str,
        Bounds(
            choices=("adamw", "sgd"), label="Optimiser", help="SGD with momentum, or Adam with weight decay."
        ),
    ] = "adamw"
    rate: Annotated[
        float, Bounds(1e-7, 10, label="Learning rate", help="The highest learning rate of the schedule.")
    ] = 2e-3
    momentum: Annotated[
        float, Bounds(0, 0.9999, label="Momentum", help="Of SGD; the first moment of Adam is 0.9.")
    ] = 0.9
    weight_decay: Annotated[
        float, Bounds(0, 1, label="Weight decay", help="How strongly weights are pulled towards 0.")
    ] = 1e-4
    warm_up: Annotated[
        int,
        Bounds(0, 100_000, label="Warm-up", help="Steps over which the learning rate rises to its highest."),
    ] = 50
    schedule: Annotated[
        str,
        Bounds(
            choices=("cosine", "constant"), label="Schedule", help="Whether the rate falls over the budget."
        ),
    ] = "cosine"
    average: Annotated[
        float,
        Bounds(
            0,
            0.9999,
            label="Averaging",
            help="Decay of the running mean of the weights; 0 keeps the last ones.",
        ),
    ] = 0.99
    keep: Annotated[
        float,
        Bounds(
            0,
            0.9,
            step=0.1,
            label="Keep",
            help="Share of the weights that a model started from in the mean that is kept, where that costs no cell: "
            "what few images teach then costs less of what it knew.",
        ),
    ] = 0.0
    clip: Annotated[
        float,
        Bounds(0, 1e6, label="Clip", help="Largest norm of a gradient, longer ones are shortened; 0: never."),
    ] = 1.0
    w0: Annotated[
        float, Bounds(0, 1000, label="Border weight", help="Extra weight of the gap between touching cells.")
    ] = 10.0
    sigma: Annotated[
        float, Bounds(0.1, 100, unit="px", label="Border width", help="How far that weight reaches.")
    ] = 5.0
    weighting: Annotated[
        str,
        Bounds(
            choices=("auto", "paper", "even"),
            label="Weights",
            help="Paper: classes balanced, narrow gaps up to w0 more. Even: the narrowest gaps count twice, all "
            "else once. Auto: as the model was trained so far; a new one that predicts distances evenly.",
        ),
    ] = "auto"
    dice: Annotated[
        float,
        Bounds(
            0, 10, step=0.1, label="Overlap", help="How much the overlap (Dice) counts beside the entropy."
        ),
    ] = 0.0
    distances: Annotated[
        float,
        Bounds(
            0,
            100,
            step=0.5,
            label="Distances",
            help="How much distances count, for models that predict them.",
        ),
    ] = 4.0
    focus: Annotated[
        float,
        Bounds(
            0, 1, step=0.1, label="Focus", help="Share of samples placed on a random object, however rare."
        ),
    ] = 0.3
    density: Annotated[
        float,
        Bounds(
            0.001,
            1,
            label="Density",
            help="Share of a sample's pixels that count: below 1 is patchwise training.",
        ),
    ] = 1.0
    validate_every: Annotated[
        int, Bounds(1, 1_000_000, label="Validate every", help="Steps between validations.")
    ] = 50
    patience: Annotated[
        int,
        Bounds(
            0,
            10_000,
            label="Patience",
            help="Validations without improvement before stopping; 0: never stop.",
        ),
    ] = 0
    precision: Annotated[
        str,
        Bounds(
            choices=("float32", "bfloat16", "auto"),
            label="Precision",
            help="Auto: bfloat16 where it is fast.",
        ),
    ] = "auto"
    augment: AugmentParams = field(default_factory=AugmentParams)

    def __post_init__(self) -> None:
        check_bounds(self)

    def suited(self, card: ModelCard) -> "TrainingRecipe":
        """Return the recipe with ``"auto"`` decided for a model.

        Weights shift probabilities, and with them the threshold that suits: a model is trained further as before.
        """
        if self.weighting != "auto":
            return self
        if not card.training:
            return replace(self, weighting="even" if card.has_distances else "paper")
        before = card.training.get("recipe")
        known = before.get("weighting") if isinstance(before, Mapping) else None
        return replace(self, weighting="even" if known == "even" else "paper")

    @property
    def weights(self) -> WeightMapParams:
        """How much the loss counts each pixel.

        Weights that keep cells apart widen the ridges between them: where a ridge weighs r times as much as a cell, a
        network that cannot tell to the pixel where it lies calls all background that is one with a probability above
        1 / (1 + r). In tissue without gaps, whose background is ridges alone, class balance makes r about 30. Distances
        keep cells apart without.
        """
        if self.weighting == "even":
            return WeightMapParams(EVEN_W0, self.sigma, balance=False)
        return WeightMapParams(self.w0, self.sigma)


DEFAULT = TrainingRecipe()

RONNEBERGER2015 = TrainingRecipe(
    name="ronneberger2015",
    tile=388,  # "we favor large input tiles over a large batch size and hence reduce the batch to a single image"
    batch=1,
    optimizer="sgd",
    rate=1e-3,  # not in the paper; with momentum 0.99 a step counts hundredfold
    momentum=0.99,
    weight_decay=0.0,
    warm_up=0,
    schedule="constant",
    average=0.0,
    clip=0.0,
    focus=0.0,
    weighting="paper",
    precision="float32",
    augment=AugmentParams(scale=1.0, gamma=1.0, noise=0.0),
)

FINE_TUNE = TrainingRecipe(
    name="fine-tune",
    batch=2,  # annotation is scarce: more steps are worth more than larger ones
    rate=1e-3,
    warm_up=20,
    average=0.98,
    keep=0.4,
    focus=0.5,
    validate_every=25,
)

RECIPES: dict[str, TrainingRecipe] = {each.name: each for each in (DEFAULT, FINE_TUNE, RONNEBERGER2015)}


@dataclass(frozen=True)
class Budget:
    """When training ends: after this many steps or minutes, whichever comes first."""

    steps: Annotated[int | None, Bounds(1, 100_000_000, label="Steps", help="Steps to train.")] = None
    minutes: Annotated[
        float | None, Bounds(0.01, 100_000, unit="min", label="Time", help="Time to train.")
    ] = None

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.steps is None and self.minutes is None:
            raise ValueError("A budget needs steps or minutes.")

    def spent(self, steps: int, seconds: float) -> float:
        """Return the share of the budget that is used up, 0 to 1."""
        shares = [0.0]
        if self.steps is not None:
            shares.append(steps / self.steps)
        if self.minutes is not None:
            shares.append(seconds / (60 * self.minutes))
        return min(1.0, max(shares))
