"""Large images from the docks: into a store on disk, which grows on screen and is resumed."""

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import AXIS_ORDER
from napari_utile.engine.files.unfinished import HOME, is_complete, is_store
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import describe
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.provenance.command import typed
from napari_utile.engine.provenance.locate import sliders_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.store.apart import steps_apart
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.cost import StoreCost, Where, cost_of
from napari_utile.engine.store.journal import Journal
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.memory import check_memory
from napari_utile.engine.store.plan import StorePlan, load_plan
from napari_utile.engine.store.remove import remove_store, size_of
from napari_utile.engine.store.run import StoreResult, store_steps
from napari_utile.engine.windows import Window
from napari_utile.session.cell_size import limits_of, limits_of_plane, sized_steps
from napari_utile.session.results import SegmentRequest
from napari_utile.session.run_on import jobs_at
from napari_utile.session.state import Session
from napari_utile.session.store_command import store_command
from napari_utile.session.store_source import StoreSource, layer_source, source_of, stacked_axes
from napari_utile.session.store_tables import features_of, paths_of

ENDING = ".cells.ome.zarr"
MOST_IN_MEMORY = 36_000_000
"""Pixels of a region up to which a result is made in memory."""
MOST_IN_STACK = 400_000_000
"""The same of all planes of a stack together: their labels are one layer."""
_LOOK = 256
"""Rows and columns of the part that is shown before the first block."""


@dataclass(frozen=True, eq=False)
class FinishedStore:
    """A finished store, and what its tables give to layers.

    Attributes
    ----------
    features : dict of str to (N,) arrays
        The table of the cells, or of the objects or tracks that they were linked to.
    tracks, graph
        See `paths_of`.
    """

    result: StoreResult
    features: dict[str, NDArray[Any]]
    tracks: NDArray[np.float64]
    graph: dict[int, list[int]]


def needs_store(request: SegmentRequest, planes: int = 1) -> bool:
    """Say whether the result of a request, of so many planes alike, is too large for memory and goes to disk."""
    size = Window.part_of(request.plane.shape, request.region).size
    return size > MOST_IN_MEMORY or size * planes > MOST_IN_STACK


def default_place(requests: Sequence[SegmentRequest]) -> Path:
    """Return where the store of some planes goes where the user names no place: beside its image, else at home."""
    request, several = requests[0], {each.letter: each.axis for each in stacked_axes(requests)}
    path = Path(request.path) if request.path else None
    name = re.sub(r"[^\w.-]+", "_", request.plane.name).strip("_.") or "image"
    sliders = {number: request.axes[number] for number in sliders_of(request.axes).values()}
    where = [f"{axis.name}{axis.entry}" for number, axis in sliders.items() if number not in several.values()]
    folder = path.parent if path is not None and path.exists() else Path.home() / "U-Tile"
    return folder / f"{'_'.join([name, *where])}{ENDING}"


def outer_axes(requests: Sequence[SegmentRequest], axes: Sequence[int]) -> list[int | None]:
    """Say which axes of the store of some planes their layer's axes before Y and X are: see `GrowingLevel`."""
    stacked = sorted((AXIS_ORDER.index(each.letter), each.axis) for each in stacked_axes(requests))
    places = {axis: place for place, (_, axis) in enumerate(stacked)}
    return [places.get(axis) for axis in axes]


@dataclass(frozen=True, eq=False)
class _Ready:
    """What is known of a segmentation before its image is looked for on the disk.

    Attributes
    ----------
    params : SegmentParams
        Complete.
    limits : IntensityLimits
        Of the first plane.
    shared : bool
        Whether they are those of all planes.
    size : CellSize or None
        What was measured.
    """

    params: SegmentParams
    model: Model
    compute: Compute
    limits: IntensityLimits
    shared: bool
    size: CellSize | None


