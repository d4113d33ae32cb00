"""The markers of a label layer, and which of them stand after undo and redo."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_utile.engine.clicks.marker_table import PlacedMarker, placed_markers
from napari_utile.engine.clicks.markers import Marker
from napari_utile.session.clicks.actions import NewMarker
from napari_utile.session.clicks.label_array import labels_at

__all__ = ["MarkerStore", "StoredMarker"]

Position = tuple[int, ...]


@dataclass
class StoredMarker:
    """A marker and where it lies in the label array.

    Attributes
    ----------
    kind : str
        Of `KINDS`; markers of "cell" and "split" lie inside their cell.
    position : tuple of int
        Index of a pixel, one entry per axis of the array.
    cell : int
    order : int
        Counts up; stands for the marker.
    threshold : float, optional
        The contour the cell was grown or shrunk to.
    stands : bool
        False while the click that set it is undone.
    moved : bool
        True from when a user moves or loads it until it is applied.
    """

    kind: str
    position: Position
    cell: int
    order: int
    threshold: float | None = None
    stands: bool = True
    moved: bool = False


@dataclass
class MarkerStore:
    """All markers that were set on a label array.

    A marker stands while the labels agree with it: the pixel of a positive one is labelled, that of a
    background one is not. So markers follow undo and redo of the labels, and get the id of the cell they
    lie in.
    """

    markers: list[StoredMarker] = field(default_factory=list)

    def add(self, new: NewMarker, position: Position) -> StoredMarker:
        """Keep a marker; one of the same kind at the same place is replaced."""
        self.markers = [each for each in self.markers if (each.kind, each.position) != (new.kind, position)]
        order = max((each.order for each in self.markers), default=0) + 1
        marker = StoredMarker(new.kind, position, new.cell, order)
        self.markers.append(marker)
        return marker

    def follow(self, labels: Any) -> bool:
        """Look at the array of labels again; returns whether anything changed."""
        changed = False
        found = labels_at(labels, [marker.position for marker in self.markers]).tolist()
        for marker, label in zip(self.markers, found, strict=True):
            if marker.moved:
                marker.moved = label != marker.cell if marker.kind != "background" else label != 0
                continue
            stands = label == 0 if marker.kind == "background" else label != 0
            cell = label if label and marker.kind != "background" else marker.cell
            if (stands, cell) != (marker.stands, marker.cell):
                marker.stands, marker.cell = stands, cell
                changed = True
        return changed

    def set_threshold(self, cell: int, threshold: float) -> None:
        """Remember at which contour a cell is outlined."""
        for marker in self.markers:
            if marker.cell == cell and marker.stands and marker.kind != "background":
                marker.threshold = threshold

    def on_plane(
        self, index: Sequence[int | slice], offset: Sequence[int] = (0, 0), *, standing: bool = True
    ) -> list[Marker]:
        """Return the markers of one plane, as the engine takes them; the array begins at `offset` in the plane."""
        placed = (
            PlacedMarker(each.kind, each.position, each.cell, each.order, each.threshold)
            for each in self.markers
            if each.stands or not standing
        )
        found = (marker.on_plane(index, offset) for marker in placed)
        return [marker for marker in found if marker is not None]

    def table(self) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[Any]]]:
        """Return positions (N, D) and columns of the markers that stand, for a layer of points."""
        standing = [marker for marker in self.markers if marker.stands]
        positions = np.array([marker.position for marker in standing], dtype=float)
        columns: dict[str, npt.NDArray[Any]] = {
            "kind": np.array([marker.kind for marker in standing], dtype=object),
            "cell": np.array([marker.cell for marker in standing], dtype=int),
            "order": np.array([marker.order for marker in standing], dtype=int),
            "threshold": np.array(
                [np.nan if marker.threshold is None else marker.threshold for marker in standing]
            ),
        }
        return positions, columns

    def read_table(self, positions: npt.NDArray[Any], columns: dict[str, Any]) -> None:
        """Take over what a user changed in a layer of points: moved, removed and loaded markers.

        Raises
        ------
        ValueError
            If a column is missing.
        """
        known = {marker.order: marker.position for marker in self.markers if not marker.moved}
        placed = placed_markers(positions, columns)
        self.markers = [marker for marker in self.markers if not marker.stands]
        for row in placed:
            moved = known.get(row.order) != row.position
            self.markers.append(
                StoredMarker(row.kind, row.position, row.cell, row.order, row.threshold, moved=moved)
            )
        self.markers.sort(key=lambda marker: marker.order)
