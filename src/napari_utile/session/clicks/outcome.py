"""What a click did: one sentence, and one edit."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from napari_utile.engine.clicks.markers import Marker
from napari_utile.engine.clicks.prompts import Steps
from napari_utile.session.clicks.label_plane import Edit, LabelPlane


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an action did.

    Attributes
    ----------
    message : str
        One sentence for the user.
    edit : Edit, optional
        What changes; None where nothing does.
    selected : int, optional
        The cell that is selected now; 0 for none, None for no change.
    markers : tuple of Marker
        That were set on the plane.
    threshold : float, optional
        The contour at which the selected cell is outlined now.
    cells : tuple of int
        Labels that came, changed or went.
    further : tuple of (LabelPlane, Edit)
        What changes in other planes, in the same step.
    """

    message: str = ""
    edit: Edit | None = None
    selected: int | None = None
    markers: tuple[Marker, ...] = ()
    threshold: float | None = None
    cells: tuple[int, ...] = ()
    further: tuple[tuple[LabelPlane, Edit], ...] = ()


Action = Generator[Steps, Any, Outcome]
"""Yields the slow part, and is sent what that returned."""
