"""Annotated images as a command names them: pairs of files, and training sets."""

import argparse
import sys
from dataclasses import replace
from functools import partial

from napari_utile.cli.batch import say_left_out
from napari_utile.cli.options import given
from napari_utile.engine.cells.classes import cells_of_classes
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.boxes_file import find_boxes, read_boxes
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.label_files import pair_files
from napari_utile.engine.files.label_planes import pairing_in_words, place_in_words, planes_with_labels
from napari_utile.engine.files.label_reading import label_image, read_labels
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.sets import (
    PaintedImage,
    add_images,
    find_set,
    images_with,
    replaced_in_words,
)
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.engine.words import counted


def annotated_images(arguments: argparse.Namespace) -> list[AnnotatedImage]:
    """Read the given pairs, or all of the training set with them in it."""
    given_pairs = [arguments.images, arguments.labels]
    if any(given_pairs) != all(given_pairs):
        raise UtileError("--images and --labels belong together.")
    if not any(given_pairs) and arguments.training_set is None:
        raise UtileError("Give --images and --labels, or a training set with --set.")
    if not any(given_pairs) and not arguments.validation_images:
        _refuse_of_labels(arguments)
    images = read_pairs(arguments.images, arguments.labels, arguments) if all(given_pairs) else []
    if arguments.training_set is None:
        return images
    if images and arguments.dry_run:
        every = images_with(arguments.training_set, images)
        print(f"Training set {arguments.training_set}: {counted(len(every), 'image')} with those given now.")
        return every
    replaced: tuple[PaintedImage, ...] = ()
    if images:
        chosen, replaced = add_images(arguments.training_set, images)
    else:
        chosen = find_set(arguments.training_set)
    every = chosen.read()
    print(f"Training set {chosen.title}: {counted(len(every), 'image')}, {len(images)} added now.")
    if said := replaced_in_words(replaced):
        print(said)
    return every


def _refuse_of_labels(arguments: argparse.Namespace) -> None:
    """Refuse what says how images and labels are read, where the images of a set alone are trained on."""
    painted = {name: getattr(arguments, name) for name in ("annotation", "background", "boxes", "classes")}
    said = {**painted, "rim": arguments.rim or None, **given(arguments, Selection)}
    options = [f"--{name.replace('_', '-')}" for name, value in said.items() if value is not None]
    if options:
        raise UtileError(
            f"{', '.join(options)} belong{'s' if len(options) == 1 else ''} to --images and --labels: the images of a "
            "set are read as they were when they were added."
        )


def read_pairs(images: str, labels: str, arguments: argparse.Namespace) -> list[AnnotatedImage]:
    """Read all pairs; say which files found no partner."""
    pairing = pair_files(labels, images, first_is="reference", second_is="image")
    for path in pairing.second_alone:
        print(f"{path}: there are no labels with this name; left out", file=sys.stderr)
    say_left_out("ignored", pairing.ignored)
    for path in pairing.first_alone:
        print(f"{path}: there is no image with this name; left out", file=sys.stderr)
    if not pairing.pairs:
        raise UtileError(
            f"No image in {images} has the name of a label image in {labels}: call them alike, or give "
            "the two files."
        )
    kind = arguments.annotation or ("boxes" if arguments.boxes else "dense")
    if (kind == "boxes") != bool(arguments.boxes):
        raise UtileError("--annotation boxes and --boxes belong together.")
    if kind != "sparse" and (arguments.rim or arguments.background is not None):
        raise UtileError("--background and --rim belong to --annotation sparse.")
    boxes = find_boxes(arguments.boxes, [pair.name for pair in pairing.pairs]) if arguments.boxes else {}
    names = dict(enumerate((name.strip() for name in (arguments.classes or "").split(",")), 1))
    pairs = []
    for pair in pairing.pairs:
        if kind == "boxes" and pair.name not in boxes:
            print(f"{pair.second}: there are no boxes with this name; left out", file=sys.stderr)
            continue
        selection = Selection(**{"series": pair.series, **given(arguments, Selection)})
        chosen = SelectedPlanes(open_selected(pair.second, selection), selection)
        # Painted classes are no ids: that each has many pieces is as it should be.
        reading = label_image if arguments.classes else partial(read_labels, background=arguments.background)
        truth = reading(pair.first, planes=chosen)
        if said := pairing_in_words(truth, chosen):
            print(said, file=sys.stderr)
        if kind == "boxes" and len(chosen) > 1:
            raise UtileError(f"{pair.second.name} has {len(chosen)} planes; boxes belong to one: choose it.")
        for _, index, plane, painted in planes_with_labels(chosen, truth):
            drawn = read_boxes(boxes[pair.name], plane.shape) if kind == "boxes" else ()
            annotation = Annotation(kind, background=arguments.background, boxes=drawn, rim=arguments.rim)
            classes: dict[int, str] = {}
            if arguments.classes:
                painted, classes = cells_of_classes(painted, names, arguments.background)
            name = f"{pair.name} {place_in_words(index)}" if len(chosen) > 1 else pair.name
            pairs.append(AnnotatedImage(replace(plane, name=name), painted, annotation, classes))
            if said := pairs[-1].doubt:
                print(said, file=sys.stderr)
    if not pairs:
        raise UtileError(f"No image in {images} has the name of a file of boxes in {arguments.boxes}.")
    return pairs
