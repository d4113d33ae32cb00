"""The probability of a plane made ready for clicks, once per plane, model and device."""

from collections import OrderedDict
from collections.abc import Generator, Hashable
from dataclasses import dataclass
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.prompts import Steps
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.session.cell_size import limits_of, sized_steps
from napari_utile.session.measured import Stack
from napari_utile.session.pixels import HASHED_IN_A_JOB, pixels_key
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session

_MOST_FIELDS = 8


@dataclass(frozen=True, eq=False)
class FieldRequest:
    """What to read the probability of.

    Attributes
    ----------
    plane : ImagePlane
        All channels.
    params : SegmentParams
        Model, channels, diameter, device and precision.
    pixels : hashable
        Stands for the pixels of the plane; see `session.pixels`.
    data_key : hashable
        The layer's word for its pixels, of which `pixels` is made where they are too many to be compared.
    stack : Stack, optional
        The planes on which the size of the cells is measured; the plane alone by default.
    """

    plane: ImagePlane
    params: SegmentParams
    pixels: Hashable
    data_key: Hashable = None
    stack: Stack | None = None

    @property
    def key(self) -> Hashable:
        """What the probability depends on."""
        stack = None if self.stack is None else self.stack.key
        shape, space = tuple(self.plane.data.shape), (self.plane.pixel_size, self.plane.unit)
        return self.pixels, shape, space, self.params, stack


@dataclass(frozen=True, eq=False)
class ReadyField:
    """The probability of a plane, and what the model suggests for making cells of it.

    Attributes
    ----------
    radius : int
        Half the width of the first window to read around a click: a typical cell fits.
    size : CellSize or None
        What was measured of the cells, None where nothing was to be.
    """

    field: Field
    suggested: InstanceParams
    radius: int
    size: CellSize | None = None


class FieldStore:
    """The fields that were made ready last, for the GUI thread alone; their blocks are in the session's cache."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ready: OrderedDict[Hashable, ReadyField] = OrderedDict()

    def known(self, request: FieldRequest) -> ReadyField | None:
        """Return the field of a request if it is ready."""
        ready = self._ready.get(request.key)
        if ready is not None:
            self._ready.move_to_end(request.key)
        return ready

    def get_ready(self, request: FieldRequest) -> Generator[Steps, Any, ReadyField]:
        """Load the model and measure the grey values: a part of an action, see `session.clicks.actions`."""
        kept = self._ready
        ready: ReadyField = yield made_ready(self._session, request)
        kept[request.key] = ready  # where everything was forgotten meanwhile, nobody looks here any more
        while len(kept) > _MOST_FIELDS:
            kept.popitem(last=False)
        return ready

    def forget(self) -> None:
        """Drop the fields, for example because a model was trained further."""
        self._ready = OrderedDict()


def made_ready(session: Session, request: FieldRequest) -> Generator[None, None, ReadyField]:
    """Load the model of a request, and measure what its field needs."""
    yield

    stack = request.stack or Stack((request.plane,))
    params, size = yield from sized_steps(session, SegmentRequest(request.plane, request.params, stack=stack))
    model = session.load_model(params.model)
    yield
    field = Field(
        request.plane,
        model,
        params,
        limits=limits_of(session, params, stack),
        cache=session.tile_cache,
        pixels=pixels_key(request.plane, request.data_key, HASHED_IN_A_JOB),
    )
    yield
    warm_network(model, field.compute)
    return ReadyField(
        field,
        suggested_instances(model.card, params.known_diameter),
        field.click_radius,
        size,
    )
