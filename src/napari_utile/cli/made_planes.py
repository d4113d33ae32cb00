"""The planes of one image, segmented one after the other, or as volumes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_utile.cli.progress import with_bar
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.mask import part_of_mask
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.segmentation import Segmentation, planes_of_volume
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import segment_volume_steps, volumes_in
from napari_utile.engine.windows import Window


class MadePlane(NamedTuple):
    """A plane of an image that was segmented."""

    place: int
    """Which of the planes that are taken."""
    made: Segmentation
    cells: int


@dataclass(frozen=True, eq=False)
class Making:
    """What one image is segmented with.

    Attributes
    ----------
    views : VolumeParams
        With the distance of the planes, where three views are wanted.
    limits : IntensityLimits or None
        Of the whole stack.
    shown : str
        The name of the image beside the progress bar.
    quiet : bool
        Whether there is no such bar.
    mask : (y, x) bool array or None
        The pixels of the image that count, at any resolution.
    """

    planes: SelectedPlanes
    params: SegmentParams
    views: VolumeParams
    model: Model
    compute: Compute
    limits: IntensityLimits | None
    region: Window | None
    shown: str
    quiet: bool
    mask: NDArray[np.bool_] | None = None

    def made(self) -> Iterator[MadePlane]:
        """Segment, and give each plane when it is known."""
        return self._from_volumes() if self.views.three_views else self._one_by_one()

    def rows_of(self, each: MadePlane) -> dict[str, np.ndarray]:
        """Measure the cells of a plane, in pixels of the whole image."""
        index = self.planes.indices[each.place]
        table = each.made.measure(self.planes.plane(index))
        rows = len(next(iter(table.values())))
        return {**{axis: np.full(rows, number) for axis, number in index.items()}, **table}

    def _one_by_one(self) -> Iterator[MadePlane]:
        for place, (index, plane) in enumerate(self.planes):
            part = Window.part_of(plane.shape, self.region)
            steps = segment_steps(
                plane,
                self.params,
                model=self.model,
                compute=self.compute,
                region=self.region,
                limits=self.limits,
                inside=None if self.mask is None else part_of_mask(self.mask, part, plane.shape),
            )
            made = with_bar(steps, self._shown(index), self.quiet)
            yield MadePlane(place, made, int(made.labels.max(initial=0)))

    def _from_volumes(self) -> Iterator[MadePlane]:
        above = 0
        for places, volume in volumes_in(
            self.planes, self.params, self.views, self.model, limits=self.limits, compute=self.compute
        ):
            index = {axis: at for axis, at in self.planes.indices[places[0]].items() if axis != "Z"}
            steps = segment_volume_steps(volume, self.region, above)
            made = with_bar(steps, self._shown(index), self.quiet)
            above += made.count
            for number, (place, plane) in enumerate(zip(places, planes_of_volume(made), strict=True)):
                yield MadePlane(place, plane, made.cells_in(number))

    def _shown(self, index: dict[str, int]) -> str:
        return " ".join([self.shown, *(f"{axis}{number}" for axis, number in index.items())])
