"""The markers of a label layer, and which of them stand after undo and redo."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_utile.engine.clicks.markers import Marker, markers_of_table
from napari_utile.session.clicks.label_plane import labels_at


@dataclass
class MarkerStore:
    """All markers that were set on a label array, each at an index of the array.

    A marker stands while the labels agree with it: the pixel of one inside a cell is labelled, that of a
    background one is not, while the cell beside it is there. So markers follow undo and redo of the labels,
    and get the id of the cell they lie in, or beside.
    """

    markers: list[Marker] = field(default_factory=list)

    def add(self, marker: Marker) -> None:
        """Keep a marker as the last one; one of the same kind at the same place is replaced."""
        same = marker.kind, marker.point
        self.markers = [each for each in self.markers if (each.kind, each.point) != same]
        order = max((each.order for each in self.markers), default=0) + 1
        self.markers.append(replace(marker, order=order))

    def follow(self, labels: Any) -> bool:
        """Look at the array of labels again; returns whether a marker stands or belongs elsewhere now."""
        before = self.markers
        found = labels_at(labels, [marker.point for marker in before]).tolist()
        beside = labels_at(labels, [marker.beside or marker.point for marker in before]).tolist()
        self.markers = [_followed(*each) for each in zip(before, found, beside, strict=True)]
        return [(each.stands, each.cell) for each in before] != [
            (each.stands, each.cell) for each in self.markers
        ]

    def set_threshold(self, cell: int, threshold: float) -> None:
        """Remember at which contour a cell is outlined."""
        self.markers = [
            replace(each, threshold=threshold) if each.cell == cell and each.stands and each.inside else each
            for each in self.markers
        ]

    def on_plane(self, index: Sequence[int | slice], offset: Sequence[int] = (0, 0)) -> list[Marker]:
        """Return the standing markers of one plane, at its pixels; the array begins at `offset` in the plane."""
        found = (each.on_plane(index, offset) for each in self.markers if each.stands)
        return [marker for marker in found if marker is not None]

    def table(self) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[Any]]]:
        """Return positions (N, D) and columns of the markers that stand, for a layer of points."""
        standing = [marker for marker in self.markers if marker.stands]
        thresholds = [np.nan if marker.threshold is None else marker.threshold for marker in standing]
        columns: dict[str, npt.NDArray[Any]] = {
            "kind": np.array([marker.kind for marker in standing], dtype=object),
            "cell": np.array([marker.cell for marker in standing], dtype=int),
            "order": np.array([marker.order for marker in standing], dtype=int),
            "threshold": np.array(thresholds, dtype=float),
        }
        return np.array([marker.point for marker in standing], dtype=float), columns

    def read_table(self, positions: npt.NDArray[Any], columns: dict[str, Any]) -> None:
        """Take over what a user changed in a layer of points: moved, removed and loaded markers.

        Raises
        ------
        ValueError
            If a column is missing.
        """
        known = {marker.order: marker.point for marker in self.markers if not marker.moved}
        beside = {marker.order: marker.beside for marker in self.markers}
        rows = markers_of_table(positions, columns)
        undone = [marker for marker in self.markers if not marker.stands]
        read = [
            replace(row, moved=known.get(row.order) != row.point, beside=beside.get(row.order))
            for row in rows
        ]
        self.markers = sorted(undone + read, key=lambda marker: marker.order)


def _followed(marker: Marker, label: int, beside: int) -> Marker:
    """Return a marker as it is while its pixel, and that of the cell beside it, have labels, or 0."""
    if marker.moved:
        return replace(marker, moved=label != marker.cell if marker.inside else label != 0)
    if marker.inside:
        return replace(marker, stands=label != 0, cell=label or marker.cell)
    if marker.beside is None:
        return replace(marker, stands=label == 0)
    return replace(marker, stands=label == 0 and beside != 0, cell=beside or marker.cell)
