"""Results of the docks: measured, with their recipe, and described as layers."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from napari_utile.engine.cells.classes import classes_in_words
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, fit_of
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.command import segment_command
from napari_utile.engine.provenance.locate import LayerAxis, Located, index_of, locate, standing_at
from napari_utile.engine.provenance.recipe import Recipe, recipe_of
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.segmentation import Segmentation
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.windows import Window
from napari_utile.session.layer_specs import LayerSpec
from napari_utile.session.measured import Stack


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """A segmentation as it was when the user pressed Run.

    Attributes
    ----------
    plane : ImagePlane
        All channels of the plane; `params.channels` picks.
    params : SegmentParams
        Without the instance parameters, until the size of the cells is known.
    region : Window, optional
        Rows and columns; the whole plane by default.
    inside : (h, w) bool array, optional
        Of the region, the pixels that count: those inside drawn shapes or labels. For a store it may be anything that
        numpy makes such an array of, also a coarser one.
    data_key : hashable
        Stands for the pixels of planes too large to be compared.
    path : str
        The image's file; empty where it has none.
    axes : tuple of LayerAxis
        The axes of the layer, and where its sliders stand.
    stack : Stack, optional
        The planes on which the size of the cells is measured; the plane alone by default.
    project : str, optional
        How the plane was made of a stack of the file, such as ``"z:max"``.
    fitted : str
        What the parameters were fitted to, in words; empty where they were not.
    values : mapping
        Instance parameters that the user chose; the others are what the model suggests for the size of the cells.
    """

    plane: ImagePlane
    params: SegmentParams
    region: Window | None = None
    inside: Any = None
    data_key: Hashable = None
    path: str = ""
    axes: tuple[LayerAxis, ...] = ()
    stack: Stack | None = None
    project: str | None = None
    fitted: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def measured_on(self) -> Stack:
        """The planes on which the size of the cells is measured."""
        return self.stack or Stack((self.plane,))


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """A segmentation with the measurements of its instances.

    Attributes
    ----------
    features : dict of str to (N,) arrays
        Column ``index`` holds the label.
    recipe : Recipe
        How it was made.
    located : Located or None
        Where in its file the plane lies; None where there is no file, or it gives other pixels.
    fit : Fit
        Whether the model looks right for the image, as it was segmented first.
    covered : dict of str to float
        Which share of the area each class covers.
    """

    request: SegmentRequest
    segmentation: Segmentation
    features: dict[str, np.ndarray[Any, Any]]
    recipe: Recipe
    located: Located | None
    fit: Fit
    covered: dict[str, float]

    def covered_by(self, rows: Mapping[str, Any]) -> dict[str, float]:
        """Give the share of the area that each class covers, by a table of its plane's cells, edited or not.

        The area is what was segmented; the whole plane where the table has cells from elsewhere.
        """
        inside = self.segmentation.inside
        size = max(self.segmentation.labels.size if inside is None else int(np.count_nonzero(inside)), 1)
        if not self._holds(rows):
            size = max(int(np.prod(self.segmentation.plane.shape)), 1)
        areas = np.asarray(rows["area_px"], dtype=float)
        if len(self.covered) < 2:
            return {name: float(areas.sum()) / size for name in self.covered}
        words = np.asarray(rows.get("class", np.full(areas.size, "")), dtype=object)
        return {name: float(areas[words == name].sum()) / size for name in self.covered}

    def _holds(self, rows: Mapping[str, Any]) -> bool:
        """Whether the middles of all cells of a table lie in the region that was segmented."""
        places = zip("yx", self.segmentation.region, strict=True)
        known = [(np.asarray(rows.get(f"centroid_{axis}", ()), dtype=float), part) for axis, part in places]
        return all(bool(np.all((place >= part.start - 0.5) & (place < part.stop))) for place, part in known)

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps in memory."""
        made = self.segmentation
        return int(made.values.nbytes + made.labels.nbytes + made.landscape.nbytes)

    @property
    def count(self) -> int:
        """Number of instances."""
        return len(self.features["index"])


def finished(
    request: SegmentRequest,
    segmentation: Segmentation,
    features: dict[str, np.ndarray[Any, Any]],
    size: CellSize | None = None,
) -> SegmentResult:
    """Record how a segmentation was made, with the cell size that was measured; reads every pixel."""
    located = locate_request(request)
    # Recipes of the planes of one layer are joined: their records say which plane, and the command means all.
    every = located.all_planes() if located else None
    index = located.index if located else index_of(request.axes)
    recipe = recipe_of(
        {tuple(index.items()): segmentation},
        request.path if located else request.plane.name,
        command_of(request, segmentation.params, segmentation.model.card, every),
        every.selection if every else None,
    )
    recipe = replace(recipe, of_layer=True, fitted=request.fitted)
    fit = fit_of(segmentation, size)
    return SegmentResult(request, segmentation, features, recipe, located, fit, segmentation.classes.covered)


