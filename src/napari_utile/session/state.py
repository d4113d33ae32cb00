"""What the docks of one viewer share: the chosen model and device, tiles already computed, results."""

import sys
import weakref
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from psygnal import Signal, SignalGroup

if TYPE_CHECKING:
    from napari_utile.engine.models.library import Model

__all__ = ["Session", "SessionEvents"]


# Results kept for the sliders, all planes together. Bytes.
_RESULT_BYTES = 2**30


class SessionEvents(SignalGroup):
    """Emitted with the new value when it has changed."""

    model = Signal(str)
    device = Signal(str)
    precision = Signal(str)
    models_changed = Signal()
    result = Signal(object)
    instances_offered = Signal(object)
    jobs = Signal(int)
    closed = Signal()


class Session:
    """State shared by the docks of one viewer.

    Attributes
    ----------
    model : str
        Name of a bundled or user model, or the path of a model file.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    jobs : int
        How many jobs are under way.
    events : SessionEvents
        Emits when one of them changes; `models_changed` when the user's library did, `result` with a
        new result, `instances_offered` with instance parameters that another dock found to be good,
        `closed` once when the viewer closes.
    """

    def __init__(self) -> None:
        self.events = SessionEvents()
        self.closed = False
        self._model = "nuclei"
        self._device = "auto"
        self._precision = "auto"
        self._jobs = 0
        self._tile_cache: Any = None
        self._loaded: tuple[tuple[str, int], Model] | None = None
        self._results: dict[tuple[weakref.ref[object], Hashable], Any] = {}

    @property
    def model(self) -> str:
        """Name or path of the chosen model."""
        return self._model

    @model.setter
    def model(self, name: str) -> None:
        if name != self._model:
            self._model = name
            self.events.model.emit(name)

    @property
    def device(self) -> str:
        """The chosen device."""
        return self._device

    @device.setter
    def device(self, name: str) -> None:
        if name != self._device:
            self._device = name
            self.events.device.emit(name)

    @property
    def precision(self) -> str:
        """The chosen precision."""
        return self._precision

    @precision.setter
    def precision(self, name: str) -> None:
        if name != self._precision:
            self._precision = name
            self.events.precision.emit(name)

    @property
    def jobs(self) -> int:
        """How many jobs are under way in all docks."""
        return self._jobs

    def job_started(self) -> None:
        """Count a job that a dock started."""
        self._jobs += 1
        self.events.jobs.emit(self._jobs)

    def job_ended(self) -> None:
        """Count a job that ended, however it ended; frees the device's memory after the last one."""
        self._jobs = max(0, self._jobs - 1)
        self.events.jobs.emit(self._jobs)

    @property
    def tile_cache(self) -> Any:
        """The `napari_utile.engine.inference.tile_cache.TileCache` of this viewer, made on first use."""
        if self._tile_cache is None:
            from napari_utile.engine.inference.tile_cache import TileCache

            self._tile_cache = TileCache()
        return self._tile_cache

    def load_model(self, name: str) -> "Model":
        """Load a model by name or path, or return the one loaded before if its file has not changed.

        Raises
        ------
        UtileError
            If there is no such model, or it cannot be used.
        """
        from napari_utile.engine.models.catalogue import find_model
        from napari_utile.engine.models.library import load_model

        path = find_model(name)
        key = (str(path), path.stat().st_mtime_ns)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = (key, load_model(path))
        return self._loaded[1]

    def remember(self, source: object, plane: Hashable, result: Any) -> None:
        """Keep a result, so that sliders can work on it; the oldest ones go when they take too much memory.

        Parameters
        ----------
        source : object
            What it was made from: a layer, weakly referenced.
        plane : hashable
            Which plane of the source.
        result : object
            With the attribute ``nbytes``.
        """
        self.forget(source, plane)
        self._results[weakref.ref(source, self._drop_source), plane] = result
        while len(self._results) > 1 and sum(each.nbytes for each in self._results.values()) > _RESULT_BYTES:
            self._results.pop(next(iter(self._results)))
        self.events.result.emit(result)

    def result_of(self, source: object, plane: Hashable) -> Any:
        """Return the last result of a plane of a source, or None."""
        return self._results.get((weakref.ref(source), plane))

    def forget(self, source: object, plane: Hashable) -> None:
        """Drop the result of a plane of a source."""
        self._results.pop((weakref.ref(source), plane), None)

    def _drop_source(self, gone: "weakref.ref[object]") -> None:
        for key in [key for key in self._results if key[0] is gone]:
            self._results.pop(key, None)

    def close(self) -> None:
        """Release everything; docks stop their jobs. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        self.events.closed.emit()
        self._results.clear()
        self._loaded = None
        self._tile_cache = None
        if (
            "napari_utile.engine.inference.warm" in sys.modules
        ):  # else no network was ever made, and torch need not load
            from napari_utile.engine.inference.warm import forget_networks

            forget_networks()
