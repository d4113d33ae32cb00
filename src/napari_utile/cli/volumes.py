"""`utile segment --three-views`: stacks as volumes."""

import argparse
from dataclasses import replace

from napari_utile.cli.options import given
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cost import Estimate
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import option_of
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import estimate_volume, volumes_in, with_distance
from napari_utile.engine.windows import Window


def linking_of(arguments: argparse.Namespace) -> LinkParams:
    """Give what the options say of linking: the cells of three views are objects through z.

    Raises
    ------
    UtileError
        If the options contradict each other.
    """
    said = given(arguments, LinkParams)
    linking = LinkParams(**said)
    alone = [name for name in said if name != "link"]
    if alone and not linking.axis and not arguments.resume:
        raise UtileError(f"{option_of(alone[0])} says how planes are linked: give --link z or --link t, too.")
    return replace(linking, link=views_of(arguments).link(linking.link))


def views_of(arguments: argparse.Namespace) -> VolumeParams:
    """Give what the options say of three views.

    Raises
    ------
    UtileError
        If they say something of them, and they are not asked for.
    """
    views = VolumeParams(**given(arguments, VolumeParams))
    if views.plane_distance is not None and not views.three_views:
        raise UtileError("--plane-distance is for three views: give --three-views, too.")
    return views


def known_views(planes: SelectedPlanes, views: VolumeParams) -> VolumeParams:
    """Return three views with the distance of an image's planes.

    Raises
    ------
    UtileError
        If it is neither given nor in the file.
    """
    if not views.three_views:
        return views

    return with_distance(planes, views)


def volume_estimate(
    planes: SelectedPlanes,
    params: SegmentParams,
    views: VolumeParams,
    model: Model,
    region: Window | None,
) -> Estimate:
    """Estimate the cost of the first volume of an image, or of a region of it."""
    _, volume = next(volumes_in(planes, params, views, model))
    return estimate_volume(volume, region)
