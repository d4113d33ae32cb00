"""From a stack to cells in three dimensions: three views, averaged, decoded as one volume."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.watershed import Landscape
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cost import Estimate
from napari_utile.engine.inference.decode import decode_steps, foreground_of
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.estimate import rate
from napari_utile.engine.inference.limits import limits_of, seen_plane
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.linking.measure import Spacing
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.views import Volume
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class SegmentedVolume:
    """What a segmentation of a stack as a volume gives.

    Attributes
    ----------
    values : (C, Z, y, x) float32 array
        The outputs of the model, the mean of three views.
    labels : (Z, y, x) int32 array
        0 = background; cells are numbered in the raster order of their first voxels.
    landscape : Landscape
        What the labels were cut from.
    region : Window
        The rows and columns that the arrays cover.
    volume : Volume
        What was looked at, and how.
    params : SegmentParams
        With the instance parameters that were used; their areas are those of planes.
    above : int
        Numbers up to this one are those of cells in other volumes.
    """

    values: Float32Array = field(repr=False)
    labels: NDArray[np.int32] = field(repr=False)
    landscape: Landscape = field(repr=False)
    region: Window
    volume: Volume
    params: SegmentParams
    above: int = 0

    @property
    def foreground(self) -> NDArray[np.float32]:
        """The probability (Z, y, x) that a voxel belongs to a cell."""
        return foreground_of(self.values, self.volume.model.card)

    @property
    def count(self) -> int:
        """Number of cells."""
        return max(int(self.labels.max(initial=0)) - self.above, 0)

    def cells_in(self, number: int) -> int:
        """Return how many cells a plane shows."""
        return int(np.count_nonzero(np.unique(self.labels[number])))

    def relabelled(self, instances: InstanceParams) -> "SegmentedVolume":
        """Return the same outputs with cells made by other parameters; no network runs."""
        return Run(self.relabel_steps(instances)).result

    def relabel_steps(self, instances: InstanceParams) -> "Generator[None, None, SegmentedVolume]":
        """Find the cells by other parameters, see `relabelled`; every yield is a point to cancel at."""
        before, volume = self.params.instances, self.volume
        alike = before is not None and before.landscape_key == instances.landscape_key
        landscape, labels = yield from decode_steps(
            self.values, volume.model.card, instances, self.landscape if alike else None, volume.depth
        )
        params = replace(self.params, instances=instances)
        return replace(self, labels=_raised(labels, self.above), landscape=landscape, params=params)


def volume_of(
    planes: Sequence[ImagePlane],
    depth: float,
    params: SegmentParams,
    model: Model,
    limits: IntensityLimits | None = None,
    compute: Compute | None = None,
) -> Volume:
    """Return a stack as a volume, not read yet but for its grey limits where they are not given.

    Parameters
    ----------
    planes : sequence of ImagePlane
        Of the same shape, with all channels.
    depth : float
        From one plane to the next (pixels): see `plane_distance`.
    params : SegmentParams
        With a diameter in pixels, or none.
    model : Model
    limits : IntensityLimits, optional
        Which all planes share.
    compute : Compute, optional

    Raises
    ------
    UtileError
        If each plane is to have its own grey limits.
    """
    if params.limits == "plane":
        raise UtileError(
            "Three views need one pair of grey limits for the whole stack, not one for each plane: give --limits stack."
        )
    if limits is None:
        some = [seen_plane(planes[place], params, model.card) for place in spread(len(planes))]
        limits = limits_of(some, params, model.card)
    compute = compute or choose_compute(params.device, params.precision)
    # As many pixels as there will be, in no memory: enough to say what they cost.
    seen = seen_plane(planes[0], params, model.card).data
    channels, *plane = seen.shape
    nothing = np.broadcast_to(np.zeros((), seen.dtype), (channels, len(planes), *plane))
    return Volume(planes, depth, model, params, compute, limits, nothing)


def segment_volume_steps(
    volume: Volume, region: Window | None = None, above: int = 0
) -> Generator[Progress, None, SegmentedVolume]:
    """Segment a stack as a volume; every yield is a point to cancel at.

    Parameters
    ----------
    volume : Volume
        From `volume_of`.
    region : Window, optional
        Rows and columns; all by default.
    above : int
        Cells are numbered from the next number on.

    Raises
    ------
    UtileError
        If there is not enough memory, with how much it takes.
    """
    volume.check_memory(region)
    read = yield from volume.read()
    card, params = volume.model.card, volume.params
    instances = params.instances or VolumeParams(three_views=True).suggested(card, params.known_diameter)
    values = yield from read.outputs(region)
    decoding = Run(decode_steps(values, card, instances, depth=volume.depth))
    landscape, labels = yield from decoding.yielding(Progress(1, 1, stage="cells"))
    _, *box = volume.box(region)
    params = replace(params, instances=instances)
    return SegmentedVolume(values, _raised(labels, above), landscape, Window(*box), volume, params, above)


def _raised(labels: NDArray[np.int32], above: int) -> NDArray[np.int32]:
    return np.where(labels > 0, labels + np.int32(above), labels) if above else labels


def volumes_in(
    planes: SelectedPlanes,
    params: SegmentParams,
    views: VolumeParams,
    model: Model,
    *,
    limits: IntensityLimits | None = None,
    compute: Compute | None = None,
) -> Iterator[tuple[list[int], Volume]]:
    """Yield the volumes of an image, one a time point, and which of its planes each is made of.

    Parameters
    ----------
    planes : SelectedPlanes
        Several along Z, see `SelectedPlanes.check_several`.
    params, model, limits, compute
        As for `volume_of`.
    views : VolumeParams

    Raises
    ------
    UtileError
        If nobody knows how far apart they are.
    """
    depth = plane_distance(views, spacing_of(planes))
    for places in groups_along_z(planes.indices):
        stack = [planes.plane(planes.indices[place]) for place in places]
        yield places, volume_of(stack, depth, params, model, limits, compute)


def with_distance(planes: SelectedPlanes, views: VolumeParams) -> VolumeParams:
    """Return three views with the distance of an image's planes; others as they are.

    Raises
    ------
    UtileError
        If it is neither given nor in the file.
    """
    return (
        replace(views, plane_distance=plane_distance(views, spacing_of(planes)))
        if views.three_views
        else views
    )


def spacing_of(planes: SelectedPlanes) -> Spacing:
    """Return how far apart the pixels and planes of an image are."""
    return Spacing(planes.image.pixel_size, planes.image.unit, planes.image.steps)


def plane_distance(params: VolumeParams, spacing: Spacing) -> float:
    """Return how far apart planes are, in pixels of a plane.

    Raises
    ------
    UtileError
        If neither the parameters nor the file say it.
    """
    if params.plane_distance is not None:
        return params.plane_distance
    if spacing.depth is None or spacing.pixel_size is None:
        raise UtileError(
            "Three views need to know how far apart the planes are, and the file does not say: give "
            "--plane-distance, in pixels."
        )
    height, width = spacing.pixel_size
    return float(spacing.depth / np.sqrt(height * width))


def estimate_volume(volume: Volume, region: Window | None = None) -> Estimate:
    """Estimate what three views of a stack cost; one small tile is timed, nothing of the image is read."""
    gflop, compute = volume.gflop(region), volume.compute
    seconds = gflop / rate(volume.model, compute)
    return Estimate(
        volume.tiles(region), gflop, volume.bytes(region), seconds, compute.device, compute.precision
    )


def groups_along_z(indices: Sequence[Mapping[str, int]]) -> list[list[int]]:
    """Group the planes of a stack to volumes: the places of those that differ along Z alone, in order of Z."""
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for place in sorted(range(len(indices)), key=lambda place: indices[place].get("Z", 0)):
        others = tuple(sorted((axis, entry) for axis, entry in indices[place].items() if axis != "Z"))
        groups.setdefault(others, []).append(place)
    return [groups[key] for key in sorted(groups)]
