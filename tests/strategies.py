"""What hypothesis draws in several tests."""

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams


@st.composite
def probability_maps(draw, largest=48, smallest=1, ties=False, gaps=False):
    """Smooth and rough (Y, X) maps.

    With `ties` some have few values, so that heights tie; with `gaps` some have pixels that are not a number.
    """
    height, width = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(rng.normal(size=(height, width)), draw(st.sampled_from([0, 1, 2, 3])))
    likely = 0.5 + 0.5 * smooth / (np.abs(smooth).max() or 1.0)
    values = draw(st.sampled_from([None, 4, 1])) if ties else None
    if values is not None:
        likely = np.round(likely * values) / values
    if gaps and draw(st.booleans()):
        likely[rng.random(likely.shape) < 0.05] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return likely.astype(np.float32)


parameters = st.builds(
    InstanceParams,
    threshold=st.floats(0.3, 0.7),
    fill_holes=st.integers(0, 30),
    minimum_size=st.integers(0, 30),
    split=st.floats(0, 1),
    grow=st.integers(0, 3),
)
