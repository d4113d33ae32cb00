"""`utile train` and `utile fine-tune`: a model from annotated images."""

import argparse
import contextlib
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from napari_utile.cli.annotated import annotated_images, read_pairs
from napari_utile.cli.options import add_options, add_output, given, number, whole_number
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.targets import check_folder, check_target, identities
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.models.own_models import check_no_bundled_place
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.selection import Selection, channels_in_words
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.recipes import RECIPES
from napari_utile.engine.training.stopping import stopped_by_signals
from napari_utile.engine.weights.annotation import ANNOTATIONS
from napari_utile.engine.weights.annotation_check import check_annotation
from napari_utile.engine.words import capitalised, counted

if TYPE_CHECKING:
    from napari_utile.engine.training.fine_tune import FineTuned, FineTuning
    from napari_utile.engine.training.run import TrainStep

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {postfix}"
BEST = "auto"
"""Instead of a model's name: chosen by the annotated cells."""
FAMILIES = ("unet", "fcn32s", "fcn16s", "fcn8s")
EPILOG = "Images and labels are paired by name; endings such as _labels and _masks do not matter."


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both commands."""
    fresh = subparsers.add_parser(
        "train",
        help="train a network from scratch on annotated images",
        description="Train a network from scratch on annotated images.",
        epilog=EPILOG,
    )
    _add_common(fresh, "default")
    network = fresh.add_argument_group("network")
    network.add_argument("--family", choices=FAMILIES, default="unet", help="Default: unet.")
    network.add_argument(
        "--width", type=whole_number, help="channels of the first level; 24 by default, an FCN's 16"
    )
    network.add_argument("--depth", type=whole_number, help="how often a U-Net halves the image. Default: 3.")
    network.add_argument(
        "--in-channels", type=whole_number, default=1, help="image channels that it reads. Default: 1."
    )
    network.add_argument(
        "--batch-norm", action=argparse.BooleanOptionalAction, default=True, help="Default: yes."
    )
    network.add_argument(
        "--distances",
        action="store_true",
        help="also predict distances to the edge and centre of a cell, which tell crowded cells apart",
    )
    network.add_argument("--dropout", type=number, default=0.0, help="Default: 0.")
    network.add_argument(
        "--from-coarser",
        metavar="MODEL",
        help="start an fcn16s from an fcn32s, or an fcn8s from an fcn16s",
    )
    fresh.set_defaults(run=run, model=None)

    tune = subparsers.add_parser(
        "fine-tune",
        help="train a model further on a few annotated images",
        description="Train a model further on a few annotated images. Some annotated tiles are held out; the new "
        "model is written only where it is better on them than the one it started from (see --keep-worse).",
        epilog=EPILOG,
    )
    tune.add_argument(
        "--model",
        default="nuclei",
        help=f"name or file to start from; {BEST}: the one that finds your cells best as it is. Default: nuclei.",
    )
    tune.add_argument("--keep-worse", action="store_true", help="write the model even if it is not better")
    _add_common(tune, "fine-tune")
    tune.set_defaults(run=run, family=None)


def _add_common(parser: argparse.ArgumentParser, recipe: str) -> None:
    parser.add_argument(
        "--set",
        metavar="NAME",
        dest="training_set",
        help="train on all images of this training set in your library; images given as well are added to it first, "
        "and a new name starts a new set",
    )
    parser.add_argument("--images", metavar="DIR", help="file, folder or pattern of images")
    parser.add_argument("--labels", metavar="DIR", help="file, folder or pattern of label images")
    add_output(parser, "MODEL.safetensors", "the model to write")
    parser.add_argument(
        "--validation-images", metavar="DIR", help="validate on these images instead of held-out tiles"
    )
    parser.add_argument("--validation-labels", metavar="DIR", help="their labels")
    parser.add_argument(
        "--annotation",
        choices=ANNOTATIONS,
        help="dense: 0 is background; sparse: 0 is unlabelled; boxes: 0 is background inside --boxes and unlabelled "
        "elsewhere. Default: dense, or boxes where --boxes is given.",
    )
    parser.add_argument(
        "--background",
        type=whole_number,
        metavar="LABEL",
        help="with sparse: the label that marks background",
    )
    parser.add_argument(
        "--rim",
        type=whole_number,
        default=0,
        metavar="PIXELS",
        help="with sparse: how far around a painted cell pixels count as background; 0 by default, 3 in the window",
    )
    parser.add_argument(
        "--boxes",
        metavar="DIR",
        help="folder of boxes inside which every cell is painted: Shapes layers saved by napari as CSV, called as the "
        "images, in pixels",
    )
    parser.add_argument(
        "--classes",
        metavar="NAME,NAME",
        help="the label images hold class numbers 1, 2, ... with these names: each connected piece is a cell, "
        "and the network learns to tell the classes apart",
    )
    parser.add_argument("--resume", action="store_true", help="continue a run that was interrupted")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print the plan, train nothing"
    )
    parser.add_argument("--log", metavar="FILE", help="append metrics as JSON lines; - is standard output")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=recipe, help=f"Default: {recipe}.")
    add_options(parser, Selection)
    add_options(parser, FineTuneParams, skip=("recipe",))


def run(arguments: argparse.Namespace) -> int:
    """Train, judge and write; 1 where the model is not better than its base and so was not written."""
    from napari_utile.engine.training.fine_tune import FineTuning
    from napari_utile.engine.training.reference import reference_sentence, reference_steps, with_references

    _check_output(arguments)
    images = annotated_images(arguments)
    apart: list[AnnotatedImage] = []
    if arguments.validation_images or arguments.validation_labels:
        if not (arguments.validation_images and arguments.validation_labels):
            raise UtileError("Validation needs both --validation-images and --validation-labels.")
        apart = read_pairs(arguments.validation_images, arguments.validation_labels, arguments)
    chosen = given(arguments, FineTuneParams)
    params = FineTuneParams(**chosen)
    base = _best_base(images, params) if arguments.model == BEST else _base(arguments, params.seed)
    tuning = FineTuning(
        images,
        base,
        params,
        held_out=apart,
        name=arguments.output.stem,
        training_set=arguments.training_set or "",
    )
    _say_channels(images, params, base.card.needed_inputs)
    if arguments.dry_run:
        _print_plan(tuning, images)
        return 0
    checkpoint = _checkpoint(arguments.output)
    training = Run(tuning.steps(checkpoint, resume=arguments.resume))
    with _kept_until_written(checkpoint, training, tuning):
        result = _train(training, arguments)
        references = Run(reference_steps(result, tuning.compute)).result
        if said := reference_sentence(references):
            print(said)
        return _keep(with_references(result, references), arguments)


def _say_channels(images: Sequence[AnnotatedImage], params: FineTuneParams, needed: int) -> None:
    """Say which channels are read, where the images have others."""
    planes = [image.plane for image in images]
    read = Counter(
        channels_in_words(each.data.shape[0], params.channels, needed, colours=each.rgb) for each in planes
    )
    for channels, count in read.items():
        if channels:
            print(f"Reads of {counted(count, 'image')}: {channels}.")


def _check_output(arguments: argparse.Namespace) -> None:
    """Refuse a model's file that cannot be written, or is read here, before the images are."""
    output: Path = arguments.output
    if output.suffix != ".safetensors":
        raise UtileError(f"A model's file ends with .safetensors; got {output.name}.")
    if arguments.dry_run:
        return
    check_folder(output.parent)
    check_no_bundled_place(output)
    checkpoint = _checkpoint(output)
    if not arguments.resume and checkpoint.is_file():
        raise UtileError(f"{_kept_in(checkpoint)}: continue it with --resume, or delete the file.")
    if arguments.resume and not checkpoint.is_file():
        print(f"There is no {checkpoint} to continue: training begins.", file=sys.stderr)
    base = arguments.model or arguments.from_coarser or ""
    check_target(output, identities([base]))
    if arguments.log not in (None, "-"):
        read = [each for each in (base, arguments.images, arguments.labels) if each]
        check_target(arguments.log, identities(read))


