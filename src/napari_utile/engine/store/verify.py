"""Proofs: that tiles and blocks leave no seams in an image's result, and that a store holds what its plan gives."""

import itertools
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.decoder import label_blocks
from napari_utile.engine.cells.classes import class_layer
from napari_utile.engine.cells.instances import cell_landscape, label_cells
from napari_utile.engine.cells.relief import smoothed, unsmoothed_height
from napari_utile.engine.files.unfinished import HOME, refuse_unfinished
from napari_utile.engine.inference.decode import foreground_of
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.library import Model
from napari_utile.engine.models.outputs import CENTRE_DISTANCE, EDGE_DISTANCE, by_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.compare import TOLERANCE, Comparison, StoreProof
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.journal import Journal
from napari_utile.engine.store.layout import CELLS, CLASSES, kept_images, label_images
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.sources import planes_of
from napari_utile.engine.store.work import MASK, OpenStore
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class SeamProof:
    """What shifted tiles and blocks change.

    Attributes
    ----------
    window : Window
        The part of the image that was computed twice.
    difference : (y, x) float32 array
        The largest of all outputs.
    changed_by_blocks : int
        Pixels whose label is another where the same outputs are decoded in blocks: 0.
    changed_by_tiles : int
        Pixels that are cell by one run and background by the other: each lies at the threshold.
    cells : int
    """

    window: Window
    difference: NDArray[np.float32] = field(repr=False)
    changed_by_blocks: int
    changed_by_tiles: int
    cells: int

    @property
    def largest(self) -> float:
        """The largest difference of an output."""
        return float(self.difference.max(initial=0))

    @property
    def holds(self) -> bool:
        """Whether there are no seams."""
        return self.largest <= TOLERANCE and self.changed_by_blocks == 0

    def __str__(self) -> str:
        """Say it in one line."""
        (top, bottom), (left, right) = self.window.bounds
        verdict = "no seams" if self.holds else "SEAMS"
        return (
            f"{verdict}: rows {top} to {bottom}, columns {left} to {right} on shifted tiles differ by at most "
            f"{self.largest:.1g}, {self.changed_by_tiles} pixels at the threshold; {self.cells} cells decoded in "
            f"blocks, {self.changed_by_blocks} pixels changed"
        )


