"""The same pixels whatever a file's compression, planes, photometric interpretation, depth and byte order."""

from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.tiff_reading import read_tiff

GREY = (np.arange(40 * 48).reshape(40, 48) * 31 % 251).astype(np.uint8)
COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
LOSSLESS = [None, "zlib", "lzw", "packbits", "zstd", "lzma", "jpegxl", "png", "jpeg2000", "lerc"]


def grey_of(image) -> np.ndarray:
    """The mean of the colours, or the grey values."""
    data = np.asarray(image.data)
    return data.mean(axis=image.axes.index("S")) if "S" in image.axes else data


@pytest.mark.parametrize(
    ("compression", "byteorder"),
    [(each, "<") for each in LOSSLESS] + [(each, ">") for each in LOSSLESS[:6]],
)
def test_a_compression_does_not_change_the_pixels(tmp_path: Path, compression, byteorder) -> None:
    path = tmp_path / "a.tif"
    for pixels in (GREY, GREY.astype(np.uint16) * 201, COLOURS):
        options = {"compressionargs": {"lossless": True}} if compression == "jpegxl" else {}
        if compression == "jpeg2000":
            options = {"compressionargs": {"reversible": True, "level": 0}}
        tifffile.imwrite(
            path,
            pixels,
            photometric="rgb" if pixels.ndim == 3 else "minisblack",
            compression=compression,
            byteorder=byteorder,
            **options,
        )
        image = read_image(path)
        np.testing.assert_array_equal(image.data, pixels)
        assert image.data.dtype.isnative


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_planes_of_colours_may_lie_apart(tmp_path: Path, compression, planar, dtype) -> None:
    path = tmp_path / "a.tif"
    pixels = COLOURS.astype(dtype) * (1 if dtype == np.uint8 else 257)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression)
    for lazy_bytes in (0, 10**9):
        image = read_tiff(path, lazy_bytes)
        data = np.moveaxis(np.asarray(image.data), image.axes.index("S"), -1)
        np.testing.assert_array_equal(data, pixels)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("lazy_bytes", [0, 10**9])
def test_white_is_zero_in_every_compression(tmp_path: Path, compression, lazy_bytes) -> None:
    path = tmp_path / "a.tif"
    for dtype, factor in ((np.uint8, 1), (np.uint16, 257)):
        pixels = GREY.astype(dtype) * dtype(factor)
        tifffile.imwrite(path, ~pixels, photometric="miniswhite", compression=compression)
        image = read_tiff(path, lazy_bytes)
        np.testing.assert_array_equal(np.asarray(image.data), pixels)
        assert "0 is white in the file" in image.notes


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_orientation_does_not_turn_the_pixels(tmp_path: Path, compression, orientation) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression=compression, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_image(path).data, GREY)


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("lazy_bytes", [0, 10**9])
def test_a_palette_gives_its_colours_and_labels_their_indices(
    tmp_path: Path, compression, lazy_bytes
) -> None:
    path = tmp_path / "a.tif"
    ramp = np.arange(256, dtype=np.uint16)
    inverted = np.stack([(255 - ramp) * 257] * 3)
    tifffile.imwrite(path, GREY, photometric="palette", colormap=inverted, compression=compression)
    image = read_tiff(path, lazy_bytes)
    assert image.axes == "YX"
    np.testing.assert_array_equal(np.asarray(image.data), 255 - GREY)
    np.testing.assert_array_equal(read_tiff(path, lazy_bytes, as_labels=True).data, GREY)
    coloured = np.stack([ramp * 257, (255 - ramp) * 257, ramp * 0])
    tifffile.imwrite(path, GREY, photometric="palette", colormap=coloured, compression=compression)
    image = read_tiff(path, lazy_bytes)
    assert image.axes == "YXS"
    np.testing.assert_array_equal(np.asarray(image.data), np.stack([GREY, 255 - GREY, 0 * GREY], axis=-1))


