"""What the docks of one viewer share: the chosen model, the tiles already computed, the results."""

import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from psygnal import Signal, SignalGroup, SignalGroupDescriptor

from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.session.cell_size import CellSizes

if TYPE_CHECKING:
    from napari_utile.engine.models.library import Model
    from napari_utile.engine.segment_params import SegmentParams
    from napari_utile.session.results import SegmentResult

__all__ = ["Session", "SessionEvents"]

# Results kept for the sliders, all planes together. Bytes.
_RESULT_BYTES = 2**30
# Models that stay loaded, so that one can be compared with another.
_MODELS = 4


class SessionEvents(SignalGroup):
    """What is told besides the new values of a session's fields.

    `models_changed` when the user's library did, `result` with a new result, `instances_offered` with instance
    parameters that another dock found to be good.
    """

    models_changed = Signal()
    result = Signal(object)
    instances_offered = Signal(object)


@dataclass(eq=False)
class Session:
    """State shared by the docks of one viewer; fields emit when they change.

    Docks read and set it on the GUI thread. A job gets what it needs in its request; of the session it uses
    `load_model`, `tile_cache` and `cell_sizes`, which any thread may.

    Attributes
    ----------
    model : str
        Name of a bundled or user model, or the path of a model file.
    closed : bool
        True from when the viewer closes.
    tile_cache : TileCache
    cell_sizes : CellSizes
    events : SessionEvents
        With a signal for each field, too: ``events.model``, ``events.closed``.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(signal_group_class=SessionEvents)
    model: str = "nuclei"
    closed: bool = False

    def __post_init__(self) -> None:
        self.tile_cache = TileCache()
        self.cell_sizes = CellSizes()
        self._loading = threading.Lock()
        self._loaded: OrderedDict[tuple[str, int], Model] = OrderedDict()
        self._results: dict[tuple[weakref.ref[object], Hashable], SegmentResult] = {}
        self._chosen: weakref.WeakKeyDictionary[object, dict[Hashable, SegmentParams]]
        self._chosen = weakref.WeakKeyDictionary()

    def load_model(self, name: str) -> "Model":
        """Load a model by name or path, or return it if it was loaded before and its file has not changed.

        Raises
        ------
        UtileError
            If there is no such model, or it cannot be used.
        """
        from napari_utile.engine.models.catalogue import find_model
        from napari_utile.engine.models.library import load_model

        path = find_model(name)
        key = (str(path), path.stat().st_mtime_ns)
        with self._loading:  # two jobs that ask for one model load it once
            if key in self._loaded:
                self._loaded.move_to_end(key)
                return self._loaded[key]
            model = load_model(path)
            if not self.closed:  # meanwhile
                self._loaded[key] = model
            while len(self._loaded) > _MODELS:
                self._loaded.popitem(last=False)
            return model

    def remember(self, source: object, plane: Hashable, result: "SegmentResult") -> None:
        """Keep a result, so that sliders can work on it; the oldest ones go when they take too much memory.

        Parameters
        ----------
        source : object
            What it was made from: a layer, weakly referenced.
        plane : hashable
            Which plane of the source.
        result : SegmentResult
        """
        self.forget(source, plane)
        results = self._results

        def drop(gone: "weakref.ref[object]") -> None:  # from whichever thread collects the source
            results.pop((gone, plane), None)

        results[weakref.ref(source, drop), plane] = result
        self._chosen.setdefault(source, {})[plane] = result.segmentation.params
        while len(results) > 1 and sum(each.nbytes for each in [*results.values()]) > _RESULT_BYTES:
            results.pop(next(iter(results)))
        self.events.result.emit(result)

    def result_of(self, source: object, plane: Hashable) -> "SegmentResult | None":
        """Return the last result of a plane of a source, or None."""
        return self._results.get((weakref.ref(source), plane))

    def params_of(self, source: object, plane: Hashable) -> "SegmentParams | None":
        """Return how the last result of a plane was made, also where the result itself was dropped."""
        return self._chosen.get(source, {}).get(plane)

    def forget(self, source: object, plane: Hashable) -> None:
        """Drop the result of a plane of a source."""
        self._results.pop((weakref.ref(source), plane), None)

    def close(self) -> None:
        """Release everything; docks stop their jobs. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        self._results.clear()
        self._loaded = OrderedDict()
        self.tile_cache.clear()
        # Where no network was ever made, torch need not load.
        if warm := sys.modules.get("napari_utile.engine.inference.warm"):
            warm.forget_networks()
