"""Stacks as volumes from the docks: three views of the planes along z, cells in three dimensions."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, fit_of, overall
from napari_utile.engine.inference.cost import Estimate
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.linking.measure import Spacing
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.library import Model
from napari_utile.engine.provenance.locate import index_of
from napari_utile.engine.provenance.recipe import Recipe, recipe_of_planes, record_plane
from napari_utile.engine.segmentation import planes_of_volume
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import (
    SegmentedVolume,
    estimate_volume,
    plane_distance,
    segment_volume_steps,
    volume_of,
)
from napari_utile.engine.volumes.views import Volume
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.linking import LinkedLayers, StackSpace, link_layers
from napari_utile.session.results import SegmentRequest, command_of, locate_request
from napari_utile.session.state import Session


@dataclass(frozen=True, eq=False)
class VolumeRequest:
    """A segmentation of a stack as a volume, as it was when the user pressed Run.

    Attributes
    ----------
    planes : sequence of SegmentRequest
        Of the planes along z, in their order; all with the parameters and the region of the first.
    views : VolumeParams
        With the distance of the planes, unless `steps` and the pixel size of the planes say it.
    steps : mapping of str to (float, str or None), optional
        From one plane to the next along Z and its unit, such as ``{"Z": (2.0, "um")}``.
    """

    planes: Sequence[SegmentRequest]
    views: VolumeParams
    steps: Mapping[str, tuple[float, str | None]] | None = None

    @property
    def first(self) -> SegmentRequest:
        """The request of the first plane."""
        return self.planes[0]

    @property
    def with_distance(self) -> VolumeParams:
        """The same views with the distance of the planes (pixels of a plane).

        Raises
        ------
        UtileError
            If nobody knows it.
        """
        spacing = Spacing(self.first.plane.pixel_size, self.first.plane.unit, self.steps)
        return replace(self.views, plane_distance=plane_distance(self.views, spacing))


@dataclass(frozen=True, eq=False)
class VolumeResult:
    """Cells of a volume, their table and how they were made.

    Attributes
    ----------
    segmented : SegmentedVolume
        With ``foreground``, the probability (Z, y, x), and the ``region`` that it covers.
    shown : LinkedLayers
        Labels (Z, y, x) and table.
    fit : Fit
        Whether the model looks right for the planes.
    """

    request: VolumeRequest
    segmented: SegmentedVolume
    shown: LinkedLayers
    recipe: Recipe
    fit: Fit


def estimate_volume_job(
    session: Session, request: VolumeRequest
) -> Generator[None, None, tuple[Model, Estimate, CellSize | None]]:
    """Estimate the cost of three views, like `estimate_job`; the cells are measured first if that is wanted.

    Raises
    ------
    UtileError
        If nobody knows how far apart the planes are.
    """
    volume, size = yield from _volume_steps(session, request)
    yield
    return volume.model, estimate_volume(volume, request.first.region), size


def segment_volume_job(session: Session, request: VolumeRequest) -> Generator[Progress, None, VolumeResult]:
    """Segment a stack as a volume and measure its cells.

    Raises
    ------
    UtileError
        If nobody knows how far apart the planes are, or there is not enough memory for them: with how much it takes.
    """
    sizing = Run(_volume_steps(session, request))
    volume, _ = yield from sizing.yielding(Progress(0, 1, stage="size"))
    made = yield from segment_volume_steps(volume, request.first.region)
    yield Progress(1, 1, stage="measurements")
    return _result(request, made, request.first.fitted)


def relabel_volume_job(
    result: VolumeResult, instances: InstanceParams
) -> Generator[None, None, VolumeResult]:
    """Find the cells again from the same outputs; no network runs."""
    made = yield from result.segmented.relabel_steps(instances)
    yield
    same = instances == result.segmented.params.instances
    return _result(result.request, made, result.recipe.fitted if same else "")


def _volume_steps(
    session: Session, request: VolumeRequest
) -> Generator[None, None, tuple[Volume, CellSize | None]]:
    first = request.first
    depth = request.with_distance.plane_distance  # fails before anything is measured
    assert depth is not None
    params, size = yield from sized_steps(session, first)
    model = session.load_model(params.model)
    limits = limits_of(session, params, first.measured_on)
    return volume_of([each.plane for each in request.planes], depth, params, model, limits), size


def _result(request: VolumeRequest, made: SegmentedVolume, fitted: str) -> VolumeResult:
    first, plane = request.first, request.first.plane
    space = StackSpace("Z", plane.pixel_size, plane.unit, request.steps)
    shown = link_layers(made.labels, space, LinkParams("z"), range(1, made.count + 1))
    views = replace(request.views, plane_distance=made.volume.depth)
    located = locate_request(first)
    every = located.along("Z", _entries(request.planes)) if located else None
    records, fits, seen = [], [], None
    for number, (each, seen) in enumerate(zip(request.planes, planes_of_volume(made), strict=True)):
        index = index_of(each.axes) or {"Z": number}
        records.append(record_plane(seen, index, made.cells_in(number)))
        fits.append(replace(fit_of(seen), threshold=None))  # cards know how sure one view is
    assert seen is not None
    recipe = recipe_of_planes(
        records,
        seen,
        first.path if located else plane.name,
        command_of(first, made.params, made.volume.model.card, every, views),
        every.selection if every else None,
    )
    recipe = replace(recipe, of_layer=True, views=views, fitted=fitted)
    return VolumeResult(request, made, shown, recipe, overall(fits))


def _entries(planes: Sequence[SegmentRequest]) -> tuple[int, int] | None:
    """Give the first entry and the one after the last on the first slider, where planes take a part of it."""
    for number, axis in enumerate(planes[0].axes):
        if axis.entry is not None and axis.size > 1:
            taken = [each.axes[number].entry or 0 for each in planes]
            return (min(taken), max(taken) + 1) if len({*taken}) < axis.size else None
    return None
