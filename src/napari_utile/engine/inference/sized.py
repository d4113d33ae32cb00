"""Parameters completed by what was measured: the diameter of the cells, and the model that suits them."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.inference.choice import measured_and_chosen
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import MEASURED, SegmentParams


def with_size(
    params: SegmentParams,
    planes: ImagePlane | Sequence[ImagePlane],
    model: Model,
    *,
    compute: Compute | None = None,
    limits: IntensityLimits | None = None,
) -> Generator[SizeTrial, None, SegmentParams]:
    """Return the parameters with a diameter in pixels, or None, in place of one that is to be measured.

    Parameters
    ----------
    params, planes, model, compute, limits
        As for `measure_size`.
    """
    if params.diameter not in MEASURED:
        return params
    size = yield from measure_size(planes, model, params, compute=compute, limits=limits)
    return replace(params, diameter=size.diameter)


def with_choice(
    params: SegmentParams,
    planes: ImagePlane | Sequence[ImagePlane],
    load: Callable[[str], Model],
    *,
    compute: Compute | None = None,
    keep: bool = False,
) -> Generator[SizeTrial, None, tuple[SegmentParams, CellSize | None]]:
    """Choose the model and measure the diameter where that is wished, see `measured_and_chosen`.

    Parameters
    ----------
    params : SegmentParams
    planes : ImagePlane or sequence of ImagePlane
        Of a stack, some of its planes.
    load : callable
        Loads a model by its name.
    compute : Compute, optional
    keep : bool
        Keep to the model, as where other parameters were fitted to it.

    Returns
    -------
    params : SegmentParams
        With the model that is to be used and its diameter.
    size : CellSize or None
        What was measured.
    """
    if params.diameter not in MEASURED:
        return params, None

    every = [planes] if isinstance(planes, ImagePlane) else planes

    def measure(wanted: SegmentParams) -> Generator[SizeTrial, None, CellSize]:
        model = load(wanted.model)
        limits = limits_of_stack(every, wanted, model.card)
        return (yield from measure_size(every, model, wanted, compute=compute, limits=limits))

    size = yield from measure(params) if keep else measured_and_chosen(params, measure)
    return replace(params, model=size.model or params.model, diameter=size.diameter), size
