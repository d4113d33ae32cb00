"""`utile models suggest`: which model fits an image."""

import argparse
import json

from napari_utile.cli.options import add_options, file_path, given
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.fitting.ranking import NOT_KNOWN, suggest
from napari_utile.engine.inference.confidence import WITH_ANY_MODEL, Suggestion
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.selection import SelectedPlanes, Selection


def add_action(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action to those of `utile models`."""
    parser = actions.add_parser(
        "suggest",
        help="rank the models by how well they fit an image",
        description="Rank the models by how well they fit an image. The exit status is 1 where no model looks right.",
    )
    parser.add_argument("image", type=file_path, help="the image")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser, Selection)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the models, the best first; return 1 where none fits."""
    selection = Selection(**given(arguments, Selection))
    image = open_selected(arguments.image, selection)
    planes = SelectedPlanes(image, selection).measured_on()
    models = [load_model(name) for name in candidates()]
    found = suggest(planes, models).result
    if arguments.json:
        print(json.dumps([_as_json(each) for each in found], indent=2))
    else:
        for each in found:
            print(f"{each.card.name:20} {each}{'' if each.not_rated else f'; {each.size}'}")
    fits = any(each.looks_right for each in found)
    if not fits and not arguments.json:
        print(f"No model looks right for this image: {WITH_ANY_MODEL}. None knows {NOT_KNOWN} well.")
    return 0 if fits else 1


def _as_json(suggestion: Suggestion) -> dict[str, object]:
    fit, size = suggestion.fit, suggestion.size
    return {
        "model": fit.model,
        "confidence": fit.confidence,
        "threshold": fit.threshold,
        "looks_right": fit.looks_right,
        "by_chance": suggestion.by_chance,
        "diameter": size.diameter,
        "cells": None if suggestion.not_rated else fit.cells,
    }
