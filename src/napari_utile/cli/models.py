"""`utile models`: which models there are, and what is known of one."""

import argparse
import json

from napari_utile.cli import suggest
from napari_utile.cli.options import add_output, file_path
from napari_utile.engine.models import own_models
from napari_utile.engine.models.card import read_card
from napari_utile.engine.models.catalogue import find_model, list_models, user_model_folder
from napari_utile.engine.models.outputs import Output
from napari_utile.engine.models.own_models import delete_model, kept_versions, revert_model
from napari_utile.engine.models.trash import restore_model
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.normalize import Normalization
from napari_utile.engine.words import counted


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "models", help="list models, or show one", description="List or show models."
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the bundled models and your own")
    listing.set_defaults(run=_list)
    show = actions.add_parser(
        "show", help="show a model's card: what it segments, how it was made, its scores"
    )
    show.add_argument("model", help="a model's name, title or file")
    show.add_argument("--json", action="store_true", help="print the card as JSON")
    show.set_defaults(run=_show)
    suggest.add_action(actions)
    given = actions.add_parser("export", help="write a model as a bioimage.io package, for other programs")
    given.add_argument("model", help="a model's name, title or file")
    add_output(given, "FILE.zip", "file to write")
    given.add_argument(
        "--image", type=file_path, help="an image for the package's test and cover; a sample by default"
    )
    given.add_argument(
        "--author", action="append", default=[], metavar="NAME", help="who made the model; repeatable"
    )
    given.set_defaults(run=_export)
    taken = actions.add_parser(
        "import",
        help="add a model to your library: a U-Tile file, a bioimage.io package, ONNX, a U-Net's checkpoint",
    )
    taken.add_argument("file", type=file_path, help="a .safetensors, .zip, .onnx, .pt, .pth or .ckpt file")
    taken.add_argument("--name", help="what it is called there; the name in the file by default")
    taken.add_argument(
        "--reading",
        metavar="WORDS",
        help="what its channels are, such as 'foreground and border'; determined by running it by default",
    )
    taken.add_argument(
        "--grey",
        metavar="percentiles|mean|N",
        help="how grey values are scaled where the file does not say: by percentiles (default), by mean and standard "
        "deviation, or divided by N",
    )
    taken.set_defaults(run=_import)
    for action, words in {
        "rename": "give one of your models another name",
        "duplicate": "copy a model, also a bundled one, under another name",
    }.items():
        changed = actions.add_parser(action, help=words)
        changed.add_argument("model", help="its name or title")
        changed.add_argument("name", help="the new name")
        changed.set_defaults(run=_change, action=action)
    deleted = actions.add_parser("delete", help="move one of your models to the trash")
    deleted.add_argument("model", help="its name or title")
    deleted.set_defaults(run=_delete)
    reverted = actions.add_parser("revert", help="go back to an earlier version, the last one by default")
    reverted.add_argument("model", help="its name or title")
    reverted.add_argument("--version", type=int, metavar="N", help="which one; show MODEL lists them")
    reverted.set_defaults(run=_revert)
    restored = actions.add_parser("restore", help="take a model that was deleted out of the trash")
    restored.add_argument("model", help="the name or title that it had, or its file there")
    restored.set_defaults(run=_restore)


def _export(arguments: argparse.Namespace) -> int:
    from napari_utile.engine.exchange.export import export_model

    path = export_model(arguments.model, arguments.output, image=arguments.image, authors=arguments.author)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from napari_utile.engine.exchange.importing import import_model

    taken = import_model(arguments.file, arguments.name, reading=arguments.reading, grey=arguments.grey)
    print(f"{taken.path.stem}: {taken.path}")
    for note in taken.notes:
        print(f"  {note}")
    return 0


def _change(arguments: argparse.Namespace) -> int:
    path = getattr(own_models, f"{arguments.action}_model")(arguments.model, arguments.name)
    print(f"{path.stem}: {path}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    print(f"{arguments.model} is in {delete_model(arguments.model)}")
    return 0


def _revert(arguments: argparse.Namespace) -> int:
    path = revert_model(arguments.model, arguments.version)
    print(f"{path.stem}: {path}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    path = restore_model(arguments.model)
    print(f"{path.stem}: {path}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    del arguments

    broken = 0
    for listed in list_models():
        origin = "bundled" if listed.bundled else "yours"
        words = listed.card.title if listed.card else f"cannot be used: {listed.problem}"
        broken += listed.card is None
        print(f"{listed.name:20} {origin:8} {words}")
    print(f"Your own models live in {user_model_folder()}")
    return 1 if broken else 0


def _show(arguments: argparse.Namespace) -> int:
    path = find_model(arguments.model)
    card = read_card(path)
    if arguments.json:
        print(json.dumps(to_json(card), indent=2, ensure_ascii=False))
        return 0
    print(f"{card.name}: {card.title}\n{card.description}\n")
    kept = [int(each.stem) for each in kept_versions(path)]
    rows = {
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "network": f"{card.family} {card.config}",
        "classes": ", ".join(f"{each.name} ({each.role})" for each in card.classes),
        "outputs": ", ".join(_output_words(each) for each in card.outputs),
        "relief": card.relief,
        "channels": ", ".join(
            f"{each.name} (optional)" if each.optional else each.name for each in card.inputs
        ),
        "object diameter": f"{card.object_diameter:g} px" if card.object_diameter else "not given",
        "pixel size": f"{card.pixel_size:g} µm" if card.pixel_size else "not given",
        "normalisation": _grey_words(card.normalization),
        "instances": card.instances or "defaults",
        "known failures": card.failures or "not described",
        "confidence": f"at least {card.confidence:g}" if card.confidence is not None else "not measured",
        "licence": card.licence,
        "version": card.version,
        "earlier": ", ".join(map(str, kept)) or "none is kept",
    }
    for name, value in rows.items():
        print(f"{name:16} {value}")
    if card.data:
        print("data:")
        for source in card.data:
            print(
                f"  {source.name}: {counted(source.images, 'image')}, {source.licence} {source.notice}".rstrip()
            )
    for title, entries in (("scores", card.metrics), ("training", card.training)):
        print(f"{title}:")
        for name, value in entries.items():
            print(f"  {name}: {value}")
    return 0


def _grey_words(rule: Normalization) -> str:
    if rule.rule in ("spread", "fixed"):
        return "mean and standard deviation" if rule.rule == "spread" else "grey values as they are"
    words = f"percentiles {rule.low:g} and {rule.high:g}"
    return f"{words}, debris left out" if rule.rule == "robust" else words


def _output_words(output: Output) -> str:
    words = f"{output.name} ({output.activation}"
    return f"{words}, {output.channels} channels)" if output.channels > 1 else f"{words})"
