"""Stores for tests: a small image, its plan, and what is left of it done."""

import numpy as np
import zarr
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.run import store_steps

SIDE = 64


def image_of(shape=(120, 190), seed=0):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 4)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 60000).astype(np.uint16)


def planned(model, data, source="layer", instances=None, side=SIDE, **options):
    plane = ImagePlane(data[None])
    params = SegmentParams(
        diameter=None,
        device="cpu",
        precision="float32",
        instances=instances or InstanceParams(minimum_size=5),
    )
    compute = choose_compute("cpu", "float32")
    return plane, plan_store([plane], model, params, compute, source, side=side, **options)


def fill(place, **options):
    """Do all that is left of a store."""
    return Run(store_steps(place, **options)).result


def labels_in(place):
    return zarr.open_array(place / "labels/cells/0", mode="r")[...]
