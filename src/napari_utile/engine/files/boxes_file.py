"""Boxes drawn in napari: Shapes layers saved as CSV, one file for each image.

napari writes a row for each corner, with the columns ``index``, ``shape-type``, ``vertex-index``, ``axis-0``,
``axis-1`` ...; positions are in pixels of the layer, of which the last two axes are rows and columns.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import Table

BOX_ENDINGS = ("_boxes", "_shapes")
"""What may follow an image's name in that of its boxes."""
SUFFIX = ".csv"

Box = tuple[int, int, int, int]


def find_boxes(boxes: str | Path, names: Iterable[str]) -> dict[str, Path]:
    """Find the file of boxes of each image.

    Parameters
    ----------
    boxes : str or Path
        A CSV file, for a single image; or a folder of them, called as the images, or so with ``_boxes`` at the end.
    names : iterable of str
        Of the images.

    Returns
    -------
    dict of name to Path
        Images without boxes are left out.

    Raises
    ------
    UtileError
        If there is no such file or folder, or one file cannot be for several images.
    """
    path, names = Path(boxes), list(names)
    if path.is_file():
        if len(names) != 1:
            raise UtileError(
                f"{path.name} holds the boxes of one image, and there are {len(names)}: give a folder."
            )
        return {names[0]: path}
    if not path.is_dir():
        raise UtileError(f"There is no file or folder {path}.")
    candidates = {name: [path / f"{name}{ending}{SUFFIX}" for ending in ("", *BOX_ENDINGS)] for name in names}
    return {
        name: next(filter(Path.is_file, paths))
        for name, paths in candidates.items()
        if any(map(Path.is_file, paths))
    }


def read_boxes(path: str | Path, shape: tuple[int, int]) -> list[Box]:
    """Read the box around each shape of a file.

    Parameters
    ----------
    path : str or Path
        As napari saves a Shapes layer.
    shape : (int, int)
        Rows and columns of the image: boxes are cut down to it.

    Returns
    -------
    list of (y0, x0, y1, x1)
        First and last (exclusive) pixel of each.

    Raises
    ------
    UtileError
        If it is not such a file, or none of its shapes lies on the image.
    """
    path = Path(path)
    corners: dict[str, list[tuple[float, float]]] = {}
    table = Table(path)
    try:
        axes = sorted(
            (name for name in table.columns if name.startswith("axis-")),
            key=lambda name: int(name.removeprefix("axis-")),
        )
        if len(axes) < 2 or "index" not in table.columns:
            raise UtileError(
                f"{path.name} holds no shapes: save a Shapes layer of napari as CSV (index,axis-0,axis-1)."
            )
        for row in table:
            y, x = float(row[axes[-2]]), float(row[axes[-1]])
            if not (math.isfinite(y) and math.isfinite(x)):
                raise ValueError("a position is not a number")
            corners.setdefault(row["index"], []).append((y, x))
    except ValueError as error:
        raise UtileError(
            f"{path.name} is not a readable table of shapes ({error}): numbers have a point."
        ) from error
    height, width = shape
    boxes = []
    for points in corners.values():
        ys, xs = zip(*points, strict=True)
        # A pixel reaches half a pixel to either side of its position.
        top, left = max(0, math.floor(min(ys) + 0.5)), max(0, math.floor(min(xs) + 0.5))
        bottom, right = min(height, math.ceil(max(ys) + 0.5)), min(width, math.ceil(max(xs) + 0.5))
        if top < bottom and left < right:
            boxes.append((top, left, bottom, right))
    if not boxes:
        raise UtileError(f"{path.name} has no box on its image of {height} x {width} pixels.")
    return boxes
