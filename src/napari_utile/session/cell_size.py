"""The cell size of an image or stack, measured once for all pages, off the GUI thread."""

from collections.abc import Callable, Generator, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.choice import measured_and_chosen
from napari_utile.engine.inference.limits import limits_of as measured_limits
from napari_utile.engine.inference.limits import limits_of_stack, seen_plane
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import MEASURED, SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.session.measured import Stack
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session


def sized_steps(
    session: Session, request: SegmentRequest
) -> Generator[None, None, tuple[SegmentParams, CellSize | None]]:
    """Complete parameters by a measured cell size and the model that suits; every yield is a point to cancel at.

    Returns
    -------
    params : SegmentParams
        With the model that is to be used, and a diameter in pixels, or None.
    size : CellSize or None
        What was measured; None where nothing was to be.
    """
    if request.params.diameter not in MEASURED:
        return sized_by_now(session, request), None
    yield
    size = yield from _measured_and_chosen(request, partial(measured_steps, session, request.measured_on))
    params = replace(request.params, model=size.model, diameter=size.diameter)
    return _with_values(params, request.values), size


def _measured_and_chosen(
    request: SegmentRequest, measure: Callable[[SegmentParams], Generator[None, None, CellSize]]
) -> Generator[None, None, CellSize]:
    """Measure the cells, and choose the model; what was fitted with a model keeps to it."""
    params = replace(request.params, diameter="auto")
    if not request.fitted:
        return (yield from measured_and_chosen(params, measure))
    return replace((yield from measure(params)), model=params.model)


def _with_values(params: SegmentParams, values: Mapping[str, float]) -> SegmentParams:
    if not values:
        return params
    suggested = suggested_instances(card_of(params.model), params.known_diameter, **values)
    return replace(params, instances=suggested)


def sized_by_now(session: Session, request: SegmentRequest) -> SegmentParams:
    """Complete parameters as far as sizes are known; a diameter set by hand is of the model that was chosen."""
    params = request.params

    def known(wanted: SegmentParams) -> Generator[None, None, CellSize]:
        yield from ()
        size = session.cell_sizes.known(wanted, request.measured_on)
        if size is None:
            raise _UnknownError
        return size

    with suppress(_UnknownError, UtileError):
        size = Run(_measured_and_chosen(request, known)).result
        diameter = size.diameter if params.diameter in MEASURED else params.diameter
        params = replace(params, model=size.model, diameter=diameter)
    return _with_values(params, request.values)


class _UnknownError(Exception):
    """A size was not measured yet."""


def measured_steps(
    session: Session, stack: Stack, params: SegmentParams, *, own_size: bool = False
) -> Generator[None, None, CellSize]:
    """Measure the cells by one model, or return what was measured before; every yield is a point to cancel at.

    With `own_size` also by a model that uses images as they are, see `measure_size`.
    """
    size = session.cell_sizes.known(params, stack)
    if size is None or (own_size and not size.trials):
        yield

        limits = limits_of(session, params, stack)
        model = session.load_model(params.model)
        measuring = measure_size(stack.planes, model, params, limits=limits, own_size=own_size)
        size = yield from measuring.yielding(None)
        session.cell_sizes.keep(params, stack, size)
    return size


def limits_of(session: Session, params: SegmentParams, stack: Stack) -> IntensityLimits | None:
    """Return the grey limits that the planes of a stack share, measured once; None where each plane has its own."""
    if params.limits == "plane" or not stack.of_one_image:
        if params.limits == "plane" and not session.with_numbers.known(params, stack):
            limits_of_stack(stack.planes, params, session.load_model(params.model).card)
            session.with_numbers.keep(params, stack, True)
        return None
    limits = session.stack_limits.known(params, stack)
    if limits is None:
        limits = limits_of_stack(stack.planes, params, session.load_model(params.model).card)
        if limits is not None:
            session.stack_limits.keep(params, stack, limits)
    return limits


def limits_of_plane(
    session: Session, params: SegmentParams, plane: ImagePlane, key: Hashable
) -> IntensityLimits:
    """Return the grey limits of a plane by itself, measured once; `key` stands for its pixels."""
    stack = Stack((plane,), key)
    limits = session.stack_limits.known(params, stack)
    if limits is None:
        card = session.load_model(params.model).card
        limits = measured_limits([seen_plane(plane, params, card)], params, card)
        session.stack_limits.keep(params, stack, limits)
    return limits
