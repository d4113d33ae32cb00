"""The feature table of a label layer that is edited by clicks: area, position, intensity and confidence."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.cells.uncertainty import confidences
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.windows import Window
from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.session.layer_specs import merged_features
from napari_utile.session.plane_rows import of_other_planes

Columns = dict[str, npt.NDArray[Any]]
# Cells that lie together in a window of at most this many pixels are measured in one go.
_TOGETHER = 1 << 22
# Of arrays in chunks at most this many pixels are read at once.
_AT_ONCE = 1 << 25


class KnownField(Protocol):
    """What the table needs of a probability field."""

    def is_known(self, window: Window) -> bool:
        """Whether reading computes nothing."""

    def read(self, window: Window) -> npt.NDArray[np.float32]:
        """Read a window."""


class CellTable:
    """Keeps the rows of clicked cells up to date as they come, change, go, and come back by undo.

    Parameters
    ----------
    plane : ImagePlane
        All channels, on the pixels of the labels.
    name : str
        Of the label layer.
    where : mapping of str to int, optional
        The columns that say which plane of a stack a row belongs to, and their values for this one.
    """

    def __init__(self, plane: ImagePlane, name: str = "", where: Mapping[str, int] | None = None) -> None:
        self._plane, self._name, self._where = plane, name, dict(where or {})
        self._windows: dict[int, Window] = {}
        self._sums: dict[int, str] = {}

    def note(self, cells: dict[int, Window]) -> None:
        """Remember where cells are, to look there after undo."""
        for label, window in cells.items():
            self._windows[label] = Window.around([window, self._windows.get(label, window)])

    @property
    def windows(self) -> dict[int, Window]:
        """Where the known cells lie, or lay."""
        return dict(self._windows)

    def changed(self, labels: LabelPlane) -> tuple[list[int], list[int]]:
        """Look at the known cells; returns the labels whose pixels changed, and those that are gone."""
        changed: list[int] = []
        gone: list[int] = []
        at_once = self._read_at_once(labels)
        for label, window in self._windows.items():
            mask = at_once.read(window) == label
            total = sha256_of(np.packbits(mask)) if mask.any() else ""
            if total != self._sums.get(label, ""):
                self._sums[label] = total
                (changed if total else gone).append(label)
        return changed, gone

    def _read_at_once(self, labels: LabelPlane) -> LabelPlane:
        """Return the plane in memory, where all known cells are: one read of a chunked array, not one a cell."""
        if not self._windows or isinstance(labels.data, np.ndarray):
            return labels
        window = Window.around(self._windows.values())
        if window.size > _AT_ONCE:
            return labels
        every = (slice(None), slice(None))
        return LabelPlane(labels.read(window), every, window.start, self._plane.shape)

    def update(self, labels: LabelPlane, features: Columns, field: KnownField | None) -> Columns | None:
        """Measure the cells that changed; returns the new table, None where nothing did.

        Parameters
        ----------
        features : dict of str to (N,) arrays
            The table so far; rows of other cells stay.
        field : Field, optional
            For the confidence, where the probability is there already.
        """
        changed, gone = self.changed(labels)
        if not changed and not gone:
            return None
        out = np.array(changed + gone)
        table: Columns = {name: np.asarray(column) for name, column in features.items()}
        for group in self._groups(changed):
            table = merged_features(table, self._measured(labels, group, field), 0, out, self._where)
        if not changed and "index" in table:
            stays = ~np.isin(table["index"], out) | of_other_planes(table, self._where)
            table = {name: column[stays] for name, column in table.items()}
        return table

    def _groups(self, cells: list[int]) -> list[list[int]]:
        """Measure cells together where one window that is not too large holds them."""
        if not cells:
            return []
        together = Window.around(self._windows[label] for label in cells).size <= _TOGETHER
        return [cells] if together else [[label] for label in cells]

    def _measured(self, labels: LabelPlane, cells: list[int], field: KnownField | None) -> Columns:
        window = Window.around(self._windows[label] for label in cells).grown(2).clipped(self._plane.shape)
        present = labels.read(window)
        own = np.where(np.isin(present, cells), present, 0)
        intensity = np.asarray(self._plane.data[:, *window])
        columns = measure(
            own,
            intensity,
            pixel_size=self._plane.pixel_size,
            unit=self._plane.unit,
            basic=True,
            channel_names=("red", "green", "blue") if self._plane.rgb else None,
        )
        found: Columns = {name: np.asarray(column) for name, column in columns.items()}
        found["centroid_y"] = found["centroid_y"] + window[0].start
        found["centroid_x"] = found["centroid_x"] + window[1].start
        found["roi_id"] = np.full(len(found["index"]), self._name, dtype=object)
        found["confidence"] = np.full(len(found["index"]), np.nan)
        if field is not None and field.is_known(window):
            ids, sure = confidences(present, field.read(window))
            rated = dict(zip(ids.tolist(), sure.tolist(), strict=True))
            found["confidence"] = np.array([rated[int(label)] for label in found["index"]])
        return found
