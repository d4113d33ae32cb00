"""What is measured of stacks, such as the size of their cells, and the planes that it is measured on."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from napari_utile.engine.models.catalogue import find_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams

_MOST_KEPT = 32
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Stack:
    """The planes of an image on which its cells and its grey limits are measured.

    Attributes
    ----------
    planes : tuple of ImagePlane
        One of a plain image, some of a stack.
    key : hashable
        Stands for the pixels of all of them; None where nothing does.
    of_one_image : bool
        Whether they are known to lie along Z and T, so that they share their grey limits; other axes may be channels.
    entries : tuple of (int, ...)
        Where the sliders of the layer stand at each plane; empty where nobody says it.
    """

    planes: tuple[ImagePlane, ...]
    key: Hashable = None
    of_one_image: bool = False
    entries: tuple[tuple[int, ...], ...] = ()


class Measured(Generic[Value]):
    """What was measured on stacks for models, such as cell sizes, for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def known(self, params: SegmentParams, stack: Stack) -> Value | None:
        """Return what was measured of a stack for a model, if it was."""
        with self._lock:
            return self._values.get(_key(params, stack))

    def keep(self, params: SegmentParams, stack: Stack, value: Value) -> None:
        """Keep what was measured."""
        with self._lock:
            self._values[_key(params, stack)] = value
            while len(self._values) > _MOST_KEPT:
                self._values.popitem(last=False)


def _key(params: SegmentParams, stack: Stack) -> Hashable:
    path = find_model(params.model)
    seen = params.channels, params.preprocess, params.limits, params.channel_limits, params.percentiles
    return stack.key or object(), str(path), path.stat().st_mtime_ns, seen
