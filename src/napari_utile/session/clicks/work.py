"""The slow part of clicks: reading the probability, as generators to be run off the GUI thread."""

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.markers import Marker, cells_from_markers
from napari_utile.engine.clicks.prompts import cell_steps
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

__all__ = ["Field", "Work", "corner", "crop", "find_cell", "find_marked", "in_plane", "local", "read_window"]

Point = tuple[int, int]
FloatArray = npt.NDArray[np.float32]
Work = Generator[None, None, Any]
"""Something slow; every yield is a point to stop at."""


class Field(Protocol):
    """What actions need of a `napari_utile.engine.inference.field.Field`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the plane."""

    def read_steps(self, window: Window) -> Generator[None, None, FloatArray]:
        """Read a window; every yield is a point to stop at."""


def find_cell(field: Field, point: Point, params: InstanceParams, radius: int) -> Work:
    """Find the cell at a point, reading the probability where it is needed."""
    steps = cell_steps(field.shape, point, params, radius)
    return _answered(field, steps)


def find_marked(field: Field, markers: list[Marker], params: InstanceParams, radius: int) -> Work:
    """Make the cells that markers ask for."""
    return _answered(field, cells_from_markers(field.shape, markers, params, radius))


def _answered(field: Field, steps: Generator[Window, FloatArray, Any]) -> Work:
    """Answer every window that a generator asks for."""
    run = Run(steps)
    for window in run:
        run.answer = yield from field.read_steps(window)
    return run.result


def read_window(field: Field, window: Window) -> Work:
    """Read a window; returns its probability and where it lies."""
    probability = yield from field.read_steps(window)
    return probability, window


def corner(window: Window) -> Point:
    """Return the first pixel of a window."""
    return window[0].start, window[1].start


def local(point: Point, window: Window) -> Point:
    """Express a pixel of the plane in coordinates of a window."""
    return point[0] - window[0].start, point[1] - window[1].start


def in_plane(point: Point, window: Window) -> Point:
    """Express a pixel of a window in coordinates of the plane."""
    return point[0] + window[0].start, point[1] + window[1].start


def crop(probability: FloatArray, window: Window, box: Window) -> FloatArray:
    """Cut a box out of a window that was read; what was not read counts as probability 0."""
    cut = np.zeros(box.shape, dtype=np.float32)
    both = window & box
    cut[both.relative_to(box)] = probability[both.relative_to(window)]
    return cut
