"""Settings in files: what made one result, or was fitted to cells, to be used on other images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.models.catalogue import card_of, findable_model
from napari_utile.engine.parameters import checked_value, describe, from_json, to_json
from napari_utile.engine.provenance.recorded_params import recorded_params
from napari_utile.engine.segment_params import SegmentParams, differing
from napari_utile.engine.volumes.params import VolumeParams

FORMAT = "napari-utile settings 1"
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
    """

    segment: Mapping[str, Any] = field(default_factory=dict)
    instances: Mapping[str, Any] = field(default_factory=dict)
    fitted: str = ""
    whole: bool = True

    def overridden(self, segment: Mapping[str, Any], instances: Mapping[str, Any]) -> "Settings":
        """Give these settings with other values over them; what was fitted to one model says nothing of another."""
        changed = Settings({**self.segment, **segment}, {**self.instances, **instances})
        before, after = self._params, changed._params
        whole = after == before and changed.instances == self.instances
        return replace(changed, fitted=self.fitted if after.model == before.model else "", whole=whole)

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
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        return settings_in(values, path.name)
    try:
        return Settings(
            _checked(SegmentParams, values.get("segment", {})),
            _checked(InstanceParams, values.get("instances", {})),
            str(values.get("fitted", "")),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UtileError(f"{path.name} holds no usable settings: {str(error).rstrip('.')}.") from error


def settings_in(recipe: Any, name: str) -> Settings:
    """Read settings out of a recipe as JSON holds it, without what depends on the machine.

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
        If it is not a recipe.
    """
    params = recorded_params(recipe, name)
    settings = settings_of(params, str(recipe.get("fitted", "")))
    if params.instances is None:
        return settings
    try:
        views = from_json(VolumeParams, recipe.get("volume") or {})
        suggested = views.suggested(card_of(params.model), params.known_diameter)
    except (UtileError, TypeError, ValueError, AttributeError):  # then nobody knows what was suggested
        return settings
    return replace(settings, instances=differing(params.instances, suggested))


def settings_of(params: SegmentParams, fitted: str = "") -> Settings:
    """Give complete parameters as settings, without what depends on the machine, and what they were fitted to."""
    values = {
        name: value for name, value in to_json(params).items() if name not in (*_OF_THE_MACHINE, "instances")
    }
    values["model"] = findable_model(params.model)
    if params.diameter is None:
        values["diameter"] = "none"  # the image as it is, where the default would measure
    kept = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    instances = to_json(params.instances) if params.instances is not None else {}
    return Settings({name: value for name, value in kept.items() if value is not None}, instances, fitted)


def save_settings(settings: Settings, path: str | os.PathLike[str]) -> None:
    """Write settings as JSON.

    Raises
    ------
    UtileError
        If the file cannot be written.
    """
    values = {"format": FORMAT, "segment": dict(settings.segment), "instances": dict(settings.instances)}
    if settings.fitted and settings.whole:
        values["fitted"] = settings.fitted
    write_json(path, values)


def _checked(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in describe(cls)}
    for name in values:
        if name not in known:
            raise ValueError(f"there is no setting {name}")
    return {name: checked_value(known[name], value) for name, value in values.items()}
