"""The plan of a store: all that its bits depend on, fixed before anything runs, and what it costs."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.cells.blocks.grid import Grid
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, PLAN
from napari_utile.engine.inference.device import CPU_FETCH_GFLOP_PER_MB, Compute
from napari_utile.engine.inference.field import Field, scale_factors
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.layout import VERSIONS, Space
from napari_utile.engine.store.seed_plan import SeedPlan
from napari_utile.engine.windows import Window

FORMAT = "napari-utile store 1"
_DIGEST = "sha256"
SIDE = 1024
"""Rows and columns of a block, by default."""
TILE_BYTES = 160 << 20
"""What the features of one tile may take; the same on every machine, so that tiles are."""
_SECTION, _OVERLAP = 410, 85
"""Bytes of memory for a section while planes are linked, and for what it shares with another plane: measured."""
_UNLINKED = 0.7
"""Bytes a pixel of deflated labels that wait to be linked, and of the tables by which they are."""


@dataclass(frozen=True)
class StorePlan:
    """What a store is made of and how.

    Attributes
    ----------
    source : str
        The image's file; a layer's name where there is none.
    selection : Selection
        Which pixels of it.
    planes : tuple of dict
        Where each plane lies in the image, such as ``{"Z": 3}``.
    limits : tuple of IntensityLimits
        Of each plane: the grey values that become 0 and 1.
    seen : str
        SHA-256 of some windows of the image, by which a changed one is noticed.
    model, fingerprint : str
    params : SegmentParams
        Complete.
    compute : Compute
        Device, precision and what a tile may cost: the tiles of a block follow from it.
    region : ((int, int), (int, int))
        Rows and columns of the image that the store covers.
    space : Space
    side : int
        Rows and columns of a block.
    threads : int
        Of one block's arithmetic.
    mask : str or None
        SHA-256 of the mask that says which pixels count.
    skip_empty : bool
        Whether blocks that show nothing are left out.
    by_height : bool
        Whether the relief is made of predicted distances.
    measured : bool
        Whether a table of the cells is written.
    with_mask : bool
        Whether the pixels of all cells are written as a mask as well.
    tile_bytes : int
        Memory for the features of one tile.
    linking : LinkParams
        Whether the planes are linked, and how.
    outputs : {"", "float32", "uint16"}
        What the network's outputs are kept as; the cells are decoded from what is kept. "" keeps none.
    output_channels : int
        How many channels they have; 0 where none are kept.
    ome_zarr : {"0.5", "0.4"}
        The version that is written.
    classes : tuple of str
        Names of the classes of objects, where the model tells several apart.
    seeds : SeedPlan or None
        What the cells grow from, where they grow from seeds; in intensities without a model, whose name is empty then.
    fitted : str
        What the parameters were fitted to, in words; empty where they were not.
    """

    source: str
    selection: Selection
    planes: tuple[dict[str, int], ...]
    limits: tuple[IntensityLimits, ...]
    seen: str
    model: str
    fingerprint: str
    params: SegmentParams
    compute: Compute
    region: tuple[tuple[int, int], tuple[int, int]]
    space: Space
    side: int = SIDE
    threads: int = 1
    mask: str | None = None
    skip_empty: bool = True
    by_height: bool = False
    measured: bool = False
    with_mask: bool = False
    tile_bytes: int = 0
    linking: LinkParams = field(default_factory=LinkParams)
    outputs: str = ""
    output_channels: int = 0
    ome_zarr: str = VERSIONS[0]
    classes: tuple[str, ...] = ()
    seeds: SeedPlan | None = None
    fitted: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """What is done with each block, in this order; `outputs` also finds its holes."""
        if self.seeds is not None:
            return "outputs", "basins", "labels"
        first = ("outputs", "fill", "basins", "growth")
        return (*first, "sections", "labels") if self.linking.axis else (*first, "labels")

    @property
    def window(self) -> Window:
        """The region as a window of the image."""
        return Window(*(slice(start, stop) for start, stop in self.region))

    @property
    def instances(self) -> InstanceParams:
        """How outputs become cells."""
        assert self.params.instances is not None
        return self.params.instances

    @property
    def grid(self) -> Grid:
        """The blocks of each plane."""
        rows, columns = self.window.shape
        return Grid((rows, columns), (self.side, self.side))

    def index(self, plane: int) -> tuple[int, ...]:
        """Return where a plane lies along the stacked axes of the store."""
        sizes = self.space.shape[:-2]
        return tuple(int(place) for place in np.unravel_index(plane, sizes)) if sizes else ()

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        values = {"format": FORMAT, **to_json(self)}
        # Plans without them are what they were before there were any.
        absent = [] if self.linking.axis else ["linking"]
        absent += [] if self.outputs else ["outputs", "output_channels"]
        absent += [] if self.classes else ["classes"]
        absent += [] if self.seeds is not None else ["seeds"]
        absent += [] if self.fitted else ["fitted"]
        absent += ["ome_zarr"] if self.ome_zarr == VERSIONS[0] else []
        for name in absent:
            del values[name]
        return values

    @property
    def digest(self) -> str:
        """SHA-256 of the plan."""
        return _digest_of(self.to_json())

    @property
    def scratch_bytes(self) -> int:
        """What a plane needs on the disk until its labels are done, and all planes that are to be linked."""
        each = 4 + 1 + 4 + (4 if self.by_height else 0)
        of_classes = 1 + 2 * len(self.classes) if self.classes else 0
        waiting = len(self.planes) * (_UNLINKED + of_classes) if self.linking.axis else of_classes
        return int(self.window.size * (each + waiting))

    @property
    def stored_bytes(self) -> int:
        """What the result takes at most, as far as one can know: deflated levels of probability and labels."""
        kept = self.output_channels * {"": 0, "float32": 3.6, "uint16": 1.6}[self.outputs]
        return int(len(self.planes) * self.window.size * (4 / 3 * 0.75 + kept))

    @property
    def seed_reach(self) -> int:
        """How many pixels around a block matter for its relief where seeds grow."""
        assert self.seeds is not None
        return self.seeds.reach(self.instances.relief_limit, self.by_height)

    @property
    def block_bytes(self) -> int:
        """Memory for one block at a time: where the network runs, or where the basins are found."""
        if self.seeds is not None:
            return 40 * self.side**2 + 50 * (self.side + 2 * self.seed_reach) ** 2 + 2 * self.tile_bytes
        halo = 0 if self.by_height else 2 * self.instances.relief_limit
        # Measured: beside its features a tile needs as much again, as results of a layer and for the arithmetic.
        network = 2 * self.tile_bytes + 40 * self.side**2
        return max(network, 56 * self.side**2 + 24 * (self.side + halo) ** 2)

    @property
    def joining_bytes(self) -> int:
        """Memory for joining all blocks of a plane once they are done: what is known of their borders and cells.

        Measured with a thousand cells a megapixel; the lines along the borders are most of it.
        """
        return int(0.27 * self.window.size)

    @property
    def linking_bytes(self) -> int:
        """Memory for linking all planes at once, where cells of the known size cover them: the tables of sections."""
        if not self.linking.axis:
            return 0
        diameter = self.params.known_diameter
        area = math.pi / 4 * diameter**2 if diameter else max(4 * self.instances.minimum_size, 64)
        sections = len(self.planes) * self.window.size / area
        return int(sections * (_SECTION + _OVERLAP * (self.linking.link_gap + 1)))

    def memory_bytes(self, threads: int) -> int:
        """Memory of the process that runs it, beside what it has loaded, with so many blocks at once."""
        return max(threads * self.block_bytes, self.joining_bytes, self.linking_bytes)


def store_compute(compute: Compute) -> Compute:
    """Return a device with the cost of a tile that stores are planned with, whatever memory is free now."""
    fetch = CPU_FETCH_GFLOP_PER_MB if compute.torch_device == "cpu" else 0.0
    return replace(compute, memory_bytes=TILE_BYTES, most_gflop=500.0, fetch_gflop_per_mb=fetch)


def field_of(plan: StorePlan, number: int, plane: ImagePlane, model: Model) -> Field:
    """Return the field of a plane, of which the plan's blocks are read."""
    return Field(plane, model, plan.params, compute=plan.compute, limits=plan.limits[number])


