"""`utile sets`: the training sets in which annotated images collect; the Train page shows the same."""

import argparse

from napari_utile.engine.errors import UtileError
from napari_utile.engine.training import sets
from napari_utile.engine.words import counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "sets",
        help="list training sets; show and remove their images",
        description="Training sets collect annotated images; utile train and utile fine-tune --set NAME add to one and "
        "train on all of it.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    actions.add_parser("list", help="list your training sets").set_defaults(run=_list)
    for action, words in {
        "show": "list the images of a set",
        "delete": "move a set to the trash of your library",
    }.items():
        one = actions.add_parser(action, help=words)
        one.add_argument("set", help="its name")
        one.set_defaults(run=_show if action == "show" else _delete)
    remove = actions.add_parser("remove", help="move images of a set to the trash of your library")
    remove.add_argument("set", help="its name")
    remove.add_argument(
        "images", nargs="+", metavar="IMAGE", help="names or files, as `utile sets show` lists them"
    )
    remove.set_defaults(run=_remove)


def _list(arguments: argparse.Namespace) -> int:
    del arguments
    for each in sets.list_sets():
        print(f"{each.title}: {counted(len(each.files), 'image')}")
    print(f"Your training sets live in {sets.sets_folder()}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    broken = 0
    for image in sets.find_set(arguments.set).images:
        broken += bool(image.problem)
        rows, columns = image.shape
        about = (
            f"{columns} x {rows} pixels, {counted(image.cells, 'cell')}, {image.annotated:.0%} annotated, "
            f"{image.added}"
        )
        print(f"{image.path.stem}  {image.name}: {image.problem or about}")
    return 1 if broken else 0


def _remove(arguments: argparse.Namespace) -> int:
    images = sets.find_set(arguments.set).images
    for name in arguments.images:
        found = [each for each in images if name in (each.name, each.path.stem)]
        if len(found) != 1:
            how_many = "no image" if not found else f"{len(found)} images"
            raise UtileError(f"The set {arguments.set} holds {how_many} named {name}: give the file's name.")
        print(f"{name} is in {sets.remove_image(found[0].path)}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    print(f"{arguments.set} is in {sets.delete_set(arguments.set)}")
    return 0
