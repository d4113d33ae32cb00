"""The plane of a layer is found in its file, whatever the order and the names of the axes."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.files.images import open_selected
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.provenance.locate import LayerAxis, index_of, locate

SIZES = {"T": 2, "Z": 3, "C": 2, "Y": 12, "X": 14}


def written(path: Path, axes: str, named: bool, seed: int) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 60000, [SIZES[axis] for axis in axes]).astype(np.uint16)
    if named:
        tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": axes})
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return pixels


@settings(max_examples=60, deadline=None)
@given(
    axes=st.sampled_from(["YX", "TYX", "ZYX", "CYX", "TCYX", "ZCYX", "TZYX", "TZCYX"]),
    named=st.booleans(),
    labelled=st.booleans(),
    shown=st.sampled_from(["last", "others"]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_the_selection_reads_the_plane_on_screen(
    tmp_path_factory, axes, named, labelled, shown, seed, data
) -> None:
    named = named or len(axes) == 5  # more than two unnamed rows of planes are refused
    path = tmp_path_factory.getbasetemp() / ("a.ome.tif" if named else "a.tif")
    path.unlink(missing_ok=True)
    pixels = written(path, axes, named, seed)
    if named:
        pixels = tifffile.imread(path)
    pair = (len(axes) - 2, len(axes) - 1)
    if shown == "others" and len(axes) > 2:
        pair = data.draw(st.sampled_from(list(itertools.combinations(range(len(axes)), 2))))
    entries = [
        None if axis in pair else data.draw(st.integers(0, pixels.shape[axis] - 1))
        for axis in range(len(axes))
    ]
    index = tuple(slice(None) if entry is None else entry for entry in entries)
    roles = dict(zip(pair, "YX", strict=True))
    layer = [
        LayerAxis(
            axes[axis].lower() if labelled else f"-{len(axes) - axis}",
            pixels.shape[axis],
            roles.get(axis, ""),
            entry,
        )
        for axis, entry in enumerate(entries)
    ]
    plane = ImagePlane(pixels[index][None])
    located = locate(path, plane, layer)
    assert located is not None
    file = open_selected(path, located.selection)
    planes = SelectedPlanes(file, located.selection)
    read = planes.plane({axis: entry for axis, entry in located.index.items() if axis != "C"})
    if (channels := located.channels(None)) is not None:
        read = read.with_channels(channels)
    np.testing.assert_array_equal(np.asarray(read.data[:, :, :]), plane.data)
    again = planes.plane(located.index)  # as a replay reads it
    np.testing.assert_array_equal(np.asarray(again.data[:, :, :]), plane.data)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_are_found_as_colours_and_one_by_one(tmp_path: Path, planar) -> None:
    path = tmp_path / "a.tif"
    colours = np.random.default_rng(0).integers(0, 255, (12, 14, 3)).astype(np.uint8)
    stored = colours if planar == "contig" else np.moveaxis(colours, -1, 0)
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar)
    as_colours = [LayerAxis("", 12, "Y"), LayerAxis("", 14, "X"), LayerAxis("rgb", 3, "S")]
    whole = ImagePlane(np.moveaxis(colours, -1, 0), rgb=True)
    if planar == "contig":
        located = locate(path, whole, as_colours)
        assert located is not None
        assert located.index == {}
    one = ImagePlane(np.moveaxis(colours, -1, 0)[1][None])
    sliders = [LayerAxis("", 3, "", 1), LayerAxis("", 12, "Y"), LayerAxis("", 14, "X")]
    located = locate(path, one, sliders if planar == "separate" else [*sliders[1:], sliders[0]])
    assert located is not None
    assert located.index == {"C": 1}


def test_a_later_image_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 255, (12, 14 + number)).astype(np.uint8) for number in range(2))
    tifffile.imwrite(path, first)
    tifffile.imwrite(path, second, append=True)
    located = locate(path, ImagePlane(second[None]), [LayerAxis("", 12, "Y"), LayerAxis("", 15, "X")])
    assert located is not None
    assert located.selection.series == "1"


def test_the_channel_of_an_empty_plane_is_told_by_another_plane(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 2, 12, 14)).astype(np.uint8)
    pixels[:, 0] = 0
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": "TZCYX"})
    shown = LayerAxis("y", 12, "Y"), LayerAxis("x", 14, "X")
    layer = [(LayerAxis("t", 2, "", 1), LayerAxis("z", 3, "", z), *shown) for z in range(3)]
    for channel in (0, 1):
        every = [ImagePlane(pixels[1, z, channel][None]) for z in range(3)]
        others = list(zip(every, layer, strict=True))
        located = locate(path, every[0], layer[0], others=others)
        assert located is not None
        assert located.index == {"T": 1, "Z": 0, "C": channel}
        assert located.channels(None) == (channel,)
        elsewhere = [(ImagePlane(255 - plane.data), at) for plane, at in others]
        assert locate(path, every[0], layer[0], others=elsewhere) is None, "the layer is not in the file"


def test_other_pixels_are_not_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (12, 14)).astype(np.uint8)
    tifffile.imwrite(path, 255 - pixels, photometric="miniswhite")
    axes = [LayerAxis("", 12, "Y"), LayerAxis("", 14, "X")]
    assert locate(path, ImagePlane(pixels[None]), axes) is not None
    assert locate(path, ImagePlane(255 - pixels[None]), axes) is None
    assert locate(tmp_path / "none.tif", ImagePlane(pixels[None]), axes) is None


def test_sliders_of_a_layer_without_a_file_have_letters() -> None:
    axes = [LayerAxis("-4", 3, "", 2), LayerAxis("z", 5, "", 4), LayerAxis("", 9, "Y"), LayerAxis("", 9, "X")]
    assert index_of(axes) == {"T": 2, "Z": 4}
