"""From an image and parameters to the plan of a store."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import AXIS_ORDER, file_order
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.limits import limits_of, seen_plane
from napari_utile.engine.linking.links import stacks_of
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import findable_model
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.pixels import seen_of
from napari_utile.engine.planes.selection import Selection, first_of
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.growing import plan_seeds
from napari_utile.engine.store.layout import VERSIONS, Space
from napari_utile.engine.store.plan import SIDE, StorePlan, store_compute
from napari_utile.engine.windows import Window

Step = tuple[float, str | None]


@dataclass(frozen=True, eq=False)
class Seeds:
    """Seeds that are to grow in a store.

    Attributes
    ----------
    path : Path
    planes : sequence of ImagePlane
        From `seed_planes`, in the order of the image's.
    distance : float or None
        As in `SeedPlan`.
    """

    path: Path
    planes: Sequence[ImagePlane]
    distance: float | None = None


def plan_store(
    planes: Sequence[ImagePlane],
    model: Model | None,
    params: SegmentParams,
    compute: Compute,
    source: str | Path,
    *,
    indices: Sequence[dict[str, int]] = ({},),
    stacked: str = "",
    sizes: Sequence[int] = (),
    steps: Mapping[str, Step] | None = None,
    selection: Selection | None = None,
    region: Sequence[slice] | None = None,
    mask: NDArray[np.bool_] | None = None,
    limits: IntensityLimits | None = None,
    measured: bool = False,
    with_mask: bool = False,
    linking: LinkParams | None = None,
    outputs: str = "",
    ome_zarr: str = VERSIONS[0],
    side: int = SIDE,
    seeds: Seeds | None = None,
    fitted: str = "",
) -> StorePlan:
    """Plan a store; the grey limits of each plane are measured, nothing else is read.

    Parameters
    ----------
    planes : sequence of ImagePlane
        Of the same shape.
    model : Model or None
        None where seeds grow in intensities.
    params : SegmentParams
        Complete: with instance parameters and a diameter in pixels, or none.
    compute : Compute
    source : str or Path
        The image's file; the name of a layer that has none.
    indices : sequence of dict
        Where each plane lies in the image.
    stacked, sizes : str, sequence of int
        The axes along which planes are stacked, and how many there are along each. Those of the store, and with
        them its planes, are in the order of OME: time before depth.
    steps : mapping of str to (float, str or None)
        How far apart they are.
    selection : Selection, optional
    region : Window or (slice, slice), optional
        Rows and columns of the image; all by default.
    mask : (y, x) bool array, optional
        The pixels of the image that count, at any resolution.
    limits : IntensityLimits, optional
        Which all planes share; each has its own by default.
    measured : bool
        Whether a table of the cells is written as well.
    with_mask : bool
        Whether a mask of the cells is written as well.
    linking : LinkParams, optional
        Whether and how the planes are linked; not at all by default.
    outputs : {"", "float32", "uint16"}
        Whether the network's outputs are kept, and as what.
    ome_zarr : {"0.5", "0.4"}
        The version that is written.
    side : int
        Rows and columns of a block, a power of two.
    seeds : Seeds, optional
        What cells grow from; all of them are looked at.
    fitted : str
        What the parameters were fitted to, in words.
    """
    in_order = sorted(range(len(stacked)), key=lambda place: AXIS_ORDER.index(stacked[place]))
    stacked, sizes = "".join(stacked[place] for place in in_order), [sizes[place] for place in in_order]
    if stacked:
        order = file_order(indices)
        planes, indices = [planes[place] for place in order], [indices[place] for place in order]
        seeds = None if seeds is None else replace(seeds, planes=[seeds.planes[place] for place in order])
    if linking is not None and linking.axis:
        stacks_of(stacked, sizes, linking)
    first = planes[0]
    window = Window.part_of(first.shape, region)
    if not (window.size and Window.whole(first.shape).holds(window)):
        raise UtileError(
            f"the region lies outside the image, which has {first.shape[0]} rows and {first.shape[1]} columns"
        )
    own: list[IntensityLimits] = []
    if model is not None:
        card = model.card
        own = [limits or limits_of([seen_plane(plane, params, card)], params, card) for plane in planes]
    between = [(steps or {}).get(axis, (1.0, None)) for axis in stacked]
    size, unit = first.pixel_size or (1.0, 1.0), first.unit if first.pixel_size else None
    begin, scale = first_of(indices), (*(float(step) for step, _ in between), *map(float, size))
    start = (*(begin[axis] for axis in stacked), *window.start)
    space = Space(
        (*map(int, sizes), *window.shape),
        f"{stacked}YX",
        scale,
        tuple(place * step for place, step in zip(start, scale, strict=True)),
        (*(unit for _, unit in between), unit, unit),
    )
    if model is not None:
        params = replace(params, model=findable_model(params.model))
    path, ready, (rows, columns) = Path(source), store_compute(compute), window.bounds
    stains = [] if model is not None else [plane.for_network(1, params.channels) for plane in planes]
    diameter = None if model is None else model.card.expected_diameter(params.known_diameter)
    grown = None if seeds is None else plan_seeds(seeds.path, seeds.planes, stains, seeds.distance, diameter)
    return StorePlan(
        source=str(path.resolve()) if path.exists() else str(source),
        selection=selection or Selection(),
        planes=tuple(dict(index) for index in indices),
        limits=tuple(own),
        seen=seen_of(list(planes)),
        model="" if model is None else params.model,
        fingerprint="" if model is None else model.fingerprint,
        params=params,
        compute=ready,
        region=(rows, columns),
        space=space,
        side=side,
        mask=None if mask is None else mask_digest(mask),
        skip_empty=seeds is None,
        by_height=model is None or model.card.relief == "distances",
        measured=measured,
        with_mask=with_mask,
        tile_bytes=0 if model is None else _tile_bytes(first, model, params, ready, own[0], window, side),
        linking=linking or LinkParams(),
        outputs=outputs,
        ome_zarr=ome_zarr,
        classes=_class_names(model) if seeds is None else (),
        output_channels=sum(each.channels for each in model.card.outputs) if outputs and model else 0,
        seeds=grown,
        fitted=fitted,
    )


def _tile_bytes(
    plane: ImagePlane,
    model: Model,
    params: SegmentParams,
    compute: Compute,
    limits: IntensityLimits,
    window: Window,
    side: int,
) -> int:
    block = Window.span(window.start, (start + side for start in window.start)) & window
    return Field(plane, model, params, compute=compute, limits=limits).plan(block).bytes


def _class_names(model: Model | None) -> tuple[str, ...]:
    """Name the classes of a model that tells several apart."""
    names = () if model is None else tuple(model.card.classes[each].name for each in model.card.foreground)
    return names if len(names) > 1 else ()


def mask_digest(mask: NDArray[np.bool_]) -> str:
    """Return the hash by which a plan knows its mask."""
    return hashlib.sha256(f"{mask.shape}".encode() + np.packbits(mask.astype(bool)).tobytes()).hexdigest()
