"""`utile segment`: the cells of files, folders and patterns, as label images."""

import argparse
import contextlib
import math
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.cli import seeds, stores
from napari_utile.cli.asked import asked_for, say_what_is_left_out
from napari_utile.cli.batch import Batch
from napari_utile.cli.cell_size import Sizing
from napari_utile.cli.inputs import Shard, images_among, inputs_of
from napari_utile.cli.linking import linkable, linked
from napari_utile.cli.masks import read_mask, say_if_stretched
from napari_utile.cli.options import add_options, add_output, file_path, given, number
from napari_utile.cli.progress import with_bar
from napari_utile.cli.results import check_labels, keep_of_users, new_labels, space_of
from napari_utile.engine.cells.classes import covered_in_words
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.measure import index_columns
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.conditions import load_conditions
from napari_utile.engine.files.images import write_image
from napari_utile.engine.files.names import CELLS
from napari_utile.engine.files.plane_file import PlaneFile
from napari_utile.engine.files.result_files import LABELS, TABLES_OF_LINKS
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.files.targets import check_folder, check_space, identities
from napari_utile.engine.inference.confidence import Fit, fit_of, overall
from napari_utile.engine.inference.estimate import estimate
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.command import segment_command
from napari_utile.engine.provenance.recipe import recipe_of_planes, record_plane
from napari_utile.engine.provenance.settings import Settings
from napari_utile.engine.segment import each_plane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.into_image import blocks_of_planes, check_image, write_into_image
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import estimate_volume, volumes_in, with_distance
from napari_utile.engine.windows import Window
from napari_utile.engine.words import bracketed, counted