def margin_of(plane: ImagePlane, model: Model, params: SegmentParams) -> int:
    """Return how many pixels around a block the network reads, at most."""
    smallest = min(scale_factors(plane, model.card, params.known_diameter))
    return int(np.ceil((model.network.geometry.halo + model.network.geometry.grid + 2) / smallest)) + 2


def save_plan(plan: StorePlan, place: Path) -> None:
    """Write the plan of a store that has none yet, with its digest, by which damage is noticed."""
    (place / HOME).mkdir(parents=True, exist_ok=True)
    values = {**plan.to_json(), _DIGEST: plan.digest}
    (place / HOME / PLAN).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def load_plan(place: Path) -> StorePlan:
    """Read the plan of a store.

    Raises
    ------
    UtileError
        If it has none, a damaged one, or one of another version.
    """
    path = place / HOME / PLAN
    if not path.is_file():
        raise UtileError(f"{place} is not a store of this program: it has no plan.")
    with reading(f"The plan of {place.name}"):
        values = json.loads(path.read_text(encoding="utf-8"))
        digest = values.pop(_DIGEST, None)
        if values.get("format") == FORMAT:
            # Of what is written: other versions have other fields. Stores that were started earlier have none.
            if digest not in (None, _digest_of(values)):
                raise ValueError("it was changed")
            return from_json(StorePlan, {name: value for name, value in values.items() if name != "format"})
    raise UtileError(f"{place.name} was made by another version of this program.")


def _digest_of(values: Mapping[str, Any]) -> str:
    """Give the SHA-256 of a plan as it is written."""
    return hashlib.sha256(json.dumps(values, indent=1, ensure_ascii=True).encode()).hexdigest()
