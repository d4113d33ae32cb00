"""The parameters of a segmentation; known without torch, so that forms and options are quick to make."""

import difflib
from dataclasses import dataclass
from typing import Annotated, Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.compute_params import Device, Precision
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.parameters import Bounds, check_bounds, describe


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
        float | None,
        Bounds(
            1,
            10_000,
            step=1,
            unit="px",
            label="Cell diameter",
            help="Typical diameter of your cells; the image is rescaled to what the model expects. "
            "Leave empty to use the image as it is.",
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
        check_bounds(self)


def suggested_instances(card: ModelCard, **overrides: Any) -> InstanceParams:
    """Return the instance parameters a model's card suggests, but for some.

    Raises
    ------
    UtileError
        Where there is no such parameter.
    """
    known = [parameter.name for parameter in describe(InstanceParams)]
    for name in overrides:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise UtileError(f"There is no option {name!r}; {meant}")
    return InstanceParams(**{**card.instances, **overrides})
