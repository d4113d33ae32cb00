"""Cells that a model sees where an annotation that is said to be complete shows none."""

import numpy as np

from napari_utile.engine.cells.instances import InstanceParams, label_cells
from napari_utile.engine.training.learned import Learned
from napari_utile.engine.training.samples import TrainingPlane

PAINTED = 0.2
"""A cell of which this share is painted was not forgotten."""


def unpainted_cells(learned: Learned, plane: TrainingPlane, params: InstanceParams) -> int:
    """Count the cells that lie mostly on what is annotated as background.

    Parameters
    ----------
    learned : Learned
        What the model says of the plane.
    plane : TrainingPlane
    params : InstanceParams
        In pixels of the plane.
    """
    labels = label_cells(learned.landscape(params), params)
    areas = np.bincount(labels.ravel())
    painted = np.bincount(labels[plane.objects > 0], minlength=areas.size)
    background = np.bincount(labels[(plane.target == 0) & (plane.objects == 0)], minlength=areas.size)
    forgotten = (background > 0.5 * areas) & (painted < PAINTED * areas)
    return int(np.count_nonzero(forgotten[1:]))
