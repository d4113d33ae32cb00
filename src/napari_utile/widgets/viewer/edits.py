"""Keeps what users paint, erase and click in label layers on disk, for a crash; and brings it back."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from napari.layers import Labels
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal

from napari_utile.session.kept_edits import EditedLabels, KeptEdits, keep_job, new_folder, read_job, remove
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.later import later
from napari_utile.widgets.viewer.layers import plain_viewer, session_of, space_of, window_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, is_cells, lasting
from napari_utile.widgets.viewer.pixel_versions import version_of
from napari_utile.widgets.worker import JobHandle, LatestJob, run_job

# Edits are kept when no more came for this long, and in a long burst of them this often. Milliseconds.
_AFTER, _EVERY = 2_000, 60_000

_edits: "weakref.WeakKeyDictionary[Any, Edits]" = weakref.WeakKeyDictionary()


def edits_of(viewer: napari.viewer.Viewer) -> "Edits":
    """Return what watches over the edits in a viewer; it ends with the viewer's window, not with the dock."""
    viewer = plain_viewer(viewer)
    if viewer not in _edits:
        _edits[viewer] = Edits(viewer)
    return _edits[viewer]


class Edits(QObject):
    """Writes edited label layers to disk, a moment after the last of some edits.

    Attributes
    ----------
    edited : Signal(object)
        A label layer that was painted, erased or clicked in, or of which a step was undone.
    """

    edited = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(window_of(viewer))
        self._viewer = weakref.ref(viewer)
        self._folders: weakref.WeakKeyDictionary[Any, Path] = weakref.WeakKeyDictionary()
        self._counts: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._kept: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._versions: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._writing = LatestJob()
        self._later, self._soon = later(self, _AFTER, self.keep), later(self, _EVERY, self.keep)
        self._connections = Connections(self)
        self._connections.connect(viewer.layers.events.inserted, self._inserted)
        self._connections.connect(viewer.layers.events.removed, self._removed)
        self._connections.connect(session_of(viewer).events.closed, self._close)
        for layer in viewer.layers:
            self._watch(layer)

    def count(self, layer: Any) -> int:
        """Count the edits of a layer so far."""
        return self._counts.get(layer, 0)

    def note(self, layer: Any) -> None:
        """Say that a layer, or what is kept with it, was edited."""
        viewer = self._viewer()
        if viewer is None or not is_cells(layer):
            return
        self._versions.setdefault(layer, version_of(viewer, layer))
        self._counts[layer] = self.count(layer) + 1
        self._later.start()
        if not self._soon.isActive():
            self._soon.start()
        self.edited.emit(layer)

    def saved(self, layer: Any, count: int) -> None:
        """Say that a layer was saved as it was after so many edits: they need not be kept any longer."""
        if layer in self._folders and self.count(layer) == count:
            remove(self._folders.pop(layer))

    def keep(self) -> None:
        """Write down what was edited since the last time."""
        self._later.stop()
        self._soon.stop()
        waiting = [layer for layer, count in self._counts.items() if self._kept.get(layer) != count]
        if not waiting or self._writing.running:
            if waiting:
                self._later.start()
            return
        layer = waiting[0]
        count = self.count(layer)
        folder = self._folders.setdefault(layer, new_folder())

        def done(_: object = None) -> None:
            if self._folders.get(layer) != folder:  # saved or removed meanwhile
                remove(folder)
            self._kept[layer] = count
            self.keep()

        def failed(error: Exception) -> None:
            if self._folders.get(layer) == folder:  # else they were saved or removed meanwhile
                show_warning(f"Edits would be lost in a crash. {sentence_of(error)}")
            done()  # tried again after the next edit

        self._writing.run(keep_job(folder, _as_it_is(layer)), on_done=done, on_error=failed)

    def restore(self, kept: KeptEdits, on_error: Callable[[Exception], object] | None = None) -> JobHandle:
        """Bring edits back as a layer of their own, which is kept in its turn."""

        def show(labels: EditedLabels) -> None:
            viewer = self._viewer()
            if viewer is None:
                return
            layer = _layer_of(labels)
            viewer.add_layer(layer)
            self._folders[layer] = kept.folder
            self.note(layer)
            self.keep()

        return run_job(read_job(kept), on_done=show, on_error=on_error, owner=self)

    def _inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _watch(self, layer: Any) -> None:
        viewer = self._viewer()
        if viewer is None or getattr(layer, "_type_string", "") != "labels" or layer.multiscale:
            return
        version_of(viewer, layer)  # is told before `drawn` that it was
        reference = weakref.ref(layer)

        def painted(_: object = None) -> None:
            painted_on = reference()
            if painted_on is not None:
                self.note(painted_on)

        def drawn(_: object = None) -> None:
            """Notice undo and redo, of which napari says only that the layer is drawn again."""
            viewer, changed = self._viewer(), reference()
            if viewer is None or changed is None or changed not in self._counts:
                return
            version = version_of(viewer, changed)
            if version != self._versions.setdefault(changed, version):
                self._versions[changed] = version
                self.note(changed)

        self._connections.connect(layer.events.paint, painted)
        self._connections.connect(layer.events.set_data, drawn)

    def _removed(self, event: Any) -> None:
        for known in (self._counts, self._kept, self._versions):
            known.pop(event.value, None)
        if event.value in self._folders:
            remove(self._folders.pop(event.value))

    def _close(self, _: object = None) -> None:
        """Forget everything: the window was closed by its user."""
        self._later.stop()
        self._soon.stop()
        self._writing.drop()
        for folder in [*self._folders.values()]:
            remove(folder)
        self._folders.clear()
        self._counts.clear()


def _as_it_is(layer: napari.layers.Labels) -> EditedLabels:
    columns = {str(key): np.asarray(column) for key, column in layer.features.items()}
    space = space_of(layer, range(layer.ndim))
    return EditedLabels(layer.name, layer.data, space, columns, lasting(layer.metadata))


def _layer_of(labels: EditedLabels) -> napari.layers.Labels:
    return Labels(
        labels.data,
        name=labels.name,
        features=dict(labels.columns),
        metadata={METADATA_KEY: dict(labels.own)},
        **labels.space,
    )
