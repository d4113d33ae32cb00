"""What a segmentation gives: of a plane, and of the linked planes of a stack."""

import dataclasses
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import PATHS, Float32Array
from napari_utile.engine.cells.classes import Classes
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.measure import Columns, measure
from napari_utile.engine.cells.uncertainty import confidence_of
from napari_utile.engine.cells.watershed import Landscape
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import file_order
from napari_utile.engine.inference.decode import decode_steps, foreground_of, only_inside
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.linking.links import Links
from napari_utile.engine.linking.measure import Spacing, link_table
from napari_utile.engine.models.library import Model
from napari_utile.engine.models.outputs import EDGE_DISTANCE, by_name
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.recipe import Recipe, TakenFrom, recipe_in_memory, record_plane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.segment import SegmentedVolume
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a segmentation gives.

    Attributes
    ----------
    values : (C, Y, X) float32 array
        All outputs of the model, channel by channel: see `probabilities` and `outputs`.
    mask : (Y, X) bool array
    labels : (Y, X) int32 array
        0 = background, 1..N = instances.
    landscape : Landscape
        What the labels were cut from: it depends on threshold and filled holes only.
    region : Window
        The rows and columns of the plane that the arrays cover.
    field : Field
        What the outputs were read from; it says of which plane, by which model, where and how they are computed.
    params : SegmentParams
        With the instance parameters that were used.
    inside : (Y, X) bool array or None
        The pixels that count; all others were made background. None: all count.
    taken_from : TakenFrom or None
        The file, and which pixels of it; None where a plane was given.

    Notes
    -----
    The pixels of the image are not copied: `measure`, `recipe` and `field` read the array that was given, and
    `labels` as it is by then. Give a copy of an array that is written to afterwards, such as the buffer of a camera.
    """

    values: Float32Array = dataclasses.field(repr=False)
    mask: NDArray[np.bool_]
    labels: NDArray[np.int32]
    landscape: Landscape = dataclasses.field(repr=False)
    region: Window
    field: Field = dataclasses.field(repr=False)
    params: SegmentParams
    inside: NDArray[np.bool_] | None = dataclasses.field(default=None, repr=False)
    taken_from: TakenFrom | None = None

    @property
    def plane(self) -> ImagePlane:
        """What was segmented, with the channels of the network."""
        return self.field.plane

    @property
    def model(self) -> Model:
        """What segmented it."""
        return self.field.model

    @property
    def compute(self) -> Compute:
        """Where, and how precisely."""
        return self.field.compute

    @property
    def limits(self) -> IntensityLimits:
        """Grey values that became 0 and 1."""
        return self.field.limits

    @property
    def probabilities(self) -> Float32Array:
        """The class probabilities (K, Y, X), which sum to 1 over the classes."""
        return self.values[: len(self.model.card.classes)]

    @property
    def outputs(self) -> dict[str, Float32Array]:
        """All outputs of the model by name: ``outputs["B"]`` is (Y, X), ``outputs["classes"]`` (K, Y, X)."""
        return by_name(self.model.card.outputs, self.values)

    @property
    def foreground(self) -> NDArray[np.float32]:
        """The probability (Y, X) that a pixel belongs to an object."""
        return foreground_of(self.values, self.model.card)

    @property
    def classes(self) -> Classes:
        """The named classes of objects: of each pixel, of each cell, and the area that each covers."""
        card = self.model.card
        names = tuple(card.classes[index].name for index in card.foreground)
        return Classes(names, self.values, card.foreground, self.labels, self.inside)

    @property
    def diameter(self) -> float | None:
        """The cell diameter (pixels) that was given or measured; None where the image was used as it is."""
        return self.params.known_diameter

    @property
    def confidence(self) -> float | None:
        """How sure the model is of the cells that it found, 0 to 1; None where it found none."""
        return self.rated()[0]

    def rated(self) -> tuple[float | None, int]:
        """Return how sure the model is of the cells that it found, and how many were rated; see `confidence_of`."""
        edge = self.outputs[EDGE_DISTANCE] if self.model.card.has_distances else None
        return confidence_of(self.labels, self.foreground, self.field.object_diameter, edge)

    @cached_property
    def recipe(self) -> Recipe:
        """How it was made, to be kept by `save_recipe` and made again by `utile replay`; reads every pixel."""
        taken = self.taken_from or TakenFrom(self.plane.name)
        return recipe_in_memory([record_plane(self, taken.index)], self, taken)

    def measure(
        self,
        image: Any = None,
        *,
        axes: str | None = None,
        series: str | int | None = None,
        z: str | int | None = None,
        t: str | int | None = None,
        project: str | None = None,
        **options: Any,
    ) -> Columns:
        """Measure the cells: see `cells.measure.measure` for the columns.

        Parameters
        ----------
        image : path, ImageFile, array-like or ImagePlane, optional
            Whose channels the intensities are taken from; by default the channels that the network read.
        axes, series, z, t, project
            Which plane of the image, as for `segment`; by default the one that was segmented, where the image has it.
        **options
            ``basic`` and ``channel_names`` of `cells.measure.measure`.

        Returns
        -------
        dict of str to (N,) array
            A row for each cell, in the image's unit where it has a pixel size; positions are pixels of the whole plane.
            Where the model knows several classes, ``class`` says which one.
        """
        selection = Selection.of(axes, series, z, t, project)
        image, (rows, columns) = self._measured_on(image, selection), self.region
        if image.shape != self.plane.shape:
            raise UtileError(
                f"The image has {image.shape} rows and columns, the segmented one {self.plane.shape}."
            )
        table = measure(
            self.labels,
            np.asarray(image.data[:, rows, columns]),
            image.pixel_size,
            image.unit,
            **options,
        )
        table["centroid_y"] += rows.start
        table["centroid_x"] += columns.start
        if self.classes.several:
            table["class"] = self.classes.of_cells
        return table

    def _measured_on(self, image: Any, selection: Selection) -> ImagePlane:
        # Not above: files need more than torch and scikit-image.
        from napari_utile.engine.files.one_plane import plane_like, plane_of

        if image is None:
            return plane_of(self.plane, selection)
        if self.taken_from is None or selection != Selection():
            return plane_of(image, selection)
        taken, pixels = self.taken_from, self.plane.data
        if isinstance(image, np.ndarray):
            same = isinstance(pixels, np.ndarray) and np.may_share_memory(image, pixels)
        else:
            same = isinstance(image, PATHS) and Path(os.fsdecode(image)) == taken.source
        return plane_like(image, taken.selection, taken.index, same=same)

    def relabelled(self, instances: InstanceParams) -> "Segmentation":
        """Return the same outputs with mask and labels made by other parameters; no network runs."""
        chosen: Any = instances  # scripts are not checked for types
        if not isinstance(chosen, InstanceParams):
            given = type(chosen).__name__
            raise UtileError(
                f"relabelled takes InstanceParams, such as InstanceParams(threshold=0.7); got {given}."
            )
        return Run(self.relabel_steps(instances)).result

    def relabel_steps(self, instances: InstanceParams) -> Generator[None, None, "Segmentation"]:
        """Make mask and labels by other parameters, see `relabelled`; every yield is a point to cancel at."""
        before = self.params.instances
        alike = before is not None and before.landscape_key == instances.landscape_key
        landscape = self.landscape if alike else None
        landscape, labels = yield from decode_steps(self.values, self.model.card, instances, landscape)
        params = replace(self.params, instances=instances)
        return replace(self, mask=labels > 0, labels=labels, landscape=landscape, params=params)

    def only_inside(self, inside: NDArray[np.bool_]) -> "Segmentation":
        """Return the same with background outside (Y, X), also in the outputs."""
        card, instances = self.model.card, self.params.instances
        assert instances is not None
        values = only_inside(self.values, inside, card)
        landscape, labels = Run(decode_steps(values, card, instances)).result
        return replace(
            self, values=values, mask=labels > 0, labels=labels, landscape=landscape, inside=inside
        )


@dataclass(frozen=True, eq=False)
class SegmentedStack:
    """What a segmentation of a stack gives whose planes are linked, or that was segmented as a volume.

    Attributes
    ----------
    labels : (planes ..., Y, X) int32 array
        0 = background; one id for one cell in all planes.
    links : Links
        What is one cell, and what divided into what.
    planes : SelectedPlanes
        What was segmented.
    params : SegmentParams
        With the instance parameters that were used.
    recipe : Recipe
        How it was made, to be kept by `save_recipe` and made again by `utile replay`.
    """

    labels: NDArray[np.int32]
    links: Links
    planes: SelectedPlanes
    params: SegmentParams
    recipe: Recipe

    @property
    def diameter(self) -> float | None:
        """The cell diameter (pixels) that was given or measured; None where the image was used as it is."""
        return self.params.known_diameter

    def measure(self) -> Columns:
        """Return a table with a row an object or a track, in physical units where the file has them."""
        image = self.planes.image
        indices = [self.planes.indices[place] for place in file_order(self.planes.indices)]
        return link_table(self.links, indices, Spacing(image.pixel_size, image.unit, image.steps))


def planes_of_volume(made: SegmentedVolume) -> Iterator[Segmentation]:
    """Yield the planes of a volume as segmentations, with the ids that their cells have in the volume."""
    for number, labels in enumerate(made.labels):
        values, plane = made.values[:, number], made.volume.field(0, number)
        yield Segmentation(values, labels > 0, labels, made.landscape, made.region, plane, made.params)
