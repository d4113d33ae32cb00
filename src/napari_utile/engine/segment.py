"""From an image to its cells: the one path that docks, command line and Python share."""

import functools
import os
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import PATHS
from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.plane_file import stacked_labels
from napari_utile.engine.inference.confidence import WHAT_TO_DO, fit_of, overall
from napari_utile.engine.inference.decode import decode_steps, only_inside
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.inference.sized import with_choice, with_size
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.linking.links import link_planes, links_of_objects
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import find_model
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.mask import part_of_mask
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.linked import record_links
from napari_utile.engine.provenance.recipe import TakenFrom, recipe_in_memory, record_plane
from napari_utile.engine.segment_params import (
    MEASURED,
    SegmentParams,
    refuse_unknown,
    several,
    suggested_instances,
)
from napari_utile.engine.segmentation import Segmentation, SegmentedStack, planes_of_volume
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import segment_volume_steps, volumes_in, with_distance
from napari_utile.engine.windows import Window


def segment_steps(
    plane: ImagePlane,
    params: SegmentParams | None = None,
    *,
    model: Model | None = None,
    region: Sequence[slice] | None = None,
    inside: NDArray[np.bool_] | None = None,
    limits: IntensityLimits | None = None,
    compute: Compute | None = None,
    cache: TileCache | None = None,
    pixels: Hashable = None,
) -> Generator[Progress, None, Segmentation]:
    """Segment a plane step by step; every yield is a point to cancel at.

    Parameters
    ----------
    plane : ImagePlane
    params : SegmentParams, optional
        A diameter to be measured is measured on this plane first.
    model : Model, optional
        The loaded model; loaded from ``params.model`` by default.
    region : Window or (slice, slice), optional
        The rows and columns to segment: the result is that part of the whole plane's probabilities.
    inside : (Y, X) bool array, optional
        Of the region, the pixels that count, such as those inside drawn shapes; all others are background.
    limits, compute, cache, pixels
        See `Field`.

    Yields
    ------
    Progress

    Returns
    -------
    Segmentation

    Raises
    ------
    UtileError
        If model, channels or device do not fit.
    """
    params = params or SegmentParams()
    model = model or load_model(params.model)
    params = Run(with_size(params, plane, model, compute=compute, limits=limits)).result
    field = Field(plane, model, params, compute=compute, limits=limits, cache=cache, pixels=pixels)
    region = Window.part_of(field.shape, region)
    if inside is not None and inside.shape != region.shape:
        raise ValueError(f"inside has shape {inside.shape}, the region {region.shape}.")
    instances = params.instances or suggested_instances(model.card, params.known_diameter)
    tiles = Run(field.tiles(region))
    for step in tiles:
        if inside is not None and step.window is not None and step.foreground is not None:
            step = replace(step, foreground=step.foreground * inside[step.window.relative_to(region)])
        yield step
    values = tiles.result if inside is None else only_inside(tiles.result, inside, model.card)
    decoding = Run(decode_steps(values, model.card, instances))
    landscape, labels = yield from decoding.yielding(Progress(step.done, step.total, stage="cells"))
    params = replace(params, instances=instances)
    return Segmentation(values, labels > 0, labels, landscape, region, field, params, inside)


_OPTIONS = (
    "axes", "channels", "series", "z", "t", "project", "preprocess", "diameter", "limits", "channel_limits",
    "percentiles", "device", "precision", "tile", "region", "link", "link_overlap", "link_distance", "link_gap",
    "three_views", "plane_distance",
)  # fmt: skip
"""Keywords of `segment` but for those of `InstanceParams`."""


