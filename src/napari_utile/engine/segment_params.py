"""The parameters of a segmentation; known without torch, so that forms and options are quick to make."""

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.compute_params import Device, Precision
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.parameters import Bounds, check_bounds, describe
from napari_utile.engine.planes.preprocessing import parse_steps

MEASURED = ("auto", "same")
"""Diameters that are measured: one for each image or stack, and one for all images of a call."""


@dataclass(frozen=True)
class SegmentParams:
    """How an image is segmented."""

    model: Annotated[
        str, Bounds(label="Model", help="A model's name, or the path of a .safetensors file.")
    ] = "nuclei"
    channels: Annotated[
        tuple[int, ...] | None,
        Bounds(
            label="Channels", help="Image channels to read, counted from 0; chosen by the model by default."
        ),
    ] = None
    diameter: Annotated[
        float | str | None,
        Bounds(
            1,
            10_000,
            step=1,
            unit="px",
            label="Cell diameter",
            help="Typical diameter of your cells; the image is rescaled to what the model expects. auto measures "
            "it, same measures it once for all images, none uses the image as it is.",
            words=(*MEASURED, "none"),
        ),
    ] = "auto"
    preprocess: Annotated[
        str | None,
        Bounds(
            label="Preprocess",
            help="Steps before the network, in order, with pixels: invert, smooth:1.5, median:1, background:50 (larger "
            "than a cell), contrast:40. For example invert,background:50.",
            advanced=True,
        ),
    ] = None
    limits: Annotated[
        str,
        Bounds(
            label="Grey limits",
            choices=("stack", "plane"),
            help="Whether all planes of a stack are scaled by the grey values of the stack, so that an empty plane "
            "stays empty, or each by its own, as in a time-lapse that fades.",
            advanced=True,
        ),
    ] = "stack"
    channel_limits: Annotated[
        str,
        Bounds(
            label="Limits of channels",
            choices=("each", "shared"),
            help="Whether every channel is scaled by its own grey values, or all by the lowest and highest limit of "
            "any, so that their ratios are kept.",
            advanced=True,
        ),
    ] = "each"
    percentiles: Annotated[
        tuple[float, float] | None,
        Bounds(
            0,
            100,
            unit="%",
            label="Percentiles",
            help="Two percentiles of the grey values, such as 1,99.8, that become black and white for the network; "
            "by default those of the model, of which bright debris is left out.",
            advanced=True,
        ),
    ] = None
    device: Device = "auto"
    precision: Precision = "auto"
    tile: Annotated[
        int | None,
        Bounds(
            8,
            16_384,
            unit="px",
            label="Tile size",
            help="Side of a tile; chosen from the memory by default. It never changes the labels at float32.",
            advanced=True,
        ),
    ] = None
    instances: InstanceParams | None = None
    """None takes what the model's card suggests."""

    def __post_init__(self) -> None:
        if self.diameter == "none":
            object.__setattr__(self, "diameter", None)
        if self.preprocess == "":
            object.__setattr__(self, "preprocess", None)
        check_bounds(self)
        if self.percentiles is not None and (
            len(self.percentiles) != 2 or self.percentiles[0] >= self.percentiles[1]
        ):
            raise ValueError(
                f"percentiles are two numbers, the lower one first, such as 1,99.8; got {self.percentiles!r}."
            )
        parse_steps(self.preprocess)

    @property
    def known_diameter(self) -> float | None:
        """The diameter in pixels; None where the image is used as it is, or its size is not measured yet."""
        return None if isinstance(self.diameter, str) else self.diameter


def refuse_unknown(given: Iterable[str], others: Iterable[str] = (), cls: type = InstanceParams) -> None:
    """Refuse options that are no fields of parameters, with what may have been meant.

    Parameters
    ----------
    given : iterable of str
    others : iterable of str
        Options that there are besides.
    cls : type
        The parameters.

    Raises
    ------
    UtileError
        Where there is no such option.
    """
    known = [*(parameter.name for parameter in describe(cls)), *others]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise UtileError(f"There is no option {name!r}; {meant}")


def several(value: Any) -> Any:
    """Give numbers of any kind of sequence, or a single one, as a tuple."""
    if value is None or isinstance(value, (tuple, str)):
        return value
    return tuple(value) if isinstance(value, Iterable) else (value,)


def suggested_instances(card: ModelCard, diameter: float | None = None, **overrides: Any) -> InstanceParams:
    """Return the instance parameters a model's card suggests for cells of a diameter (pixels), but for some.

    Parameters
    ----------
    card : ModelCard
    diameter : float, optional
        The card's lengths and areas are converted to it; they stay as they are where the image is used as it is.
    **overrides
        Fields of `InstanceParams`, in pixels of the image.

    Raises
    ------
    UtileError
        Where there is no such parameter.
    """
    refuse_unknown(overrides)
    return replace(InstanceParams(**card.instances).resized(card.enlarged(diameter)), **overrides)


def differing(params: InstanceParams, suggested: InstanceParams) -> dict[str, Any]:
    """Return the values that are not as suggested."""
    theirs = asdict(suggested)
    return {name: value for name, value in asdict(params).items() if value != theirs[name]}
