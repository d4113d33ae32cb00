"""How the cells of the planes of a stack are linked; known without scipy, so that forms are quick to make."""

from dataclasses import dataclass, fields
from typing import Annotated

from napari_utile.engine.parameters import Bounds, check_bounds


@dataclass(frozen=True)
class LinkParams:
    """Linking the planes of a stack."""

    link: Annotated[
        str,
        Bounds(
            label="Link",
            choices=("none", "z", "t"),
            help="Give a cell one id in all planes: z makes objects of sections, t makes tracks of frames.",
        ),
    ] = "none"
    link_overlap: Annotated[
        float,
        Bounds(
            0,
            1,
            step=0.05,
            label="Overlap",
            help="Share of the smaller of two sections that lies inside the other, at least.",
            advanced=True,
        ),
    ] = 0.5
    link_distance: Annotated[
        float | None,
        Bounds(
            0,
            100_000,
            step=1,
            unit="px",
            label="Distance",
            help="How far a cell moves from one frame to the next at most; the median diameter of the cells by "
            "default. Along z only the overlap counts.",
            advanced=True,
        ),
    ] = None
    link_gap: Annotated[
        int,
        Bounds(0, 10, label="Gap", help="Planes in a row in which a cell may be missing.", advanced=True),
    ] = 1

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def idle(self) -> tuple[str, ...]:
        """The names of parameters that were chosen and do nothing, as nothing is linked."""
        usual = LinkParams()
        chosen = (
            field.name for field in fields(self) if getattr(self, field.name) != getattr(usual, field.name)
        )
        return () if self.axis else tuple(chosen)

    @property
    def axis(self) -> str:
        """The letter of the axis along which is linked; empty where nothing is."""
        return "" if self.link == "none" else self.link.upper()
