"""`utile segment` into OME-Zarr stores: block by block, resumed, on several machines."""

import argparse
import contextlib
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_utile.cli.batch import Batch
from napari_utile.cli.cell_size import Sizing
from napari_utile.cli.inputs import Input, images_among, inputs_of
from napari_utile.cli.linking import linkable
from napari_utile.cli.masks import read_mask, say_if_stretched
from napari_utile.cli.options import at_least_one, given
from napari_utile.cli.progress import with_bar
from napari_utile.engine.cells.classes import covered_in_words
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.unfinished import is_complete
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.jobs.cluster import cluster_jobs
from napari_utile.engine.models.catalogue import card_of, findable_model
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import describe, option_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.command import typed
from napari_utile.engine.provenance.settings import Settings
from napari_utile.engine.segment_params import MEASURED, SegmentParams
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.command import fill_command
from napari_utile.engine.store.cost import Where, cost_of
from napari_utile.engine.store.growing import seed_planes
from napari_utile.engine.store.into_image import blocks_of_store, check_image, write_into_image
from napari_utile.engine.store.layout import VERSIONS
from napari_utile.engine.store.make import Seeds, mask_digest, plan_store
from napari_utile.engine.store.plan import StorePlan, load_plan
from napari_utile.engine.store.rating import fit_of_store
from napari_utile.engine.store.remove import refuse_foreign
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.sources import planes_of, refuse_changed
from napari_utile.engine.words import bracketed, counted

