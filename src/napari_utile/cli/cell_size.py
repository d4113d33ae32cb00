"""The cell size of each image of a command: given, measured for each, or measured once for all."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from napari_utile.cli.inputs import Input
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.limits import seen_plane
from napari_utile.engine.inference.sized import with_choice
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.planes.spread import MOST_PLANES, spread
from napari_utile.engine.provenance.settings import Settings
from napari_utile.engine.segment_params import MEASURED, SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams

_OF_PLANES = VolumeParams()


class Sized(NamedTuple):
    """What one image is segmented with.

    Attributes
    ----------
    said : str
        What is to be said of its cells; nothing where their size was given.
    size : CellSize or None
        What was measured.
    """

    params: SegmentParams
    model: Model
    said: str
    size: CellSize | None


class Sizing:
    """Completes the parameters that a command was given for one image after the other.

    Parameters
    ----------
    asked : Settings
        Instance parameters that they name are in pixels of the image; the others are what the model suggests for the
        size. A wrong name of a model fails at once.
    inputs : sequence of Input
        All images of the command, also of other shards, of which some are measured where one size is wanted for all.

    Attributes
    ----------
    params : SegmentParams
        As they were given, without instance parameters.
    compute : Compute
        Device and precision that were chosen for them.
    fitted : str
        What the settings were fitted to; empty where they were not, or where an option overrides one.
    """

    def __init__(self, asked: Settings, inputs: Sequence[Input] = ()) -> None:
        self.params, self._instances = SegmentParams(**asked.segment), asked.instances
        self.fitted = asked.fitted if asked.whole else ""
        # What was fitted is of one model, also where a value is overridden: no specialist may take it.
        self._keep = bool(asked.fitted)
        self._load = functools.cache(load_model)
        self._load(self.params.model)
        self.compute = choose_compute(self.params.device, self.params.precision)
        self._inputs = inputs
        self._same: tuple[SegmentParams, CellSize | None] | None = None

    def params_for(self, planes: SelectedPlanes, views: VolumeParams = _OF_PLANES) -> Sized:
        """Return parameters and model for an image.

        Parameters
        ----------
        planes : SelectedPlanes
        views : VolumeParams
            Other instance parameters are suggested for three views.

        Raises
        ------
        UtileError
            If the image cannot be used.
        """
        params, said, size = self.params, "", None
        if params.diameter in MEASURED:
            params, size = self._measured(planes)
            chosen = (
                f"{self.params.model}: chose {params.model}; " if params.model != self.params.model else ""
            )
            said = f"{chosen}{size}"
        model = self._load(params.model)
        instances = views.suggested(model.card, params.known_diameter, **self._instances)
        return Sized(replace(params, instances=instances), model, said, size)

    def _measured(self, planes: SelectedPlanes) -> tuple[SegmentParams, CellSize | None]:
        if self.params.diameter == "auto":
            return self._chosen(self.params, planes.measured_on())
        if self._same is None:
            some = [plane for each in self._some_images(planes) for plane in each.measured_on(1)]
            alone = replace(self.params, limits="plane")  # they are of several images
            params, size = self._chosen(alone, some)
            self._same = replace(params, limits=self.params.limits), size
        return self._same

    def _chosen(
        self, params: SegmentParams, some: Sequence[ImagePlane]
    ) -> tuple[SegmentParams, CellSize | None]:
        return Run(with_choice(params, some, self._load, compute=self.compute, keep=self._keep)).result

    def _some_images(self, planes: SelectedPlanes) -> list[SelectedPlanes]:
        return list(itertools.islice(self._usable(), MOST_PLANES)) or [planes]

    def _usable(self) -> Iterator[SelectedPlanes]:
        """Open the images that the model reads, those first that are evenly spread over the command."""
        card = self._load(self.params.model).card
        first = spread(len(self._inputs))
        others = [place for place in range(len(self._inputs)) if place not in first]
        for place in (*first, *others):
            each = self._inputs[place]
            with suppress(UtileError, OSError, ValueError):  # said when its turn comes
                planes = SelectedPlanes(each.open(), each.selection)
                seen_plane(planes.measured_on(1)[0], self.params, card)
                yield planes