def _checkpoint(output: Path) -> Path:
    """Say where a training that makes this model is kept until it ends."""
    return output.with_name(output.stem + ".checkpoint")


def _kept_in(checkpoint: Path) -> str:
    from napari_utile.engine.training.state import steps_of

    return f"{checkpoint} holds {counted(steps_of(checkpoint), 'step')} of an interrupted training"


@contextlib.contextmanager
def _kept_until_written(
    checkpoint: Path, training: "Run[TrainStep, FineTuned]", tuning: "FineTuning"
) -> Iterator[None]:
    """Say where the checkpoint is where the model is not judged and written; see `_keep`, which deletes it."""
    try:
        yield
    except BaseException:
        try:
            training.close()  # with its checkpoint
        finally:
            # without a step it may be another training's, which was refused
            if tuning.run.progress.step and checkpoint.is_file():
                print(f"{_kept_in(checkpoint)}; --resume continues it.", file=sys.stderr)
        raise


def _best_base(images: list[AnnotatedImage], params: FineTuneParams) -> Model:
    """Choose the model that finds the annotated cells best as it is, and say which."""
    from napari_utile.engine.training.bases import rank_bases

    best = rank_bases(images, [load_model(name) for name in candidates()], params).result[0]
    print(
        f"Starts from {best.model.card.name}: AP at IoU 0.5 {best.scores.ap50:.3f} on these cells as it is."
    )
    return best.model


