"""The planes that a selection takes of an image, one by one and together."""

from pathlib import Path

import dask.array
import numpy as np
import pytest

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.windows import Window


@pytest.mark.parametrize("kind", [np.asarray, dask.array.from_array], ids=["array", "lazy"])
@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(z="1:3"),
        Selection(z="3", t="1"),
        Selection(t="1:", project="z:max"),
        Selection(z="1:4", project="z:mean"),
        Selection(z="2", project="z:max"),
        Selection(project="z:focus"),
    ],
    ids=str,
)
@pytest.mark.parametrize("region", [None, Window(slice(1, 6), slice(2, 9))], ids=["whole", "part"])
@pytest.mark.parametrize("axes", ["TCZYX", "ZTYX", "YXZT", "TXZCY", "TZYXS", "TYXSZ"])
def test_the_image_of_selected_planes_has_the_pixels_of_each(axes, selection, region, kind) -> None:
    sizes = {"T": 2, "C": 2, "Z": 5, "Y": 8, "X": 9, "S": 3}
    pixels = np.random.default_rng(0).integers(0, 255, [sizes[axis] for axis in axes], np.uint8)
    planes = SelectedPlanes(ImageFile(kind(pixels), axes, None, None, Path("x.tif")), selection, region)
    image = planes.as_image()
    channel = next((axis for axis in "CS" if axis in axes), "")
    assert sorted(image.axes) == sorted(f"{planes.stacked}YX{channel}")
    together = np.asarray(image.data).transpose(
        [image.axes.index(axis) for axis in f"{planes.stacked}{channel}YX"]
    )
    each = np.stack([np.asarray(plane.data[...]) for _, plane in planes])
    np.testing.assert_array_equal(together.reshape(each.shape), each)
    assert image.axes[-2:] == "YX" or image.axes[-3:] == "YXS"
