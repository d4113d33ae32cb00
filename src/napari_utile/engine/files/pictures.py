"""Read PNG, JPEG, BMP and GIF with all their bits: grey, colours, palettes, transparency."""

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.samples import palette_grey_or_colour, through_palette

PICTURE_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
}
"""How such files start."""

_NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers of a JPEG between those of frames: tables, extensions."""
_PNG_GREY, _PNG_COLOUR, _PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA = 0, 2, 4, 6


def read_picture(path: Path, kind: str, *, as_labels: bool = False) -> ImageFile:
    """Read a PNG, JPEG, BMP or GIF.

    Parameters
    ----------
    path : Path
    kind : {"PNG", "JPEG", "BMP", "GIF"}
    as_labels : bool
        Take the indices of a palette as they are, instead of its colours.

    Returns
    -------
    ImageFile
        Grey (Y, X) or colours (Y, X, S). Grey loses its transparency; Orientation does not count, as in napari.

    Raises
    ------
    UtileError
        When the file is damaged, truncated or too large.
    """
    try:
        data, notes = _pixels(path, kind, as_labels)
    except UtileError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise UtileError(f"{path.name} is too large a {kind}: save it as TIFF.") from error
    except Exception as error:  # damaged files raise SyntaxError, OSError, zlib.error, struct.error ...
        raise UtileError(f"Cannot read {path.name}: the {kind} file is damaged or truncated.") from error
    return ImageFile(data, "YXS" if data.ndim == 3 else "YX", None, None, path, notes=notes)


def _pixels(path: Path, kind: str, as_labels: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    depth, colour = _png_header(path) if kind == "PNG" else (8, None)
    notes: list[str] = []
    if kind == "JPEG" and _jpeg_bits(path) > 8:
        return np.asarray(imagecodecs.jpeg_decode(path.read_bytes())), ()
    with PIL.Image.open(path, formats=[kind]) as picture:
        picture.load()
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            notes.append(f"the first of {frames} frames")
        if depth == 16 and colour in (_PNG_COLOUR, _PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA):
            data = np.asarray(imagecodecs.png_decode(path.read_bytes()))
            data = (
                data[..., :3] if colour == _PNG_COLOUR else data
            )  # a colour that stands for none is a colour here
        elif picture.mode in ("P", "PA"):
            data = _through_palette(picture, as_labels)
        elif picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            data = np.asarray(picture.convert("RGB"))
        else:
            data = np.asarray(picture)
    if depth < 8 and colour == _PNG_GREY and as_labels and data.dtype == np.uint8:
        data = data // np.uint8(255 // (2**depth - 1))  # they come stretched to 8 bits
    if data.ndim == 3 and data.shape[-1] == 2:
        data = data[..., 0]
        notes.append("without its transparency")
    return np.ascontiguousarray(data), tuple(notes)


def _through_palette(picture: Any, as_labels: bool) -> np.ndarray:
    indices = np.asarray(picture)
    indices = indices[..., 0] if indices.ndim == 3 else indices
    if as_labels:
        return indices
    colours = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3).T
    used = colours[:, : int(indices.max(initial=0)) + 1]
    pixels, _ = through_palette(indices, used if palette_grey_or_colour(used).ndim == 1 else colours)
    return np.asarray(pixels)


def _jpeg_bits(path: Path) -> int:
    """Give the bits of a sample: of the frame header (ITU-T T.81, B.2.2), 8 where there is none."""
    data = path.read_bytes()
    place = 2
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            return data[place + 4]
        place += 2 + size
    return 8


def _png_header(path: Path) -> tuple[int, int]:
    """Give bit depth and colour type (PNG specification, chunk IHDR)."""
    with path.open("rb") as file:
        start = file.read(26)
    depth, colour = struct.unpack("BB", start[24:26])
    return depth, colour
