"""`utile segment --seeds`: each seed, such as a nucleus, grows to one whole cell."""

import argparse
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_utile.cli import stores
from napari_utile.cli.asked import asked_for, say_what_is_left_out
from napari_utile.cli.batch import Batch, refuse_same_names, say_left_out
from napari_utile.cli.cell_size import Sizing
from napari_utile.cli.inputs import Input
from napari_utile.cli.options import given
from napari_utile.cli.progress import with_bar
from napari_utile.cli.results import check_labels, new_labels, space_of
from napari_utile.engine.cells.compartments import compartments
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.measure import index_columns, measure
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.label_files import pair_files
from napari_utile.engine.files.label_planes import (
    labels_of,
    pairing_in_words,
    planes_with_labels,
    refuse_other_shape,
)
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.files.names import CELLS
from napari_utile.engine.files.plane_file import PlaneFile
from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.files.targets import check_folder, check_space, identities
from napari_utile.engine.files.tiff import LARGEST_ID
from napari_utile.engine.grow import CUTS, grow_steps, grown_in, refuse_lost_stain, usual_distance
from napari_utile.engine.inference.confidence import Fit, fit_of, overall
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.parameters import option_of
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.grown import GrownPlane, GrownRecipe, grown_plane
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.words import bracketed, counted

if TYPE_CHECKING:
    from napari_utile.cli.fields import FieldTables

NOT_WITH_SEEDS = (
    "probability",
    "mask",
    "region",
    "link",
    "three_views",
    "conditions",
    "into_image",
    "outputs",
)
ONLY_WITH_STORES = ("estimate", "shard")
WITHOUT_MODEL = ("channels", "device")
"""Options of a segmentation that there are where cells grow in the intensities."""


def run(arguments: argparse.Namespace) -> int:
    """Grow the seeds of each image; return 0, 1 where some failed, 2 for options that say nothing about seeds."""
    selection = Selection(**given(arguments, Selection))
    into_stores = stores.are_wanted(arguments)
    names = NOT_WITH_SEEDS if into_stores else (*NOT_WITH_SEEDS, *ONLY_WITH_STORES)
    refused = [option_of(name) for name in names if getattr(arguments, name)]
    if selection.series == "all":
        refused.append("--series all")
    options = {**given(arguments, SegmentParams), **given(arguments, InstanceParams)}
    refused += [option_of(name) for name in options if name in CUTS]
    if arguments.model is None and arguments.settings is None:
        alone = [
            *(["strict"] if arguments.strict else []),
            *(name for name in options if name not in WITHOUT_MODEL),
        ]
        refused += [f"{option_of(name)} without --model" for name in alone]
    if refused or (arguments.seed_distance or 0) < 0:
        what = f"--seeds does not take {refused[0]}" if refused else "--seed-distance must be at least 0"
        print(f"utile segment: {what} (utile segment --help)", file=sys.stderr)
        return 2
    batch = Batch()
    pairs = _pairs(arguments, selection, batch)
    # A file of several images is there once for each of them.
    refuse_same_names([*dict.fromkeys(each.path for each in pairs)])
    asked = asked_for(arguments)
    say_what_is_left_out(arguments, asked)
    asked = replace(asked, linking={}, views={})  # cells keep the ids of their seeds
    if into_stores:
        return stores.run(arguments, asked, pairs, batch)
    params = SegmentParams(**asked.segment)
    count = len(pairs) + batch.failed
    sizing = Sizing(asked, [*pairs]) if "model" in asked.segment else None
    inputs = identities([path for each, seeds in pairs.items() for path in (each.path, seeds)])
    check_folder(arguments.output, inputs)
    from napari_utile.cli.fields import tables_of_one

    tables = tables_of_one(arguments.output, None, inputs)
    with tables or nullcontext():
        for each, seeds in pairs.items():
            with batch.each(each.name):
                image = each.open()
                shown = each.name if each.place else image.shown_name
                (arguments.output / each.folder).mkdir(parents=True, exist_ok=True)
                start = each.results(arguments.output, image)
                fit = _grow_file(seeds, each, image, shown, start, params, sizing, arguments, inputs, tables)
                if fit is not None:
                    batch.judge(shown, fit)
    return batch.status(count, arguments.strict)


