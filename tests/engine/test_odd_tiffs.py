"""TIFFs that are legal and odd, or lack what the format demands: right pixels, or one sentence."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.tiff_reading import read_tiff

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
_SIZES = {"H": 3, "I": 4}


def write(path: Path, strips: list[bytes], tags: dict[int, tuple[str, Any] | None]) -> Path:
    """Write one directory with exactly these tags; None leaves one out."""
    height, width = GREY.shape
    every: dict[int, tuple[str, Any] | None] = {
        256: ("I", width),
        257: ("I", height),
        258: ("H", 8),
        259: ("H", 1),
        262: ("H", 1),
        277: ("H", 1),
        278: ("I", height),
    }
    data, offsets = bytearray(b"II*\0\0\0\0\0"), []
    for strip in strips:
        offsets.append(len(data))
        data += strip
    every |= {273: ("I", offsets), 279: ("I", [len(strip) for strip in strips]), **tags}
    entries = b""
    for tag, entry in sorted(every.items()):
        if entry is None:
            continue
        kind, value = entry
        values = value if isinstance(value, list) else [value]
        content = struct.pack(f"<{len(values)}{kind}", *values)
        if len(content) > 4:
            place = struct.pack("<I", len(data))
            data += content
            content = place
        entries += struct.pack("<HHI", tag, _SIZES[kind], len(values)) + content.ljust(4, b"\0")
    struct.pack_into("<I", data, 4, len(data))
    data += struct.pack("<H", len(entries) // 12) + entries + bytes(4)
    path.write_bytes(data)
    return path


def test_where_nothing_is_said_0_is_black(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [GREY.tobytes()], {262: None})
    for image in (read_image(path), read_tiff(path, lazy_bytes=0)):
        np.testing.assert_array_equal(image.data, GREY)
        assert image.notes == ()


def test_transparency_where_0_is_white_is_no_channel(tmp_path: Path) -> None:
    both = np.stack([GREY, np.full_like(GREY, 9)], -1)
    tags = {262: ("H", 0), 258: ("H", [8, 8]), 277: ("H", 2), 338: ("H", 2)}
    path = write(tmp_path / "a.tif", [both.tobytes()], tags)
    for image in (read_image(path), read_tiff(path, lazy_bytes=0)):
        assert image.axes == "YX"
        np.testing.assert_array_equal(image.data, 255 - GREY)


@pytest.mark.parametrize("rows", [3, 7, 20])
def test_strips_of_unknown_length_are_read_only_where_there_is_one(tmp_path: Path, rows: int) -> None:
    strips = [GREY[start : start + rows].tobytes() + b"\0" * (rows < 20) for start in range(0, 20, rows)]
    path = write(tmp_path / "a.tif", strips, {278: ("I", rows), 279: None})
    if len(strips) == 1:
        np.testing.assert_array_equal(read_image(path).data, GREY)
        return
    with pytest.raises(UtileError, match=r"Cannot read a\.tif"):
        read_image(path)


@pytest.mark.parametrize(("announced", "held"), [(10, 1), (5, 3)])
def test_a_stack_of_imagej_that_ends_early_is_refused_or_accepted(tmp_path, announced, held) -> None:
    planes = np.stack([GREY + number for number in range(held)])
    said = f"ImageJ=1.54f\nimages={announced}\nslices={announced}\n"
    tifffile.imwrite(tmp_path / "a.tif", planes, description=said, metadata=None, photometric="minisblack")
    with pytest.raises(UtileError, match=f"{announced - held} of {announced} planes of a.tif are missing"):
        read_image(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif", accept_missing=True)
    np.testing.assert_array_equal(np.squeeze(image.data), np.squeeze(planes))
    assert image.notes == (f"{announced - held} of {announced} planes missing, left out",)


def test_pages_of_which_a_description_does_not_tell_are_said(tmp_path: Path) -> None:
    planes = np.stack([GREY, GREY + 1, GREY + 2])
    said = "ImageJ=1.54f\nimages=2\nslices=2\n"
    tifffile.imwrite(tmp_path / "a.tif", planes, description=said, metadata=None, photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.data, planes[:2])
    assert image.notes == ("1 further page in the file, left out",)
