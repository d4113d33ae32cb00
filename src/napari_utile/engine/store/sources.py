"""What a plan is made of, opened from its files: the image, and the seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import seen_of
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.store.growing import seed_planes
from napari_utile.engine.store.plan import StorePlan


def planes_of(plan: StorePlan) -> tuple[ImagePlane, ...]:
    """Open the image of a plan, whose pixels have the size that they had when it was made.

    Raises
    ------
    UtileError
        If it is gone, or is another one now.
    """
    if not Path(plan.source).exists():
        raise UtileError(f"The image of this store, {plan.source}, is not there.")
    image = SelectedPlanes(open_selected(plan.source, plan.selection), plan.selection)
    space = plan.space
    size, unit = (space.scale[-2], space.scale[-1]), space.units[-1]
    known = size if unit is not None or size != (1.0, 1.0) else None
    return tuple(replace(image.plane(index), pixel_size=known, unit=unit) for index in plan.planes)


def seeds_of(plan: StorePlan) -> list[ImagePlane]:
    """Open the seeds of a plan, plane by plane; none where there are none.

    Raises
    ------
    UtileError
        If they are gone.
    """
    if plan.seeds is None:
        return []
    if not Path(plan.seeds.path).exists():
        raise UtileError(f"The seeds of this store, {plan.seeds.path}, are not there.")
    image = SelectedPlanes(open_selected(plan.source, plan.selection), plan.selection)
    by_index = dict(zip(map(str, image.indices), seed_planes(plan.seeds.path, image), strict=True))
    return [by_index[str(index)] for index in plan.planes]


def refuse_changed(plan: StorePlan, planes: Sequence[ImagePlane], name: str) -> None:
    """Refuse an image, or seeds, that are not those that a store was started with.

    Parameters
    ----------
    plan : StorePlan
    planes : sequence of ImagePlane
        Of the image as it is now.
    name : str
        Of the store.

    Raises
    ------
    UtileError
        Naming what has changed.
    """
    changed = plan.source if seen_of(list(planes)) != plan.seen else ""
    if not changed and plan.seeds is not None and seen_of(seeds_of(plan)) != plan.seeds.seen:
        changed = plan.seeds.path
    if changed:
        raise UtileError(f"{changed} has changed since {name} was started: start again with --overwrite.")
