"""Keeps the table of the chosen cells true: measured again after an edit, or said to be out of date."""

import weakref
from contextlib import suppress
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.session.layer_specs import remeasured
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.plane_rows import without_other_planes
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.later import later
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import (
    Place,
    labels_on,
    place_of,
    plain_viewer,
    plane_at,
)
from napari_utile.widgets.viewer.lengths import pixel_size_of
from napari_utile.widgets.viewer.linked_layers import linked_stack_of
from napari_utile.widgets.viewer.measured_tables import set_measured
from napari_utile.widgets.viewer.result_layers import new_row_columns, slider_columns
from napari_utile.widgets.viewer.source import on_screen
from napari_utile.widgets.worker import LatestJob, as_job

# Cells are measured again when no edit came for this long. Milliseconds.
_AFTER = 400
# Planes up to this size are measured unasked. Pixels.
QUICK = 1 << 22
_OLDER = "The table is older than your edits."


def rows_of(
    layer: napari.layers.Labels, plane: PlaneIndex, some: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """Give the rows of a layer's feature table that belong to one of its planes, by column; or some (N,) of them."""
    table = layer.features if some is None else layer.features[some]
    for name, step in slider_columns(layer, plane).items():
        if name in table:
            table = table[table[name] == step]
    return {str(name): np.asarray(column) for name, column in table.items()}


def plane_columns(layer: napari.layers.Labels, viewer: napari.viewer.Viewer) -> dict[str, int]:
    """Give the columns that say which plane of a layer is on screen; none where nothing of it is."""
    with suppress(ValueError):
        return new_row_columns(layer, place_of(layer, viewer).plane)
    return {}


def table_on_screen(layer: napari.layers.Labels, viewer: napari.viewer.Viewer) -> dict[str, Any]:
    """Give a layer's feature table without the rows that belong to planes that are not on screen."""
    return without_other_planes(dict(layer.features.items()), plane_columns(layer, viewer))


class CellTables(QObject):
    """Measures the chosen cells again where the user painted, erased, clicked or undid something.

    Attributes
    ----------
    outdated : Signal(str)
        That the table of the chosen cells is out of date, in words; "" where it is true.
    """

    outdated = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._session = plain_viewer(viewer), session
        self._outdated: weakref.WeakSet[Any] = weakref.WeakSet()
        self._job = LatestJob(owner=self)
        self._later = later(self, _AFTER, self._measure_if_quick)
        edits_of(viewer).edited.connect(self._edited)
        self._connections = Connections(self)
        self._connections.connect(session.events.cells, self._tell)
        self._connections.connect(session.events.measured, self._stack_measured)

    def measure(self) -> bool:
        """Measure cells again, of the plane on screen or of a linked stack; False where there is no table of them."""
        self._later.stop()
        layer = self._session.cells
        place = self._place(layer)
        if layer is None or place is None:
            return False
        where = slider_columns(layer, place.plane)
        if not {"index", *where} <= set(layer.features):
            return False  # it has no table of single planes
        features = layer.features
        table = {str(name): np.asarray(column) for name, column in features.items()}
        stack = linked_stack_of(layer)
        places = [place] if stack is None else place.every  # corrections reach through all planes
        try:
            labels = [labels_on(layer, each) for each in places]
        except ValueError as error:  # -1 was painted
            self.outdated.emit(f"{_OLDER} {sentence_of(error)}")
            return True
        size, unit = pixel_size_of(layer, place.axes)
        images = self._images_below(places)
        edits, count = edits_of(self._viewer), edits_of(self._viewer).count(layer)

        def steps() -> Any:
            columns, changed = table, False
            for each, plane, image in zip(places, labels, images, strict=True):
                new = measure(
                    plane,
                    None if image is None else np.asarray(image.data),
                    size,
                    unit,
                    basic="solidity" not in table,
                    channel_names=("red", "green", "blue") if image is not None and image.rgb else None,
                )
                found = remeasured(columns, new, slider_columns(layer, each.plane))
                columns, changed = found or columns, changed or found is not None
            return columns if changed else None

        def show(columns: Any) -> None:
            if layer not in self._viewer.layers or edits.count(layer) != count:
                return  # it is measured again after the edit that came meanwhile
            if layer.features is not features:  # rows came meanwhile, such as those of another plane
                self._later.start()
                return
            if columns is not None:
                set_measured(layer, columns)
            self._outdated.discard(layer)
            self._tell()
            self._session.events.measured.emit(layer)

        self._job.run(as_job(steps), on_done=show, on_error=lambda _: self._tell())
        return True

    def drop(self) -> None:
        """End the job under way."""
        self._later.stop()
        self._job.drop()

    def _edited(self, layer: Any) -> None:
        stack = linked_stack_of(layer)
        if "index" not in layer.features or layer is not self._session.cells:
            return
        if stack is None or stack.is_by_plane:
            self._outdated.add(layer)
        if stack is None:
            self._later.start()

    def _stack_measured(self, layer: Any) -> None:
        """Measure the planes of a stack when its rows have the ids of now."""
        if layer in self._outdated and layer is self._session.cells and linked_stack_of(layer) is not None:
            self._later.start()

    def _measure_if_quick(self) -> None:
        layer = self._session.cells
        place = self._place(layer)
        stack = linked_stack_of(layer) is not None
        quick = place is not None and np.prod(place.shape if stack else place.plane_shape) <= QUICK
        # What is measured in a moment is not said to be old: the sentence would make the dock jump, and be gone.
        if not (quick and self.measure()):
            self._tell()

    def _tell(self, _: object = None) -> None:
        self.outdated.emit(_OLDER if self._session.cells in self._outdated else "")

    def _place(self, layer: Any) -> Place | None:
        if layer is None or layer not in self._viewer.layers or layer.multiscale:
            return None
        try:
            return place_of(layer, self._viewer)
        except ValueError:  # nothing of it is on screen
            return None

    def _images_below(self, places: list[Place]) -> list[ImagePlane | None]:
        """Give the plane of the image on screen that lies below each of some places of a layer."""
        shown, place = on_screen(self._viewer, self._session), places[0]
        if shown is None or shown[1].plane_shape != place.plane_shape or shown[1].result_shape != place.shape:
            return [None] * len(places)
        image, here = shown
        below = {each.result.steps: each for each in here.every}
        found = [below.get(each.plane.steps) for each in places]
        return [None if each is None else plane_at(image, each) for each in found]
