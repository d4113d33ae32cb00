"""How cells were grown from seeds, as JSON."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.arrays import Labels
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.models.catalogue import findable_model
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import from_json, known_to, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.command import grow_command
from napari_utile.engine.provenance.recipe import versions
from napari_utile.engine.provenance.recorded_params import SEEDS_FORMAT, reason_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances


@dataclass(frozen=True)
class GrownPlane:
    """One plane: where it lies, SHA-256 of its pixels, its seeds and its cells, and how many cells there are."""

    index: dict[str, int]
    pixels: str
    seeds: str
    labels: str
    cells: int


def grown_plane(index: dict[str, int], plane: ImagePlane, seeds: Labels, cells: Labels) -> GrownPlane:
    """Record one plane; ids are hashed as numbers, whatever type they have."""
    count = int(np.unique(cells[cells > 0]).size)
    hashes = (sha256_of(plane.data), sha256_of(seeds.astype(np.int64)), sha256_of(cells.astype(np.int64)))
    return GrownPlane(index, *hashes, count)


@dataclass(frozen=True)
class GrownRecipe:
    """How cells were grown from seeds.

    Attributes
    ----------
    source, seeds : str
        The files of the image and of the seeds; where a layer has none, its name.
    command : str
        The command line that makes the same labels.
    distance : float or None
        Pixels that a cell reached beyond its seed at most; None: as far as the model's foreground.
    model, fingerprint : str or None
        The model's name or file, and its fingerprint; None where the cells grew in intensities.
    params : SegmentParams
    compute : Compute or None
    selection : Selection
    planes : tuple of GrownPlane
    versions : dict
    fitted : str
        What the parameters were fitted to, in words; empty where they were not.
    of_layer : bool
        Whether the result is a layer, so that no file of labels belongs to it.
    """

    source: str
    seeds: str
    command: str
    distance: float | None
    model: str | None
    fingerprint: str | None
    params: SegmentParams
    compute: Compute | None
    selection: Selection
    planes: tuple[GrownPlane, ...]
    versions: dict[str, str]
    fitted: str = ""
    of_layer: bool = False

    @classmethod
    def of(
        cls,
        image: str | Path,
        seeds: str | Path,
        output: str | Path,
        selection: Selection,
        params: SegmentParams,
        model: Model | None,
        compute: Compute | None,
        distance: float | None,
        planes: Sequence[GrownPlane],
        fitted: str = "",
    ) -> "GrownRecipe":
        """Say how the cells of an image were grown; of layers without a file their names are given."""
        params = SegmentParams(channels=params.channels) if model is None else params
        suggested = None if model is None else suggested_instances(model.card, params.known_diameter)
        command = grow_command(
            image, seeds, output, params, suggested, distance=distance, selection=selection
        )
        params = replace(params, model=findable_model(params.model))
        return cls(
            source=_whole(image),
            seeds=_whole(seeds),
            command=command,
            distance=distance,
            model=None if model is None else params.model,
            fingerprint=None if model is None else model.fingerprint,
            params=params,
            compute=compute,
            selection=selection,
            planes=tuple(planes),
            versions=versions(),
            fitted=fitted,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "format": SEEDS_FORMAT,
            **{name: getattr(self, name) for name in ("source", "seeds", "command", "distance")},
            "model": None if self.model is None else {"name": self.model, "sha256": self.fingerprint},
            "parameters": to_json(self.params),
            "compute": None if self.compute is None else asdict(self.compute),
            "selection": to_json(self.selection),
            **({"fitted": self.fitted} if self.fitted else {}),
            **({"layer": True} if self.of_layer else {}),
            "planes": [asdict(plane) for plane in self.planes],
            "versions": self.versions,
        }


def _whole(path: str | Path) -> str:
    """Return the whole path of a file, and a name as it is."""
    return str(Path(path).resolve()) if Path(path).exists() else str(path)


def load_grown(path: str | os.PathLike[str]) -> GrownRecipe | None:
    """Read a recipe of cells that were grown from seeds; None where the file is not such a recipe.

    Raises
    ------
    UtileError
        If it is one and cannot be used.
    """
    try:
        values = read_json(path, "is not a recipe")
    except UtileError:
        return None
    if not isinstance(values, Mapping) or values.get("format") != SEEDS_FORMAT:
        return None
    try:
        model = values["model"]
        said = {
            **values,
            "model": None if model is None else model["name"],
            "fingerprint": None if model is None else model["sha256"],
            "params": values["parameters"],
            "of_layer": values.get("layer", False),
        }
        return from_json(GrownRecipe, known_to(GrownRecipe, said))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UtileError(f"{Path(path).name} is not a usable recipe: {reason_of(error)}.") from error
