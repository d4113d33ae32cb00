"""Which pixels of its image a label image is of: as its recipe or its store says, or where it lies in the image."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.files.json_file import read_json
from napari_utile.engine.files.label_planes import pairing_in_words, refuse_other_pixels
from napari_utile.engine.files.names import image_name
from napari_utile.engine.files.pyramid import has_pyramid, read_pyramid
from napari_utile.engine.files.result_files import recipe_beside
from napari_utile.engine.files.unfinished import HOME, PLAN, is_store
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.selection import SelectedPlanes, Selection, first_of
from napari_utile.engine.windows import Window

MARK = "napari-utile"
"""The attribute by which labels inside an image are known as those of this program."""


@dataclass(frozen=True)
class LabelOrigin:
    """Which pixels of an image labels are of; all, where nothing is known.

    Attributes
    ----------
    selection : Selection
        What of it was read.
    first : mapping of str to int
        Where in the image the first plane lies.
    region : Window, optional
        Rows and columns, where the labels are not of all.
    linked : {"", "Z", "T"}
        The axis along which a cell has one id in all planes: ids are those of objects or tracks; empty where nothing
        is known to be linked.
    """

    selection: Selection = field(default_factory=Selection)
    first: Mapping[str, int] = field(default_factory=dict)
    region: Window | None = None
    linked: str = ""

    @property
    def start(self) -> tuple[int, ...]:
        """Row and column of the image at which they begin."""
        return self.region.start if self.region else (0, 0)

    def __str__(self) -> str:
        """Say that they do not begin where their image does; empty where they do."""
        if not any(self.start):
            return ""
        return "begins {} rows and {} columns into its image".format(*self.start)

    def index(self, index: Mapping[str, int]) -> dict[str, int]:
        """Give where in the image a plane of the labels lies; as it is, where other axes are named."""
        if not set(index) <= set(self.first):
            return dict(index)
        return {axis: start + index.get(axis, 0) for axis, start in self.first.items()}

    def read(self, image: Path, series: str | None = None) -> ImageFile:
        """Read an image as it was read for the labels, whatever it is called now; as it is, where it lacks that."""
        selection = replace(self.selection, series=series or self.selection.series)
        try:
            return open_selected(image, selection)
        except UtileError as error:
            found = open_selected(image, Selection(series=series))
            warn(f"{found.shown_name} is not read as the image of the labels was: {error}")
            return found

    def planes(self, labels: ImageFile, image: ImageFile) -> SelectedPlanes:
        """Give the planes of an image that belong to the labels: all, or those that they were made of."""
        whole = SelectedPlanes(image)
        for planes in (whole, SelectedPlanes(image, self.selection)):
            with suppress(UtileError):
                pairing_in_words(labels, planes)
                return planes
        return whole

    def pixels(self, plane: ImagePlane, shape: tuple[int, ...], name: str) -> np.ndarray[Any, Any]:
        """Read the pixels (C, Y, X) of a plane on which a plane of labels lies.

        Raises
        ------
        UtileError
            If the two are not equally large.
        """
        region = Window.whole(plane.shape)
        if self.region is not None and shape != plane.shape and region.holds(self.region):
            region = self.region
        refuse_other_pixels(name, shape, plane.name, region.shape)
        return np.asarray(plane.data[(slice(None), *region)])


def origin_of_labels(labels: ImageFile) -> LabelOrigin:
    """Find out which pixels of its image a label image is of.

    A recipe beside it and the plan of a store count where the labels have as many planes, rows and columns as these
    say; of labels inside an OME-Zarr image, their place in it counts.
    """
    path = labels.path
    image = path.parent.parent
    with suppress(
        UtileError, KeyError, TypeError, ValueError, AttributeError, IndexError
    ):  # damaged: says nothing
        if store := next((each for each in (path, image) if is_store(each)), None):
            return _recorded(read_json(store / HOME / PLAN, "is not a plan"), labels)
        if recipe := recipe_beside(path):
            return _recorded(read_json(recipe, "is not a recipe"), labels)
        if path.parent.name == "labels" and has_pyramid(image) and has_pyramid(path):
            return _inside(image, path)
    return LabelOrigin()


def _recorded(values: Mapping[str, Any], labels: ImageFile) -> LabelOrigin:
    """Read a recipe, whose planes have an index and mostly a region each, or a plan, which has one for all."""
    sizes = dict(zip(labels.axes, labels.data.shape, strict=True))
    count = math.prod(size for axis, size in sizes.items() if axis in "TZ")
    holds_ids = not image_name(labels.path).lower().endswith(("mask", "classes"))
    linked = linked_axis(values) if holds_ids else ""
    if "planes" not in values:  # linked labels that no model made
        return LabelOrigin(linked=linked if count == len(values["linking"]["labels"]) else "")
    indices = [plane.get("index", plane) for plane in values["planes"]]
    region = values.get("region") or values["planes"][0].get("region")
    window = None if region is None else Window(*(slice(int(start), int(stop)) for start, stop in region))
    if count != len(indices) or (window is not None and window.shape != (sizes["Y"], sizes["X"])):
        return LabelOrigin()
    selection = from_json(Selection, values["selection"]) if values.get("selection") else Selection()
    return LabelOrigin(selection, first_of(indices), window, linked)


def linked_axis(values: Mapping[str, Any]) -> str:
    """Read from a recipe or a plan along which axis labels have one id a cell, "Z" or "T"; empty where along none."""
    if linking := values.get("linking"):
        return {"z": "Z", "t": "T"}.get(linking.get("parameters", linking)["link"], "")
    return "Z" if (values.get("volume") or {}).get("three_views") else ""


def mark_of(selection: Selection, linked: str = "") -> dict[str, Any]:
    """Give the attributes of labels inside an image: of a projection, no place in it tells what they were made of."""
    made = {"made by": MARK, "selection": to_json(selection)}
    return {MARK: made | ({"linked": linked} if linked else {})}


def _inside(image: Path, labels: Path) -> LabelOrigin:
    """Compare where an OME-Zarr image and labels in it begin; what was read of it is said by labels of this program."""
    whole, own = read_pyramid(image), read_pyramid(labels)
    mark: Any = zarr.open_group(labels, mode="r").attrs.get(MARK)
    recorded, linked = (None, "") if mark is None else (mark.get("selection"), mark.get("linked", ""))
    sizes, many = (dict(zip(each.axes, each.levels[0].shape, strict=True)) for each in (own, whole))
    start = {}
    for axis in set(own.axes) & set(whole.axes):
        (at, step), (begin, pixel) = (
            (each.translation[each.axes.index(axis)], each.scale[each.axes.index(axis)])
            for each in (own, whole)
        )
        if not math.isclose(step, pixel):
            return LabelOrigin(linked=linked)
        start[axis] = round((at - begin) / pixel)
    corner = start["Y"], start["X"]
    region = Window.span(corner, (corner[0] + sizes["Y"], corner[1] + sizes["X"]))
    stepped = [axis for axis in "TZ" if axis in start and many[axis] > 1]
    if recorded is not None:
        selection = from_json(Selection, recorded)
        stepped = [axis for axis in stepped if axis not in (selection.projection or ())]
    else:
        # One plane of several may be their projection: without a place, and in our first labels at 0, nobody knows.
        stepped = [
            axis for axis in stepped if sizes[axis] > 1 or (own.placed and (mark is None or start[axis]))
        ]
        part = {axis: f"{start[axis]}:{start[axis] + sizes[axis]}" for axis in stepped}
        selection = Selection(z=part.get("Z"), t=part.get("T"))
    return LabelOrigin(selection, {axis: start[axis] for axis in stepped}, region, linked)
