"""Which planes a run has segmented, and into which layers: they are linked where one layer holds them all."""

import weakref
from typing import Any

import napari.viewer
from napari.layers import Labels

from napari_utile.engine.errors import UtileError
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.widgets.parts.plane_picker import planes_in_words


class MadePlanes:
    """The planes that are done, in order; what a user removes is not kept alive."""

    def __init__(self) -> None:
        self._made: list[tuple[PlaneIndex, weakref.ref[Labels]]] = []

    def add(self, plane: PlaneIndex, cells: Labels) -> None:
        """Remember into which layer the cells of a plane went."""
        self._made.append((plane, weakref.ref(cells)))

    def together(self, viewer: napari.viewer.Viewer) -> Any:
        """Return the layer that holds the cells of all planes.

        Raises
        ------
        UtileError
            Where it was removed, or others hold some of them, such as one that was removed before the last plane came.
        """
        cells = self._made[-1][1]()
        if cells is None or cells not in viewer.layers:
            raise UtileError("The cells were removed, so nothing is linked: press Segment again.")
        lacking = [plane for plane, layer in self._made if layer() is not cells]
        if lacking:
            raise UtileError(
                f"“{cells.name}” lacks {planes_in_words(cells, lacking)}, so nothing is linked: press Segment again."
            )
        return cells