if TYPE_CHECKING:
    from napari_utile.cli.fields import Done, FieldTables


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "segment",
        help="segment the cells of images",
        description="Segment the cells of images. Every plane of a stack or a time series is segmented by itself.",
    )
    # At least one, which `run` checks: the parser could not say that --mask took it.
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="files, folders or patterns (TIFF, PNG, OME-Zarr)"
    )
    add_output(parser, "DIR", "folder for the results")
    parser.add_argument("--probability", action="store_true", help="also write the cell probability")
    parser.add_argument(
        "--mask",
        nargs="?",
        const=True,
        metavar="FILE",
        help="an image or labels, of any resolution: cells are looked for only where it is above 0. Without a file: "
        "also write the mask of the cells",
    )
    parser.add_argument("--measurements", action="store_true", help="also write a table of the cells (CSV)")
    parser.add_argument("--estimate", action="store_true", help="only estimate time and memory")
    parser.add_argument(
        "--settings",
        type=file_path,
        metavar="FILE",
        help="a recipe of another image, or fitted settings (JSON): single options override them",
    )
    parser.add_argument(
        "--conditions",
        type=file_path,
        metavar="CSV",
        help="table with a column well or pattern and one for each condition, which join the tables of the batch",
    )
    parser.add_argument(
        "--shard",
        type=Shard.parse,
        metavar="I/N",
        help="do part I of N of the images only, for job arrays; of TIFF results the last part to finish joins the "
        "tables",
    )
    parser.add_argument(
        "--into-image",
        action="store_true",
        help="also write the cells into the image or the plate, as labels/cells, where it is OME-Zarr",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what lies in the way also where no recipe made it, it comes from another image or it was "
        "changed since; a store is deleted and started again",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 3 where the model does not look right for an image"
    )
    parser.add_argument(
        "--region", type=_region, metavar="Y0:Y1,X0:X1", help="only these rows and columns, without Y1 and X1"
    )
    parser.add_argument(
        "--seeds",
        metavar="LABELS",
        help="label image, or folder paired with the images by name: each seed, such as a nucleus, grows to one cell "
        "with the seed's id; in the intensities of the channel, or with --model in what the model sees as cells",
    )
    parser.add_argument(
        "--seed-distance",
        type=number,
        metavar="PX",
        help="how far a cell reaches beyond its seed at most; half the median diameter of the seeds by default, "
        "with --model as far as its cells",
    )
    stores.add_options(parser)
    add_options(parser, Selection)
    add_options(parser, SegmentParams)
    add_options(parser, InstanceParams)
    add_options(parser, LinkParams)
    add_options(parser, VolumeParams)
    parser.set_defaults(run=run, refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Segment each image; return 0, 1 where some failed, or with ``--strict`` 3 where the model does not fit some."""
    if not arguments.images:
        taken = isinstance(arguments.mask, str)
        hint = f"; --mask took {arguments.mask}: put it after the images" if taken else ""
        arguments.refuse(f"the following arguments are required: IMAGE{hint}")
    if arguments.resume and arguments.overwrite:
        arguments.refuse("--resume keeps what is there and --overwrite deletes it: give one of them")
    if arguments.seeds is not None:
        return seeds.run(arguments)
    if arguments.seed_distance is not None:
        raise UtileError("--seed-distance is how far the seeds of --seeds grow: give these, too.")
    asked = asked_for(arguments)
    say_what_is_left_out(arguments, asked)
    if stores.are_wanted(arguments):
        return stores.run(arguments, asked)
    mask = read_mask(arguments.mask)
    if mask is not None and asked.volume_params.three_views:
        if not arguments.three_views:
            raise UtileError(
                f"{arguments.settings.name} sees stacks in three views, and --mask with a file is of planes: add "
                "--link z or --link none, or leave out the file."
            )
        raise UtileError(
            "--mask with a file is not for --three-views: it is of planes, and they look at a volume."
        )
    from napari_utile.cli.fields import FieldTables, tables_of_one

    selection = Selection(**given(arguments, Selection))
    paths, found = images_among(arguments.images, selection)
    every = inputs_of(paths, selection)
    ours = arguments.shard.part(every) if arguments.shard else every
    conditions = load_conditions(arguments.conditions) if arguments.conditions else None
    sizing = Sizing(asked, every)
    read = (arguments.mask, arguments.conditions)
    inputs = identities([*found, *(each for each in read if isinstance(each, (str, Path)))])
    tables = None
    if not arguments.estimate:
        check_folder(arguments.output, inputs)
        if len(every) > 1:
            tables = FieldTables(
                arguments.output,
                arguments.shard,
                conditions,
                inputs,
                measured=arguments.measurements,
                batch=every,
            )
        else:
            tables = tables_of_one(arguments.output, conditions, inputs, measured=arguments.measurements)
    batch = Batch()
    begun: dict[str, str] = {}
    with tables or contextlib.nullcontext():
        for each in ours:
            with batch.each(each.name):
                image = each.open()
                say_if_stretched(mask, image)
                planes = SelectedPlanes(image, each.selection)
                wanted = linkable(planes, asked, arguments)
                if arguments.estimate:
                    _print_estimate(
                        planes, sizing, with_distance(planes, wanted.volume_params), arguments.region
                    )
                    continue
                (arguments.output / each.folder).mkdir(parents=True, exist_ok=True)
                start = each.results(arguments.output, image)
                _refuse_twice(start, each.name, begun)
                labels, beside = Path(f"{start}{LABELS}"), _beside(arguments, wanted)
                check_labels(labels, image.path, inputs, beside, overwrite=arguments.overwrite)
                if arguments.into_image:
                    check_image(each.path, overwrite=arguments.overwrite)
                shown = each.name if each.place else image.shown_name
                fit, done = _segment_file(
                    planes, wanted, sizing, arguments, start, shown, each.path, mask, tables
                )
                batch.judge(shown, fit, whole=arguments.region is None)
                if tables is not None:
                    tables.add(each, image.shown_name, start, done)
            if tables is not None and each.name in batch.said:
                tables.fail(each, batch.said[each.name])
    return batch.status(len(ours), arguments.strict)


def _refuse_twice(start: str, name: str, begun: dict[str, str]) -> None:
    """Note where results of an image lie, which no other image of the call may have."""
    if (first := begun.setdefault(start.lower(), name)) is not name:
        raise UtileError(f"its results would overwrite those of {first}: segment it into another folder.")


def _beside(arguments: argparse.Namespace, asked: Settings) -> list[str]:
    """Give what follows an image's name in the files that are asked for beside its labels."""
    wanted = {
        "_probability.tif": arguments.probability,
        "_mask.tif": arguments.mask is True,
        CELLS: arguments.measurements,
    }
    if axis := asked.link_params.axis:
        wanted[TABLES_OF_LINKS[axis]] = arguments.measurements
    return [ending for ending, each in wanted.items() if each]


def _region(text: str) -> Window:
    """Read ``Y0:Y1,X0:X1``."""
    try:
        (top, bottom), (left, right) = (map(int, part.split(":")) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a region such as 0:256,128:384") from error
    if not (0 <= top < bottom and 0 <= left < right):
        raise argparse.ArgumentTypeError(f"{text!r} is not a region: each start lies before its end")
    return Window(slice(top, bottom), slice(left, right))


def _segment_file(
    planes: SelectedPlanes,
    asked: Settings,
    sizing: Sizing,
    arguments: argparse.Namespace,
    start: str,
    shown: str,
    path: Path,
    mask: NDArray[np.bool_] | None,
    tables: "FieldTables | None",
) -> "tuple[Fit, Done]":
    """Segment and write one image; return how well the model fits it, and more."""
    from napari_utile.cli.fields import Watch

    image, region, folder = planes.image, arguments.region, Path(start).parent
    stacked, sizes = planes.stacked, planes.sizes
    linking = asked.link_params
    views = with_distance(planes, asked.volume_params)
    check_space(folder, _bytes_to_write(planes, arguments))
    params, model, said, size = sizing.params_for(planes, views)
    several = ["_classes.tif"] if len(model.card.foreground) > 1 else []
    if not arguments.overwrite:
        keep_of_users(start, several)
    limits = limits_of_stack(planes.measured_on(), params, model.card)
    records, rows_of, fits, watch = {}, {}, [], Watch(len(planes))
    _check_region(region, planes.plane(planes.indices[0]).shape)

    def run(steps: Generator[Any, None, Any], index: Mapping[str, int]) -> Any:
        name = " ".join([shown, *(f"{axis}{number}" for axis, number in index.items())])
        return with_bar(steps, name, arguments.quiet)

    with contextlib.ExitStack() as open_files:
        # Beside the results until the last plane is done, so that memory does not grow with their number.
        labels, foreground, classes = (
            open_files.enter_context(PlaneFile(folder, stacked, sizes)) for _ in range(3)
        )
        positions = list(np.ndindex(*sizes))
        for place, made, cells in each_plane(
            planes, params, views, model, region, limits, compute=sizing.compute, mask=mask, run=run
        ):
            records[place] = record_plane(made, planes.indices[place], cells)
            fit = fit_of(made, size)  # cards know how sure one view is, not the mean of three
            fits.append(replace(fit, threshold=None) if views.three_views else fit)
            watch.see(made)
            labels.put(positions[place], made.labels)
            if made.classes.several:
                classes.put(positions[place], made.classes.layer)
            if arguments.probability:
                foreground.put(positions[place], made.foreground)
            if arguments.measurements:
                index = planes.indices[place]
                table = made.measure(planes.plane(index))
                rows_of[place] = index_columns(index, len(table["index"])) | table

        command = segment_command(
            image.path,
            made.params,
            views.suggested(model.card, params.known_diameter),
            folder,
            selection=planes.selection,
            region=region,
            linking=None if views.three_views else linking,
            views=views,
            mask=None if mask is None else arguments.mask,
        )
        ordered = [records[place] for place in sorted(records)]
        recipe = recipe_of_planes(ordered, made, image.path, command, planes.selection)
        recipe = replace(recipe, fitted=sizing.fitted)
        stored = replace(labels.planes, corner=made.region.start)
        links = linked(stored, linking, views.three_views)
        if links is not None:
            stored, recipe = links.planes, replace(recipe, linking=links.record)
        if views.three_views:
            recipe = replace(recipe, views=views)
        target, beside, space = (
            Path(f"{start}{LABELS}"),
            [*_beside(arguments, asked), *several],
            space_of(planes),
        )
        # The recipe holds the hash of the labels.
        with new_labels(target, stored, space, tables, recipe.to_json(), beside) as new:
            if arguments.probability:
                write_image(new["_probability.tif"], foreground.planes, **space)
            if made.classes.several:
                write_image(new["_classes.tif"], classes.planes, **space)
            if arguments.mask is True:
                write_image(new["_mask.tif"], stored.mapped(lambda plane: plane > 0, bool), **space)
            if arguments.measurements:
                in_order = [rows_of[number] for number in sorted(rows_of)]
                if links is not None:
                    table = links.tables(image, planes.indices, in_order)
                    write_table(new[TABLES_OF_LINKS[linking.axis]], table)
                columns = {key: np.concatenate([table[key] for table in in_order]) for key in in_order[0]}
                write_table(new[CELLS], columns)
        if arguments.into_image:
            made_of = blocks_of_planes(stored, planes.indices, region, planes.selection, linking.axis)
            write_into_image(path, made_of, overwrite=arguments.overwrite)
    taken = planes.taken(params.channels, model.card.needed_inputs)
    cells = sum(record.cells for record in ordered)
    found = counted(cells, "cell") if cells else "no cells found"
    if links is not None and cells:
        found = f"{links.links.summary()}, {'in three views' if views.three_views else f'from {found}'}"
    if cells:
        found = f"{found}, {covered_in_words(watch.covered)}"
    print(f"{shown}: {found}{bracketed(taken, said)}")
    fit = overall(fits)
    return fit, watch.done(cells, fit, links.links if links else None, made)


def _check_region(region: Window | None, shape: tuple[int, int]) -> None:
    if region is not None and any(part.stop > size for part, size in zip(region, shape, strict=True)):
        raise UtileError(
            f"the region lies outside the image, which has {shape[0]} rows and {shape[1]} columns"
        )


def _bytes_to_write(planes: SelectedPlanes, arguments: argparse.Namespace) -> float:
    """Say how much room is needed at most, as far as one can know: deflated results, and their planes until then."""
    height, width = planes.plane(planes.indices[0]).shape
    pixels = len(planes) * (math.prod(arguments.region.shape) if arguments.region else height * width)
    each: float = 1 + 4 * bool(arguments.probability) + (arguments.mask is True) / 4
    until_all_are_done = 4 + 4 * bool(arguments.probability)
    return 1e5 + pixels * (each + until_all_are_done)


def _print_estimate(
    planes: SelectedPlanes, sizing: Sizing, views: VolumeParams, region: Window | None
) -> None:
    params, model, said, _ = sizing.params_for(planes, views)
    first = planes.plane(planes.indices[0])
    _check_region(region, first.shape)
    if views.three_views:
        _, first_volume = next(volumes_in(planes, params, views, model))
        cost, many = estimate_volume(first_volume, region), "three views, "
    else:
        cost = estimate(first, model, params, region)
        many = f"{len(planes)} planes of " if len(planes) > 1 else ""
    print(f"{planes.image.shown_name}: {many}{cost}{f'; {said}' if said else ''}")