@overload
def segment(
    image: Any, model: str | Path | Model = ..., *, link: Literal["none"] = ..., **options: Any
) -> Segmentation: ...
@overload
def segment(
    image: Any, model: str | Path | Model = ..., *, link: Literal["z", "t"], **options: Any
) -> SegmentedStack: ...
def segment(
    image: Any,
    model: str | Path | Model = "nuclei",
    *,
    axes: str | None = None,
    channels: Sequence[int] | int | None = None,
    series: str | int | None = None,
    z: str | int | None = None,
    t: str | int | None = None,
    project: str | None = None,
    preprocess: str | None = None,
    diameter: float | str | None = "auto",
    limits: str = "stack",
    channel_limits: str = "each",
    percentiles: tuple[float, float] | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    region: Sequence[slice] | None = None,
    link: str = "none",
    link_overlap: float = 0.5,
    link_distance: float | None = None,
    link_gap: int = 1,
    three_views: bool = False,
    plane_distance: float | None = None,
    **instances: Any,
) -> Segmentation | SegmentedStack:
    """Segment the cells of an image.

    Parameters
    ----------
    image : path, ImageFile, array-like or ImagePlane
        A file, or what `read_image` gave of it; or (Y, X), (C, Y, X) of up to 4 channels, (Y, X, RGB) of numpy, dask,
        zarr, xarray or torch; other shapes with `axes`.
    model : str, Path or Model
        Name of a bundled or own model, a model file, or a loaded model. Where the diameter is measured, a named
        model may leave the image to one of its specialists (see `ModelCard`); a loaded one does not.
    axes : str, optional
        A letter an axis, for example ``"TCYX"``; of an array the first time point, depth ... is taken, with a
        warning.
    channels : sequence of int, or int, optional
        Which channels the network reads, counted from 0, in this order; the mean of colours, else the first by default.
    series : str or int, optional
        Which image of a file that holds several.
    z, t : int or str, optional
        Which plane; with `project` also several, ``"A:B"`` without B.
    project : str, optional
        One plane made of a stack: ``"z:max"``, ``"z:mean"`` or ``"z:focus"``.
    preprocess : str, optional
        Steps before the network, such as ``"invert,background:50,smooth:1"``: see `planes.preprocessing`.
    diameter : float, "auto" or None
        Typical diameter of the cells (pixels): the image is rescaled to what the model expects. ``"auto"`` measures
        it, None uses the image as it is.
    limits : {"stack", "plane"}
        Whether the grey limits are those of the whole stack that the plane is of, or its own.
    channel_limits : {"each", "shared"}
        Whether every channel is scaled by its own limits, or all by the lowest and the highest of any.
    percentiles : (float, float), optional
        Which percentiles of the grey values become 0 and 1, in place of the model's rule.
    device : {"auto", "cuda", "mps", "cpu", "onnx"}
        What computes. ``"auto"`` takes a graphics card where one is found, and never ONNX Runtime.
    precision : {"auto", "float32", "bfloat16"}
        Of the network. ``"auto"`` takes bfloat16 where the device has instructions for it.
    tile : int, optional
        Side of a tile (pixels); it changes time and memory, not the result. Chosen by the memory by default.
    region : Window or (slice, slice), optional
        Rows and columns to segment; they get the outputs that the whole plane has there.
    link : {"none", "z", "t"}
        Segment all planes of a stack, and give each cell one id in them: an object through z, a track through t.
    link_overlap, link_distance, link_gap
        See `link`.
    three_views : bool
        Look at a stack from three sides and find cells in three dimensions, in place of linking planes.
    plane_distance : float, optional
        From one plane to the next, in pixels, for three views; by pixel size and z spacing of a file by default.
    **instances
        Fields of `InstanceParams` that differ from what the model suggests: ``threshold``, ``minimum_size`` ...

    Returns
    -------
    Segmentation, or SegmentedStack
        With ``probabilities``, ``mask``, ``labels``, ``diameter``, ``recipe`` and ``measure()``; of linked planes with
        ``labels``, ``links``, ``diameter``, ``recipe`` and ``measure()``.

    Raises
    ------
    UtileError
        If the image, the model or the device cannot be used, or a parameter would do nothing.
    ValueError
        If a parameter is out of bounds.

    Warns
    -----
    UtileWarning
        If the image does not look like those that the model was trained on.

    Notes
    -----
    Convolutions are valid, and tiles overlap by what the network sees around a pixel, so the outputs do not depend on
    the tiles; the image is mirrored at its own border, as in the overlap-tile strategy of the U-Net [1]_.

    A result reads the array again where it is measured or its recipe is made: see `Segmentation`.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI 2015.

    Examples
    --------
    >>> y, x = np.mgrid[:96, :96]
    >>> image = 200.0 * ((y % 48 - 24) ** 2 + (x % 48 - 24) ** 2 < 144)  # four discs of 24 pixels across
    >>> result = segment(image, diameter=24)
    >>> result.labels.shape, int(result.labels.max())
    ((96, 96), 4)
    """
    refuse_unknown(instances, _OPTIONS)
    selection = Selection.of(axes, series, z, t, project)
    # Not above: a plane at hand needs nothing that reads files.
    from napari_utile.engine.files.one_plane import plane_of, planes_of, region_of

    volumes = VolumeParams(three_views, plane_distance)
    linking = LinkParams(link, link_overlap, link_distance, link_gap)
    if idle := linking.idle:
        raise UtileError(f"{idle[0]} says how planes are linked: give link='z' or link='t', too.")
    if plane_distance is not None and not three_views:
        raise UtileError("plane_distance is for three views: give three_views=True, too.")
    linking = replace(linking, link=volumes.link(link))
    if isinstance(image, ImagePlane):
        if linking.axis:
            raise UtileError("One plane has nothing to be linked with: give the whole stack.")
        plane, stack, planes = plane_of(image, selection), [image], None
    else:
        planes = planes_of(image, selection, linking.axis)
        if linking.axis:
            asked = "three_views=True" if three_views else f"link={link!r}"
            planes.check_several(linking.axis, asked, "{}={!r}")
        plane, stack = planes.plane(planes.indices[0]), planes.measured_on()
    if region is not None:
        region = region_of(region, plane)
    load = functools.cache(load_model)
    params = SegmentParams(
        model=_name_of(model),
        channels=several(channels),
        preprocess=preprocess,
        diameter=diameter,
        limits=limits,
        channel_limits=channel_limits,
        percentiles=several(percentiles),
        device=device,
        precision=precision,
        tile=tile,
    )
    if isinstance(model, Model):  # that one, whatever is better
        loaded, shared, size = model, limits_of_stack(stack, params, model.card), None
        if params.diameter in MEASURED:
            size = measure_size(stack, model, params, limits=shared).result
            params = replace(params, diameter=size.diameter)
    else:
        params, size = Run(with_choice(params, stack, load)).result
        loaded = load(params.model)
        shared = limits_of_stack(stack, params, loaded.card)
    suggested = volumes.suggested(loaded.card, params.known_diameter, **instances)
    params = replace(params, instances=suggested)
    if planes is None or not linking.axis:
        made = Run(segment_steps(plane, params, model=loaded, region=region, limits=shared)).result
        fit = fit_of(made, size)
        if fit.looks_right is False:
            warn(f"{plane.name}: {fit}: {WHAT_TO_DO}.")
        return made if planes is None else replace(made, taken_from=_taken_from(image, planes))
    found, records, fits = {}, {}, []
    for place, made, cells in each_plane(planes, params, volumes, loaded, region, shared):
        found[place] = made.labels
        records[place] = record_plane(made, planes.indices[place], cells)
        fits.append(fit_of(made, size))
    fit = overall(fits)
    if (
        fit.looks_right is False and not volumes.three_views
    ):  # cards know how sure one view is, not the mean of three
        warn(f"{planes.image.name}: {fit}: {WHAT_TO_DO}.")
    stacked = stacked_labels([found[place] for place in sorted(found)], planes.indices, made.region.start)
    every = [records[place] for place in sorted(records)]
    taken = _taken_from(image, planes)
    if volumes.three_views:
        links = links_of_objects(stacked)
        recipe = recipe_in_memory(every, made, taken, views=with_distance(planes, volumes))
    else:
        links = link_planes(stacked, linking)
        stacked = links.of_planes(stacked)
        recipe = recipe_in_memory(every, made, taken, linking=record_links(links, stacked, linking))
    labels = np.stack(list(stacked.read())).reshape(stacked.shape)
    return SegmentedStack(labels, links, planes, params, recipe)


