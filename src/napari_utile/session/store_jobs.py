"""Large images from the docks: into a store on disk, which grows on screen and is resumed."""

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import AXIS_ORDER
from napari_utile.engine.files.unfinished import HOME, is_complete, is_store
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.parameters import describe
from napari_utile.engine.provenance.locate import index_of, sliders_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.results import SegmentRequest, command_of, locate_request
from napari_utile.session.run_on import jobs_at
from napari_utile.session.store_tables import features_of, paths_of

if TYPE_CHECKING:
    from napari_utile.engine.inference.cell_size import CellSize
    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.models.card import ModelCard
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.store.cost import StoreCost
    from napari_utile.engine.store.plan import StorePlan
    from napari_utile.engine.store.run import StoreResult
    from napari_utile.session.state import Session

__all__ = [
    "FinishedStore",
    "default_place",
    "delete_store",
    "needs_store",
    "outer_axes",
    "said_of",
    "store_estimate_job",
    "store_job",
]

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
    result : StoreResult
    features : dict of str to (N,) arrays
        The table of the cells, or of the objects or tracks that they were linked to.
    tracks, graph
        See `paths_of`.
    """

    result: "StoreResult"
    features: dict[str, NDArray[Any]]
    tracks: NDArray[np.float64]
    graph: dict[int, list[int]]


def needs_store(request: SegmentRequest, planes: int = 1) -> bool:
    """Say whether the result of a request, of so many planes alike, is too large for memory and goes to disk."""
    size = Window.part_of(request.plane.shape, request.region).size
    return size > MOST_IN_MEMORY or size * planes > MOST_IN_STACK


def default_place(requests: Sequence[SegmentRequest]) -> Path:
    """Return where the store of some planes goes where the user names no place: beside its image, else at home."""
    request, several = requests[0], {letter: axis for letter, axis, _ in _stacked(requests)}
    path = Path(request.path) if request.path else None
    name = re.sub(r"[^\w.-]+", "_", request.plane.name).strip("_.") or "image"
    sliders = {number: request.axes[number] for number in sliders_of(request.axes).values()}
    where = [f"{axis.name}{axis.entry}" for number, axis in sliders.items() if number not in several.values()]
    folder = path.parent if path is not None and path.exists() else Path.home() / "U-Tile"
    return folder / f"{'_'.join([name, *where])}{ENDING}"


def _stacked(requests: Sequence[SegmentRequest]) -> list[tuple[str, int, int]]:
    """Name the axes along which planes differ, in the order of the layer: letter, number of the axis, planes along it.

    Raises
    ------
    UtileError
        If a store cannot be stacked along them.
    """
    found = []
    for letter, number in sliders_of(requests[0].axes).items():
        count = len({request.axes[number].entry for request in requests})
        if count > 1:
            found.append((letter, number, count))
    if wrong := [letter for letter, _, _ in found if letter not in ("T", "Z")]:
        raise UtileError(
            f"Large images are stacked along time and depth, not along {wrong[0]}: choose one plane, or name the axes."
        )
    return found


def outer_axes(requests: Sequence[SegmentRequest], axes: Sequence[int]) -> list[int | None]:
    """Say which axes of the store of some planes their layer's axes before Y and X are: see `GrowingLevel`."""
    stacked = sorted((AXIS_ORDER.index(letter), axis) for letter, axis, _ in _stacked(requests))
    places = {axis: place for place, (_, axis) in enumerate(stacked)}
    return [places.get(axis) for axis in axes]


def planned_steps(
    session: "Session", requests: Sequence[SegmentRequest], linking: LinkParams | None = None
) -> "Generator[None, None, tuple[StorePlan, Model, CellSize | None]]":
    """Plan the store of some planes, and measure their cells where that is wanted; nothing is written."""
    from napari_utile.engine.inference.device import choose_compute
    from napari_utile.engine.store.make import plan_store

    request, stacked = requests[0], _stacked(requests)
    params, size = yield from sized_steps(session, request.params, request.measured_on)
    model = session.load_model(params.model)
    yield
    instances = params.instances or suggested_instances(model.card, params.known_diameter)
    params = replace(params, instances=instances)
    plan = plan_store(
        [each.plane for each in requests],
        model,
        params,
        choose_compute(params.device, params.precision),
        request.path or request.plane.name,
        region=request.region,
        mask=_mask(request),
        limits=limits_of(session, params, request.measured_on),
        indices=[index_of(each.axes) for each in requests],
        stacked="".join(letter for letter, _, _ in stacked),
        sizes=[count for _, _, count in stacked],
        steps={letter: step for letter, axis, _ in stacked if (step := request.axes[axis].step)},
        measured=True,
        linking=linking,
    )
    return plan, model, size


def store_estimate_job(
    session: "Session", request: SegmentRequest
) -> "Generator[None, None, tuple[Model, StoreCost, CellSize | None]]":
    """Say what the store of a request will cost."""
    from napari_utile.engine.store.cost import cost_of

    plan, model, size = yield from planned_steps(session, [request])
    yield
    return model, cost_of(plan, [request.plane], model, _mask(request)), size


