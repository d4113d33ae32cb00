"""Large images from the docks: into a store on disk, which grows on screen and is resumed."""

import re
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, is_complete, is_store
from napari_utile.engine.parameters import describe
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.results import SegmentRequest
from napari_utile.session.run_on import jobs_at

if TYPE_CHECKING:
    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.inference.size import CellSize
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.store.cost import StoreCost
    from napari_utile.engine.store.plan import StorePlan
    from napari_utile.engine.store.run import StoreResult
    from napari_utile.session.state import Session

__all__ = [
    "CELLS",
    "GrowingLevel",
    "default_place",
    "delete_store",
    "levels",
    "needs_store",
    "said_of",
    "store_estimate_job",
    "store_job",
]

ENDING = ".cells.ome.zarr"
CELLS = "labels/cells"
MOST_IN_MEMORY = 36_000_000
"""Pixels of a region up to which a result is made in memory."""
_LOOK = 256
"""Rows and columns of the part that is shown before the first block."""


def needs_store(request: SegmentRequest) -> bool:
    """Say whether the result of a request is too large for memory and goes to disk."""
    return Window.part_of(request.plane.shape, request.region).size > MOST_IN_MEMORY


def default_place(request: SegmentRequest) -> Path:
    """Return where the store of a request goes where the user names no place: beside its image, else at home."""
    path = Path(request.path) if request.path else None
    name = re.sub(r"[^\w.-]+", "_", request.plane.name).strip("_.") or "image"
    sliders = [axis for axis in request.axes if axis.role == "" and axis.size > 1 and axis.entry is not None]
    where = [f"{axis.name}{axis.entry}" for axis in sliders]
    folder = path.parent if path is not None and path.exists() else Path.home() / "U-Tile"
    return folder / f"{'_'.join([name, *where])}{ENDING}"


def planned_steps(
    session: "Session", request: SegmentRequest
) -> "Generator[None, None, tuple[StorePlan, Model, CellSize | None]]":
    """Plan the store of a request, and measure its cells where that is wanted; nothing is written."""
    from napari_utile.engine.inference.device import choose_compute
    from napari_utile.engine.provenance.locate import index_of
    from napari_utile.engine.store.make import plan_store

    params, size = yield from sized_steps(session, request.params, request.measured_on)
    model = session.load_model(params.model)
    yield
    instances = params.instances or suggested_instances(model.card, params.known_diameter)
    params = replace(params, instances=instances)
    plan = plan_store(
        [request.plane],
        model,
        params,
        choose_compute(params.device, params.precision),
        request.path or request.plane.name,
        region=request.region,
        mask=_mask(request),
        limits=limits_of(session, params, request.measured_on),
        indices=[index_of(request.axes)],
        measured=True,
    )
    return plan, model, size


def store_estimate_job(
    session: "Session", request: SegmentRequest
) -> "Generator[None, None, tuple[Model, StoreCost, CellSize | None]]":
    """Say what the store of a request will cost."""
    from napari_utile.engine.store.cost import cost_of

    plan, model, size = yield from planned_steps(session, request)
    yield
    return model, cost_of(plan, [request.plane], model, _mask(request)), size


def store_job(
    session: "Session",
    request: SegmentRequest,
    place: Path,
    first: Callable[[], tuple[float, float]] | None = None,
    run_on: str = "",
) -> "Generator[Progress, None, tuple[StoreResult, dict[str, Any]]]":
    """Segment into a store, or finish the one that is there; closed at any time, it keeps what is done.

    The first steps are a first look: they hold the probability of a small part around `first`, as blocks take longer.

    Parameters
    ----------
    session : Session
    request : SegmentRequest
    place : Path
        Of the store; see `default_place`.
    first : callable, optional
        Gives the pixel of the region (y, x) around which blocks are computed first, such as the middle of the view.
    run_on : str
        Address of a Dask scheduler; this computer by default.

    Returns
    -------
    result : StoreResult
    features : dict of str to arrays
        The table of the cells.

    Raises
    ------
    UtileError
        If something else is there, if it was started with other settings, or disk and memory do not suffice.
    """
    from napari_utile.engine.inference.predict import Progress
    from napari_utile.engine.store.journal import Journal
    from napari_utile.engine.store.run import begin_store, store_steps
    from napari_utile.engine.store.table import path_of_table, read_columns
    from napari_utile.engine.store.work import STAGES

    if place.exists() and not is_store(place):
        raise UtileError(f"{place} is not a store of this program: choose another place.")
    planning = Run(planned_steps(session, request))
    for _ in planning:
        yield Progress(0, 1, stage="size")
    plan, model, _ = planning.result
    with jobs_at(run_on) as jobs:  # before anything is started
        if place.exists():
            _refuse_other_settings(place, plan)
            yield Progress(len(Journal(place / HOME).facts), len(plan.planes) * len(plan.grid) * len(STAGES))
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            begin_store(place, plan, model, _mask(request))
            if first is not None:
                yield from _first_look(plan, request, model, first())
        result = yield from store_steps(place, jobs=jobs, planes=[request.plane], model=model, first=first)
    return result, read_columns(path_of_table(place, plan.planes[0]))


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
    for step in field_of(replace(plan, params=params), 0, plane, model).tiles(window):
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
        differs.append("another plane")
    if differs:
        raise UtileError(
            f"{place.name} was made with {differs[0]}: choose another place, or go back to these settings."
        )


class GrowingLevel:
    """One level of a store's image, which shows what is there when it is read.

    Parameters
    ----------
    array : zarr.Array
        (Y, X).
    before : int
        Axes of length 1 to put before Y, so that it has those of a layer with sliders.
    """

    def __init__(self, array: Any, before: int = 0) -> None:
        self._array, self._before = array, before
        self.shape = (1,) * before + tuple(array.shape)
        self.dtype, self.ndim, self.size = np.dtype(array.dtype), len(self.shape), int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> np.ndarray[Any, Any]:
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (self.ndim - len(key)))
        plane = np.asarray(self._array[key[self._before :]])
        lead = tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in key[: self._before])
        whole = plane[(np.newaxis,) * self._before]
        return np.asarray(whole[lead])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self[()], dtype)


def levels(place: Path, what: str = "", before: int = 0) -> list[GrowingLevel]:
    """Return the levels of a store's image, the largest first.

    Parameters
    ----------
    place : Path
    what : str
        Empty for the probability, `CELLS` for the cells.
    before : int
        See `GrowingLevel`.
    """
    import zarr

    folder = place / what
    found: list[GrowingLevel] = []
    while (folder / str(len(found)) / "zarr.json").is_file():
        found.append(GrowingLevel(zarr.open_array(folder / str(len(found)), mode="r"), before))
    return found


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
