"""The probability of a plane made ready for clicks, once per plane, model and device."""

import zlib
from collections import OrderedDict
from collections.abc import Generator, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.segment_params import SegmentParams

if TYPE_CHECKING:
    from napari_utile.engine.clicks.probability_field import ProbabilityField
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
    """

    plane: "ImagePlane"
    params: SegmentParams
    pixels: Hashable

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
    channels : tuple of str
        What the model reads.
    """

    field: "ProbabilityField"
    suggested: InstanceParams
    radius: int
    channels: tuple[str, ...] = ()


def pixels_key(plane: "ImagePlane", told: Hashable) -> Hashable:
    """Return what stands for the pixels of a plane: a checksum of small arrays, else what the caller tells."""
    data = plane.data
    if isinstance(data, np.ndarray) and data.nbytes <= _HASHED_BELOW:
        return zlib.crc32(np.ascontiguousarray(data).data), str(data.dtype)
    return told


class FieldStore:
    """The fields that were made ready last; their tiles are in the session's cache."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._ready: OrderedDict[Hashable, ReadyField] = OrderedDict()

    def known(self, request: FieldRequest) -> ReadyField | None:
        """Return the field of a request if it is ready."""
        ready = self._ready.get(request.key)
        if ready is not None:
            self._ready.move_to_end(request.key)
        return ready

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
        from napari_utile.engine.segment import suggested_instances

        model = self._session.load_model(request.params.model)
        yield
        field = ProbabilityField(
            request.plane, model, request.params, self._session.tile_cache, request.pixels
        )
        yield
        if segmented is not None and _made_alike(segmented, request, field):
            field.seed(segmented.segmentation.probabilities, segmented.segmentation.region)
        yield
        warm_network(model, field.compute)
        suggested = suggested_instances(model.card)
        ready = ReadyField(field, suggested, field.click_radius, tuple(model.card.channels))
        self._ready[request.key] = ready
        while len(self._ready) > _MOST_FIELDS:
            self._ready.popitem(last=False)
        return ready

    def forget(self) -> None:
        """Drop all fields, for example because a model's file changed."""
        self._ready.clear()


def _made_alike(segmented: "SegmentResult", request: FieldRequest, field: "ProbabilityField") -> bool:
    """Whether a segmentation is of the same pixels, by the same network, at the same scale and grey values."""
    made, params = segmented.segmentation, request.params
    return (
        segmented.request.inside is None
        and pixels_key(segmented.request.plane, object()) == request.pixels
        and made.model.fingerprint == field.model.fingerprint
        and made.compute.key == field.compute.key
        and made.limits == field.limits
        and (made.params.channels, made.params.diameter) == (params.channels, params.diameter)
    )
