"""What a network is to predict of each pixel's distances to the edge and to the centre of its cell."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

RIM = 2
"""Distances are also learnt this far outside cells (pixels): a cell's hill has to end."""


def distance_targets(
    objects: NDArray[np.integer], annotated: NDArray[np.bool_], cut: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Measure the distances of a whole plane.

    They are measured before anything is cropped, so that every cell has its own edge and centre; what the border of
    the image cuts has neither, and is left out.

    Parameters
    ----------
    objects : (Y, X) integer array
        Instances, 0 elsewhere.
    annotated : (Y, X) bool array
        The pixels that somebody labelled.
    cut : (Y, X) bool array, optional
        Pixels at which the annotation ends while cells go on, besides the border of the image.

    Returns
    -------
    (3, Y, X) float32 array
        B, the distance to the cell's edge as a share of the largest in the cell (0 outside); C, the distance to the
        centroid, or to the deepest pixel where the centroid lies outside the cell, as a share of the largest in
        the cell (1 outside); and 1 where the two may be learnt from.
    """
    present, numbers = np.unique(objects, return_inverse=True)
    labels = numbers.reshape(objects.shape) + (1 if present.size and present[0] != 0 else 0)
    edge, centre = np.zeros(objects.shape, np.float32), np.ones(objects.shape, np.float32)
    ends = np.zeros(objects.shape, bool) if cut is None else cut.copy()
    for side in (0, -1):
        ends[side, :] = ends[:, side] = True
    left_out = np.unique(labels[ends])
    for label, window in enumerate(ndimage.find_objects(labels), start=1):
        cell = labels[window] == label
        depth = ndimage.distance_transform_edt(np.pad(cell, 1))[1:-1, 1:-1]
        y, x = (round(float(axis.mean())) for axis in np.nonzero(cell))
        if not cell[y, x]:
            y, x = (int(index) for index in np.unravel_index(np.argmax(depth), depth.shape))
        rows, columns = np.ogrid[: cell.shape[0], : cell.shape[1]]
        away = np.hypot(rows - y, columns - x)
        edge[window][cell] = depth[cell] / depth.max()
        centre[window][cell] = away[cell] / max(float(away[cell].max()), 1.0)
    cells = labels > 0
    learnt = ndimage.binary_dilation(cells, np.ones((3, 3), bool), iterations=RIM)
    learnt &= annotated & ~(cells & np.isin(labels, left_out))
    return np.stack([edge, centre, learnt.astype(np.float32)])
