"""What the pages of the dock share: image, model and cells chosen once, the tiles already computed, the results."""

import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from psygnal import Signal, SignalGroup, SignalGroupDescriptor

from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.models.catalogue import ListedModel, find_model
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.cell_classes import FIRST_CLASSES
from napari_utile.session.chosen import ChosenGrowing, ChosenLinking, ChosenPlanes, ChosenRegion
from napari_utile.session.measured import Measured
from napari_utile.session.results import SegmentResult

# Results kept for the sliders, all planes together. Bytes.
RESULT_BYTES = 2**30
# Models that stay loaded, so that one can be compared with another.
_MODELS = 4


class SessionEvents(SignalGroup):
    """What is told besides the new values of a session's fields.

    `models_changed` when the user's library did, `result` with a new result, `values_offered` where another page
    set `values` that the result on screen is to follow, `measured` with a label layer whose table is up to date again.
    """

    models_changed = Signal()
    result = Signal(object)
    values_offered = Signal()
    measured = Signal(object)


class Layer(Protocol):
    """What the pages read of a layer of napari, which the session does not know."""

    name: str
    ndim: int
    data: Any
    metadata: dict[str, Any]
    axis_labels: tuple[str, ...]
    events: Any
    unique_id: Hashable


class CellsLayer(Layer, Protocol):
    """The same of a Labels layer."""

    features: Any
    selected_label: int
    multiscale: bool


@dataclass(frozen=True)
class ChosenImage:
    """The image that all pages work on.

    Attributes
    ----------
    channel_axis : int, optional
        The axis of the layer that goes through its channels, if one does.
    channels : tuple of int, optional
        What the model reads of it; None leaves it to the model.
    """

    layer: Layer | None = None
    channel_axis: int | None = None
    channels: tuple[int, ...] | None = None


class _Made(NamedTuple):
    """A result, and the pixels of the layer that it was made from: a user may give the layer other ones."""

    data: object
    result: SegmentResult