def adjusted(result: SegmentResult, segmentation: Segmentation) -> SegmentResult:
    """Measure and record the same outputs decoded by other parameters."""
    instances = segmentation.params.instances
    params = replace(result.request.params, instances=instances)
    fitted = result.request.fitted if instances == result.segmentation.params.instances else ""
    request = replace(result.request, params=params, fitted=fitted)
    features = measured(request, segmentation)
    record = replace(
        result.recipe.planes[0], labels=sha256_of(segmentation.labels), cells=len(features["index"])
    )
    every = result.located.all_planes() if result.located else None
    command = command_of(request, segmentation.params, segmentation.model.card, every)
    recipe = replace(
        result.recipe, params=segmentation.params, planes=(record,), command=command, fitted=fitted
    )
    return SegmentResult(
        request, segmentation, features, recipe, result.located, result.fit, segmentation.classes.covered
    )


def locate_request(request: SegmentRequest) -> Located | None:
    """Find the plane of a request in its file, by the pixels; reads both."""
    stack, project = request.measured_on, request.project
    return locate_in(request.path, request.plane, request.axes, stack, project) if request.path else None


def locate_in(
    path: str, plane: ImagePlane, axes: Sequence[LayerAxis], stack: Stack, project: str | None = None
) -> Located | None:
    """Find a plane of a stack in its file, see `locate`."""
    known = () if project else stack.entries  # its axes are those of the stack that it was made of, too
    others = [(other, standing_at(axes, at)) for other, at in zip(stack.planes, known, strict=bool(known))]
    return locate(path, plane, axes, project, others)


def command_of(
    request: SegmentRequest,
    params: SegmentParams,
    card: ModelCard,
    located: Located | None,
    views: VolumeParams | None = None,
    linking: LinkParams | None = None,
    output: str = "segmented",
) -> str:
    """Give the command that segments the same pixels of the file; with a placeholder where there is no such file."""
    suggested = (views or VolumeParams()).suggested(card, params.known_diameter)
    if located is None:
        return segment_command(
            "IMAGE.tif", params, suggested, output, region=request.region, views=views, linking=linking
        )
    params = replace(params, channels=located.channels(params.channels))
    if len(request.measured_on.planes) == 1 and {"Z", "T"} & located.index.keys():
        params = replace(params, limits="plane")  # the layer has but one plane of the file's stack
    return segment_command(
        request.path,
        params,
        suggested,
        output,
        selection=located.selection,
        region=request.region,
        views=views,
        linking=linking,
    )


def what_the_command_lacks(
    request: SegmentRequest, located: Located | None, *, some_planes: bool = False
) -> str:
    """Say what a command cannot say of a request; empty where it makes the same labels.

    Parameters
    ----------
    some_planes : bool
        Whether not all planes of a stack are meant, which a command names for a file that is known.
    """
    said = []
    if located is None and request.path:
        said.append(
            "The file holds different pixels from those this layer shows: save the layer, and give that file's "
            "name instead of "
            "IMAGE.tif."
        )
    elif located is None:
        said.append("Replace IMAGE.tif with your file's name.")
    if located is None and some_planes:
        said.append("It segments all planes: name those that you mean with --z or --t.")
    if request.inside is not None:
        said.append("It segments the box around the shapes or labels, not only what is inside them.")
    return " ".join(said)


def measured(request: SegmentRequest, segmentation: Segmentation) -> dict[str, np.ndarray[Any, Any]]:
    """Measure area, position in the plane, and intensities in all channels, of the instances."""
    names = ("red", "green", "blue") if request.plane.rgb else None
    return segmentation.measure(request.plane, basic=True, channel_names=names)


def specs_of(result: SegmentResult, *, probability: bool = True) -> list[LayerSpec]:
    """Describe the layers of a result: probability, mask, instances, from bottom to top."""
    made, metadata = result.segmentation, {"recipe": result.recipe.to_json()}
    half, hidden = {"opacity": 0.5}, {"visible": False}

    def layer(
        kind: Literal["glow", "labels"],
        what: str,
        data: np.ndarray[Any, Any],
        role: str,
        options: dict[str, Any],
        features: dict[str, np.ndarray[Any, Any]] | None = None,
    ) -> LayerSpec:
        name = f"{made.plane.name} {what}"
        return LayerSpec(kind, name, data, role, options, metadata, features, window_of(made))

    specs = [layer("glow", "probability", made.foreground, "probability", hidden)] if probability else []
    specs.append(layer("labels", "mask", made.mask.view(np.uint8), "mask", hidden | half))
    if made.classes.several:
        words = classes_in_words(made.classes.names)
        specs.append(layer("labels", words, made.classes.layer, "classes", hidden | half))
    return [*specs, layer("labels", "instances", made.labels, "instances", half, result.features)]


def window_of(segmentation: Segmentation) -> Window | None:
    """Return the rows and columns that a segmentation covers; None for the whole plane."""
    whole = Window.whole(segmentation.plane.shape)
    return None if segmentation.region == whole else segmentation.region