ENDING = ".ome.zarr"
_WORDS = {each.name: each.bounds.words for each in describe(SegmentParams)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of stores."""
    group = parser.add_argument_group("Large images")
    group.add_argument(
        "--format",
        choices=("tiff", "ome-zarr"),
        help="what results are written as; ome-zarr is made block by block and can be resumed. A target that ends in "
        ".zarr means it as well",
    )
    group.add_argument(
        "--outputs",
        choices=("none", "float32", "uint16"),
        help="also keep all that the network computes; with uint16, cells are decoded from the rounded values",
    )
    group.add_argument(
        "--ome-zarr",
        choices=("0.5", "0.4"),
        help="the version of OME-Zarr that is written, 0.5 by default; 0.4 for programs that do not read shards",
    )
    group.add_argument("--resume", action="store_true", help="resume a store that was not finished")
    group.add_argument("--workers", type=at_least_one, metavar="N", help="compute in N processes (Dask)")
    group.add_argument("--scheduler", metavar="ADDRESS", help="compute on the Dask cluster at this address")


def are_wanted(arguments: argparse.Namespace) -> bool:
    """Say whether the results go into stores.

    Raises
    ------
    UtileError
        If options are given that only stores have.
    """
    wanted = bool(arguments.format == "ome-zarr") or arguments.output.suffix.lower() == ".zarr"
    if wanted and arguments.format == "tiff":
        raise UtileError(f"{arguments.output} is a store by its name: leave out --format tiff.")
    for option in ("resume", "workers", "scheduler", "outputs", "ome_zarr"):
        if getattr(arguments, option) and not wanted:
            raise UtileError(
                f"{option_of(option)} is for stores: give a target that ends in .zarr, or --format ome-zarr."
            )
    return wanted


def run(
    arguments: argparse.Namespace,
    asked: Settings,
    seeds: Mapping[Input, Path] | None = None,
    batch: Batch | None = None,
) -> int:
    """Segment each image into a store; return the exit status, see `Batch.status`.

    Parameters
    ----------
    arguments : Namespace
    asked : Settings
        See `asked_for`.
    seeds : mapping of Input to Path, optional
        The seeds of each image: cells grow from these.
    batch : Batch, optional
        What failed already.
    """
    if arguments.conditions is not None:
        raise UtileError("--conditions joins the tables of a batch into a folder, and stores have none.")
    if arguments.probability:
        raise UtileError("--probability is not for stores: they hold the probability.")
    if asked.volume_params.three_views:
        if not arguments.three_views:
            raise UtileError(
                f"{arguments.settings.name} sees stacks in three views, and a volume is held in memory, so it is not "
                "for stores: add --link z or --link none, or give a folder for TIFF."
            )
        raise UtileError(
            "--three-views holds a volume in memory, so it is not for stores: give a folder for TIFF, or link the "
            "planes of the store with --link z."
        )
    selection = Selection(**given(arguments, Selection))
    every = (
        [*seeds] if seeds is not None else inputs_of(images_among(arguments.images, selection)[0], selection)
    )
    to_one = arguments.output.suffix.lower() == ".zarr"
    if to_one and len(every) != 1:
        raise UtileError(
            f"{arguments.output} is one store and there are {len(every)} images: give a folder and --format ome-zarr."
        )
    ours = arguments.shard.part(every) if arguments.shard else every
    # Made once, as one size may be measured for all images; a store that is resumed needs none.
    sizing = functools.cache(lambda: Sizing(asked, every))
    batch = batch or Batch()
    count = len(ours) + batch.failed
    for each in ours:
        with batch.each(each.name):
            image = each.open()
            place = arguments.output if to_one else Path(f"{each.results(arguments.output, image)}{ENDING}")
            fit = _segment(
                each, image, place, arguments, asked, sizing, None if seeds is None else seeds[each]
            )
            if fit is not None:
                batch.judge(image.shown_name, fit, whole=arguments.region is None)
    return batch.status(count, arguments.strict)


def _segment(
    each: Input,
    image: ImageFile,
    place: Path,
    arguments: argparse.Namespace,
    asked: Settings,
    sizing: Callable[[], Sizing],
    seeds: Path | None,
) -> Fit | None:
    """Segment one image into a store; return how well the model fits it, None of an estimate and without a model."""
    place = place.resolve() if place.is_symlink() else place
    written = place.resolve()
    for read in (path.resolve() for path in (each.path, seeds) if path is not None):
        if written in (read, *read.parents) or read in written.parents:
            raise UtileError(
                f"Cannot write {place}: it is what is read here, and would be lost; choose another name."
            )
    if arguments.into_image:
        check_image(each.path, overwrite=arguments.overwrite)
    mask = read_mask(arguments.mask)
    say_if_stretched(mask, image)
    if arguments.estimate:
        plan, loaded, planes, *_ = _plan(each, image, arguments, asked, sizing, mask, seeds)
        where: Where = "cluster" if arguments.scheduler else "workers" if arguments.workers else "here"
        cost = cost_of(plan, planes, loaded, mask, where, arguments.workers or 1)
        print(f"{image.shown_name}: {cost}")
        return None
    if place.exists() and arguments.overwrite:
        refuse_foreign(place)
    elif place.exists() and not arguments.resume:
        raise UtileError(f"{place} exists: finish it with --resume, or replace it with --overwrite.")
    said, model = "", None
    if place.exists() and not arguments.overwrite:
        plan = load_plan(place)
        _refuse_other_options(plan, each, place, arguments, asked, mask, seeds)
        if is_complete(place):
            refuse_changed(plan, planes_of(plan), place.name)
            print(f"{place.name}: finished already")
            _into_image(each, place, arguments)
            return fit_of_store(place) if plan.fingerprint else None
    else:
        plan, model, _, said, size = _plan(each, image, arguments, asked, sizing, mask, seeds)
        place.parent.mkdir(parents=True, exist_ok=True)
        begin_store(place, plan, model, mask, size=size, replacing=place.exists())
    with _jobs(arguments) as jobs:
        mask_file = arguments.mask if isinstance(arguments.mask, str) else None
        steps = store_steps(place, jobs=jobs, model=model, command=fill_command(plan, place, mask_file))
        made = with_bar(steps, image.shown_name, arguments.quiet, unit="block")
    empty = f"{made.empty} of {made.blocks} blocks left out as empty" if made.empty else ""
    cells = sum(made.cells)
    found = counted(cells, "cell") if cells else "no cells found"
    found = f"{made.linked}, from {found}" if made.linked and cells else found
    reach = ""
    if plan.seeds is not None:
        found = f"{found} grown from seeds" if cells else "no seeds"
        if plan.seeds.distance is not None:
            reach = f"at most {plan.seeds.distance:g} px beyond their seeds"
    found = f"{found}, {covered_in_words(made.covered)}" if made.covered and cells else found
    print(f"{image.shown_name}: {found}{bracketed(said, reach, empty)}")
    _into_image(each, place, arguments)
    return fit_of_store(place) if plan.fingerprint else None


def _into_image(each: Input, place: Path, arguments: argparse.Namespace) -> None:
    if arguments.into_image:
        write_into_image(each.path, blocks_of_store(place), overwrite=arguments.overwrite)


def _plan(
    each: Input,
    image: ImageFile,
    arguments: argparse.Namespace,
    asked: Settings,
    sizing: Callable[[], Sizing],
    mask: Any,
    seeds: Path | None,
) -> tuple[StorePlan, Model | None, list[ImagePlane], str, CellSize | None]:
    selection = each.selection
    planes = SelectedPlanes(image, selection)
    linking = linkable(planes, asked, arguments).link_params
    model: Model | None = None
    said, fitted, size, limits = "", "", None, None
    grown = None if seeds is None else Seeds(seeds, seed_planes(seeds, planes), arguments.seed_distance)
    if grown is not None and "model" not in asked.segment:
        channels = SegmentParams(**asked.segment).channels
        params = SegmentParams(channels=channels, diameter=None, instances=InstanceParams())
        compute = choose_compute("cpu", "float32")
    else:
        params, model, said, size = sizing().params_for(planes)
        compute, fitted = sizing().compute, sizing().fitted
        limits = limits_of_stack(planes.measured_on(), params, model.card)
    every = [plane for _, plane in planes]
    plan = plan_store(
        every,
        model,
        params,
        compute,
        image.path,
        indices=planes.indices,
        stacked=planes.stacked,
        sizes=planes.sizes,
        steps=image.steps,
        selection=selection,
        region=arguments.region,
        mask=mask,
        limits=limits,
        measured=arguments.measurements,
        with_mask=arguments.mask is True,
        linking=linking,
        outputs="" if arguments.outputs in (None, "none") else arguments.outputs,
        ome_zarr=arguments.ome_zarr or VERSIONS[0],
        seeds=grown,
        fitted=fitted,
    )
    taken = planes.taken(params.channels, 1 if model is None else model.card.needed_inputs)
    return plan, model, every, "; ".join(filter(None, (taken, said))), size


def _refuse_other_options(
    plan: StorePlan,
    each: Input,
    place: Path,
    arguments: argparse.Namespace,
    asked: Settings,
    mask: Any,
    seeds: Path | None,
) -> None:
    """Refuse to resume a store with options that are not those of its plan; what is not given counts as there."""
    if str(each.path.resolve()) != plan.source:
        raise UtileError(f"{place.name} was started with another image, {plan.source}.")
    grown = plan.seeds.path if plan.seeds else "no seeds"
    if grown != (str(seeds.resolve()) if seeds else "no seeds"):
        raise UtileError(
            f"{place.name} was started with {grown}: resume with the same, or start again with --overwrite."
        )
    wanted = SegmentParams(**asked.segment)
    # A store without planes to link stays as it is where a file of settings links, see `linkable`.
    linkable_here = arguments.link or asked.link_params.axis in plan.space.axes
    linking = asked.linking if linkable_here else {}
    pairs = [
        *((key, getattr(wanted, key), getattr(plan.params, key)) for key in asked.segment),
        *((key, value, getattr(plan.instances, key)) for key, value in asked.instances.items()),
        *(
            (key, getattr(each.selection, key), getattr(plan.selection, key))
            for key in given(arguments, Selection)
        ),
        *((key, value, getattr(plan.linking, key)) for key, value in linking.items()),
    ]
    if arguments.outputs is not None:
        pairs.append(("outputs", arguments.outputs, plan.outputs or "none"))
    if arguments.seed_distance is not None and plan.seeds is not None:
        pairs.append(("seed-distance", arguments.seed_distance, plan.seeds.distance))
    if arguments.ome_zarr is not None:
        pairs.append(("ome-zarr", arguments.ome_zarr, plan.ome_zarr))
    for key, now, before in pairs:
        same = key == "model" and (
            findable_model(now) == findable_model(before) or _may_be_chosen(asked, before)
        )
        if now != before and now not in MEASURED and not same:
            raise UtileError(
                f"{place.name} was started {_in_options(key, now, before)}: leave the option out to resume, or start "
                "again with --overwrite."
            )
    region = arguments.region
    for option, differs in (
        ("--region", region is not None and region.bounds != plan.region),
        ("--mask", mask is not None and mask_digest(mask) != plan.mask),
        ("choice of --measurements", arguments.measurements and not plan.measured),
        ("choice of --mask", arguments.mask is True and not plan.with_mask),
    ):
        if differs:
            raise UtileError(
                f"{place.name} was started with another {option}: leave the option out to resume, or start again with "
                "--overwrite."
            )


def _in_options(key: str, now: Any, before: Any) -> str:
    """Say what a store was started with, and what is asked for now, as both are typed."""
    option, words = option_of(key), _WORDS.get(key, ())
    if before is False or typed(before, words) is None:
        return f"without {option}"
    if before is True:
        return f"with {option}, not without"
    return f"with {option} {typed(before, words)}, not {typed(now, words) or 'without'}"


def _may_be_chosen(asked: Settings, name: str) -> bool:
    """Say whether measuring with what is asked for may choose a model, see `with_choice`."""
    wanted = SegmentParams(**asked.segment)
    if wanted.diameter not in MEASURED or asked.fitted:
        return False
    with contextlib.suppress(UtileError):  # deleted since
        return name in card_of(wanted.model).specialists
    return False


def _jobs(arguments: argparse.Namespace) -> Any:
    """Return where blocks are computed, as a context."""
    if not arguments.workers and not arguments.scheduler:
        return contextlib.nullcontext(None)

    return cluster_jobs(arguments.scheduler, arguments.workers)
