"""The parameters that a recipe records; known without torch, so that a window can take them over at once."""

from collections.abc import Mapping
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.parameters import from_json
from napari_utile.engine.segment_params import SegmentParams

FORMAT = "napari-utile recipe 1"


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
        raise UtileError(f"{name} is not a recipe that this version reads (its format is not {FORMAT!r}).")
    try:
        # Recipes that do not say it are from when every plane had its own limits. Older parameters name a model's file
        # as it was typed, which another folder may hold, too.
        values = {"limits": "plane", **recipe["parameters"], "model": str(recipe["model"]["name"])}
        return from_json(SegmentParams, values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error


def reason_of(error: Exception) -> str:
    """Say why a value of a recipe cannot be used."""
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
