"""Kinds of files beside the usual ones: animations, slides, confocal stacks, stores with damaged pixels."""

import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.files.tiff_space import describe_space

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)


def test_a_gif_is_read_as_its_colours_and_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    grey = PIL.Image.fromarray(PIXELS)
    grey.save(tmp_path / "one.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "one.gif").data, PIXELS)
    others = [PIL.Image.fromarray(255 - PIXELS), PIL.Image.fromarray(PIXELS.T.reshape(PIXELS.shape))]
    grey.save(tmp_path / "many.gif", save_all=True, append_images=others)
    image = read_image(tmp_path / "many.gif")
    assert image.notes == ("the first of 3 frames",)
    np.testing.assert_array_equal(image.data[..., 0] if "S" in image.axes else image.data, PIXELS)


@pytest.mark.parametrize(
    ("said", "size"), [("MPP = 0.499", (0.499, 0.499)), ("MPP = 0", None), ("AppMag = 20", None)]
)
def test_the_pixel_size_of_a_slide_is_that_of_its_description(tmp_path: Path, said, size) -> None:
    text = f"Aperio Image Library v11.2.1\n50x40 [0,0 50x40]|AppMag = 20|{said}|Left = 1"
    tifffile.imwrite(tmp_path / "a.svs", PIXELS, description=text, metadata=None)
    image = read_image(tmp_path / "a.svs")
    assert (image.pixel_size, image.unit) == (size, "µm" if size else None)


def test_the_voxels_of_a_confocal_stack_are_metres_in_the_file() -> None:
    metadata = {"VoxelSizeX": 2e-7, "VoxelSizeY": 2e-7, "VoxelSizeZ": 1e-6, "TimeIntervall": 3.5}
    file = SimpleNamespace(is_ome=False, is_lsm=True, lsm_metadata=metadata)
    space = describe_space(file, None, 0, "TZCYX")
    assert space.pixel_size == pytest.approx((0.2, 0.2))
    assert (space.unit, space.steps["Z"][0], space.steps["T"]) == ("µm", pytest.approx(1), (3.5, "s"))
    odd = SimpleNamespace(is_ome=False, is_lsm=True, lsm_metadata={"VoxelSizeX": "?", "VoxelSizeY": np.nan})
    assert describe_space(odd, None).pixel_size is None


@pytest.mark.parametrize("bits", [12, 16])
def test_a_jpeg_keeps_all_of_its_bits(tmp_path: Path, bits: int) -> None:
    pixels = PIXELS.astype(np.uint16) * 16 if bits == 12 else PIXELS.astype(np.uint16) * 257
    encoded = (
        imagecodecs.jpeg8_encode(pixels, bitspersample=12, level=100)
        if bits == 12
        else imagecodecs.ljpeg_encode(pixels)
    )
    (tmp_path / "a.jpg").write_bytes(encoded)
    image = read_image(tmp_path / "a.jpg")
    assert image.data.dtype == np.uint16
    np.testing.assert_allclose(image.data, pixels, atol=200 if bits == 12 else 0)


def test_a_colour_of_16_bits_that_stands_for_none_is_a_colour(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    encoded = imagecodecs.png_encode(colours)
    chunk = b"tRNS" + colours[0, 0].astype(">u2").tobytes()
    transparent = struct.pack(">I", 6) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(encoded[:33] + transparent + encoded[33:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").data, colours)


def test_damaged_chunks_of_a_store_are_named_where_they_are_read(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(40, 50), chunks=(20, 25), dtype="uint8")
    array[...] = PIXELS
    (tmp_path / "a.zarr" / "c" / "1" / "0").write_bytes(b"no chunk")
    image = read_image(tmp_path / "a.zarr")
    with pytest.raises(UtileError, match=r"Cannot read a\.zarr: its pixels at .* are damaged"):
        np.asarray(image.data)


def test_damaged_pixels_of_a_large_tiff_are_named_where_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, compression="zlib", rowsperstrip=8)
    with tifffile.TiffFile(path) as tif:
        place = tif.pages.first.dataoffsets[2]
    damaged = bytearray(path.read_bytes())
    damaged[place : place + 8] = b"\xff" * 8
    path.write_bytes(damaged)
    with pytest.raises(UtileError, match=r"Cannot read a\.tif: its pixels at .* are damaged"):
        np.asarray(read_tiff(path, lazy_bytes=0).data)
