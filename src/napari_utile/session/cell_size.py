"""The cell size of an image or stack, measured once for all docks, off the GUI thread."""

import threading
from collections import OrderedDict
from collections.abc import Generator, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_utile.engine.segment_params import MEASURED, SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.inference.size import CellSize
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.session.state import Session

__all__ = ["CellSizes", "Stack", "sized_steps"]

_MOST_KEPT = 32


@dataclass(frozen=True, eq=False)
class Stack:
    """The planes of an image on which its cells are measured.

    Attributes
    ----------
    planes : tuple of ImagePlane
        One of a plain image, some of a stack.
    key : hashable
        Stands for the pixels of all of them; None where nothing does.
    """

    planes: "tuple[ImagePlane, ...]"
    key: Hashable = None


class CellSizes:
    """Sizes that were measured, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: OrderedDict[Hashable, CellSize] = OrderedDict()

    def known(self, params: SegmentParams, stack: Stack) -> "CellSize | None":
        """Return the size of the cells of a stack for a model, if it was measured."""
        with self._lock:
            return self._sizes.get(_key(params, stack))

    def keep(self, params: SegmentParams, stack: Stack, size: "CellSize") -> None:
        """Keep a size."""
        with self._lock:
            self._sizes[_key(params, stack)] = size
            while len(self._sizes) > _MOST_KEPT:
                self._sizes.popitem(last=False)


def sized_steps(
    session: "Session", params: SegmentParams, stack: Stack
) -> "Generator[None, None, tuple[SegmentParams, CellSize | None]]":
    """Complete parameters by a measured cell size; every yield is a point to cancel at.

    Returns
    -------
    params : SegmentParams
        With a diameter in pixels, or None.
    size : CellSize or None
        What was measured; None where nothing was to be.
    """
    if params.diameter not in MEASURED:
        return params, None
    size = session.cell_sizes.known(params, stack)
    if size is None:
        yield
        from napari_utile.engine.inference.size import measure_size

        run = measure_size(stack.planes, session.load_model(params.model), params)
        for _ in run:
            yield
        size = run.result
        session.cell_sizes.keep(params, stack, size)
    return replace(params, diameter=size.diameter), size


def _key(params: SegmentParams, stack: Stack) -> Hashable:
    from napari_utile.engine.models.catalogue import find_model

    path = find_model(params.model)
    return stack.key or object(), str(path), path.stat().st_mtime_ns, params.channels