def store_job(
    session: "Session",
    requests: Sequence[SegmentRequest],
    place: Path,
    first: Callable[[], tuple[float, float]] | None = None,
    run_on: str = "",
    linking: LinkParams | None = None,
) -> "Generator[Progress, None, FinishedStore]":
    """Segment into a store, or finish the one that is there; closed at any time, it keeps what is done.

    The first steps are a first look: they hold the probability of a small part around `first`, as blocks take longer.

    Parameters
    ----------
    session : Session
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
    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.store.journal import Journal
    from napari_utile.engine.store.run import begin_store, store_steps

    if place.exists() and not is_store(place):
        raise UtileError(f"{place} is not a store of this program: choose another place.")
    request = requests[0]
    planning = Run(planned_steps(session, requests, linking))
    for _ in planning:
        yield Progress(0, 1, stage="size")
    plan, model, _ = planning.result
    with jobs_at(run_on) as jobs:  # before anything is started
        if place.exists():
            _refuse_other_settings(place, plan)
            yield Progress(
                len(Journal(place / HOME).facts), len(plan.planes) * len(plan.grid) * len(plan.stages)
            )
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            begin_store(place, plan, model, _mask(request))
            if first is not None:
                yield from _first_look(plan, request, model, first())
        of_index = {tuple(index_of(each.axes).items()): each.plane for each in requests}
        planes = [of_index[tuple(index.items())] for index in plan.planes]
        command = _command(requests, plan, model.card)
        result = yield from store_steps(
            place, jobs=jobs, planes=planes, model=model, first=first, command=command
        )
    names = {letter: request.axes[axis].name for letter, axis, _ in _stacked(requests)}
    features = features_of(place, plan, [names[letter] for letter in plan.space.axes[:-2]])
    sliders = [number for number, axis in enumerate(request.axes) if axis.entry is not None]
    return FinishedStore(result, features, *paths_of(place, plan, outer_axes(requests, sliders)))


def _command(requests: Sequence[SegmentRequest], plan: "StorePlan", card: "ModelCard") -> str:
    """Give the command that segments the same planes of the file."""
    located = locate_request(requests[0])
    for letter, axis, count in _stacked(requests):
        if located is None or letter not in located.index:
            continue
        first = min(each.axes[axis].entry or 0 for each in requests)
        every = count == requests[0].axes[axis].size
        taken: dict[str, Any] = {letter.lower(): None if every else f"{first}:{first + count}"}
        located = replace(located, selection=replace(located.selection, **taken))
    return command_of(requests[0], plan.params, card, located, linking=plan.linking)


def _first_look(
    plan: "StorePlan", request: SegmentRequest, model: "Model", middle: tuple[float, float]
) -> "Generator[Progress, None, None]":
    """Compute the probability around a pixel of the region, only to be seen."""
    from napari_utile.engine.store.plan import field_of

    start = [
        int(min(max(at + first - _LOOK / 2, first), max(first, first + size - _LOOK)))
        for at, first, size in zip(middle, plan.window.start, plan.window.shape, strict=True)
    ]
    window = Window.span(start, (first + _LOOK for first in start)) & plan.window
    card = model.card
    plane = request.plane.for_network(len(card.inputs), plan.params.channels, card.optional_inputs)
    params = replace(plan.params, channels=tuple(range(plane.data.shape[0])))
    number = plan.planes.index(index_of(request.axes))
    for step in field_of(replace(plan, params=params), number, plane, model).tiles(window):
        yield replace(step, stage="look")


def _refuse_other_settings(place: Path, now: "StorePlan") -> None:
    """Refuse to resume a store that was started with other settings than those of the form.

    Raises
    ------
    UtileError
        Naming the first that differs.
    """
    from napari_utile.engine.store.plan import load_plan

    before = load_plan(place)
    ours = {**vars(before.params), **vars(before.instances)}
    theirs = {**vars(now.params), **vars(now.instances)}
    labels = {each.name: each.label for kind in (SegmentParams, InstanceParams) for each in describe(kind)}
    differs = [
        f"{labels[name]} {ours[name]} where it is {theirs[name]} now"
        for name in labels
        if name not in ("device", "precision", "tile") and ours[name] != theirs[name]
    ]
    if before.fingerprint != now.fingerprint and not differs:
        differs = ["other weights of the model"]
    if (before.region, before.mask) != (now.region, now.mask):
        differs.append("another part of the image")
    if before.planes != now.planes:
        differs.append("other planes")
    if before.linking != now.linking:
        differs.append("planes linked another way")
    if differs:
        raise UtileError(
            f"{place.name} was made with {differs[0]}: choose another place, or go back to these settings."
        )


def said_of(place: Path) -> str:
    """Say in a sentence what a store holds that was cancelled, and what can be done."""
    from napari_utile.engine.store.make import size_of

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
    from napari_utile.engine.store.make import remove_store

    if is_complete(place):
        raise UtileError(f"{place.name} is finished: delete it in your file manager if you do not want it.")
    remove_store(place)


def _mask(request: SegmentRequest) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    if request.inside is None:
        return None
    mask = np.zeros(request.plane.shape, bool)
    mask[Window.part_of(request.plane.shape, request.region)] = request.inside
    return mask