def _pairs(arguments: argparse.Namespace, selection: Selection, batch: Batch) -> dict[Input, Path]:
    """Give the seeds of each image."""
    if len(arguments.images) > 1 and Path(arguments.seeds).is_file():
        raise UtileError(f"{arguments.seeds} holds the seeds of one image: give the folder of all seeds.")
    pairs: dict[Input, Path] = {}
    for images in arguments.images:
        pairing = pair_files(arguments.seeds, images, second_is="image")
        say_left_out("ignored", pairing.ignored)
        for pair in pairing.pairs:
            one, several = selection, pair.series is not None
            if several and selection.series is not None:
                raise UtileError(
                    f"There are seeds of several images of {pair.second.name}: leave out --series."
                )
            if several:
                one = replace(selection, series=pair.series)
            pairs[Input(pair.second, one, pair.field, many=several)] = pair.first
        for path in pairing.second_alone:
            batch.fail(path, "there are no seeds with this name")
    if not pairs:
        raise UtileError("No image has seeds with its name.")
    return pairs


def _grow_file(
    seeds_path: Path,
    each: Input,
    image: ImageFile,
    shown: str,
    start: str,
    params: SegmentParams,
    sizing: Sizing | None,
    arguments: argparse.Namespace,
    inputs: frozenset[tuple[int, int]],
    tables: "FieldTables | None",
) -> Fit | None:
    """Grow the seeds of one image; return how well the model fits it, None without a model."""
    beside = [CELLS] if arguments.measurements else []
    target = Path(f"{start}{LABELS}")
    check_labels(target, each.path, inputs, beside, overwrite=arguments.overwrite)
    planes, folder = SelectedPlanes(image, each.selection), Path(start).parent
    seeds_file = read_labels(seeds_path, planes=planes)
    if paired := pairing_in_words(seeds_file, planes):
        print(paired, file=sys.stderr)
    largest = max((int(each.max(initial=0)) for _, each in labels_of(seeds_file)), default=0)
    if largest > LARGEST_ID:
        raise UtileError(
            f"{seeds_path.name} holds the id {largest}; results hold ids up to {LARGEST_ID}: renumber them."
        )
    height, width = planes.plane(planes.indices[0]).shape
    check_space(folder, 1e5 + 9 * len(planes) * height * width)
    model, limits, said, size, compute = None, None, "", None, None
    if sizing is not None:
        compute = sizing.compute
        params, model, said, size = sizing.params_for(planes)
        limits = limits_of_stack(planes.measured_on(), params, model.card)
    else:
        refuse_lost_stain(planes.measured_on(), params)
    distance = arguments.seed_distance
    if distance is None and model is None:
        distance = usual_distance(seeds for _, seeds in labels_of(seeds_file))
    records: list[GrownPlane] = []
    rows_of, fits = {}, []
    with PlaneFile(folder, planes.stacked, planes.sizes) as labels:
        for position, index, plane, seeds in planes_with_labels(planes, seeds_file):
            where = " ".join([shown, *(f"{axis}{number}" for axis, number in index.items())])
            if model is None:
                steps = grow_steps(plane, seeds, params, distance=distance)
                cells = with_bar(steps, where, arguments.quiet)
            else:
                refuse_other_shape(seeds.shape, plane)
                seen = segment_steps(plane, params, model=model, limits=limits, compute=compute)
                made = with_bar(seen, where, arguments.quiet)
                cells = grown_in(made, seeds, distance)
                fits.append(fit_of(made, size))
            records.append(grown_plane(index, plane, seeds, cells))
            labels.put(position, cells)
            if arguments.measurements:
                space, pixels = (plane.pixel_size, plane.unit), np.asarray(plane.data[:])
                table = measure(cells, pixels, *space)
                table |= compartments(cells, seeds, pixels, pixel_size=space[0], unit=space[1])
                rows_of[position] = index_columns(index, len(table["index"])) | table
        recipe = GrownRecipe.of(
            each.path,
            seeds_path,
            folder,
            each.selection,
            params,
            model,
            compute,
            distance,
            records,
            "" if sizing is None else sizing.fitted,
        )
        with new_labels(target, labels.planes, space_of(planes), tables, recipe.to_json(), beside) as new:
            if rows_of:
                every = [rows_of[position] for position in sorted(rows_of)]
                columns = {key: np.concatenate([table[key] for table in every]) for key in every[0]}
                write_table(new[CELLS], columns)
    count = sum(record.cells for record in records)
    reach = "" if distance is None else f"at most {distance:g} px beyond their seeds"
    needed = 1 if model is None else model.card.needed_inputs
    taken = bracketed(planes.taken(params.channels, needed), said, reach)
    print(f"{shown}: {counted(count, 'cell')} grown from seeds{taken}")
    return overall(fits) if fits else None