def test_inks_are_not_read_inverted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    black = 255 - GREY
    inks = np.stack([0 * GREY, 0 * GREY, 0 * GREY, black], axis=-1)
    tifffile.imwrite(path, inks, photometric="separated")
    np.testing.assert_array_equal(grey_of(read_image(path)), GREY)
    PIL.Image.fromarray(np.ascontiguousarray(inks), "CMYK").save(path, compression="tiff_lzw")
    np.testing.assert_array_equal(grey_of(read_image(path)), GREY)
    PIL.Image.fromarray(np.ascontiguousarray(inks), "CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(grey_of(read_image(tmp_path / "a.jpg")) - GREY).mean() < 20


def test_samples_beside_grey_are_transparency_or_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    two = np.stack([GREY, GREY[::-1]], axis=-1)
    tifffile.imwrite(path, two, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig")
    image = read_image(path)
    assert image.axes == "YX"
    assert "without its transparency" in image.notes
    np.testing.assert_array_equal(image.data, GREY)
    tifffile.imwrite(path, two, photometric="minisblack", extrasamples=["unspecified"], planarconfig="contig")
    assert read_image(path).axes == "YXC"


def test_one_bit_is_black_and_white_either_way(tmp_path: Path) -> None:
    mask = GREY > 100
    for number, photometric in enumerate(("minisblack", "miniswhite")):
        path = tmp_path / f"{number}.tif"
        stored = ~mask if photometric == "miniswhite" else mask
        tifffile.imwrite(path, stored, photometric=photometric, bitspersample=1, software="ImageMagick")
        np.testing.assert_array_equal(np.asarray(read_image(path).data) > 0, mask)
        np.testing.assert_array_equal(np.asarray(read_image(path, as_labels=True).data) > 0, mask)


def test_true_is_true_in_masks_that_python_programs_write(tmp_path: Path) -> None:
    mask = GREY > 100
    tifffile.imwrite(tmp_path / "a.tif", mask)  # tifffile calls its 0 white
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.tif", as_labels=True).data) > 0, mask)


def test_what_cannot_be_decoded_faithfully_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="zlib")
    content = path.read_bytes()
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[0].tags["Compression"]
        offset = tag.valueoffset
    damaged = bytearray(content)
    damaged[offset : offset + 2] = (34661).to_bytes(2, "little")  # JBIG
    path.write_bytes(damaged)
    with pytest.raises(UtileError, match="decodes its compression, JBIG; save it again"):
        read_image(path)
    tifffile.imwrite(path, COLOURS, photometric="cielab")
    with pytest.raises(UtileError, match="stored as CIELab; save it again as RGB"):
        read_image(path)


# Pictures


def test_png_keeps_all_its_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for pixels in (
        GREY.astype(np.uint16) * 257 + 3,
        COLOURS.astype(np.uint16) * 257 + 3,
        np.concatenate([COLOURS, COLOURS[..., :1]], axis=-1).astype(np.uint16) * 250 + 1,
    ):
        path.write_bytes(imagecodecs.png_encode(pixels))
        np.testing.assert_array_equal(read_image(path).data, pixels)
    grey_alpha = np.stack([GREY, GREY[::-1]], axis=-1).astype(np.uint16) * 257 + 3
    path.write_bytes(imagecodecs.png_encode(grey_alpha))
    np.testing.assert_array_equal(read_image(path).data, grey_alpha[..., 0])


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_an_indexed_picture_has_colours_as_an_image_and_ids_as_labels(tmp_path: Path, suffix) -> None:
    path = tmp_path / f"a.{suffix}"
    ids = GREY % 7
    picture = PIL.Image.fromarray(ids, "P")
    table = [(17 * number) % 256 for number in range(7 * 3)]
    picture.putpalette(table + [0] * (768 - len(table)))
    picture.save(path)
    np.testing.assert_array_equal(read_image(path, as_labels=True).data, ids)
    expected = np.asarray(table, np.uint8).reshape(7, 3)[ids]
    np.testing.assert_array_equal(read_image(path).data, expected)
    picture.putpalette([255 - number // 3 for number in range(768)])
    picture.save(path)
    np.testing.assert_array_equal(read_image(path).data, 255 - ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_ids_of_few_bits_stay_ids(tmp_path: Path, bits) -> None:
    import struct
    import zlib

    ids = (GREY % 2**bits).astype(np.uint8)
    shifts = range(8 - bits, -1, -bits)
    packed = sum(ids[:, number :: 8 // bits].astype(int) << shift for number, shift in enumerate(shifts))
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in packed)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    np.testing.assert_array_equal(read_image(path, as_labels=True).data, ids)
