"""What the options of `utile segment` say of three views and of linking."""

import argparse
from dataclasses import replace

from napari_utile.cli.options import given
from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.parameters import option_of
from napari_utile.engine.volumes.params import VolumeParams


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
