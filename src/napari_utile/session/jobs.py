"""What the docks ask for as frozen requests, and the generators that carry them out in a worker's thread.

Nothing heavy is imported before a job runs, so that a dock opens without waiting for torch.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.fitting.cells import CellFit, fit_to_cells
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.cost import Estimate
from napari_utile.engine.inference.device import available_devices, choose_compute
from napari_utile.engine.inference.estimate import estimate
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.catalogue import ListedModel, candidates, list_models
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.verify import SeamProof, verify_seams
from napari_utile.engine.weights.weight_map import weight_map
from napari_utile.engine.windows import Window
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.layer_specs import LayerSpec
from napari_utile.session.pixels import HASHED_IN_A_JOB, pixels_key
from napari_utile.session.results import (
    SegmentRequest,
    SegmentResult,
    adjusted,
    finished,
    measured,
    window_of,
)
from napari_utile.session.state import Session

FCNS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}
"""Names of the bundled fully convolutional networks, and what these are called; beside them stands a U-Net."""


@dataclass(frozen=True)
class Choices:
    """Models and devices to choose from."""

    models: tuple[ListedModel, ...] = ()
    devices: tuple[str, ...] = field(default=("cpu",))


def choices_job() -> Generator[Choices, None, Choices]:
    """Look for models, which is quick, and then for devices, which needs torch and takes its time the first time.

    Models are looked for again at the end: they may have changed, and been listed by another job, meanwhile.
    """
    yield Choices(tuple(list_models()))

    devices = available_devices()
    return Choices(tuple(list_models()), devices)


def estimate_job(
    session: Session, request: SegmentRequest
) -> Generator[None, None, tuple[Model, Estimate, CellSize | None]]:
    """Load the model, measure the cells if that is wanted, and estimate the cost.

    The first time it times one small tile. Of what goes into a store `store_estimate_job` knows.
    """
    yield

    params, size = yield from sized_steps(session, request)
    model = session.load_model(params.model)
    yield
    return model, estimate(request.plane, model, params, request.region), size


@dataclass(frozen=True, eq=False)
class PlaneStep:
    """How far the segmentation of several planes is.

    Attributes
    ----------
    number, total : int
        Which plane, from 0, and of how many.
    step : Progress
        Of this plane.
    result : SegmentResult, optional
        With the plane's last step.
    """

    number: int
    total: int
    step: Progress
    result: SegmentResult | None = None


def segment_planes_job(
    session: Session, requests: Sequence[SegmentRequest]
) -> Generator[PlaneStep, None, int]:
    """Segment planes one after the other; return how many. Each result comes with its plane's last step."""
    for number, request in enumerate(requests):
        run = Run(segment_job(session, request))
        for step in run:
            yield PlaneStep(number, len(requests), step)
        yield PlaneStep(number, len(requests), step, run.result)
    return len(requests)


def segment_job(session: Session, request: SegmentRequest) -> Generator[Progress, None, SegmentResult]:
    """Segment a plane or a region of it and measure the instances."""
    sizing = Run(sized_steps(session, request))
    params, size = yield from sizing.yielding(Progress(0, 1, stage="size"))
    model = session.load_model(params.model)
    run = Run(
        segment_steps(
            request.plane,
            params,
            model=model,
            region=request.region,
            inside=request.inside,
            limits=limits_of(session, params, request.measured_on),
            cache=session.tile_cache,
            pixels=pixels_key(request.plane, request.data_key, HASHED_IN_A_JOB),
        )
    )
    for step in run:
        yield step
    yield Progress(step.done, step.total, stage="measurements")
    features = measured(request, run.result)
    yield Progress(step.done, step.total, stage="measurements")
    return finished(request, run.result, features, size)


def seams_job(
    session: Session, request: SegmentRequest, middle: tuple[float, float]
) -> Generator[Progress, None, SeamProof]:
    """Compute a part of a plane around a pixel (y, x) twice, on shifted tiles and blocks, and compare."""
    sizing = Run(sized_steps(session, request))
    params, _ = yield from sizing.yielding(Progress(0, 1, stage="size"))
    return (
        yield from verify_seams(
            request.plane,
            session.load_model(params.model),
            params,
            choose_compute(params.device, params.precision),
            limits=limits_of(session, params, request.measured_on),
            middle=middle,
        )
    )


def relabel_job(result: SegmentResult, instances: InstanceParams) -> Generator[None, None, SegmentResult]:
    """Make mask and instances again from the same probabilities."""
    segmentation = yield from result.segmentation.relabel_steps(instances)
    yield
    return adjusted(result, segmentation)


def weight_map_job(result: SegmentResult) -> Generator[None, None, LayerSpec]:
    """Compute the weight map of the instances, with the default parameters."""
    yield

    segmentation = result.segmentation
    weights = weight_map(segmentation.labels).total
    return LayerSpec(
        "glow",
        f"{segmentation.plane.name} weight map",
        weights,
        "weight map",
        {"colormap": "inferno", "opacity": 0.8, "contrast_limits": (0.0, 12.0)},
        window=window_of(segmentation),
    )


def network_view_job(session: Session, request: SegmentRequest) -> Generator[None, None, LayerSpec]:
    """Compute what the network gets of a plane, or of its region; of several channels the first."""
    params, _ = yield from sized_steps(session, request)

    model = session.load_model(params.model)
    yield
    limits = limits_of(session, params, request.measured_on)
    field = Field(request.plane, model, params, limits=limits)
    region = Window.part_of(field.shape, request.region)
    yield
    return LayerSpec(
        "image",
        f"{request.plane.name} as the network gets it",
        field.network_input(region)[0],
        "network view",
        {"colormap": "gray", "contrast_limits": (0.0, 1.0)},
        window=region,
    )


def fit_job(
    session: Session, plane: ImagePlane, cells: np.ndarray[Any, Any], params: SegmentParams
) -> Generator[str, None, CellFit]:
    """Fit model, size and settings to a few given cells; yield what is tried, in words.

    Parameters
    ----------
    cells : (Y, X) int array
        Painted or corrected cells; 0 is unknown.
    params : SegmentParams
        Channels, preprocessing, device and precision are used.
    """
    models = []
    for name in candidates():
        yield "loading models"
        models.append(session.load_model(name))
    run = fit_to_cells(plane, cells, models, params)
    yield from run
    return run.result


@dataclass(frozen=True, eq=False)
class ArchitectureStep:
    """How many of the networks are done, of how many; and what is being computed."""

    done: int
    total: int
    network: str


def architectures_job(
    session: Session, request: SegmentRequest
) -> Generator[ArchitectureStep, None, dict[str, SegmentResult]]:
    """Segment one plane by the model that was asked for, and then by the three FCNs at the size that it found.

    Returns
    -------
    dict of str to SegmentResult
        By the name of the network: the FCNs from coarse to fine, then ``"U-Net"``.
    """
    networks = {request.params.model: "U-Net", **FCNS}
    if request.params.model in FCNS:
        networks = {"nuclei": "U-Net", **FCNS}
    found: dict[str, SegmentResult] = {}
    diameter = request.params.diameter
    for model, network in networks.items():
        params = replace(request.params, model=model, diameter=diameter, instances=None)
        run = Run(segment_job(session, replace(request, params=params)))
        made = yield from run.yielding(ArchitectureStep(len(found), len(networks), network))
        found[network], diameter = made, made.segmentation.diameter
    return {network: found[network] for network in (*FCNS.values(), "U-Net")}
