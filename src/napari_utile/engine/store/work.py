"""What is done with one block of a store at one stage, in whichever process."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.decoder import Facts
from napari_utile.engine.cells.blocks.grid import Key
from napari_utile.engine.cells.classes import class_layer, class_sums, in_steps
from napari_utile.engine.cells.relief import unsmoothed_height
from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.label_planes import labels_in
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.decode import foreground_of, only_inside
from napari_utile.engine.inference.device import available_devices
from napari_utile.engine.jobs.here import Cancelled, is_stopped
from napari_utile.engine.late import torch
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.models.outputs import CENTRE_DISTANCE, EDGE_DISTANCE, by_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.mask import part_of_mask
from napari_utile.engine.planes.pixels import seen_of, sha256_of
from napari_utile.engine.planes.preprocessing import reach_of
from napari_utile.engine.steps import Run
from napari_utile.engine.store.durable import make_durable, reading
from napari_utile.engine.store.empty import is_empty
from napari_utile.engine.store.growing import (
    decoder_of,
    is_beyond_seeds,
    outputs_in_stain,
    part_tables,
)
from napari_utile.engine.store.held import Held
from napari_utile.engine.store.layout import as_uint16, from_uint16, label_images, output_images, write_levels
from napari_utile.engine.store.linked import count_block, folder_of_links, linked_block
from napari_utile.engine.store.plan import StorePlan, field_of, load_plan, margin_of
from napari_utile.engine.store.shelf import DiskShelf
from napari_utile.engine.store.sources import planes_of, seeds_of
from napari_utile.engine.store.table import block_table
from napari_utile.engine.windows import Window

Float32 = NDArray[np.float32]

MASK, MODEL = "mask.npy", "model"
"""Files in a store's folder of its own; the model's has the ending that it came with."""


class Job(NamedTuple):
    """A block to be done."""

    stage: str
    plane: int
    key: Key


@dataclass(frozen=True, eq=False)
class Work:
    """What a process needs to do jobs; it is sent to others.

    Attributes
    ----------
    place : str
        The store.
    digest : str
        Of its plan.
    planes : tuple of ImagePlane
        The image, where it is not a file.
    model : Model, optional
        The loaded model, where it is at hand.
    """

    place: str
    digest: str
    planes: tuple[ImagePlane, ...] = field(default=(), repr=False)
    model: Model | None = field(default=None, repr=False)

    def __call__(self, job: Job, stopped: Any = None) -> dict[str, Any]:
        """Do a job and return what the journal keeps of it; all is on the disk by then."""
        return _store_of(self).do(job, stopped)

    def check(self) -> str | None:
        """Say why this process cannot do the work; None where it can."""
        try:
            store = _store_of(self)
            device = store.plan.compute.device
            if device not in available_devices():
                return f"it has no {device} device."
            if store.plan.fingerprint:
                _ = store.model.card  # loads it
            if seen_of(list(store.planes)) != store.plan.seen:
                return f"it finds another image as {store.plan.source}."
            if store.plan.seeds is not None and seen_of(store.seeds) != store.plan.seeds.seen:
                return f"it finds other seeds as {store.plan.seeds.path}."
        except Exception as error:  # noqa: BLE001 - whatever it is, this process is not used
            return f"it cannot use the same paths ({sentence_of(error)})"
        return None


class OpenStore:
    """A store and its image, open in this process.

    Parameters
    ----------
    place : Path
    plan : StorePlan
    planes : sequence of ImagePlane
    model : Model, optional
        Loaded where it is needed by default.
    """

    def __init__(
        self,
        place: Path,
        plan: StorePlan,
        planes: tuple[ImagePlane, ...],
        model: Model | None = None,
    ) -> None:
        self.place, self.plan, self.planes = place, plan, planes
        self._model = model
        self._lock = threading.Lock()
        self._of_all: tuple[int, dict[str, tuple[int, Facts]]] = -1, {}
        mask = place / HOME / MASK
        self._mask = np.load(mask, mmap_mode="r", allow_pickle=False) if plan.mask else None
        self.seeds = seeds_of(plan)

    @property
    def model(self) -> Model:
        """The plan's model."""
        with self._lock:
            if self._model is None:
                with reading(f"The model of {self.place.name}"):
                    [path] = (self.place / HOME).glob(f"{MODEL}.*")
                self._model = load_model(path)
            if self._model.fingerprint != self.plan.fingerprint:
                raise UtileError(
                    f"The model {self.plan.model} is not the one that this store was started with."
                )
            return self._model

    def do(self, job: Job, stopped: Any = None) -> dict[str, Any]:
        """Do a job, see `Work`."""
        if is_stopped(stopped):
            raise Cancelled
        with self._lock:
            if self._of_all[0] != job.plane:
                self._of_all = job.plane, {}
            of_all = self._of_all[1]
        shelf = DiskShelf(scratch(self.place, job.plane), of_all)
        decoder = decoder_of(self.plan, shelf, partial(self.seeds_in, job.plane))
        written: list[Path] = []
        facts: dict[str, Any] = {}
        if job.stage == "outputs":
            facts, written = self._outputs(job, shelf, stopped)
            if self.plan.seeds is None:
                decoder.holes(job.key)
        elif job.stage == "sections":
            written = count_block(self.place, self.plan, job.plane, job.key, decoder.labels(job.key))
        elif job.stage == "labels":
            linked = bool(self.plan.linking.axis)
            labels = (
                linked_block(self.place, self.plan, job.plane, job.key) if linked else decoder.labels(job.key)
            )
            block = self.plan.grid.window(job.key)
            counted = self.counted(block)
            facts = {
                "labels": sha256_of(labels),
                "area": block.size if counted is None else int(counted.sum()),
            }
            tables, kinds = tables_of(self.place, self.plan, job.plane), (labels > 0).view(np.uint8)
            if self.plan.classes:
                kinds = kinds * np.broadcast_to(tables.plane("class", job.key), block.shape)
            written = self._write(job, label_images(self.plan, labels, kinds))
            inside, several = kinds if counted is None else kinds[counted], max(1, len(self.plan.classes))
            facts["covered"] = np.bincount(inside.ravel(), minlength=1 + several)[1:].tolist()
            if self.plan.measured:
                pixels = np.asarray(self.planes[job.plane].data[(slice(None), *self.in_image(block))])
                table = block_table(labels, pixels, block)
                if self.plan.classes:
                    steps = [
                        np.broadcast_to(tables.plane(f"steps{number}", job.key), block.shape)
                        for number in range(len(self.plan.classes))
                    ]
                    table["class"] = class_sums(np.stack(steps), labels)[1]
                tables.keep_facts("table", job.key, table)
                if self.plan.seeds is not None:
                    seeds = partial(self.seeds_in, job.plane)
                    parts = part_tables(labels, seeds, pixels, block, self.plan.grid.shape)
                    for name, part in parts.items():
                        tables.keep_facts(name, job.key, part)
                tables.sync()
        else:
            getattr(decoder, job.stage)(job.key)
        shelf.sync()
        make_durable(written)
        return facts

    def in_image(self, block: Window) -> Window:
        """Return where a block lies in the image."""
        return block.moved(self.plan.window.start)

    def seeds_in(self, number: int, window: Window) -> NDArray[np.integer[Any]]:
        """Read the seeds in a window of a plane of the store."""
        return labels_in(self.seeds[number], self.in_image(window))

    def counted(self, block: Window) -> NDArray[np.bool_] | None:
        """Return the pixels (y, x) of a block that the mask lets count; None where there is no mask."""
        if self._mask is None:
            return None
        return part_of_mask(self._mask, self.in_image(block), self.planes[0].shape)

    def outputs(self, number: int, block: Window, stopped: Any = None) -> "BlockOutputs":
        """Compute a block as its cells are decoded."""
        if self.plan.seeds is not None and self.plan.seeds.stains:
            return self._outputs_in_stain(number, block)
        plan, model = self.plan, self.model
        torch.set_num_threads(plan.threads)  # of this thread's arithmetic: more give other last digits
        window, card = self.in_image(block), model.card
        plane = card.shown(self.planes[number], plan.params.channels)
        around = window.grown(margin_of(plane, model, plan.params) + reach_of(plan.params.preprocess))
        held = replace(plane, data=Held(plane.data, around.clipped(plane.shape), plan.source))
        facts: dict[str, Any] = {"pixels": sha256_of(np.asarray(held.data[(slice(None), *window)]))}
        if plan.seeds is not None:
            facts["seeds"] = sha256_of(self.seeds_in(number, block))
        counted = self.counted(block)
        if (
            (counted is not None and not counted.any())
            or is_beyond_seeds(plan, partial(self.seeds_in, number), block)
            or (
                plan.skip_empty
                and not plan.params.preprocess
                and is_empty(
                    np.asarray(held.data[(slice(None), *around.clipped(plane.shape))]), plan.limits[number]
                )
            )
        ):
            nothing = np.zeros((1, 1), np.float32)
            values = np.array(card.on_background, np.float32)[:, None, None]
            return BlockOutputs(
                nothing, nothing if plan.by_height else None, {**facts, "empty": True}, values
            )
        params = replace(plan.params, channels=tuple(range(held.data.shape[0])))
        tiles = Run(field_of(replace(plan, params=params), number, held, model).tiles(window))
        for _ in tiles:
            if is_stopped(stopped):
                tiles.close()
                raise Cancelled
        values = tiles.result
        if plan.outputs == "uint16":
            values = from_uint16(as_uint16(values))
        foreground = np.ascontiguousarray(foreground_of(values, card))
        height = None
        if plan.by_height:
            named = by_name(card.outputs, values)
            height = unsmoothed_height(named[EDGE_DISTANCE], named[CENTRE_DISTANCE])
        if counted is not None:
            foreground = foreground * counted
            height = None if height is None else height * counted
            values = only_inside(values, counted, card)
        return BlockOutputs(foreground, height, facts, values)

    def _outputs_in_stain(self, number: int, block: Window) -> "BlockOutputs":
        """Compute how a block of a stain looks to the seeds that grow in it."""
        plan, seeds = self.plan, self.plan.seeds
        assert seeds is not None
        assert seeds.distance is not None
        plane = self.planes[number].for_network(1, plan.params.channels)
        around = block.grown(plan.seed_reach).clipped(plan.grid.shape)
        window, here = self.in_image(around), block.relative_to(around)
        grey = np.asarray(Held(plane.data, window, plan.source)[(0, *window)])
        near = self.seeds_in(number, around)
        inside, height = (
            np.ascontiguousarray(each[here])
            for each in outputs_in_stain(grey, near, seeds.stains[number], seeds.distance)
        )
        facts = {
            "pixels": sha256_of(np.ascontiguousarray(grey[here])),
            "seeds": sha256_of(np.ascontiguousarray(near[here])),
        }
        return BlockOutputs(inside, height, facts)

    def _outputs(self, job: Job, shelf: DiskShelf, stopped: Any) -> tuple[dict[str, Any], list[Path]]:
        block = self.plan.grid.window(job.key)
        made = self.outputs(job.plane, block, stopped)
        shelf.keep_plane("foreground", job.key, made.foreground)
        if made.height is not None:
            shelf.keep_plane("height", job.key, made.height)
        if self.plan.classes:
            assert made.values is not None
            self._keep_classes(job, made.values[list(self.model.card.foreground)])
        facts = {**made.facts, "outputs": made.digest}
        return facts, self._write(job, self.images_of(block, made))

    def images_of(self, block: Window, made: "BlockOutputs") -> dict[str, NDArray[Any]]:
        """Give all images that are kept of a block's outputs, see `output_images`."""
        outputs = () if made.values is None else self.model.card.outputs
        return output_images(self.plan, outputs, made.foreground, made.values, block.shape)

    def _write(self, job: Job, images: Mapping[str, NDArray[Any]]) -> list[Path]:
        """Write a block into images; return the files."""
        index, block = self.plan.index(job.plane), self.plan.grid.window(job.key)
        return [
            path
            for group, each in images.items()
            for path in write_levels(self.place, group, index, block, each)
        ]

    def _keep_classes(self, job: Job, probabilities: Float32) -> None:
        """Keep what the labels need of the classes (K, y, x): the most likely of each pixel, and how likely all are."""
        shelf = tables_of(self.place, self.plan, job.plane)
        shelf.keep_plane("class", job.key, class_layer(probabilities, np.ones(probabilities.shape[1:], bool)))
        for number, steps in enumerate(in_steps(probabilities)):
            shelf.keep_plane(f"steps{number}", job.key, steps)
        shelf.sync()


