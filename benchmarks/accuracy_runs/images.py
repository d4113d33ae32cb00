"""The annotated images of the shared data sets, as `training/` reads them, in one grey channel."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "training"))
from bundled.images import Annotated, read_part
from bundled.models import Part

__all__ = ["Annotated", "read_images"]


def read_images(data: Path, folder: str, split: str, start: str = "") -> list[Annotated]:
    """Read the images of one split of a data set whose names start like that; colours become their mean."""
    images = read_part(data, Part(folder, start), split)
    return [replace(each, plane=each.plane.for_network(1)) for each in images]
