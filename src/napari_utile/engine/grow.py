"""From seeds to whole cells: in what a model makes of an image, or in the intensities of a channel."""

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.seeds import distance_from_areas, grow_in_intensity, grow_in_model
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.label_planes import refuse_other_shape
from napari_utile.engine.files.label_reading import labels_of_one_plane
from napari_utile.engine.files.one_plane import plane_of, planes_of
from napari_utile.engine.inference.decode import height_from
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import Bounds, Parameter, checked_value
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.numbers import refuse_without_numbers
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.segment import segment, segment_steps
from napari_utile.engine.segment_params import SegmentParams, several
from napari_utile.engine.segmentation import Segmentation
from napari_utile.engine.steps import Run

CUTS = ("fill_holes", "minimum_size", "split", "grow")
"""Instance parameters that cells from seeds do not have: each seed is one cell, whatever its size."""
_OF_OTHER_SHAPE = (
    "region",
    "link",
    "link_overlap",
    "link_distance",
    "link_gap",
    "three_views",
    "plane_distance",
)
"""Options of `segment` by which it makes something else than one whole plane."""


def usual_distance(seeds: Iterable[Labels]) -> float:
    """Return how far cells reach beyond their seeds where nobody says it: half the median diameter of all seeds.

    Parameters
    ----------
    seeds : iterable of (Y, X) int array

    Returns
    -------
    float
        Pixels, at least 1.
    """
    areas = [np.unique(plane[plane > 0], return_counts=True)[1] for plane in seeds]
    return distance_from_areas(np.concatenate([*areas, np.zeros(0, np.int64)]))


def refuse_lost_stain(planes: Sequence[ImagePlane], params: SegmentParams) -> None:
    """Refuse planes to grow in without a model where the channel holds no number in any of them."""
    refuse_without_numbers([plane.for_network(1, params.channels) for plane in planes])


def grow_steps(
    plane: ImagePlane,
    seeds: Labels,
    params: SegmentParams,
    *,
    model: Model | None = None,
    distance: float | None = None,
    limits: IntensityLimits | None = None,
    compute: Compute | None = None,
) -> Generator[Progress, None, Labels]:
    """Grow each seed to one cell; every yield is a point to cancel at.

    Parameters
    ----------
    plane : ImagePlane
    seeds : (Y, X) int array
    params : SegmentParams
        Without a model only the channels are used.
    model : Model, optional
        Cells grow in its foreground and meet in its valleys, or half-way; else at the edges in the intensities.
    distance : float, optional
        Pixels that a cell reaches beyond its seed at most. By default as far as the model's foreground does, or
        `usual_distance`.
    limits, compute
        See `Field`.

    Returns
    -------
    (Y, X) int array
        With the ids of the seeds.

    Raises
    ------
    UtileError
        If seeds and plane do not have the same shape.
    """
    refuse_other_shape(seeds.shape, plane)
    if model is None:
        grey = np.asarray(plane.for_network(1, params.channels).data[0])
        return grow_in_intensity(seeds, grey, usual_distance([seeds]) if distance is None else distance)
    made = yield from segment_steps(plane, params, model=model, limits=limits, compute=compute)
    return grown_in(made, seeds, distance)


def grown_in(made: Segmentation, seeds: Labels, distance: float | None) -> Labels:
    """Grow each seed to one cell in what a model made of the whole plane, see `grow_steps`."""
    instances = made.params.instances
    assert instances is not None
    card = made.model.card
    return grow_in_model(
        seeds,
        made.foreground,
        height_from(made.values, card),
        threshold=instances.threshold,
        limit=instances.relief_limit,
        distance=distance,
        diameter=card.expected_diameter(made.diameter),
    )


def grow_seeds(
    image: Any,
    seeds: Any,
    model: str | Path | Model | None = None,
    *,
    channels: Sequence[int] | None = None,
    distance: float | None = None,
    axes: str | None = None,
    series: str | int | None = None,
    z: str | int | None = None,
    t: str | int | None = None,
    project: str | None = None,
    **options: Any,
) -> Labels:
    """Grow each seed, such as a nucleus, to one whole cell with the seed's id.

    Parameters
    ----------
    image : path, array-like or ImagePlane
        As for `segment`: an image of the whole cells.
    seeds : path or (Y, X) int array
        0 is background.
    model : str, Path or Model, optional
        Cells grow in its foreground and meet in the valleys that it sees, or half-way. Without one they grow in the
        intensities of the first of `channels`, to the edges of the cells.
    channels : sequence of int, optional
    distance : float, optional
        Pixels that a cell reaches beyond its seed at most. By default half the median diameter of the seeds, and
        with a model as far as its foreground.
    axes, series, z, t, project
        Which plane of the image, as for `segment`.
    **options
        With a model, those of `segment` but `CUTS`, a region, linking and three views.

    Returns
    -------
    (Y, X) int array

    Raises
    ------
    UtileError
        If the image or the seeds cannot be used.

    Examples
    --------
    >>> image = np.array([[0, 0, 9, 9, 9, 9, 0, 0]]) * np.ones((5, 1))
    >>> nuclei = np.zeros((5, 8), int)
    >>> nuclei[2, 3] = 7
    >>> grow_seeds(image, nuclei, distance=2)[2].tolist()
    [0, 0, 7, 7, 7, 7, 0, 0]
    """
    distance = checked_value(Parameter("distance", float, True, None, Bounds(0)), distance)
    for name in options:
        if name in (*CUTS, *_OF_OTHER_SHAPE):
            raise UtileError(f"The option {name!r} is not for cells from seeds.")
        if model is None:
            raise UtileError(f"The option {name!r} needs a model.")
    ids = labels_of_one_plane(seeds, "the seed image")
    selection = Selection.of(axes, series, z, t, project)
    image = image if isinstance(image, ImagePlane) else planes_of(image, selection)
    plane = plane_of(image, selection)
    refuse_other_shape(ids.shape, plane)
    if model is None:
        params = SegmentParams(channels=several(channels))
        refuse_lost_stain([plane], params)
        return Run(grow_steps(plane, ids, params, distance=distance)).result
    return grown_in(segment(image, model, channels=channels, **options), ids, distance)
