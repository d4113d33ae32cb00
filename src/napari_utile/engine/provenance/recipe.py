"""How a result was made, as JSON: hashes of what went in and came out, every parameter, the command."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json
from napari_utile.engine.files.result_files import write_recipe
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.late import torch
from napari_utile.engine.models.catalogue import findable_model
from napari_utile.engine.parameters import from_json, known_to, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import EXACT_PIXELS
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.command import segment_command
from napari_utile.engine.provenance.linked import LinkRecord, linking_in
from napari_utile.engine.provenance.pixel_runs import run_lengths_of
from napari_utile.engine.provenance.recorded_params import FORMAT, reason_of, recorded_params
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.windows import Window

if TYPE_CHECKING:
    from napari_utile.engine.segmentation import Segmentation


@dataclass(frozen=True)
class PlaneRecord:
    """What went into one plane and what came out.

    Attributes
    ----------
    index : dict
        Which entry of each stacked axis, for example ``{"T": 3}``.
    region : ((int, int), (int, int))
        Rows and columns that were segmented: start and stop.
    pixels : str
        SHA-256 of the channels that the network read.
    low, high : tuple of float
        Grey values that became 0 and 1, one pair per channel.
    probabilities, labels : str
        SHA-256 of the results.
    cells : int
        How many there are.
    inside : tuple of int, optional
        Where only part of the region counted, such as the inside of drawn shapes: the lengths of the runs of
        pixels that did not and that did, in turn, row by row.
    hashed : ((int, int), (int, int)), optional
        The rows and columns whose pixels `pixels` is the hash of, where that is not the whole plane: of a region of a
        large image, only the region is read.
    """

    index: dict[str, int]
    region: tuple[tuple[int, int], tuple[int, int]]
    pixels: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    probabilities: str
    labels: str
    cells: int
    inside: tuple[int, ...] | None = None
    hashed: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class TakenFrom:
    """Which pixels a result was made from.

    Attributes
    ----------
    source : Path or str
        The image's file; the name of an array or a layer.
    selection : Selection
        Which pixels of the file.
    index : dict
        Which entry of each stacked axis, for example ``{"T": 3}``.
    """

    source: Path | str
    selection: Selection = field(default_factory=Selection)
    index: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How a result was made.

    Attributes
    ----------
    source : str
        The image's file, or the name of the layer where there was none.
    command : str
        The command line that makes the same labels.
    model : str
        Name or file of the model.
    fingerprint : str
        The model's, see `fingerprint_of`; older recipes have that of its weights.
    params : SegmentParams
        Complete: nothing is left to the model's suggestion.
    compute : Compute
        Device, precision and memory budget, as they were chosen.
    planes : tuple of PlaneRecord
    selection : Selection, optional
        Which pixels of the file were read: series, axes, projection. None in recipes that do not say it.
    of_layer : bool
        Whether the result is a layer, or arrays in Python, so that no file of labels belongs to it.
    versions : dict
        Of the packages and the machine that the numbers depend on.
    linking : LinkRecord, optional
        How the planes were linked, where they were.
    views : VolumeParams, optional
        How stacks were seen as volumes, where they were, with the distance of their planes.
    classes : tuple of str
        Names of the classes 1, 2, ... of the class layer; empty where the model tells none apart.
    fitted : str
        What the parameters were fitted to, such as ``"3 cells (mean IoU 0.84)"``; empty where they were not.
    """

    source: str
    command: str
    model: str
    fingerprint: str
    params: SegmentParams
    compute: Compute
    planes: tuple[PlaneRecord, ...]
    versions: dict[str, str]
    selection: Selection | None = None
    of_layer: bool = False
    linking: LinkRecord | None = None
    views: VolumeParams | None = None
    classes: tuple[str, ...] = ()
    fitted: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "format": FORMAT,
            "source": self.source,
            "command": self.command,
            "model": {"name": self.model, "sha256": self.fingerprint},
            "parameters": to_json(self.params),
            "compute": asdict(self.compute),
            "selection": None if self.selection is None else to_json(self.selection),
            **({"layer": True} if self.of_layer else {}),
            **({"linking": self.linking.to_json()} if self.linking else {}),
            **({"volume": to_json(self.views)} if self.views else {}),
            **({"classes": list(self.classes)} if self.classes else {}),
            **({"fitted": self.fitted} if self.fitted else {}),
            "planes": [asdict(plane) for plane in self.planes],
            "versions": self.versions,
        }


def recipe_of(
    segmentations: "Mapping[tuple[tuple[str, int], ...], Segmentation] | Segmentation",
    source: str | os.PathLike[str],
    command: str = "",
    selection: Selection | None = None,
) -> Recipe:
    """Say how segmentations of one image were made.

    Parameters
    ----------
    segmentations : Segmentation, or mapping of index to Segmentation
        One for each plane; the keys are like ``(("T", 0), ("Z", 2))``. All made with the same parameters.
    source : str or path-like
        The image's file; a layer's name where it has none.
    command : str
        The command line that makes the same labels.
    selection : Selection, optional
        Which pixels of the file were read.

    Raises
    ------
    ValueError
        If there is no segmentation.
    """
    if not isinstance(segmentations, Mapping):
        segmentations = {(): segmentations}
    if not segmentations:
        raise ValueError("A recipe needs at least one segmentation.")
    planes = [record_plane(made, dict(index)) for index, made in segmentations.items()]
    return recipe_of_planes(planes, next(iter(segmentations.values())), source, command, selection)