def _base(arguments: argparse.Namespace, seed: int) -> Model:
    import torch

    from napari_utile.engine.networks.fcn import FCN
    from napari_utile.engine.training.fine_tune import new_model

    if arguments.family is None:
        return load_model(arguments.model)
    config: dict[str, Any] = {
        "in_channels": arguments.in_channels,
        "batch_norm": arguments.batch_norm,
        "dropout": arguments.dropout,
        "width": (24 if arguments.family == "unet" else 16) if arguments.width is None else arguments.width,
    }
    if arguments.family == "unet":
        config["depth"] = 3 if arguments.depth is None else arguments.depth
    elif arguments.depth is not None:
        raise UtileError("Only a U-Net has a --depth.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = new_model(arguments.output.stem, arguments.family, distances=arguments.distances, **config)
    if arguments.from_coarser:
        coarser = load_model(arguments.from_coarser).network
        if not isinstance(model.network, FCN) or not isinstance(coarser, FCN):
            raise UtileError("--from-coarser is for FCNs.")
        model.network.initialise_from(coarser)
    return model


def _train(training: "Run[TrainStep, FineTuned]", arguments: argparse.Namespace) -> "FineTuned":
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=1000, disable=True if arguments.quiet else None, bar_format=BAR))
        stopped = stack.enter_context(stopped_by_signals())
        for step in training:
            bar.update(round(1000 * step.spent) - bar.n)
            bar.set_postfix_str(f"step {step.step}, loss {step.loss:.3f}")
            _write_line(arguments.log, step)
            if stopped():
                raise KeyboardInterrupt
        if stopped():  # while it was judged
            raise KeyboardInterrupt
    return training.result


def _write_line(log: str | None, step: "TrainStep") -> None:
    """Add a step as a line of JSON to a file, or to standard output; nothing happens without a name."""
    if log is None:
        return
    line = json.dumps(_line(step))
    if log == "-":
        print(line, flush=True)
        return
    try:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise UtileError(f"Cannot write {log}: {error.strerror}.") from error


def _line(step: "TrainStep") -> dict[str, Any]:
    """Return a step as JSON has it: numbers that are none become null."""
    values = to_json(step)
    return {"time": round(time.time(), 1)} | {
        key: None if isinstance(value, float) and value != value else value for key, value in values.items()
    }