def _ready_steps(session: Session, request: SegmentRequest) -> Generator[Progress, None, _Ready]:
    """Measure and load what a segmentation needs, if that was not done before."""
    sizing = Run(sized_steps(session, request))
    params, size = yield from sizing.yielding(Progress(0, 1, stage="size"))
    model = session.load_model(params.model)
    yield Progress(0, 1, stage="size")
    instances = params.instances or suggested_instances(model.card, params.known_diameter)
    params = replace(params, instances=instances)
    shared = limits_of(session, params, request.measured_on)
    limits = shared or limits_of_plane(session, params, request.plane, request.data_key)
    return _Ready(
        params, model, choose_compute(params.device, params.precision), limits, shared is not None, size
    )


def _planned(
    ready: _Ready, requests: Sequence[SegmentRequest], source: StoreSource, linking: LinkParams | None = None
) -> StorePlan:
    """Plan the store of some planes; nothing is written."""
    request = requests[0]
    return plan_store(
        source.planes,
        ready.model,
        replace(ready.params, channels=source.channels),
        ready.compute,
        source.name,
        region=request.region,
        mask=_mask(requests),
        limits=ready.limits if ready.shared or len(requests) == 1 else None,
        indices=source.indices,
        stacked="".join(each.letter for each in source.stacked),
        sizes=[each.count for each in source.stacked],
        steps=source.steps,
        selection=source.selection,
        measured=True,
        linking=linking,
        fitted=request.fitted,
    )


def store_estimate_job(
    session: Session,
    requests: Sequence[SegmentRequest],
    run_on: str = "",
    linking: LinkParams | None = None,
) -> Generator[Progress | None, None, tuple[Model, StoreCost, CellSize | None]]:
    """Say what `store_job` will cost, with the same arguments; the grey limits of the first plane count for all."""
    ready = yield from _ready_steps(session, requests[0])
    source = layer_source(requests)
    plan = _planned(replace(ready, shared=True), requests, source, linking)
    yield None
    # That the file still holds the pixels of the layer is looked at when it is begun.
    path = requests[0].path
    where: Where = "cluster" if run_on else "apart" if path and Path(path).exists() else "here"
    cost = cost_of(plan, _in_order(plan, source), ready.model, _mask(requests), where)
    return ready.model, cost, ready.size


def store_job(
    session: Session,
    requests: Sequence[SegmentRequest],
    place: Path,
    first: Callable[[], tuple[float, float]] | None = None,
    run_on: str = "",
    linking: LinkParams | None = None,
) -> Generator[Progress, None, FinishedStore]:
    """Segment into a store, or finish the one that is there; closed at any time, it keeps what is done.

    The first steps are a first look: they hold the probability of a small part around `first`, as blocks take longer.
    The blocks of an image that is a file are computed in a process of its own, so that the window is free.

    Parameters
    ----------
    requests : sequence of SegmentRequest
        The planes, which have all but the plane in common.
    place : Path
        Of the store; see `default_place`.
    first : callable, optional
        Gives the pixel of the region (y, x) around which blocks are computed first, such as the middle of the view.
    run_on : str
        Address of a Dask scheduler; this computer by default.
    linking : LinkParams, optional
        Whether and how the planes are linked; not at all by default.

    Returns
    -------
    FinishedStore

    Raises
    ------
    UtileError
        If something else is there, if it was started with other settings, or disk and memory do not suffice.
    """
    if place.exists() and not is_store(place):
        raise UtileError(f"{place} is not a store of this program: choose another place.")
    request = requests[0]
    ready = yield from _ready_steps(session, request)
    if first is not None and not place.exists():
        yield from _first_look(ready, request, first())
    source = source_of(requests)
    plan = _planned(ready, requests, source, linking)
    with jobs_at(run_on) as jobs:  # before anything is started
        apart = source.located is not None and jobs is None
        check_memory(plan, apart=apart)
        if place.exists():
            _refuse_other_settings(place, plan)
            yield Progress(
                len(Journal(place / HOME).facts), len(plan.planes) * len(plan.grid) * len(plan.stages)
            )
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            begin_store(place, plan, ready.model, _mask(requests), size=ready.size)
        command = store_command(requests, source, plan.params, ready.model.card, linking)
        if apart:
            result = yield from steps_apart(place, first=first, command=command)
        else:
            planes = _in_order(plan, source)
            result = yield from store_steps(
                place, jobs=jobs, planes=planes, model=ready.model, first=first, command=command
            )
    names = {each.letter: request.axes[each.axis].name for each in source.stacked}
    features = features_of(place, plan, [names[letter] for letter in plan.space.axes[:-2]])
    sliders = [number for number, axis in enumerate(request.axes) if axis.entry is not None]
    return FinishedStore(result, features, *paths_of(place, plan, outer_axes(requests, sliders)))


