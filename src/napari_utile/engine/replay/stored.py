"""Compare the labels beside a recipe with it."""

import math
from pathlib import Path

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.names import RECIPE_ENDING, recipe_place
from napari_utile.engine.files.plane_file import AXIS_ORDER, file_order
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.grown import GrownRecipe, load_grown
from napari_utile.engine.provenance.recipe import Recipe, load_recipe


def labels_beside(recipe_path: Path) -> Path:
    """Name the file of labels that belongs to a recipe."""
    return recipe_path.with_name(f"{recipe_path.name.removesuffix(RECIPE_ENDING)}{LABELS}")


def stored_difference(recipe: Recipe | GrownRecipe, recipe_path: Path) -> str | None:
    """Compare the labels beside a recipe with it: the recipe is written first, and the labels are renamed last.

    Returns
    -------
    str or None
        One sentence where one of the two is missing or of another run. None where they
        belong together, and for recipes that no labels are kept beside.
    """
    labels = labels_beside(recipe_path)
    if recipe.of_layer or not recipe_path.name.endswith(RECIPE_ENDING):
        return None
    if not labels.is_file():
        return (
            f"There is no {labels.name} beside this recipe: the run was interrupted, or the file was moved."
        )
    return _difference(recipe, labels)


def is_as_made(labels: Path) -> bool:
    """Tell whether labels are what the recipe beside them says: made by this program, and corrected by nobody.

    Parameters
    ----------
    labels : Path
        A file; all of its pixels are read.
    """
    path = recipe_place(labels)
    try:
        recipe = load_grown(path) or load_recipe(path)
    except UtileError:
        return False
    by_hand = isinstance(recipe, Recipe) and recipe.linking is not None and recipe.linking.by_hand
    return not by_hand and _difference(recipe, labels) is None


def _difference(recipe: Recipe | GrownRecipe, labels: Path) -> str | None:
    linked = recipe.linking if isinstance(recipe, Recipe) else None
    # A file may have its axes in another order than the image, by which the recipe lists its planes.
    order = file_order([record.index for record in recipe.planes])
    known = linked.labels if linked else tuple(recipe.planes[place].labels for place in order)
    kind = np.int32 if isinstance(recipe, Recipe) else np.int64  # that the hashes are of
    try:
        file = read_image(labels)
        outer = [axis for axis in AXIS_ORDER if axis in file.axes and axis not in "YX"]
        sizes = [file.data.shape[file.axes.index(axis)] for axis in outer]
        if math.prod(sizes) != len(known):
            return f"{labels.name} is not the file that this recipe is about."
        for position, labels_then in zip(np.ndindex(*sizes), known, strict=True):
            at = dict(zip(outer, position, strict=True))
            plane = np.asarray(file.data[tuple(at.get(axis, slice(None)) for axis in file.axes)])
            if sha256_of(plane.astype(kind)) != labels_then:
                return f"{labels.name} comes from another run, or has changed since the recipe was written."
    except (UtileError, ValueError, IndexError):
        return f"{labels.name} is not the file that this recipe is about."
    return None