def recipe_of_planes(
    planes: Sequence[PlaneRecord],
    made: "Segmentation",
    source: str | os.PathLike[str],
    command: str = "",
    selection: Selection | None = None,
) -> Recipe:
    """Say how planes were made that need not be in memory any more: from their records, and one of them.

    Parameters
    ----------
    planes : sequence of PlaneRecord
    made : Segmentation
        One of the planes: all were made with the same parameters.
    source, command, selection
        As for `recipe_of`.
    """
    path, model = Path(source), findable_model(made.params.model)
    return Recipe(
        source=str(path.resolve()) if path.exists() else str(source),
        command=command,
        model=model,
        fingerprint=made.model.fingerprint,
        params=replace(made.params, model=model),
        compute=made.compute,
        planes=tuple(planes),
        versions=versions(),
        selection=selection or Selection(),
        classes=made.classes.names if made.classes.several else (),
    )


def recipe_in_memory(
    planes: Sequence[PlaneRecord],
    made: "Segmentation",
    taken: TakenFrom,
    views: VolumeParams | None = None,
    linking: LinkRecord | None = None,
) -> Recipe:
    """Say how a result was made that a call from Python returns.

    Parameters
    ----------
    planes, made
        As for `recipe_of_planes`.
    taken : TakenFrom
    views : VolumeParams, optional
        With the distance of the planes, where stacks were seen as volumes.
    linking : LinkRecord, optional
        How planes were linked.
    """
    params, card = made.params, made.model.card
    whole = Window.whole(made.plane.shape)
    command = segment_command(
        taken.source if isinstance(taken.source, Path) else "IMAGE.tif",
        params,
        (views or VolumeParams()).suggested(card, params.known_diameter),
        selection=taken.selection,
        region=None if made.region == whole else made.region,
        linking=None if linking is None else linking.params,
        views=views,
    )
    recipe = recipe_of_planes(planes, made, taken.source, command, taken.selection)
    return replace(recipe, views=views, linking=linking, of_layer=True)


def record_plane(
    segmentation: "Segmentation", index: dict[str, int], cells: int | None = None
) -> PlaneRecord:
    """Record what went into a segmentation and what came out; of a region of a large plane reads only the region.

    Parameters
    ----------
    segmentation : Segmentation
    index : dict
        Which entry of each stacked axis, for example ``{"T": 3}``.
    cells : int, optional
        How many there are, where they are not numbered from 1 on.
    """
    whole = Window.whole(segmentation.plane.shape)
    rows, columns = segmentation.region.bounds
    part = segmentation.region if whole.size > EXACT_PIXELS and segmentation.region != whole else None
    return PlaneRecord(
        index=index,
        region=(rows, columns),
        pixels=hash_of(segmentation.plane, None if part is None else part.bounds),
        low=tuple(segmentation.limits.low),
        high=tuple(segmentation.limits.high),
        probabilities=sha256_of(segmentation.values),
        labels=sha256_of(segmentation.labels),
        cells=int(segmentation.labels.max(initial=0)) if cells is None else cells,
        inside=None if segmentation.inside is None else run_lengths_of(segmentation.inside),
        hashed=None if part is None else part.bounds,
    )


def hash_of(plane: ImagePlane, hashed: Sequence[tuple[int, int]] | None) -> str:
    """Return the hash of a plane's pixels, or of those of some of its rows and columns."""
    parts = () if hashed is None else (slice(None), *(slice(start, stop) for start, stop in hashed))
    return sha256_of(np.asarray(plane.data[parts]) if parts else plane.data)


def versions() -> dict[str, str]:
    """Name the packages and the machine that a result's numbers depend on."""
    packages = ("napari-utile", "numpy", "scipy", "scikit-image", "torch")
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def save_recipe(recipe: Recipe, path: str | os.PathLike[str]) -> None:
    """Write a recipe as JSON.

    Raises
    ------
    UtileError
        If the file cannot be written.
    """
    write_recipe(path, recipe.to_json())


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Raises
    ------
    UtileError
        If the file is missing, or is not a recipe.
    """
    return recipe_from_json(read_json(path, "is not a recipe"), Path(path).name)


def recipe_from_json(values: Any, name: str) -> Recipe:
    """Read what `Recipe.to_json` gave.

    Parameters
    ----------
    values : mapping
    name : str
        Of the file, or of the layer that carries it, for messages.

    Raises
    ------
    UtileError
        If it is not a recipe.
    """
    params = recorded_params(values, name)
    try:
        said = {
            **values,
            "model": values["model"]["name"],
            "fingerprint": values["model"]["sha256"],
            "params": params,
            "planes": [known_to(PlaneRecord, plane) for plane in values["planes"]],
            "of_layer": values.get("layer", False),
            "selection": values.get("selection") or None,
            "linking": linking_in(values, name),
            "views": values.get("volume") or None,
        }
        return from_json(Recipe, known_to(Recipe, said))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error
