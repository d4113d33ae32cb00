"""Compare the labels beside a recipe with it."""

from pathlib import Path

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.names import RECIPE_ENDING
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.grown import GrownRecipe
from napari_utile.engine.provenance.recipe import Recipe


def labels_beside(recipe_path: Path) -> Path:
    """Name the file of labels that belongs to a recipe."""
    return recipe_path.with_name(f"{recipe_path.name.removesuffix(RECIPE_ENDING)}{LABELS}")


def stored_difference(recipe: Recipe | GrownRecipe, recipe_path: Path) -> str | None:
    """Compare the labels beside a recipe with it: the recipe is written first, and the labels are renamed last.

    Returns
    -------
    str or None
        One sentence where one of the two is missing or of another run, which the next run replaces. None where they
        belong together, and for recipes that no labels are kept beside.
    """
    labels = labels_beside(recipe_path)
    if recipe.of_layer or not recipe_path.name.endswith(RECIPE_ENDING):
        return None
    if not labels.is_file():
        return (
            f"There is no {labels.name} beside this recipe: the run was interrupted, or the file was moved."
        )
    try:
        file = read_image(labels)
        # A file may have its axes in another order than the image, by which the recipe lists its planes.
        order = [axis for axis in recipe.planes[0].index if axis in file.axes]
        stored = np.moveaxis(
            np.asarray(file.data), [file.axes.index(axis) for axis in order], range(len(order))
        )
        planes = stored.reshape(len(recipe.planes), *stored.shape[-2:])
    except (UtileError, ValueError, IndexError):
        return f"{labels.name} is not the file that this recipe is about."
    linked = recipe.linking if isinstance(recipe, Recipe) else None
    known = linked.labels if linked else [record.labels for record in recipe.planes]
    kind = np.int32 if isinstance(recipe, Recipe) else np.int64  # that the hashes are of
    for plane, labels_then in zip(planes, known, strict=True):
        if sha256_of(plane.astype(kind)) != labels_then:
            return f"{labels.name} comes from another run, or has changed since the recipe was written."
    return None
