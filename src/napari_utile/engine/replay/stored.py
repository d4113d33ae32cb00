"""Compare the labels beside a recipe with it."""

import math
from pathlib import Path

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected, read_image
from napari_utile.engine.files.names import RECIPE_ENDING, recipe_place
from napari_utile.engine.files.plane_file import AXIS_ORDER, file_order
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.grown import GrownRecipe, load_grown
from napari_utile.engine.provenance.recipe import Recipe, hash_of, load_recipe
from napari_utile.engine.replay.segmented import plane_of


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


def recipe_as_made(labels: Path) -> Recipe | GrownRecipe | None:
    """Read the recipe beside labels; None unless they are what it says: made by this program, corrected by nobody.

    Parameters
    ----------
    labels : Path
        A file; all of its pixels are read.
    """
    path = recipe_place(labels)
    try:
        recipe = load_grown(path) or load_recipe(path)
    except UtileError:
        return None
    by_hand = isinstance(recipe, Recipe) and recipe.linking is not None and recipe.linking.by_hand
    return None if by_hand or _difference(recipe, labels) is not None else recipe


def is_made_of(recipe: Recipe | GrownRecipe, image: Path) -> bool:
    """Tell whether a recipe is of this image: of its file, whatever it holds by now, or of the same pixels elsewhere.

    Parameters
    ----------
    recipe : Recipe or GrownRecipe
    image : Path
        Read only where the recipe names another file, up to the first plane that differs.
    """
    if recipe.source == str(image.resolve()):
        return True
    try:
        file = open_selected(image, recipe.selection or Selection())
        if isinstance(recipe, GrownRecipe):
            planes = SelectedPlanes(file, recipe.selection)
            return all(sha256_of(planes.plane(each.index).data) == each.pixels for each in recipe.planes)
        card = card_of(recipe.model)
        return all(
            hash_of(plane_of(file, each, recipe, card), each.hashed) == each.pixels for each in recipe.planes
        )
    except (UtileError, ValueError, IndexError, KeyError):  # it has no such planes
        return False


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
