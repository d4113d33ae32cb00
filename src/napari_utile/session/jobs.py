"""What the docks ask for as frozen requests, and the generators that carry them out in a worker's thread.

Nothing heavy is imported before a job runs, so that a dock opens without waiting for torch.
"""

import time
from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.models.catalogue import ListedModel, list_models
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.layer_specs import LayerSpec
from napari_utile.session.results import SegmentRequest, SegmentResult, adjusted, finished, window_of

if TYPE_CHECKING:
    from napari_utile.engine.inference.cost import Estimate
    from napari_utile.engine.models.library import Model
    from napari_utile.session.state import Session

__all__ = [
    "Choices",
    "SegmentRequest",
    "SegmentResult",
    "TileShown",
    "choices_job",
    "estimate_job",
    "relabel_job",
    "segment_job",
    "weight_map_job",
]

# Planes up to this size are told apart by their pixels, larger ones by the key that the dock gives. Bytes.
_HASHED_BELOW = 256 * 2**20


@dataclass(frozen=True, eq=False)
class TileShown:
    """A finished tile: how many are done, and the cell probability (h, w) at `window` of the plane.

    `region` is what is being segmented, None for the whole plane; `seconds_left` is None until it is known.
    """

    done: int
    total: int
    window: Window
    foreground: np.ndarray[Any, np.dtype[np.float32]]
    region: Window | None
    seconds_left: float | None


@dataclass(frozen=True)
class Choices:
    """Models and devices to choose from."""

    models: tuple[ListedModel, ...] = ()
    devices: tuple[str, ...] = field(default=("cpu",))


def choices_job() -> Generator[Choices, None, Choices]:
    """Look for models, which is quick, and then for devices, which needs torch."""
    models = tuple(list_models())
    yield Choices(models)
    from napari_utile.engine.inference.device import available_devices

    return Choices(models, available_devices())


def estimate_job(
    session: "Session", request: SegmentRequest
) -> "Generator[None, None, tuple[Model, Estimate]]":
    """Load the model and estimate the cost; the first time it times one small tile."""
    yield
    from napari_utile.engine.inference.estimate import estimate

    model = session.load_model(request.params.model)
    yield
    return model, estimate(request.plane, model, request.params, request.region)


def segment_job(session: "Session", request: SegmentRequest) -> Generator[TileShown, None, SegmentResult]:
    """Segment a plane or a region of it and measure the instances."""
    from napari_utile.engine.inference.prepare import foreground_of
    from napari_utile.engine.segment import segment_steps

    model = session.load_model(request.params.model)
    run = Run(
        segment_steps(
            request.plane,
            request.params,
            model=model,
            region=request.region,
            cache=session.tile_cache,
            image_key=_image_key(request),
        )
    )
    first: tuple[int, float] | None = None
    for tile in run:
        left = None
        if first is None:
            first = (tile.done, time.perf_counter())
        else:  # from the second tile on: the first one also loaded the network
            rate = (time.perf_counter() - first[1]) / (tile.done - first[0])
            left = rate * (tile.total - tile.done)
        foreground = foreground_of(tile.probabilities, model.card)
        if request.inside is not None and request.region is not None:
            foreground = foreground * request.inside[tile.window.relative_to(request.region)]
        yield TileShown(tile.done, tile.total, tile.window, foreground, request.region, left)
    segmentation = run.result
    if request.inside is not None:
        segmentation = segmentation.only_inside(request.inside)
    return finished(request, segmentation)


def relabel_job(result: SegmentResult, instances: InstanceParams) -> Generator[None, None, SegmentResult]:
    """Make mask and instances anew from the same probabilities."""
    yield
    return adjusted(result, instances)


def weight_map_job(result: SegmentResult) -> Generator[None, None, LayerSpec]:
    """Compute the weight map of the instances, with the default parameters."""
    yield
    from napari_utile.engine.weights.weight_map import weight_map

    segmentation = result.segmentation
    weights = weight_map(segmentation.labels).total
    return LayerSpec(
        "image",
        f"{segmentation.plane.name} weight map",
        weights,
        "weight map",
        {"colormap": "inferno", "blending": "additive", "opacity": 0.8, "contrast_limits": (0.0, 12.0)},
        window=window_of(segmentation),
    )


def _image_key(request: SegmentRequest) -> Hashable:
    """Return what a tile's probabilities depend on besides the model, or a key never seen before."""
    plane, params = request.plane, request.params
    pixels: Hashable = request.data_key
    if isinstance(plane.data, np.ndarray) and plane.data.nbytes <= _HASHED_BELOW:
        pixels = sha256_of(plane.data)
    if pixels is None:
        pixels = object()
    scale = params.diameter if params.diameter is not None else (plane.pixel_size, plane.unit)
    return pixels, tuple(plane.data.shape), params.channels, scale