@dataclass(eq=False)
class Session:
    """State of the dock of one viewer, which outlives the dock; fields emit when they change.

    Pages read and set it on the GUI thread. A job gets what it needs in its request; of the session it uses
    `load_model`, `tile_cache` and what is `Measured`, which any thread may.

    Attributes
    ----------
    model : str
        Name of a bundled or user model, or the path of a model file.
    cells : CellsLayer, optional
        The labels that clicks go to, that train, are weighed and evaluated; None stands for a new layer.
    models : tuple of ListedModel
        All that there are.
    devices : tuple of str
        What this computer can compute on; empty until that is known.
    asked : SegmentParams, optional
        What the page Segment asks for, as its fields are now; None until it is opened.
    values : mapping
        Which instance parameters the user chose for that model; the others follow the size of the cells.
    planes : ChosenPlanes
        Which planes of a stack Segment means, so that a dock opened again means them, too.
    linking : ChosenLinking
        How it links them, likewise.
    region : ChosenRegion
        Where on a plane it works, likewise.
    growing : ChosenGrowing
        How it grows nuclei to whole cells, likewise.
    store_places : dict of str to Path
        Where a large result goes in place of where it would go unasked.
    clicking : bool
        Whether clicks go to the cells: then they stay chosen whatever else is made.
    classes : tuple of str
        Names of the classes that number keys give to cells.
    page : str
        Which page of the dock is shown.
    closed : bool
        True from when the viewer closes.
    cell_sizes, stack_limits, with_numbers : Measured
        Of the stacks that were segmented or clicked on.
    events : SessionEvents
        With a signal for each field, too: ``events.image``, ``events.model``, ``events.closed``.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(signal_group_class=SessionEvents)
    image: ChosenImage = ChosenImage()
    model: str = "nuclei"
    cells: CellsLayer | None = None
    models: tuple[ListedModel, ...] = ()
    devices: tuple[str, ...] = ()
    asked: SegmentParams | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    planes: ChosenPlanes = field(default_factory=ChosenPlanes)
    linking: ChosenLinking = field(default_factory=ChosenLinking)
    region: ChosenRegion = field(default_factory=ChosenRegion)
    growing: ChosenGrowing = field(default_factory=ChosenGrowing)
    clicking: bool = False
    classes: tuple[str, ...] = FIRST_CLASSES
    page: str = "segment"
    closed: bool = False

    def __post_init__(self) -> None:
        self.tile_cache = TileCache()
        self.cell_sizes: Measured[CellSize] = Measured()
        self.stack_limits: Measured[IntensityLimits] = Measured()
        self.with_numbers: Measured[bool] = Measured()
        self.store_places: dict[str, Path] = {}
        self._loading = threading.Lock()
        self._loaded: OrderedDict[tuple[str, int], Model] = OrderedDict()
        self._results: dict[tuple[weakref.ref[Any], Hashable], _Made] = {}
        self._chosen: weakref.WeakKeyDictionary[object, dict[Hashable, tuple[SegmentParams, str]]]
        self._chosen = weakref.WeakKeyDictionary()

    def seen_as_asked(self, params: SegmentParams) -> SegmentParams:
        """Return parameters by which the network sees what Segment shows it: preprocessing and grey limits."""
        asked = self.asked
        if asked is None:
            return params
        return replace(
            params,
            preprocess=asked.preprocess,
            limits=asked.limits,
            channel_limits=asked.channel_limits,
            percentiles=asked.percentiles,
        )

    def listed(self, name: str) -> ListedModel | None:
        """Return what is known of a model by its name; a user's goes before a bundled one of the same name."""
        return next((each for each in reversed(self.models) if each.name == name), None)

    def choose_made(self, cells: CellsLayer, image: object) -> bool:
        """Choose cells that were made on an image; not where clicks go to others, or another image is chosen by now.

        Returns
        -------
        bool
            Whether they are chosen.
        """
        if not self.clicking and self.image.layer is image:
            self.cells = cells
        return self.cells is cells

    def forget_layer(self, layer: object) -> None:
        """Choose nothing in the place of a layer that was removed."""
        if self.image.layer is layer:
            self.image = ChosenImage()
        if self.cells is layer:
            self.cells = None
        if self.region.layer is layer:
            self.region = replace(self.region, layer=None)
        if self.growing.layer is layer:
            self.growing = replace(self.growing, layer=None)

    def load_model(self, name: str) -> Model:
        """Load a model by name or path, or return it if it was loaded before and its file has not changed.

        Raises
        ------
        UtileError
            If there is no such model, or it cannot be used.
        """
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

    def remember(self, source: Layer, plane: Hashable, result: SegmentResult) -> None:
        """Keep a result, so that sliders can work on it; the oldest ones go when they take too much memory.

        Parameters
        ----------
        source : Layer
            What it was made from, weakly referenced; it holds the pixels that were segmented.
        plane : hashable
            Which plane of the source.
        """
        self.forget(source, plane)
        results = self._results

        def drop(gone: weakref.ref[Any]) -> None:  # from whichever thread collects the source
            results.pop((gone, plane), None)

        results[weakref.ref(source, drop), plane] = _Made(source.data, result)
        made = result.segmentation.params, result.request.params.model
        self._chosen.setdefault(source, {})[plane] = made
        while len(results) > 1 and sum(each.result.nbytes for each in [*results.values()]) > RESULT_BYTES:
            results.pop(next(iter(results)))
        self.events.result.emit(result)

    def result_of(self, source: Layer, plane: Hashable) -> SegmentResult | None:
        """Return the last result of a plane of a source, or None, also where the source got other pixels since."""
        made = self._results.get((weakref.ref(source), plane))
        if made is not None and made.data is not source.data:
            self.forget(source, plane)
            return None
        return None if made is None else made.result

    def made_by(self, source: object, plane: Hashable) -> tuple[SegmentParams, str] | None:
        """Return how the last result of a plane was made, and the model asked for, though the result was dropped."""
        return self._chosen.get(source, {}).get(plane)

    def forget(self, source: object, plane: Hashable) -> None:
        """Drop the result of a plane of a source."""
        self._results.pop((weakref.ref(source), plane), None)

    def close(self) -> None:
        """Release everything; the dock stops its jobs. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        self.image, self.cells = ChosenImage(), None
        self.region, self.growing = ChosenRegion(), ChosenGrowing()
        self._results.clear()
        self._loaded = OrderedDict()
        self.tile_cache.clear()
        # Where no network was ever made, torch need not load.
        if warm := sys.modules.get("napari_utile.engine.inference.warm"):
            warm.forget_networks()
