"""The cell size of each image of a command: given, measured for each, or measured once for all."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment_params import MEASURED, SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams

if TYPE_CHECKING:
    from napari_utile.engine.inference.device import Compute
    from napari_utile.engine.models.library import Model


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
    model: "Model"
    said: str
    size: CellSize | None


class Sizing:
    """Completes the parameters for one image after the other.

    Parameters
    ----------
    params : SegmentParams
        Without instance parameters.
    instances : mapping
        Those that were given, in pixels of the image; the others are what the model suggests for the size.
    load : callable
        Loads a model by its name.
    paths : sequence of Path
        All images of the command, of which some are measured where one size is wanted for all.
    selection : Selection, optional
        Which pixels of them are read.
    views : VolumeParams, optional
        Whether stacks are seen as volumes, for which other instance parameters are suggested.
    """

    def __init__(
        self,
        params: SegmentParams,
        instances: Mapping[str, Any],
        load: "Callable[[str], Model]",
        compute: "Compute",
        paths: Sequence[Path] = (),
        selection: Selection | None = None,
        views: VolumeParams | None = None,
    ) -> None:
        self._params, self._instances, self._load, self._compute = params, instances, load, compute
        self._paths, self._selection = paths, selection or Selection()
        self._views = views or VolumeParams()
        self._same: tuple[SegmentParams, CellSize | None] | None = None

    def params_for(self, planes: SelectedPlanes) -> Sized:
        """Return parameters and model for an image.

        Raises
        ------
        UtileError
            If the image cannot be used.
        """
        params, said, size = self._params, "", None
        if params.diameter in MEASURED:
            params, size = self._measured(planes)
            chosen = (
                f"{self._params.model}: chose {params.model}; " if params.model != self._params.model else ""
            )
            said = f"{chosen}{size}"
        model = self._load(params.model)
        instances = self._views.suggested(model.card, params.known_diameter, **self._instances)
        return Sized(replace(params, instances=instances), model, said, size)

    def _measured(self, planes: SelectedPlanes) -> tuple[SegmentParams, CellSize | None]:
        from napari_utile.engine.inference.sized import with_choice

        if self._params.diameter == "auto":
            some = planes.measured_on()
            return Run(with_choice(self._params, some, self._load, compute=self._compute)).result
        if self._same is None:
            some = [plane for each in self._some_images(planes) for plane in each.measured_on(1)]
            alone = replace(self._params, limits="plane")  # they are of several images
            params, size = Run(with_choice(alone, some, self._load, compute=self._compute)).result
            self._same = replace(params, limits=self._params.limits), size
        return self._same

    def _some_images(self, planes: SelectedPlanes) -> list[SelectedPlanes]:
        images = []
        for index in spread(len(self._paths)):
            with suppress(UtileError, OSError, ValueError):  # said when its turn comes
                images.append(
                    SelectedPlanes(open_selected(self._paths[index], self._selection), self._selection)
                )
        return images or [planes]
