"""What a model sees of a stack from three sides, averaged.

A network looks at planes, and a stack can be cut into planes along each of its axes::

    XY   the planes of the stack            plane z:  (Y, X)
    XZ   sections across it                 row y:    (Z, X)
    YZ   sections across it                 column x: (Z, Y)

Sections are stretched so that their pixels are square, and what the model says of them comes back to the voxels of the
stack. A voxel's outputs are the mean of the three: where one view is unsure, another often is not.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.limits import seen_plane
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

Float32 = NDArray[np.float32]

AXES = range(3)
"""The axes Z, Y and X of a volume: a view is named by the axis that its planes follow each other along."""
_DECODING = 52
"""Bytes a voxel that finding the cells takes at most, beside the outputs."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A stack, and how a model looks at it.

    Attributes
    ----------
    planes : sequence of ImagePlane
        Of the same shape, with all channels.
    depth : float
        From one plane to the next (pixels).
    model : Model
    params : SegmentParams
        With a diameter in pixels, or none.
    compute : Compute
    limits : IntensityLimits
        Which all planes share.
    pixels : (C, Z, Y, X) array
        The channels that the network reads, preprocessed: `read` fills it.
    """

    planes: Sequence[ImagePlane]
    depth: float
    model: Model
    params: SegmentParams
    compute: Compute
    limits: IntensityLimits
    pixels: NDArray[Any] = field(repr=False)

    def read(self) -> Generator[Progress, None, "Volume"]:
        """Read all planes; every yield is a point to cancel at.

        Raises
        ------
        UtileError
            If the channels do not fit.
        """
        pixels = np.empty(self.pixels.shape, self.pixels.dtype)
        for number, plane in enumerate(self.planes):
            pixels[:, number] = seen_plane(plane, self.params, self.model.card).data[:, :, :]
            yield Progress(0, self.tiles())
        return replace(self, pixels=pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns."""
        _, planes, rows, columns = self.pixels.shape
        return planes, rows, columns

    def box(self, region: Window | None = None) -> Window:
        """Return the rows and columns of a region, all by default, through all planes."""
        return Window(slice(0, self.shape[0]), *Window.part_of(self.shape[1:], region))

    def field(self, axis: int, number: int) -> Field:
        """Return the field of one plane of a view."""
        size = self.planes[0].pixel_size
        if axis == 0:  # as if it were alone
            return Field(
                self.planes[number], self.model, self.params, compute=self.compute, limits=self.limits
            )
        along = None if size is None else (size[2 - axis],) * 2
        plane = ImagePlane(
            self.pixels[(slice(None),) * (axis + 1) + (number,)], pixel_size=along, unit=self.planes[0].unit
        )
        params = replace(self.params, channels=None, preprocess=None)
        return Field(plane, self.model, params, compute=self.compute, limits=self.limits, row_step=self.depth)

    def tiles(self, region: Window | None = None) -> int:
        """Return how many tiles all views of a region have."""
        box = self.box(region)
        return sum(box.shape[axis] * len(self.field(axis, 0).plan(_without(box, axis))) for axis in AXES)

    def gflop(self, region: Window | None = None) -> float:
        """Return the arithmetic of all views of a region (10^9 operations)."""
        box = self.box(region)
        return sum(box.shape[axis] * self.field(axis, 0).plan(_without(box, axis)).gflop for axis in AXES)

    def bytes(self, region: Window | None = None) -> int:
        """Return the memory that pixels, outputs and cells of a region take."""
        box = self.box(region)
        tile = max(self.field(axis, 0).plan(_without(box, axis)).bytes for axis in AXES)
        outputs = box.size * 4 * self.model.card.output_channels
        return (
            int(np.prod(self.pixels.shape)) * self.pixels.dtype.itemsize
            + outputs
            + max(tile, box.size * _DECODING)
        )

    def check_memory(self, region: Window | None = None) -> None:
        """Check that the memory holds it, before anything is read.

        Raises
        ------
        UtileError
            With how much it takes.
        """
        import psutil

        needed, free = self.bytes(region), psutil.virtual_memory().available
        if needed > free:
            planes, rows, columns = self.shape
            raise UtileError(
                f"Three views of {planes} planes of {rows} x {columns} pixels need about {needed / 2**30:.2g} GB of "
                f"memory, and {free / 2**30:.2g} GB are free: take fewer planes or a region, or link the planes "
                "instead."
            )

    def outputs(self, region: Window | None = None) -> Generator[Progress, None, Float32]:
        """Compute the mean of the three views; every yield is a point to cancel at.

        Yields
        ------
        Progress
            Without a window: no plane is done before the last view.

        Returns
        -------
        (C, Z, y, x) float32 array
            All outputs of the model for each voxel of a region, the class probabilities first.
        """
        box = self.box(region)
        values = np.zeros((self.model.card.output_channels, *box.shape), np.float32)
        done, total, began = 0, self.tiles(region), time.perf_counter()
        for axis in AXES:
            part = _without(box, axis)
            tiles = len(self.field(axis, 0).plan(part))
            for place, number in enumerate(range(box[axis].start, box[axis].stop)):
                run = Run(self.field(axis, number).tiles(part))
                for step in run:
                    so_far = done + tiles * step.done / step.total
                    left = (time.perf_counter() - began) * (total / so_far - 1)
                    yield Progress(int(so_far), total, None, None, left if done else None)
                values[(slice(None),) * (axis + 1) + (place,)] += run.result
                done += tiles
        values /= len(AXES)
        return values


def _without(box: Window, axis: int) -> Window:
    """Return a box without one of its axes: where a plane of a view lies."""
    return Window(*(part for number, part in enumerate(box) if number != axis))