def each_plane(
    planes: SelectedPlanes,
    params: SegmentParams,
    views: VolumeParams,
    model: Model,
    region: Window | None,
    limits: IntensityLimits | None,
    *,
    compute: Compute | None = None,
    mask: NDArray[np.bool_] | None = None,
    run: Callable[[Generator[Progress, None, Any], Mapping[str, int]], Any] = lambda steps, _: (
        Run(steps).result
    ),
) -> Iterator[tuple[int, Segmentation, int]]:
    """Segment one plane after the other, or each stack as a volume.

    Parameters
    ----------
    planes : SelectedPlanes
    views : VolumeParams
        Whether stacks are seen as volumes, see `volumes_in`.
    limits : IntensityLimits or None
        Of the whole stack.
    params, model, region, compute
        As for `segment_steps`.
    mask : (y, x) bool array, optional
        The pixels of the image that count, at any resolution.
    run : callable
        Does the steps of a plane or a volume, told which one it is, such as ``{"T": 3}``; returns their result.

    Yields
    ------
    int, Segmentation, int
        Which of the planes it is, what was made of it, and how many cells it shows.
    """
    if not views.three_views:
        for place, (index, plane) in enumerate(planes):
            part = Window.part_of(plane.shape, region)
            steps = segment_steps(
                plane,
                params,
                model=model,
                compute=compute,
                region=region,
                limits=limits,
                inside=None if mask is None else part_of_mask(mask, part, plane.shape),
            )
            made = run(steps, index)
            yield place, made, int(made.labels.max(initial=0))
        return
    above = 0
    for places, volume in volumes_in(planes, params, views, model, limits=limits, compute=compute):
        index = {axis: at for axis, at in planes.indices[places[0]].items() if axis != "Z"}
        whole = run(segment_volume_steps(volume, region, above), index)
        above += whole.count
        for number, (place, made) in enumerate(zip(places, planes_of_volume(whole), strict=True)):
            yield place, made, whole.cells_in(number)


def _taken_from(image: Any, planes: SelectedPlanes) -> TakenFrom:
    """Say which pixels were read: of a file, by its path."""
    # Not above, see `segment`.
    from napari_utile.engine.files.image_file import ImageFile

    of_file = isinstance(image, (*PATHS, ImageFile))
    source = planes.image.path if of_file else planes.image.name
    return TakenFrom(source, planes.selection, planes.indices[0])


def _name_of(model: str | Path | Model) -> str:
    """Give the name of a model, or its file where the name does not lead to it."""
    if not isinstance(model, Model):
        return os.fspath(model) if isinstance(model, os.PathLike) else model
    with suppress(UtileError):  # there is none of this name
        if model.path is None or find_model(model.card.name) == model.path:
            return model.card.name
    return str(model.path)
