"""Seeds, such as nuclei, grown into whole cells, as the Segment page asks for it."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.compartments import compartments
from napari_utile.engine.cells.measure import measure
from napari_utile.engine.files.label_planes import whole_numbers
from napari_utile.engine.grow import grow_steps, refuse_lost_stain, usual_distance
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.command import grow_command
from napari_utile.engine.provenance.grown import GrownPlane, GrownRecipe, grown_plane
from napari_utile.engine.provenance.locate import index_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.results import SegmentRequest, locate_request
from napari_utile.session.state import Session
from napari_utile.session.store_jobs import ENDING, default_place


@dataclass(frozen=True, eq=False)
class GrowRequest:
    """Seeds on one plane as they were when the user pressed the button.

    Attributes
    ----------
    image : SegmentRequest
        The plane that they grow in.
    seeds : (Y, X) integer array
    in_model : bool
        Whether they grow in the cells that the model sees; else in the grey values of the channel.
    distance : float, optional
        Pixels beyond the seed at most.
    seeds_path : str
        The file of the seeds; empty where they have none.
    """

    image: SegmentRequest
    seeds: Labels
    in_model: bool = False
    distance: float | None = None
    seeds_path: str = ""


@dataclass(frozen=True, eq=False)
class Grown:
    """The cells of one plane, with the ids of their seeds, and the table of both."""

    labels: Labels
    features: dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, eq=False)
class GrownCells:
    """The cells of all planes, and how they were grown."""

    planes: list[Grown]
    recipe: GrownRecipe


def grow_job(
    session: Session, requests: Sequence[GrowRequest]
) -> Generator[tuple[int, int], None, GrownCells]:
    """Grow the seeds of each plane; yields how many planes are done, and of how many."""
    made: list[Grown] = []
    records: list[GrownPlane] = []
    compute: Compute | None = None
    usual = usual_distance(request.seeds for request in requests)
    for request in requests:
        yield len(made), len(requests)
        image, params, model, limits = request.image, request.image.params, None, None
        seeds = whole_numbers(request.seeds, "the layer of seeds")
        distance = request.distance
        if request.in_model:
            sizing = Run(sized_steps(session, image))
            params, _ = yield from sizing.yielding((len(made), len(requests)))
            model = session.load_model(params.model)
            limits = limits_of(session, params, image.measured_on)
            compute = choose_compute(params.device, params.precision)
        else:
            if not made:
                refuse_lost_stain(image.measured_on.planes, params)
            distance = usual if distance is None else distance
        growing = grow_steps(
            image.plane, seeds, params, model=model, distance=distance, limits=limits, compute=compute
        )
        cells = yield from Run(growing).yielding((len(made), len(requests)))
        pixels = np.asarray(image.plane.data[:, :, :])
        size, unit = image.plane.pixel_size, image.plane.unit
        table = measure(cells, pixels, size, unit)
        table |= compartments(cells, seeds, pixels, pixel_size=size, unit=unit)
        made.append(Grown(cells, table))
        located = locate_request(image)
        index = located.index if located else index_of(image.axes)
        records.append(grown_plane(index, image.plane, seeds, cells))
    return GrownCells(made, _recipe_of(requests, params, model, compute, distance, records))


def large_grow_command(
    requests: Sequence[SegmentRequest], seeds_path: str, in_model: bool, distance: float | None
) -> str:
    """Return the command line that grows the seeds of large planes block by block into a store.

    Parameters
    ----------
    requests : sequence of SegmentRequest
        The planes that they grow in.
    seeds_path : str
        The file of the seeds, or their store; empty where they have none.
    in_model, distance
        As in `GrowRequest`.
    """
    first, params = requests[0], requests[0].params
    located = locate_request(first)
    if located is not None:
        located = located.all_planes() if len(requests) > 1 else located
        params = replace(params, channels=located.channels(params.channels))
    suggested = suggested_instances(card_of(params.model), params.known_diameter) if in_model else None
    place = default_place(requests)
    command = grow_command(
        first.path if located else "IMAGE.tif",
        seeds_path or "SEEDS.tif",
        place.with_name(place.name.replace(ENDING, ".grown.ome.zarr")),
        params,
        suggested,
        distance=distance,
        selection=located.selection if located else None,
    )
    return f"{command} --measurements"


def _recipe_of(
    requests: Sequence[GrowRequest],
    params: SegmentParams,
    model: Model | None,
    compute: Compute | None,
    distance: float | None,
    records: Sequence[GrownPlane],
) -> GrownRecipe:
    """Record how the cells of some planes were grown, with the command that grows them again."""
    first = requests[0]
    located = locate_request(first.image)
    if located is not None and len(requests) > 1:
        located = located.all_planes()
    recipe = GrownRecipe.of(
        first.image.path if located else "IMAGE.tif",
        first.seeds_path or "SEEDS.tif",
        "grown",
        located.selection if located else Selection(),
        params if located is None else replace(params, channels=located.channels(params.channels)),
        model,
        compute,
        distance,
        records,
        "" if model is None else first.image.fitted,
    )
    return replace(recipe, of_layer=True)
