"""The cell size of an image or stack, measured once for all docks, off the GUI thread."""

import threading
from collections import OrderedDict
from collections.abc import Generator, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.choice import measured_and_chosen
from napari_utile.engine.segment_params import MEASURED, SegmentParams
from napari_utile.engine.steps import Run

if TYPE_CHECKING:
    from napari_utile.engine.inference.size import CellSize
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.session.state import Session

__all__ = ["CellSizes", "Stack", "measured_steps", "sized_by_now", "sized_steps"]

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
    """Complete parameters by a measured cell size and the model that suits; every yield is a point to cancel at.

    Returns
    -------
    params : SegmentParams
        With the model that is to be used, and a diameter in pixels, or None.
    size : CellSize or None
        What was measured; None where nothing was to be.
    """
    if params.diameter not in MEASURED:
        return sized_by_now(session, params, stack), None
    yield
    size = yield from measured_and_chosen(params, partial(measured_steps, session, stack))
    return replace(params, model=size.model, diameter=size.diameter), size


def sized_by_now(session: "Session", params: SegmentParams, stack: Stack) -> SegmentParams:
    """Complete parameters as far as sizes are known; a diameter set by hand is of the model that was chosen."""

    def known(wanted: SegmentParams) -> "Generator[None, None, CellSize]":
        yield from ()
        size = session.cell_sizes.known(wanted, stack)
        if size is None:
            raise _UnknownError
        return size

    with suppress(_UnknownError, UtileError):
        size = Run(measured_and_chosen(replace(params, diameter="auto"), known)).result
        diameter = size.diameter if params.diameter in MEASURED else params.diameter
        return replace(params, model=size.model, diameter=diameter)
    return params


class _UnknownError(Exception):
    """A size was not measured yet."""


def measured_steps(
    session: "Session", stack: Stack, params: SegmentParams
) -> "Generator[None, None, CellSize]":
    """Measure the cells by one model, or return what was measured before; every yield is a point to cancel at."""
    size = session.cell_sizes.known(params, stack)
    if size is None:
        yield
        from napari_utile.engine.inference.size import measure_size

        run = measure_size(stack.planes, session.load_model(params.model), params)
        for _ in run:
            yield
        size = run.result
        session.cell_sizes.keep(params, stack, size)
    return size


def _key(params: SegmentParams, stack: Stack) -> Hashable:
    from napari_utile.engine.models.catalogue import find_model

    path = find_model(params.model)
    return stack.key or object(), str(path), path.stat().st_mtime_ns, params.channels