def verify_seams(
    plane: ImagePlane,
    model: Model,
    params: SegmentParams,
    compute: Compute,
    size: int = 512,
    limits: IntensityLimits | None = None,
    middle: tuple[float, float] | None = None,
) -> Generator[Progress, None, SeamProof]:
    """Compute a crop of a plane twice, in one piece and on shifted tiles and blocks.

    Parameters
    ----------
    plane : ImagePlane
    model : Model
    params : SegmentParams
        With a diameter in pixels, or none.
    compute : Compute
    size : int
        Rows and columns of the crop (pixels).
    limits : IntensityLimits, optional
        Measured on the plane by default.
    middle : (float, float), optional
        The pixel (y, x) around which the crop lies; the middle of the plane by default.
    """
    one = Field(plane, model, params, compute=compute, limits=limits)
    window = Window.whole(plane.shape).central(size, middle)
    pieces = _pieces(window)
    total = len(pieces) + 1
    whole = Run(one.tiles(window)).result
    yield Progress(1, total)
    again = np.empty_like(whole)
    for number, piece in enumerate(pieces):
        again[:, *piece.relative_to(window)] = Run(one.tiles(piece)).result
        yield Progress(number + 2, total)
    card = model.card
    instances = params.instances or suggested_instances(card, params.known_diameter)
    likely, height = foreground_of(whole, card), None
    if card.relief == "distances":
        named = by_name(card.outputs, whole)
        height = unsmoothed_height(named[EDGE_DISTANCE], named[CENTRE_DISTANCE])
    labels = label_cells(
        cell_landscape(likely, instances, None if height is None else smoothed(height)), instances
    )
    in_blocks = label_blocks(likely, instances, (max(1, size // 5), max(1, size // 3 + 1)), height)
    there = foreground_of(again, card) > instances.threshold
    return SeamProof(
        window,
        np.abs(whole - again).max(axis=0),
        int((labels != in_blocks).sum()),
        int(((likely > instances.threshold) != there).sum()),
        int(labels.max(initial=0)),
    )


def _pieces(window: Window) -> list[Window]:
    """Cut a window into pieces whose borders lie on no grid."""
    cuts = []
    for part in window:
        length = part.stop - part.start
        inner = {part.start + round(length * share) for share in (0.31, 0.66)}
        ends = sorted({part.start, part.stop, *inner})
        cuts.append(list(itertools.pairwise(ends)))
    return [Window(slice(*rows), slice(*columns)) for rows in cuts[0] for columns in cuts[1]]


def verify_store(
    place: Path,
    count: int = 4,
    *,
    planes: Sequence[ImagePlane] = (),
    model: Model | None = None,
    seed: int | None = None,
) -> Generator[Progress, None, StoreProof]:
    """Compute random blocks of a finished store again, and compare all that it keeps of them.

    Parameters
    ----------
    place : Path
    count : int
        How many blocks.
    planes, model
        Opened by the plan by default.
    seed : int, optional
        Of the choice of blocks.

    Raises
    ------
    UtileError
        If it is not finished, its image is gone, or it cannot be read.
    """
    refuse_unfinished(place)
    plan = load_plan(place)
    store = OpenStore(place, plan, tuple(planes) or planes_of(plan), model)
    facts = Journal(place / HOME).facts
    every = [(number, key) for number in range(len(plan.planes)) for key in plan.grid]
    chosen = np.random.default_rng(seed).choice(len(every), min(count, len(every)), replace=False)
    compared = Comparison(place)
    for done, each in enumerate(np.sort(chosen).tolist()):
        number, key = every[each]
        index, block = plan.index(number), plan.grid.window(key)
        made = store.outputs(number, block)
        before = facts[number, "outputs", key]
        labels = _stored(place, CELLS, index, block)
        kinds = None
        if plan.classes:
            assert made.values is not None
            likely = np.broadcast_to(made.values, (len(made.values), *block.shape))
            kinds = _classes(
                likely[list(store.model.card.foreground)], labels, _stored(place, CLASSES, index, block)
            )
        # Labels follow from all blocks of a plane, so that of one of them only their hash can be compared.
        known = sha256_of(labels) == facts[number, "labels", key]["labels"]
        compared.add(
            index,
            block,
            store.images_of(block, made) | label_images(plan, labels, kinds),
            same_outputs=made.digest == before["outputs"],
            same_image=all(
                made.facts[name] == before.get(name, made.facts[name])
                for name in ("pixels", "seeds")
                if name in made.facts
            ),
            changed=() if known else (CELLS,),
        )
        yield Progress(done + 1, chosen.size)
    return compared.proof


def _stored(place: Path, group: str, index: Sequence[int], block: Window) -> NDArray[Any]:
    """Read a block of an image of a store."""
    with reading(str(place / group)):
        return np.asarray(zarr.open_array(place / group / "0", mode="r")[(*index, ..., *block)])


def _classes(
    probabilities: NDArray[np.float32], labels: NDArray[Any], stored: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Give pixels of cells their most likely class: of several that are as likely, the one that is stored."""
    mask = labels > 0
    there = np.clip(stored, 1, len(probabilities))
    likely = np.take_along_axis(probabilities, there[None].astype(np.intp) - 1, axis=0)[0]
    as_likely = (stored == there) & (likely >= probabilities.max(axis=0) - 2 * TOLERANCE)
    return np.where(mask & as_likely, stored, class_layer(probabilities, mask))


def replay_store(place: Path) -> Generator[Progress, None, StoreProof]:
    """Carry out the plan of a finished store once more, beside it, and compare all that it keeps of all blocks.

    Parameters
    ----------
    place : Path

    Raises
    ------
    UtileError
        If it is not finished, its image is gone or another one now, it cannot be read, or the disk does not hold it a
        second time.
    """
    refuse_unfinished(place)
    plan = load_plan(place)
    store = OpenStore(place, plan, planes_of(plan))
    with tempfile.TemporaryDirectory(prefix=".replay-", dir=place.parent) as folder:
        again = Path(folder) / place.name
        mask = place / HOME / MASK
        inside = np.load(mask, allow_pickle=False) if plan.mask else None
        model = store.model if plan.fingerprint else None
        begin_store(again, plan, model, inside)
        yield from store_steps(again, planes=store.planes, model=model)
        then, now = (Journal(each / HOME).facts for each in (place, again))
        groups = kept_images(plan, () if model is None else model.card.outputs)
        compared = Comparison(place)
        for number, key in itertools.product(range(len(plan.planes)), plan.grid):
            index, block = plan.index(number), plan.grid.window(key)
            outputs, labels = (
                then[number, stage, key][stage] == now[number, stage, key][stage]
                for stage in ("outputs", "labels")
            )
            images = {group: _stored(again, group, index, block) for group in groups}
            changed = () if labels else (CELLS,)
            compared.add(index, block, images, same_outputs=outputs, changed=changed)
    return compared.proof