def _keep(result: "FineTuned", arguments: argparse.Namespace) -> int:
    """Write the model and delete its checkpoint, unless it is not better; return the exit status."""
    checkpoint = _checkpoint(arguments.output)
    if result.before is not None and result.after is not None:
        print(
            f"{capitalised(result.judged_on)} ({counted(result.after.objects, 'cell')}): "
            f"AP at IoU 0.5 {result.before.ap50:.3f} before, {result.after.ap50:.3f} after; "
            f"overlap {result.before.overlap:.3f} before, {result.after.overlap:.3f} after."
        )
        if result.after.classes is not None:
            print(f"Classes: {result.after.classes:.0%} of these cells get the right one.")
    if result.verdict == "few":
        more = "add images" if arguments.validation_images else "annotate more, or hold out more"
        print(f"Too few cells in the {result.judged_on} to say which is better: {more}.", file=sys.stderr)
    if arguments.family is None and result.improved is False and not arguments.keep_worse:
        print(
            "The model is not better than the one it started from: it was not written. "
            f"--resume --keep-worse writes it, from {checkpoint}.",
            file=sys.stderr,
        )
        return 1
    save_model(result.model.card, result.model.network, arguments.output)
    checkpoint.unlink(missing_ok=True)
    print(
        f"{arguments.output}: {counted(result.result.steps, 'step')} in {result.result.seconds / 60:.1f} minutes"
    )
    return 0


def _print_plan(tuning: "FineTuning", images: list[AnnotatedImage]) -> None:
    from napari_utile.engine.training.loss import IGNORE

    for image in images:
        objects, annotated = image.annotation.split(image.labels)
        cells = len({*objects.ravel().tolist()} - {0})
        shape = " x ".join(map(str, image.plane.shape))
        count = len(image.annotation.boxes)
        boxes = f" in {count} box{'' if count == 1 else 'es'}" if count else ""
        print(
            f"{image.plane.name}: {shape} pixels, {counted(cells, 'cell')}, {annotated.mean():.0%} annotated{boxes}"
        )
        for finding in check_annotation(objects):
            print(f"  {finding.text}")
    recipe, run = tuning.recipe, tuning.run
    network = run.network
    size = run.progress.size
    diameter = "unknown" if tuning.diameter is None else f"{tuning.diameter:.0f} px"
    held = sum(int((plane.target != IGNORE).sum()) for plane in tuning.held_out)
    kept = sum(int((plane.target != IGNORE).sum()) for plane in tuning.planes)
    gflop = 3 * recipe.batch * network.flops((size, size)) / 1e9  # the backward pass costs twice the forward
    budget = tuning.params.budget
    print(f"Cells of {diameter}; images are made {tuning.scale:g} times as large for the network.")
    if tuning.judged_on == "validation images":
        print(f"Judged on {counted(len(tuning.held_out), 'validation image')}.")
    else:
        print(f"Held out: {held / max(held + kept, 1):.0%} of the annotated pixels.")
    print(
        f"Network: {network.family}, {sum(each.numel() for each in network.parameters()) / 1e6:.1f} M parameters, "
        f"on {run.compute.device} in {run.compute.precision}."
    )
    print(
        f"Recipe {recipe.name}: {recipe.batch} tiles of {size} pixels per step, {gflop:.0f} GFLOP per step."
    )
    started = time.perf_counter()
    seconds = [run.step().seconds for _ in range(3)]
    pace = (seconds[2] - seconds[0]) / 2
    run.close()
    in_time = math.inf if budget.minutes is None else max(1, round(60 * budget.minutes / pace))
    steps = round(min(budget.steps or math.inf, in_time))
    print(
        f"A step takes {pace:.2f} s (measured for {time.perf_counter() - started:.0f} s): "
        f"{counted(steps, 'step')} take{'s' if steps == 1 else ''} {steps * pace / 60:.1f} minutes."
    )
