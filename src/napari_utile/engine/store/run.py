"""Fill a store: begin it, carry out its plan stage by stage, resume where an earlier run ended, complete it."""

import errno
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.cells.blocks.grid import Grid, Key
from napari_utile.engine.errors import UtileError, is_out_of_memory, sentence_of
from napari_utile.engine.files.names import STORE_RECIPE
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.jobs.here import Here, Jobs
from napari_utile.engine.late import torch
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.provenance.recipe import versions
from napari_utile.engine.provenance.recorded_params import STORE_FORMAT
from napari_utile.engine.store.durable import make_durable, reading
from napari_utile.engine.store.growing import PARTS, decoder_of, part_columns
from napari_utile.engine.store.journal import Journal, only_run
from napari_utile.engine.store.layout import UNLINKED, mark_complete
from napari_utile.engine.store.linked import folder_of_links, link_store, write_link_tables
from napari_utile.engine.store.memory import threads_for
from napari_utile.engine.store.plan import StorePlan, load_plan
from napari_utile.engine.store.shelf import DiskShelf
from napari_utile.engine.store.sources import planes_of, refuse_changed
from napari_utile.engine.store.table import joined_table, path_of_table
from napari_utile.engine.store.work import Job, Work, forget, scratch, tables_of
from napari_utile.engine.windows import Window


@dataclass(frozen=True)
class StoreResult:
    """A finished store.

    Attributes
    ----------
    place : Path
    cells : tuple of int
        How many, in each plane.
    empty, blocks : int
        How many blocks were left out as empty, of how many.
    linked : str
        What the cells were linked to, in a phrase; "" where they are not linked.
    covered : dict of str to float
        Which share of the area each class covers; empty of stores that were started before this was counted.
    """

    place: Path
    cells: tuple[int, ...]
    empty: int
    blocks: int
    linked: str = ""
    covered: dict[str, float] = field(default_factory=dict)


def store_steps(
    place: Path,
    *,
    jobs: Jobs | None = None,
    planes: Sequence[ImagePlane] = (),
    model: Model | None = None,
    command: str = "",
    first: Callable[[], tuple[float, float]] | None = None,
) -> Generator[Progress, None, StoreResult]:
    """Do what is left of a store; every yield is a point to cancel at, and what is done stays done.

    Parameters
    ----------
    place : Path
        A store that was started.
    jobs : Jobs, optional
        Where blocks are computed; threads of this process by default.
    planes : sequence of ImagePlane
        The image; opened from its file by default.
    model : Model, optional
    command : str
        The command line that makes the same labels, for the recipe.
    first : callable, optional
        Gives a pixel of the store near which blocks are computed first; asked again and again.

    Yields
    ------
    Progress
        Its window is that of the newest block, its foreground None: the store has it.

    Returns
    -------
    StoreResult

    Raises
    ------
    UtileError
        If another run writes the store, or the image is not the one that it was started with.
    """
    plan = load_plan(place)
    opened = tuple(planes) or planes_of(plan)
    refuse_changed(plan, opened, place.name)
    before = torch.get_num_threads()
    with only_run(place / HOME, place.name):
        run = _StoreRun(place, plan, jobs or Here(threads_for(plan)), opened, model, first)
        try:
            yield from run.blocks()
        except (OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, OSError) and not is_out_of_memory(error):
                raise
            raise UtileError(_what_is_left(place, error)) from error
        except IndexError as error:
            if not run.resumed:
                raise
            raise UtileError(
                f"What an earlier run left in {place.name} is damaged: start again with --overwrite."
            ) from error
        else:
            with reading(f"The journal of {place.name}"):
                if not is_complete(place):
                    run.complete(command)
                return run.result()
        finally:
            torch.set_num_threads(before)
            forget(place)


def _what_is_left(place: Path, error: Exception) -> str:
    """Say what the operating system refused, and what of a store is kept."""
    if not (place / HOME).is_dir():
        return f"{place.name} was deleted or moved while it was written: segment again."
    if not isinstance(error, OSError):
        why = "There is not enough memory, close other programs"
    else:
        why = "The disk is full" if error.errno == errno.ENOSPC else sentence_of(error).rstrip(".")
    return f"{why}; what is done of {place.name} stays done: finish it with --resume."