def _in_order(plan: StorePlan, source: StoreSource) -> list[ImagePlane]:
    """Return the planes as the plan has them."""
    of_index = {
        tuple(index.items()): plane for index, plane in zip(source.indices, source.planes, strict=True)
    }
    return [of_index[tuple(index.items())] for index in plan.planes]


def _first_look(
    ready: _Ready, request: SegmentRequest, middle: tuple[float, float]
) -> Generator[Progress, None, None]:
    """Compute the probability around a pixel of the region, only to be seen."""
    region = Window.part_of(request.plane.shape, request.region)
    point = [at + first for at, first in zip(middle, region.start, strict=True)]
    window = region.central(_LOOK, point)
    field = Field(request.plane, ready.model, ready.params, compute=ready.compute, limits=ready.limits)
    for step in field.tiles(window):
        yield replace(step, stage="look")


def _refuse_other_settings(place: Path, now: StorePlan) -> None:
    """Refuse to resume a store that was started with other settings than those of the form.

    Raises
    ------
    UtileError
        Naming the first that differs.
    """
    before = load_plan(place)
    ours = {**vars(before.params), **vars(before.instances)}
    theirs = {**vars(now.params), **vars(now.instances)}
    labels = {each.name: each.label for kind in (SegmentParams, InstanceParams) for each in describe(kind)}
    differs = [
        f"{labels[name]} {typed(ours[name]) or 'none'} where it is {typed(theirs[name]) or 'none'} now"
        for name in labels
        if name not in ("device", "precision", "tile") and ours[name] != theirs[name]
    ]
    if before.fingerprint != now.fingerprint and not differs:
        differs = ["other weights of the model"]
    if (before.region, before.mask) != (now.region, now.mask):
        differs.append("another part of the image")
    if before.planes != now.planes:
        differs.append("other planes")
    if before.seeds != now.seeds:
        differs.append("cells that grow from seeds")
    if before.linking != now.linking:
        differs.append("planes linked another way")
    if differs:
        raise UtileError(
            f"{place.name} was made with {differs[0]}: choose another place, or go back to these settings."
        )


def said_of(place: Path) -> str:
    """Say in a sentence what a store holds that was cancelled, and what can be done."""
    if is_complete(place):
        return f"The result was finished before it was cancelled: it is in {place}, and Segment shows it."
    return (
        f"Cancelled. Finished blocks are kept in {place} ({size_of(place) / 1e6:,.0f} MB): Segment again resumes, "
        "Delete removes them."
    )


def delete_store(place: Path) -> None:
    """Delete an unfinished store.

    Raises
    ------
    UtileError
        If it is finished, is something else, or a run is writing it.
    """
    if is_complete(place):
        raise UtileError(f"{place.name} is finished: delete it in your file manager if you do not want it.")
    remove_store(place)


def _mask(requests: Sequence[SegmentRequest]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Return which pixels of the planes count, perhaps coarser than they are; None for all.

    Raises
    ------
    UtileError
        If none do, or others in each plane.
    """
    request = requests[0]
    every = [np.zeros(0) if each.inside is None else np.asarray(each.inside) for each in requests]
    if not all(np.array_equal(each, every[0]) for each in every):
        raise UtileError(
            "The labels differ from plane to plane: choose one plane, or labels without sliders."
        )
    if request.inside is None:
        return None
    inside, region = np.asarray(request.inside), Window.part_of(request.plane.shape, request.region)
    if not inside.any():
        raise UtileError(f"No label lies on {request.plane.name}: there is nowhere to look for cells.")
    if inside.shape != region.shape:
        return inside
    mask = np.zeros(request.plane.shape, bool)
    mask[region] = inside
    return mask
