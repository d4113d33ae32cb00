"""The probability of a plane made ready for clicks, once per plane, model and device."""

from collections import OrderedDict
from collections.abc import Generator, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.clicks.probability_field import ProbabilityField
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.models.outputs import InputChannel
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.session.results import SegmentResult
    from napari_utile.session.state import Session

__all__ = ["FieldRequest", "FieldStore", "ReadyField", "pixels_key"]

# Planes up to this size are told apart by their pixels at every click, larger ones by the layer's word.
# Bytes.
_HASHED_BELOW = 8 << 20
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
        Stands for the pixels of the plane; see `pixels_key`.
    told : hashable
        The layer's word for its pixels, of which `pixels` is made where they are too many to be compared.
    """

    plane: "ImagePlane"
    params: SegmentParams
    pixels: Hashable
    told: Hashable = None

    @property
    def key(self) -> Hashable:
        """What the probability depends on."""
        return self.pixels, tuple(self.plane.data.shape), self.plane.pixel_size, self.plane.unit, self.params


@dataclass(frozen=True, eq=False)
class ReadyField:
    """The probability of a plane, and what the model suggests for making cells of it.

    Attributes
    ----------
    field : ProbabilityField
    suggested : InstanceParams
    radius : int
        Half the width of the first window to read around a click: a typical cell fits.
    inputs : tuple of InputChannel
        What the model reads.
    """

    field: "ProbabilityField"
    suggested: InstanceParams
    radius: int
    inputs: "tuple[InputChannel, ...]" = ()


def pixels_key(plane: "ImagePlane", told: Hashable) -> Hashable:
    """Return what stands for the pixels of a plane: the hash of small arrays, else what the caller says."""
    return sha256_of(plane.data) if _is_compared(plane.data) else told


class FieldStore:
    """The fields that were made ready last; their tiles are in the session's cache."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._ready: OrderedDict[Hashable, tuple[Hashable, ReadyField]] = OrderedDict()

    def known(self, request: FieldRequest) -> ReadyField | None:
        """Return the field of a request if it is ready."""
        ready = self._ready.get(request.key)
        if ready is None:
            return None
        self._ready.move_to_end(request.key)
        return ready[1]

    def get_ready(
        self, request: FieldRequest, segmented: "SegmentResult | None" = None
    ) -> Generator[None, None, ReadyField]:
        """Load the model and measure the grey values; to be run off the GUI thread.

        Parameters
        ----------
        request : FieldRequest
        segmented : SegmentResult, optional
            The last segmentation of the plane; what it computed is not computed again, if it was made the
            same way.
        """
        yield
        from napari_utile.engine.clicks.probability_field import ProbabilityField
        from napari_utile.engine.inference.warm import warm_network
        from napari_utile.engine.segment_params import suggested_instances

        model = self._session.load_model(request.params.model)
        yield
        made = None
        if segmented is not None and _made_alike(segmented, request, model):
            made = segmented.segmentation
        yield
        field = ProbabilityField(
            request.plane,
            model,
            request.params,
            self._session.tile_cache,
            request.pixels,
            made.limits if made is not None else None,
        )
        if made is not None:
            field.lend(made.values, made.region)
        yield
        warm_network(model, field.compute)
        suggested = suggested_instances(model.card)
        ready = ReadyField(field, suggested, field.click_radius, model.card.inputs)
        self._ready[request.key] = request.told, ready
        while len(self._ready) > _MOST_FIELDS:
            self._ready.popitem(last=False)
        return ready

    def forget(self, told: Hashable = None) -> None:
        """Drop the fields of a plane, for example because it was segmented, which may be of use; all by default."""
        for key, (known, _) in list(self._ready.items()):
            if told is None or known == told:
                self._ready.pop(key, None)


def _made_alike(segmented: "SegmentResult", request: FieldRequest, model: "Model") -> bool:
    """Whether a segmentation is of the same pixels, by the same network, at the same scale."""
    from napari_utile.engine.inference.device import choose_compute

    made, params = segmented.segmentation, request.params
    alike = (
        segmented.request.inside is None
        and segmented.request.data_key == request.told
        and made.model.fingerprint == model.fingerprint
        and made.compute.key == choose_compute(params.device, params.precision).key
        and (made.params.channels, made.params.diameter) == (params.channels, params.diameter)
        and (made.plane.pixel_size, made.plane.unit) == (request.plane.pixel_size, request.plane.unit)
    )
    if alike and _is_compared(request.plane.data):
        plane = request.plane.for_network(len(model.card.inputs), params.channels, model.card.optional_inputs)
        return sha256_of(plane.data) == segmented.recipe.planes[0].pixels
    return alike


def _is_compared(data: object) -> bool:
    return isinstance(data, np.ndarray) and data.nbytes <= _HASHED_BELOW
