"""A quality sheet: which images of a batch came out badly? Thumbnails with outlines and flags, the worst first."""

import base64
import html
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import find_boundaries

from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.tables import with_bytes
from napari_utile.engine.reports.figure import OUTLINE, as_colours
from napari_utile.engine.words import counted

THUMBNAIL = 240
"""Largest side of a thumbnail (pixels)."""
MOST_PICTURES = 400
"""Images that are shown; the others are in the table of fields."""
SATURATED = 0.001
"""Share of the pixels that have the image's largest value: above it the image is called saturated."""
FAR = 3.5
"""Robust standard deviations (from the median deviation) beyond which an image is far from the others."""
LEAST_IMAGES = 5
"""Of fewer images none is called far from the others."""

UNSURE = "the model is not sure of its cells"
"""What is said of an image that does not look like those that the model knows."""
_PICTURE = re.compile(
    r'<img alt="([^"]*) with the outlines of its cells" src="data:image/png;base64,([A-Za-z0-9+/=]*)">'
)

_LEGEND = "Yellow outlines are the cells."
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 1200px; padding: 0 1em; }
body { color: #222; background: #fff; }
ul { list-style: none; padding: 0; display: grid; gap: 14px; }
ul { grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
li { border: 1px solid #ccc; border-radius: 4px; padding: 8px; overflow-wrap: anywhere; }
li.flagged { border-color: #b45309; } li.failed { border-color: #b91c1c; }
img { width: 100%; image-rendering: auto; background: #000; display: block; }
b { display: block; margin: 4px 0; } small { color: #555; display: block; }
.flag { display: inline-block; color: #fff; background: #b45309; border-radius: 3px; }
.flag { padding: 0 6px; margin: 2px 4px 0 0; }
.failed .flag { background: #b91c1c; }
"""


@dataclass(frozen=True)
class ImageQuality:
    """What tells how an image came out.

    Attributes
    ----------
    name : str
    cells : int
        Objects or tracks where planes were linked.
    confidence : float or None
        How sure the model is of its cells; None where there are none.
    looks_right : bool or None
        Whether the image looks like those that the model knows.
    sharpness : float
        Energy of the gradient over the variance.
    saturated : float
        Share of the pixels that have the largest value.
    thumbnail : bytes
        PNG; empty where there is none.
    failed : str
        Why there is no result; empty where there is one.
    """

    name: str
    cells: int = 0
    confidence: float | None = None
    looks_right: bool | None = None
    sharpness: float = 0.0
    saturated: float = 0.0
    thumbnail: bytes = b""
    failed: str = ""


def saturated_share(pixels: NDArray[np.generic]) -> float:
    """Give the share of pixels that have the image's largest value; 0 for one value only, and for fractions.

    Examples
    --------
    >>> saturated_share(np.array([0, 7, 255, 255], np.uint8))
    0.5
    """
    if pixels.dtype.kind not in "ui" or pixels.size == 0:
        return 0.0
    largest = pixels.max()
    return 0.0 if pixels.min() == largest else float(np.count_nonzero(pixels == largest) / pixels.size)


def thumbnail(image: NDArray[np.generic], labels: NDArray[np.integer]) -> bytes:
    """Draw a small picture (PNG) of an image (Y, X) or (Y, X, 3) with the outlines of its cells."""
    step = -(-max(image.shape[:2]) // THUMBNAIL)
    thin = (slice(None, None, step), slice(None, None, step))
    picture = as_colours(np.asarray(image[thin])).copy()
    picture[find_boundaries(labels[thin], mode="inner")] = OUTLINE
    file = io.BytesIO()
    Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()


def flags_of(images: Sequence[ImageQuality]) -> list[tuple[str, ...]]:
    """Say of each image what may be wrong with it.

    Parameters
    ----------
    images : sequence of ImageQuality
        All of a batch: counts and sharpness are compared with the median of the others.

    Returns
    -------
    list of tuple of str
        Phrases, the gravest first; nothing for an image like the others.
    """
    there = [not each.failed for each in images]
    counts = _far(np.log1p([each.cells for each in images]), there, least=0.25)
    sharp = _far(np.log([max(each.sharpness, 1e-12) for each in images]), there, least=0.1)
    flags = []
    for each, count, focus in zip(images, counts, sharp, strict=True):
        said = []
        if each.failed:
            said.append(f"failed: {each.failed}")
        else:
            if each.cells == 0:
                said.append("no cells")
            if each.looks_right is False:
                said.append(UNSURE)
            if count and each.cells:
                said.append(
                    "far fewer cells than the others" if count < 0 else "far more cells than the others"
                )
            if focus < 0:
                said.append("out of focus, unlike the others")
            if each.saturated > SATURATED:
                said.append(f"saturated: {each.saturated:.1%} of the pixels")
        flags.append(tuple(said))
    return flags


def _far(values: NDArray[np.float64], there: Sequence[bool], least: float) -> NDArray[np.int64]:
    """Give -1 or 1 for values far below or above the others, else 0; a spread below `least` is taken for that."""
    known = values[np.asarray(there, bool)]
    if known.size < LEAST_IMAGES:
        return np.zeros(values.size, np.int64)
    middle = np.median(known)
    spread = max(1.4826 * float(np.median(np.abs(known - middle))), least)
    away = (values - middle) / spread
    return np.where(np.abs(away) > FAR, np.sign(away), 0).astype(np.int64)


def worst_first(images: Sequence[ImageQuality], flags: Sequence[tuple[str, ...]]) -> list[int]:
    """Give the places of the images: failed ones, then those with the most flags, then the least sure."""

    def how_good(place: int) -> tuple[bool, int, float, int]:
        each = images[place]
        return not each.failed, -len(flags[place]), 1.0 if each.confidence is None else each.confidence, place

    return sorted(range(len(images)), key=how_good)


def write_quality_sheet(
    path: str | os.PathLike[str], models: Sequence[str], images: Sequence[ImageQuality]
) -> None:
    """Write the sheet as one HTML file that needs no other.

    Parameters
    ----------
    path : str or path-like
    models : sequence of str
        Which segmented the images that did not fail.
    images : sequence of ImageQuality
    """
    failed = sum(bool(each.failed) for each in images)
    good = f"{counted(len(images) - failed, 'image')} segmented with {' and '.join(models)}"
    title = ", ".join([good] * (failed < len(images)) + [f"{counted(failed, 'image')} failed"] * (failed > 0))
    flags = flags_of(images)
    order = worst_first(images, flags)
    flagged = sum(map(bool, flags))
    shown = [_entry(images[place], flags[place]) for place in order[:MOST_PICTURES]]
    more = len(images) - len(shown)
    page = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>",
        f"<p>{counted(len(images), 'image')}, {flagged} with a flag; the worst come first. {_LEGEND}</p>",
        f"<ul>{''.join(shown)}</ul>",
        f"<p>{more} more images are in the table of fields.</p>" if more > 0 else "",
        "</body></html>",
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(page), encoding="utf-8", errors="backslashreplace")


def is_quality_sheet(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a page that `write_quality_sheet` wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            return any(_LEGEND in line for line in file)
    except (OSError, ValueError):
        return False


def pictures_in(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Read the thumbnails of a sheet by the names of the images; none where there is no sheet."""
    try:
        with open(path, encoding="utf-8") as file:
            found = _PICTURE.findall(file.read())
        return {html.unescape(with_bytes(name)): base64.b64decode(data) for name, data in found}
    except (OSError, ValueError):  # then it is somebody's page, or damaged
        return {}


def _entry(image: ImageQuality, flags: Sequence[str]) -> str:
    kind = "failed" if image.failed else "flagged" if flags else ""
    name = html.escape(image.name)
    picture = ""
    if image.thumbnail:
        data = base64.b64encode(image.thumbnail).decode()
        picture = f'<img alt="{name} with the outlines of its cells" src="data:image/png;base64,{data}">'
    sure = "" if image.confidence is None else f", confidence {image.confidence:.2f}"
    cells = counted(image.cells, "cell")
    about = "" if image.failed else f"<small>{cells}{sure}</small>"
    said = "".join(f'<span class="flag">{html.escape(flag)}</span>' for flag in flags)
    return f'<li class="{kind}">{picture}<b>{name}</b>{about}{said}</li>'
