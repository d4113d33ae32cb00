"""What a command is asked for: its options, over a file of settings where one is given."""

import argparse
import sys
from dataclasses import replace

from napari_utile.cli.options import given
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.parameters import option_of
from napari_utile.engine.provenance.settings import Settings, load_settings
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.volumes.params import VolumeParams


def asked_for(arguments: argparse.Namespace) -> Settings:
    """Give the values that the options name, over those of the file of settings, where one is given.

    Raises
    ------
    UtileError
        If the file holds no settings, or options would do nothing.
    """
    path = getattr(arguments, "settings", None)
    options = Settings(
        given(arguments, SegmentParams),
        given(arguments, InstanceParams),
        linking=given(arguments, LinkParams),
        views=given(arguments, VolumeParams),
    )
    settings = load_settings(path) if path else Settings()
    if (
        settings.linking.get("link") == "none"
    ):  # commands link nothing unasked, and stores resume as they began
        settings = replace(settings, linking={})
    asked = settings.overridden(options)
    alone = [name for name in options.linking if name != "link"]
    if alone and asked.linking.get("link", "none") == "none" and not arguments.resume:
        raise UtileError(f"{option_of(alone[0])} says how planes are linked: give --link z or --link t, too.")
    if "plane_distance" in options.views and not asked.volume_params.three_views:
        raise UtileError("--plane-distance is for three views: give --three-views, too.")
    _ = asked.link_params  # refuses what contradicts itself
    return asked


def say_what_is_left_out(arguments: argparse.Namespace, asked: Settings) -> None:
    """Say what of a recipe is not taken as settings: which pixels it is of, and where seeds grow how it links."""
    name = arguments.settings.name if arguments.settings else ""
    if asked.project and arguments.project is None:
        axis, _, how = asked.project.partition(":")
        said = f"{name} projects {axis.upper()} by {how}: add --project {asked.project} for the same"
        print(said, file=sys.stderr)
    if arguments.seeds is not None and asked.link_params.axis:
        print(f"{name} links planes: cells that grow from seeds keep the ids of these", file=sys.stderr)
