"""Results of the docks: measured, with their recipe, and described as layers."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.windows import Window
from napari_utile.session.layer_specs import LayerSpec

if TYPE_CHECKING:
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.engine.provenance.recipe import Recipe
    from napari_utile.engine.segment import Segmentation

__all__ = ["SegmentRequest", "SegmentResult", "adjusted", "finished", "measured", "specs_of", "window_of"]


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """A segmentation as it was when the user pressed Run.

    Attributes
    ----------
    plane : ImagePlane
        All channels of the plane; `params.channels` picks.
    params : SegmentParams
        With the instance parameters.
    region : (slice, slice), optional
        Rows and columns; the whole plane by default.
    inside : (h, w) bool array, optional
        Of the region, the pixels that count: those inside drawn shapes.
    data_key : hashable
        Stands for the pixels of planes too large to be compared.
    path : str
        The image's file; empty where it has none.
    index : tuple of (str, int)
        Where in the image the plane lies, for example ``(("T", 3), ("Z", 0))``.
    """

    plane: "ImagePlane"
    params: SegmentParams
    region: Window | None = None
    inside: np.ndarray[Any, np.dtype[np.bool_]] | None = None
    data_key: Hashable = None
    path: str = ""
    index: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """A segmentation with the measurements of its instances.

    Attributes
    ----------
    request : SegmentRequest
    segmentation : Segmentation
    features : dict of str to (N,) arrays
        Column ``index`` holds the label.
    recipe : Recipe
        How it was made.
    """

    request: SegmentRequest
    segmentation: "Segmentation"
    features: dict[str, np.ndarray[Any, Any]]
    recipe: "Recipe"

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
    request: SegmentRequest, segmentation: "Segmentation", features: dict[str, np.ndarray[Any, Any]]
) -> SegmentResult:
    """Record how a segmentation was made; reads every pixel."""
    from napari_utile.engine.provenance.recipe import recipe_of

    source = request.path or request.plane.name
    recipe = recipe_of({request.index: segmentation}, source, _command(request, segmentation))
    return SegmentResult(request, segmentation, features, recipe)


def adjusted(result: SegmentResult, segmentation: "Segmentation") -> SegmentResult:
    """Measure and record the same outputs decoded by other parameters."""
    from napari_utile.engine.planes.pixels import sha256_of

    instances = segmentation.params.instances
    request = replace(result.request, params=replace(result.request.params, instances=instances))
    features = measured(request, segmentation)
    record = replace(
        result.recipe.planes[0], labels=sha256_of(segmentation.labels), cells=len(features["index"])
    )
    command = _command(request, segmentation)
    recipe = replace(result.recipe, params=segmentation.params, planes=(record,), command=command)
    return SegmentResult(request, segmentation, features, recipe)


def _command(request: SegmentRequest, segmentation: "Segmentation") -> str:
    from napari_utile.engine.provenance.command import segment_command
    from napari_utile.engine.segment_params import suggested_instances

    suggested = suggested_instances(segmentation.model.card, segmentation.params.known_diameter)
    return segment_command(request.path or "IMAGE.tif", segmentation.params, suggested)


def measured(request: SegmentRequest, segmentation: "Segmentation") -> dict[str, np.ndarray[Any, Any]]:
    """Measure area, position in the plane, and intensities in all channels, of the instances."""
    from napari_utile.engine.cells.measure import measure

    plane, (rows, columns) = request.plane, segmentation.region
    features = measure(
        segmentation.labels,
        np.asarray(plane.data[:, rows, columns]),
        pixel_size=plane.pixel_size,
        unit=plane.unit,
        basic=True,
        channel_names=("red", "green", "blue") if plane.rgb else None,
    )
    features["centroid_y"] += rows.start
    features["centroid_x"] += columns.start
    return features


def specs_of(result: SegmentResult, *, probability: bool = True) -> list[LayerSpec]:
    """Describe the layers of a result: probability, mask, instances, from bottom to top."""
    segmentation = result.segmentation
    name, window = segmentation.plane.name, window_of(segmentation)
    metadata = {"recipe": result.recipe.to_json()}
    specs = [
        LayerSpec(
            "labels",
            f"{name} mask",
            segmentation.mask.view(np.uint8),
            "mask",
            {"visible": False, "opacity": 0.5},
            metadata,
            window=window,
        ),
        LayerSpec(
            "labels",
            f"{name} instances",
            segmentation.labels,
            "instances",
            {"opacity": 0.5},
            metadata,
            result.features,
            window,
        ),
    ]
    if probability:
        shown = {"visible": False, "colormap": "magma", "blending": "additive", "contrast_limits": (0.0, 1.0)}
        foreground = segmentation.foreground
        specs.insert(
            0,
            LayerSpec(
                "image", f"{name} probability", foreground, "probability", shown, metadata, window=window
            ),
        )
    return specs


def window_of(segmentation: "Segmentation") -> Window | None:
    """Return the rows and columns that a segmentation covers; None for the whole plane."""
    whole = Window.whole(segmentation.plane.shape)
    return None if segmentation.region == whole else segmentation.region
