"""From an image and markers to labels, without a window: what "Apply markers again" does in the Click dock."""

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt

from napari_utile.engine.clicks.markers import Marker, cells_from_markers
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run

LabelArray = npt.NDArray[np.int32]


def label_marked_cells(
    plane: ImagePlane, markers: Sequence[Marker], model: Model, params: SegmentParams
) -> Generator[None, None, LabelArray]:
    """Label the cells that markers ask for; only what is around them is computed.

    Parameters
    ----------
    plane : ImagePlane
    markers : sequence of Marker
        Those outside of the plane say nothing.
    model : Model
    params : SegmentParams
        Without instance parameters, the model's are taken.

    Yields
    ------
    None
        Before something is computed.

    Returns
    -------
    (Y, X) int32 array
        The markers' cells under their labels. Labels whose markers lie where the model sees nothing are missing.
    """
    field = Field(plane, model, params, cache=TileCache())
    instances = params.instances or suggested_instances(model.card)
    height, width = field.shape
    inside = [each for each in markers if 0 <= each.point[0] < height and 0 <= each.point[1] < width]
    run = Run(cells_from_markers(field.shape, inside, instances, field.click_radius))
    for window in run:
        run.answer = yield from field.read_steps(window)
    labels = np.zeros(field.shape, dtype=np.int32)
    for label, cell in run.result.items():
        labels[cell.window][cell.mask] = label
    return labels
