"""Windows of a plane, mirrored outward at the plane's border as in figure 2 of the U-Net paper [1]_.

References
----------
.. [1] O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional networks for biomedical image segmentation.
       MICCAI 2015. https://arxiv.org/abs/1505.04597
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.windows import Window


def mirror_window(data: Any, window: Window) -> NDArray[Any]:
    """Read a window of a plane, mirrored outward at the plane's border.

    Parameters
    ----------
    data : (C, Y, X) array-like
        NumPy, dask or zarr, or anything that is read by slices.
    window : Window
        May begin before and end behind the plane by any number of pixels.

    Returns
    -------
    (C, y, x) array
        The border pixel itself is not repeated, as in the paper's figure 2.
    """
    indices = [
        mirror_indices(part.start, part.stop, size) for part, size in zip(window, data.shape[1:], strict=True)
    ]
    (y, x), (y0, x0) = indices, (int(index.min()) for index in indices)
    block = np.asarray(data[:, y0 : int(y.max()) + 1, x0 : int(x.max()) + 1])
    if block.shape[1] != y.size or y[0] != y0:
        block = block[:, y - y0]
    if block.shape[2] != x.size or x[0] != x0:
        block = block[:, :, x - x0]
    return block


def mirror_indices(start: int, stop: int, size: int) -> NDArray[np.int64]:
    """Return the pixel that stands at each of `start` to `stop` when `size` pixels are mirrored without end."""
    if size == 1:
        return np.zeros(stop - start, np.int64)
    period = 2 * (size - 1)
    indices = np.arange(start, stop) % period
    return np.minimum(indices, period - indices)
