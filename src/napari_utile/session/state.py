"""What the docks of one viewer share: the chosen model and device, tiles already computed, results."""

import weakref
from collections.abc import Callable
from typing import Any

from psygnal import Signal, SignalGroup

__all__ = ["Session", "SessionEvents"]


class SessionEvents(SignalGroup):
    """Emitted with the new value when it has changed."""

    model = Signal(str)
    device = Signal(str)
    precision = Signal(str)
    models_changed = Signal()
    result = Signal(object)
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
        Emits when one of them changes; `models_changed` when the user's library did, `result` with the
        key of a new last result, `closed` once when the viewer closes.
    """

    def __init__(self) -> None:
        self.events = SessionEvents()
        self.closed = False
        self._model = "nuclei"
        self._device = "auto"
        self._precision = "auto"
        self._jobs = 0
        self._tile_cache: Any = None
        self._results: dict[Any, Any] = {}
        self._on_close: list[Callable[[], object]] = []

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
        """The `napari_utile.engine.tile_cache.TileCache` of this viewer, made on first use."""
        if self._tile_cache is None:
            from napari_utile.engine.tile_cache import TileCache

            self._tile_cache = TileCache()
        return self._tile_cache

    def remember(self, source: object, result: object) -> None:
        """Keep the last result of a source (an object that can be weakly referenced: a layer)."""
        key = weakref.ref(source, self._forget)
        self._results.pop(key, None)
        self._results[key] = result
        self.events.result.emit(result)

    def last_result(self, source: object) -> Any:
        """Return the last result of a source, or None."""
        return self._results.get(weakref.ref(source))

    def forget(self, source: object) -> None:
        """Drop the last result of a source."""
        self._results.pop(weakref.ref(source), None)

    def _forget(self, key: "weakref.ref[object]") -> None:
        self._results.pop(key, None)

    def on_close(self, function: Callable[[], object]) -> None:
        """Call `function` once when the session closes."""
        self._on_close.append(function)

    def close(self) -> None:
        """Release everything; docks stop their jobs. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        functions, self._on_close = self._on_close, []
        for function in functions:
            function()
        self.events.closed.emit()
        self._results.clear()
        self._tile_cache = None