class BlockOutputs(NamedTuple):
    """What was computed of a block.

    Attributes
    ----------
    foreground : (y, x) float32 array
        The cell probability; one pixel where the block was left out.
    height : (y, x) float32 array or None
        See `unsmoothed_height`; None where the relief is made of the probability.
    facts : dict
        What the journal keeps.
    values : (C, y, x) float32 array or None
        All outputs, background where nothing counts; one pixel where the block was left out, None without a model.
    """

    foreground: Float32
    height: Float32 | None
    facts: dict[str, Any]
    values: Float32 | None = None

    @property
    def digest(self) -> str:
        """A hash of what cells are decoded from."""
        digest = hashlib.sha256(self.foreground.tobytes())
        if self.height is not None:
            digest.update(self.height.tobytes())
        return digest.hexdigest()


def scratch(place: Path, plane: int) -> Path:
    """Return where a plane's stages keep what they make."""
    return place / HOME / f"plane{plane}"


def tables_of(place: Path, plan: StorePlan, plane: int) -> DiskShelf:
    """Return the shelf with the tables of a plane's cells, block by block, until they are joined."""
    linked = bool(plan.linking.axis)
    return DiskShelf(folder_of_links(place) / f"cells{plane}" if linked else scratch(place, plane))


_open: "OrderedDict[tuple[Any, ...], OpenStore]" = OrderedDict()
_lock = threading.Lock()


def _store_of(work: Work) -> OpenStore:
    """Return the store of some work, opened once in a process; the last two are kept."""
    key = (work.place, work.digest, *map(id, work.planes))
    with _lock:
        if key not in _open:
            place = Path(work.place)
            plan = load_plan(place)
            if plan.digest != work.digest:
                raise UtileError(f"{place.name} was started again, with a different plan.")
            _open[key] = OpenStore(place, plan, work.planes or planes_of(plan), work.model)
        _open.move_to_end(key)
        while len(_open) > 2:
            _open.popitem(last=False)
        return _open[key]


def forget(place: Path) -> None:
    """Close a store in this process."""
    with _lock:
        for key in [key for key in _open if key[0] == str(place)]:
            del _open[key]