class _StoreRun:
    """One run into a store."""

    def __init__(
        self,
        place: Path,
        plan: StorePlan,
        jobs: Jobs,
        planes: tuple[ImagePlane, ...],
        model: Model | None,
        first: Callable[[], tuple[float, float]] | None,
    ) -> None:
        self._place, self._plan, self._jobs, self._first = place, plan, jobs, first
        self._planes = planes
        sent = () if Path(plan.source).exists() else planes
        here = isinstance(jobs, Here)
        self._work = Work(str(place), plan.digest, planes if here else sent, model if here else None)
        self._journal = Journal(place / HOME)
        self.resumed = bool(self._journal.facts)
        self._grid: Grid = plan.grid
        self._total = len(plan.planes) * len(self._grid) * len(plan.stages)
        self._done, self._began = 0, time.perf_counter()
        self._computed = self._computed_before = sum(
            stage == "outputs" for _, stage, _ in self._journal.facts
        )

    def blocks(self) -> Generator[Progress, None, None]:
        """Do all stages of all planes that are not done."""
        for number in range(len(self._plan.planes)):
            if (number, "plane", None) not in self._journal:
                yield from self._plane(number)
            else:
                self._done += len(self._grid) * len(self._of_a_plane)
            shutil.rmtree(scratch(self._place, number), ignore_errors=True)
        if self._plan.linking.axis:
            if (0, "links", None) not in self._journal:
                yield from self._link()
            for folder in (self._place / UNLINKED, folder_of_links(self._place)):
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _of_a_plane(self) -> tuple[str, ...]:
        """The stages that are done plane by plane: all, but for labels that are linked first."""
        return self._plan.stages[:-1] if self._plan.linking.axis else self._plan.stages

    def _link(self) -> Generator[Progress, None, None]:
        """Link the cells of all planes, and write their labels."""
        links = link_store(self._place, self._plan)
        for number in range(len(self._plan.planes)):
            if (number, "linked", None) in self._journal:
                self._done += len(self._grid)
                continue
            yield from self._stage("labels", number)
            self._write_table(number)
            self._journal.add((number, "linked", None), {})
        if self._plan.measured:
            write_link_tables(self._place, self._plan, links.parents, self._planes[0])
        parents = {str(track): mother for track, mother in links.parents.items()}
        said = {"total": links.total, "said": links.summary(), "parents": parents}
        self._journal.add((0, "links", None), said)

    def _stage(self, stage: str, number: int) -> Generator[Progress, None, None]:
        """Do a stage of a plane in the blocks where it is not done."""
        todo = [key for key in self._grid if (number, stage, key) not in self._journal]
        self._done += len(self._grid) - len(todo)
        order = (Job(stage, number, key) for key in self._order(stage, todo))
        for job, facts in self._jobs.run(self._work, order):
            self._journal.add((number, stage, job.key), facts)
            self._done += 1
            yield self._progress(job)

    def _plane(self, number: int) -> Generator[Progress, None, None]:
        shelf = DiskShelf(scratch(self._place, number))
        decoder = decoder_of(self._plan, shelf)
        merges = {"basins": decoder.merge_basins}
        if self._plan.seeds is None:
            merges |= {"outputs": decoder.merge_holes, "growth": decoder.merge_growth}
        for stage in self._of_a_plane:
            yield from self._stage(stage, number)
            if stage in merges:
                merges[stage]()
                shelf.sync()
        if self._plan.seeds is None:
            cells = int(shelf.facts("growth", None)["number"].max(initial=0))
        else:
            cells = self._plan.seeds.cells[number]
        if not self._plan.linking.axis:
            self._write_table(number)
        self._journal.add((number, "plane", None), {"cells": cells})

    def _order(self, stage: str, todo: list[Key]) -> Iterator[Key]:
        """Give the blocks one after the other, always the one nearest to the point of view as it is then."""
        if self._first is None or stage != "outputs":
            yield from todo
            return
        middles = np.array([_middle(self._grid.window(key)) for key in todo]).reshape(-1, 2)
        left = np.ones(len(todo), bool)
        for _ in todo:
            away = np.abs(middles - self._first()).max(axis=1)
            nearest = int(np.where(left, away, np.inf).argmin())
            left[nearest] = False
            yield todo[nearest]

    def _progress(self, job: Job) -> Progress:
        outputs, left = job.stage == "outputs", None
        if outputs:
            self._computed += 1
            done = self._computed - self._computed_before
            seconds = time.perf_counter() - self._began
            if done > 1:
                left = seconds / done * (len(self._plan.planes) * len(self._grid) - self._computed)
        window = self._grid.window(job.key)
        return Progress(self._done, self._total, window, None, left, "tiles" if outputs else "cells")

    def _write_table(self, number: int) -> None:
        if not self._plan.measured:
            return
        shelf = tables_of(self._place, self._plan, number)
        plane, path = self._planes[number], path_of_table(self._place, self._plan.planes[number])
        tables = (shelf.facts("table", key) for key in self._grid)
        columns = joined_table(
            tables, self._plan.window.start, plane.pixel_size, plane.unit, self._plan.classes
        )
        if self._plan.seeds is not None:
            parts = {name: [shelf.facts(name, key) for key in self._grid] for name in PARTS}
            channels = int(plane.data.shape[0])
            columns |= part_columns(columns["index"], parts, channels, plane.pixel_size, plane.unit)
        path.parent.mkdir(exist_ok=True)
        write_table(path, columns)

    def complete(self, command: str) -> None:
        """Write the recipe, then the mark that all is there."""
        facts, plan = self._journal.facts, self._plan
        planes = [
            {
                "index": index,
                "cells": facts[number, "plane", None]["cells"],
                "blocks": [
                    {
                        "block": key,
                        "bounds": self._grid.window(key).bounds,
                        **facts[number, "outputs", key],
                        **facts[number, "labels", key],
                    }
                    for key in self._grid
                ],
            }
            for number, index in enumerate(plan.planes)
        ]
        recipe: dict[str, Any] = {
            "format": STORE_FORMAT,
            "source": plan.source,
            "command": command,
            "model": {"name": plan.model, "sha256": plan.fingerprint} if plan.fingerprint else None,
            "plan": plan.to_json(),
            "planes": planes,
            "versions": {**versions(), "threads": str(plan.threads)},
        }
        if plan.fitted:
            recipe["fitted"] = plan.fitted
        if plan.linking.axis:
            recipe["linking"] = {"parameters": to_json(plan.linking), **facts[0, "links", None]}
        path = self._place / STORE_RECIPE
        path.write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
        make_durable([path])
        mark_complete(self._place, plan)

    def result(self) -> StoreResult:
        """Say what the store holds."""
        facts = self._journal.facts
        cells = tuple(facts[number, "plane", None]["cells"] for number in range(len(self._plan.planes)))
        empty = sum(bool(each.get("empty")) for (_, stage, _), each in facts.items() if stage == "outputs")
        linked = str(facts[0, "links", None]["said"]) if self._plan.linking.axis else ""
        blocks = len(self._plan.planes) * len(self._grid)
        return StoreResult(self._place, cells, empty, blocks, linked, self._covered())

    def _covered(self) -> dict[str, float]:
        """Return which share of the area that counts each class covers."""
        facts = [each for (_, stage, _), each in self._journal.facts.items() if stage == "labels"]
        if any("covered" not in each for each in facts):
            return {}
        area = max(sum(int(each["area"]) for each in facts), 1)
        pixels = np.sum([each["covered"] for each in facts], axis=0).tolist()
        return {name: size / area for name, size in zip(self._plan.classes or ("cell",), pixels, strict=True)}


def _middle(window: Window) -> list[float]:
    return [(part.start + part.stop) / 2 for part in window]
