"""Callbacks that others registered with dask, as napari's cache, take no part in what is read here."""

import dask.array
import numpy as np
import pytest
import zarr
from dask.callbacks import Callback

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.label_planes import label_stack
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import measure_limits
from napari_utile.engine.planes.projection import project_stack

PIXELS = np.random.default_rng(0).integers(0, 99, (3, 40, 50)).astype(np.uint16)
LAZY = dask.array.from_array(PIXELS, chunks=(1, 16, 16))


def as_labels(tmp_path):
    return label_stack(ImageFile(LAZY, "ZYX", None, None, tmp_path / "labels.tif"))[0]


def as_zarr(tmp_path):
    return as_array(zarr.array(PIXELS, chunks=(1, 16, 16)))[0]


@pytest.mark.parametrize(
    "read",
    [
        lambda _: as_array(LAZY)[0].transpose(0, 1, 2)[:, :, :],
        lambda _: ImagePlane(LAZY).data[:],
        lambda _: np.moveaxis(np.moveaxis(as_array(LAZY)[0], 0, -1), -1, 0),
        as_labels,
        as_zarr,
    ],
    ids=["array", "plane", "moved", "labels", "zarr"],
)
def test_reading_leaves_callbacks_alone(read, tmp_path):
    seen = []
    with Callback(start=seen.append):
        np.testing.assert_array_equal(np.asarray(read(tmp_path)), PIXELS)
    assert not seen


def test_limits_of_large_images_leave_callbacks_alone():
    large = dask.array.zeros((1, 9000, 9000), chunks=(1, 3000, 3000), dtype=np.uint8)
    seen = []
    with Callback(start=seen.append):
        measure_limits(large)
    assert not seen


def test_a_projection_that_is_drawn_reads_its_stack_apart():
    """The callbacks see that it is drawn, once, and not what it reads meanwhile in other threads."""
    seen = []
    with Callback(start=seen.append):
        made = project_stack(LAZY, 0, "max")
        np.testing.assert_array_equal(np.asarray(made), PIXELS.max(axis=0))
        assert len(seen) == 1
        np.testing.assert_array_equal(np.asarray(as_array(made)[0]), PIXELS.max(axis=0))
    assert len(seen) == 1
