"""How a stack is segmented as a volume; known without torch, so that forms are quick to make."""

from dataclasses import dataclass
from typing import Annotated, Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.segment_params import suggested_instances

THRESHOLD = 0.4
"""Chosen on four annotated volumes, see docs/linking.md."""


@dataclass(frozen=True)
class VolumeParams:
    """Segmenting a stack as a volume."""

    three_views: Annotated[
        bool,
        Bounds(
            label="Three views",
            help="Look at a stack from three sides (its planes, and sections across them), average what the model "
            "sees, and find cells in three dimensions. Better than linking planes, and at least three times the work.",
        ),
    ] = False
    plane_distance: Annotated[
        float | None,
        Bounds(
            0.1,
            50,
            step=0.1,
            unit="px",
            label="Plane distance",
            help="From one plane to the next, in pixels of a plane; by the pixel size and z spacing of the file by "
            "default.",
            advanced=True,
        ),
    ] = None

    def __post_init__(self) -> None:
        check_bounds(self)

    def link(self, link: str) -> str:
        """Return along which axis cells get one id, where "none", "z" or "t" is asked for: three views are along z.

        Raises
        ------
        UtileError
            If tracks are asked for as well.
        """
        if self.three_views and link == "t":
            raise UtileError("Three views make objects along z; they are not linked through time as well.")
        return "z" if self.three_views else link

    def suggested(self, card: ModelCard, diameter: float | None = None, **overrides: Any) -> InstanceParams:
        """Return the instance parameters that suit a model, but for some: see `suggested_instances`.

        The mean of three views is less extreme than one view, so its threshold is lower.
        """
        if self.three_views:
            threshold = min(card.instances.get("threshold", THRESHOLD), THRESHOLD)
            overrides = {"threshold": threshold, **overrides}
        return suggested_instances(card, diameter, **overrides)
