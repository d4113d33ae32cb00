"""Fit model, size and settings to a few given cells, as the page asks for it."""

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_utile.engine.fitting.cells import CellFit, fit_to_cells
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.state import Session


def fit_job(
    session: Session, plane: ImagePlane, cells: np.ndarray[Any, Any], params: SegmentParams
) -> Generator[str, None, CellFit]:
    """Try every model that may be suggested; yield what is tried, in words.

    Parameters
    ----------
    cells : (Y, X) int array
        Painted or corrected cells; 0 is unknown.
    params : SegmentParams
        Channels, preprocessing, device and precision are used.
    """
    models = []
    for name in candidates():
        yield "loading models"
        models.append(session.load_model(name))
    run = fit_to_cells(plane, cells, models, params)
    yield from run
    return run.result
