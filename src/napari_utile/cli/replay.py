"""`utile replay`: make a result again from its recipe and compare."""

import argparse
from pathlib import Path

import numpy as np

from napari_utile.cli.options import file_path
from napari_utile.cli.progress import with_bar
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected, read_image
from napari_utile.engine.files.unfinished import is_store
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.grown import GrownRecipe, load_grown
from napari_utile.engine.provenance.recipe import Recipe, load_recipe
from napari_utile.engine.replay.grown import difference_of_grown
from napari_utile.engine.replay.segmented import (
    Replay,
    find_model,
    find_source,
    replay_steps,
)
from napari_utile.engine.replay.stored import labels_beside, stored_difference
from napari_utile.engine.store.verify import replay_store
from napari_utile.engine.words import counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "replay",
        help="reproduce a result from its recipe, and compare",
        description="Reproduce a result from its recipe (NAME_recipe.json beside the labels) and say whether "
        "it is identical, or where it first differs. The exit status is 0 when the labels are identical, and all else "
        "that a store keeps.",
    )
    parser.add_argument("recipe", type=file_path, metavar="RECIPE", help="the recipe, a JSON file")
    parser.add_argument("--image", type=file_path, metavar="FILE", help="where the image is now")
    parser.add_argument("--model", metavar="MODEL", help="name or file of the model, where it has moved")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay; return 0 if the labels are identical, else 1."""
    if is_store(arguments.recipe.parent):
        return _store_again(arguments.recipe.parent, arguments)
    grown = load_grown(arguments.recipe)
    if grown is not None:
        return _grow_again(grown, arguments)
    recipe = load_recipe(arguments.recipe)
    stored = stored_difference(recipe, arguments.recipe)
    taken = recipe.selection or Selection()
    image = read_image(
        arguments.image or find_source(recipe, arguments.recipe),
        axes=taken.axes,
        series=taken.series,
        accept_missing=taken.accept_missing,
    )
    model = load_model(arguments.model or find_model(recipe, arguments.recipe))
    result = with_bar(replay_steps(recipe, image, model), image.path.name, arguments.quiet)
    if stored is not None:
        print(f"different: {stored}")
    if result.difference is not None:
        print(f"different: {result.difference}")
        if pixel := _first_pixel(arguments.recipe, recipe, result):
            print(pixel)
    elif result.rounding:
        print("identical labels; the probabilities differ in their last digits")
    else:
        cells = sum(plane.cells for plane in recipe.planes)
        linked = f", linked to {recipe.linking.total}" if recipe.linking else ""
        linked += " and corrected by hand" if recipe.linking and recipe.linking.by_hand else ""
        print(
            f"identical: {counted(cells, 'cell')} in {counted(len(recipe.planes), 'plane')}{linked}, "
            "probabilities to the last bit"
        )
    if result.changed and not result.identical:
        print("changed since: " + "; ".join(result.changed))
    return 1 if result.difference is not None or stored is not None else 0


def _store_again(place: Path, arguments: argparse.Namespace) -> int:
    """Carry out the plan of a store again."""
    if arguments.image or arguments.model:
        raise UtileError("A store holds its model and names its image: leave out --image and --model.")
    proof = with_bar(replay_store(place), place.name, arguments.quiet, unit="block")
    same = "identical" if proof.identical == proof.blocks else "identical labels"
    print(f"{same if proof.holds else 'different'}: {proof}")
    return 0 if proof.holds else 1


def _grow_again(recipe: GrownRecipe, arguments: argparse.Namespace) -> int:
    """Grow the cells of a recipe from their seeds again."""
    stored = stored_difference(recipe, arguments.recipe)
    image = open_selected(arguments.image or recipe.source, recipe.selection)
    model = None if recipe.model is None else load_model(arguments.model or recipe.model)
    difference = difference_of_grown(recipe, image, model)
    cells = sum(plane.cells for plane in recipe.planes)
    found = [each for each in (stored, difference) if each is not None]
    same = f"identical: {counted(cells, 'cell')} grown from seeds in {counted(len(recipe.planes), 'plane')}"
    print("\n".join(f"different: {each}" for each in found) or same)
    return 1 if found else 0


def _first_pixel(path: Path, recipe: Recipe, result: Replay) -> str | None:
    """Compare with the label file that was written beside the recipe, where it is still the one."""
    stored_file = labels_beside(path)
    if not result.segmentations or recipe.linking or not stored_file.is_file():
        return None
    if stored_difference(recipe, path):
        return None
    again = result.segmentations[-1].labels
    stored = np.asarray(read_image(stored_file).data).reshape(-1, *again.shape)[len(result.segmentations) - 1]
    differing = np.argwhere(stored != again)
    if not differing.size:  # the difference is in what it would be made from
        return None
    y, x = differing[0].tolist()
    return f"First at row {y}, column {x}: cell {again[y, x]}, was {stored[y, x]} (0 is background)."
