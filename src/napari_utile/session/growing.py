"""Seeds, such as nuclei, grown into whole cells, as the Segment page asks for it."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.results import SegmentRequest

if TYPE_CHECKING:
    from napari_utile.session.state import Session

__all__ = ["GrowRequest", "Grown", "grow_job"]

LabelArray = np.ndarray[Any, np.dtype[np.integer[Any]]]


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
    """

    image: SegmentRequest
    seeds: LabelArray
    in_model: bool = False
    distance: float | None = None


@dataclass(frozen=True, eq=False)
class Grown:
    """The cells of one plane, with the ids of their seeds, and the table of both."""

    labels: LabelArray
    features: dict[str, np.ndarray[Any, Any]]


def grow_job(
    session: "Session", requests: Sequence[GrowRequest]
) -> Generator[tuple[int, int], None, list[Grown]]:
    """Grow the seeds of each plane; yields how many planes are done, and of how many."""
    from napari_utile.engine.cells.measure import measure
    from napari_utile.engine.cells.seeds import compartments
    from napari_utile.engine.files.label_planes import whole_numbers
    from napari_utile.engine.grow import grow_steps, usual_distance
    from napari_utile.engine.steps import Run

    made: list[Grown] = []
    usual = usual_distance(request.seeds for request in requests)
    for request in requests:
        yield len(made), len(requests)
        image, params, model, limits = request.image, request.image.params, None, None
        seeds = whole_numbers(request.seeds, "the layer of seeds")
        distance = request.distance
        if request.in_model:
            sizing = Run(sized_steps(session, params, image.measured_on))
            for _ in sizing:
                yield len(made), len(requests)
            params, _ = sizing.result
            model = session.load_model(params.model)
            limits = limits_of(session, params, image.measured_on)
        elif distance is None:
            distance = usual
        run = Run(grow_steps(image.plane, seeds, params, model=model, distance=distance, limits=limits))
        for _ in run:
            yield len(made), len(requests)
        pixels = np.asarray(image.plane.data[:, :, :])
        size, unit = image.plane.pixel_size, image.plane.unit
        table = measure(run.result, pixels, size, unit)
        table |= compartments(run.result, seeds, pixels, pixel_size=size, unit=unit)
        made.append(Grown(run.result, table))
    return made
