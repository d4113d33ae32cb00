"""Settings in files: what made one result, or was fitted to cells, to be used on other images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import card_of, findable_model
from napari_utile.engine.parameters import checked_value, describe, from_json, to_json
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.recorded_params import (
    SETTINGS_FORMAT,
    as_of_planes,
    reason_of,
    recorded_params,
)
from napari_utile.engine.segment_params import SegmentParams, differing
from napari_utile.engine.volumes.params import VolumeParams

_OF_THE_MACHINE = ("device", "precision", "tile")


@dataclass(frozen=True)
class Settings:
    """Values of parameters, by name; what is not named stays as it is.

    Attributes
    ----------
    segment : mapping
        Fields of `SegmentParams`.
    instances : mapping
        Fields of `InstanceParams`.
    fitted : str
        What they were fitted to, in words; empty where they were not.
    whole : bool
        Whether they are all as they were fitted, but for what depends on the machine.
    linking : mapping
        Fields of `LinkParams`; that ``link`` is "none" alone where it is said that nothing is linked.
    views : mapping
        Fields of `VolumeParams`.
    project : str
        How the planes of a recipe were made of stacks, such as ``"z:focus"``; empty where they were not. Which pixels
        are read is no setting: whoever uses these says so.
    """

    segment: Mapping[str, Any] = field(default_factory=dict)
    instances: Mapping[str, Any] = field(default_factory=dict)
    fitted: str = ""
    whole: bool = True
    linking: Mapping[str, Any] = field(default_factory=dict)
    views: Mapping[str, Any] = field(default_factory=dict)
    project: str = ""

    def overridden(self, changes: "Settings") -> "Settings":
        """Give these settings with the values of others over them.

        What was fitted to one model says nothing of another. Planes that stay by themselves, linked planes and three
        views are one choice: who names one of these leaves what belongs to the others.
        """
        link, three_views = changes.linking.get("link"), changes.views.get("three_views")
        linking = {} if link == "none" or three_views else self.linking
        views = {} if link is not None or three_views is False else self.views
        changed = replace(
            self,
            segment={**self.segment, **changes.segment},
            instances={**self.instances, **changes.instances},
            linking={**linking, **changes.linking},
            views={**views, **changes.views},
        )
        before, after = self._params, changed._params
        whole = after == before and changed.instances == self.instances
        return replace(changed, fitted=self.fitted if after.model == before.model else "", whole=whole)

    @property
    def link_params(self) -> LinkParams:
        """How planes are linked: the cells of three views are objects through z.

        Raises
        ------
        UtileError
            If tracks are asked for as well as three views.
        """
        linking = LinkParams(**self.linking)
        return replace(linking, link=self.volume_params.link(linking.link))

    @property
    def volume_params(self) -> VolumeParams:
        """Whether stacks are seen as volumes, and how."""
        return VolumeParams(**self.views)

    @property
    def _params(self) -> SegmentParams:
        values = {name: value for name, value in self.segment.items() if name not in _OF_THE_MACHINE}
        return SegmentParams(**values)


def load_settings(path: str | os.PathLike[str]) -> Settings:
    """Read settings from a file of `save_settings`, or from a recipe, without what depends on the machine.

    Raises
    ------
    UtileError
        If it is neither, or a value in it is unknown or out of bounds.
    """
    path = Path(path)
    values = read_json(path, "holds no settings")
    if not isinstance(values, dict) or values.get("format") != SETTINGS_FORMAT:
        return settings_in(values, path.name)
    try:
        return Settings(
            _checked(SegmentParams, values.get("segment", {})),
            _checked(InstanceParams, values.get("instances", {})),
            str(values.get("fitted", "")),
            linking=_checked(LinkParams, values.get("linking", {})),
            views=_checked(VolumeParams, values.get("views", {})),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UtileError(f"{path.name} holds no usable settings: {str(error).rstrip('.')}.") from error


def settings_in(recipe: Any, name: str) -> Settings:
    """Read settings out of a recipe of any kind as JSON holds it, without what depends on the machine.

    A recipe has all instance parameters. Those that are as its model suggests are left to the model, so that they
    follow another size or another model. All others were chosen, or an earlier version of the model suggested them.

    Parameters
    ----------
    recipe : mapping
    name : str
        Of the file, or of the layer that carries it, for messages.

    Raises
    ------
    UtileError
        If it is not a recipe, or one of cells that no model found.
    """
    recipe = as_of_planes(recipe, name)
    params = recorded_params(recipe, name)
    try:
        views = from_json(VolumeParams, recipe.get("volume") or {})
        linking = from_json(LinkParams, (recipe.get("linking") or {"parameters": {}})["parameters"])
        project = from_json(Selection, recipe.get("selection") or {}).project or ""
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error
    settings = settings_of(params, str(recipe.get("fitted", "")), linking, views)
    settings = replace(settings, project=project)
    if params.instances is None:
        return settings
    try:
        suggested = views.suggested(card_of(params.model), params.known_diameter)
    except (UtileError, TypeError, ValueError):  # then nobody knows what was suggested
        return settings
    return replace(settings, instances=differing(params.instances, suggested))


def settings_of(
    params: SegmentParams,
    fitted: str = "",
    linking: LinkParams | None = None,
    views: VolumeParams | None = None,
) -> Settings:
    """Give complete parameters as settings, without what depends on the machine.

    Parameters
    ----------
    params : SegmentParams
    fitted : str
        What they were fitted to, in words.
    linking : LinkParams, optional
        How planes are linked, or that they are not; without it nothing is said of that.
    views : VolumeParams, optional
        How stacks are seen as volumes, where they are: then nothing else links their planes.
    """
    values = {
        name: value for name, value in to_json(params).items() if name not in (*_OF_THE_MACHINE, "instances")
    }
    values["model"] = findable_model(params.model)
    if params.diameter is None:
        values["diameter"] = "none"  # the image as it is, where the default would measure
    kept = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    in_views = views is not None and views.three_views
    linked: dict[str, Any] = {}
    if linking is not None and not in_views:
        linked = _given(to_json(linking)) if linking.axis else {"link": "none"}
    return Settings(
        _given(kept),
        to_json(params.instances) if params.instances is not None else {},
        fitted,
        linking=linked,
        views=_given(to_json(views)) if in_views else {},
    )


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def save_settings(settings: Settings, path: str | os.PathLike[str]) -> None:
    """Write settings as JSON.

    Raises
    ------
    UtileError
        If the file cannot be written.
    """
    values: dict[str, Any] = {"format": SETTINGS_FORMAT}
    values |= {"segment": dict(settings.segment), "instances": dict(settings.instances)}
    values |= {name: dict(said) for name in ("linking", "views") if (said := getattr(settings, name))}
    if settings.fitted and settings.whole:
        values["fitted"] = settings.fitted
    write_json(path, values)


def _checked(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in describe(cls)}
    for name in values:
        if name not in known:
            raise ValueError(f"there is no setting {name}")
    return {name: checked_value(known[name], value) for name, value in values.items()}
