"""What recipes of each kind say of parameters; known without torch, so that a window can take them over at once."""

from collections.abc import Mapping
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.parameters import from_json
from napari_utile.engine.segment_params import SegmentParams

FORMAT = "napari-utile recipe 1"
STORE_FORMAT = "napari-utile recipe 2"
SEEDS_FORMAT = "napari-utile seeds recipe 1"
LINKS_FORMAT = "napari-utile links 1"
"""Of a file that says how labels were linked that no recipe made."""
SETTINGS_FORMAT = "napari-utile settings 1"

_KINDS = {
    STORE_FORMAT: "is the recipe of a store and belongs inside it",
    SEEDS_FORMAT: "is the recipe of cells that grew from seeds",
    LINKS_FORMAT: "says how labels were linked, and not what made them",
    SETTINGS_FORMAT: "holds settings, which utile segment --settings takes, and is not a recipe",
}
"""What a file of each format is, where the recipe of planes is wanted."""


def recorded_params(recipe: Any, name: str) -> SegmentParams:
    """Read the complete parameters out of a recipe as JSON holds it.

    Parameters
    ----------
    recipe : mapping
        What `Recipe.to_json` gave.
    name : str
        Of the file, or of the layer that carries it, for messages.

    Raises
    ------
    UtileError
        If it is not a recipe.
    """
    if not isinstance(recipe, Mapping) or recipe.get("format") != FORMAT:
        raise UtileError(f"{name} {_kind_of(recipe)}.")
    try:
        # Recipes that do not say it are from when every plane had its own limits. Older parameters name a model's file
        # as it was typed, which another folder may hold, too.
        values = {"limits": "plane", **recipe["parameters"], "model": str(recipe["model"]["name"])}
        return from_json(SegmentParams, values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error


def as_of_planes(recipe: Any, name: str) -> Any:
    """Give what the recipe of a store, or of seeds that grew in a model's view, says as other recipes say it.

    Parameters
    ----------
    recipe : mapping
        As JSON holds it; anything else is given back as it is.
    name : str
        Of the file, or of the layer that carries it, for messages.

    Raises
    ------
    UtileError
        If no model found the cells.
    """
    kind = recipe.get("format") if isinstance(recipe, Mapping) else None
    if kind not in (STORE_FORMAT, SEEDS_FORMAT):
        return recipe
    if recipe.get("model") is None:
        raise UtileError(
            f"{name} is the recipe of cells that grew from seeds without a model: it has no settings."
        )
    if kind == SEEDS_FORMAT:
        return {**recipe, "format": FORMAT}
    try:
        plan = recipe["plan"]
        return {**recipe, "format": FORMAT, "parameters": plan["params"], "selection": plan.get("selection")}
    except (KeyError, TypeError, AttributeError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error


def _kind_of(values: Any) -> str:
    """Say what a file is that is not the recipe that is wanted."""
    said = values.get("format") if isinstance(values, Mapping) else None
    if not isinstance(said, str) or not said.startswith("napari-utile "):
        return "is not a recipe"
    return _KINDS.get(said, f"is of a version that this one does not read ({said})")


def reason_of(error: Exception) -> str:
    """Say why a value of a recipe cannot be used."""
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
