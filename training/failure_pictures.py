"""Make docs/images/failures_NAME.png: where a bundled model does worst among the annotated images that judge it.

    python training/failure_pictures.py nuclei cells --data ../shared/data
    python training/failure_pictures.py nuclei --images 12

Each `val` image is segmented with the size of its cells given; of each data set the one with the lowest precision
is shown, the worst first, where most went wrong: annotated outlines in green, found ones in magenta, white
where they agree. The line under a picture names data set, precision and owner.
"""

import argparse
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from bundled.data_sets import DATA_SETS
from bundled.models import PLANS
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.engine.models.library import load_model
from napari_utile.engine.windows import Window
from score_model import Case, cases_of, segmented

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIDE, SHOWN, GAP, WORDS, LETTERS = 256, 3, 8, 48, 44
"""Pixels of a picture, pictures, between them, for the words under each, and letters of a line."""
GREEN, MAGENTA, WHITE = (60, 230, 90), (255, 60, 220), (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Failure:
    """An image that went wrong, its labels, and how well they match."""

    case: Case
    found: NDArray[np.int32]
    precision: float


def worst(name: str, data: Path, most: int | None) -> list[Failure]:
    """Return the worst image of each data set, the worst first."""
    model, plan = load_model(name), PLANS[name]
    failures: dict[str, Failure] = {}
    for case in cases_of(data, plan, plan.parts, most):
        found = segmented(model, case, "given").labels
        precision = average_precision(found, case.image.labels)
        print(f"{case.group} {case.image.name}: {precision:.2f}", flush=True)
        folder = case.image.folder
        if folder not in failures or precision < failures[folder].precision:
            failures[folder] = Failure(case, found, precision)
    return sorted(failures.values(), key=lambda each: each.precision)


def where_it_is_worst(failure: Failure, side: int) -> Window:
    """Return the square of the image that has most pixels of cells that match none."""
    truth, found = failure.case.image.labels, failure.found
    table = contingency(found, truth)
    pairs = match(table)
    wrong = np.isin(found, table.prediction_ids[pairs.false]) | np.isin(truth, table.truth_ids[pairs.missed])
    side = min(side, *wrong.shape)
    density = ndimage.uniform_filter(wrong.astype(np.float32), side, mode="constant")
    y, x = np.unravel_index(int(density.argmax()), density.shape)
    start = [int(np.clip(c - side // 2, 0, n - side)) for c, n in zip((y, x), wrong.shape, strict=True)]
    return Window.span(start, [first + side for first in start])


def outlines(labels: NDArray[np.int32], zoom: int) -> NDArray[np.bool_]:
    """Return the inner outlines of enlarged labels."""
    large = np.kron(labels, np.ones((zoom, zoom), labels.dtype))
    return (large > 0) & (
        (ndimage.maximum_filter(large, 3) != large) | (ndimage.minimum_filter(large, 3) != large)
    )


def picture(failure: Failure, title: str = "", *, crowd: bool = False) -> Image.Image:
    """Draw where a result is worst, or where most cells are; below it a title, the precision and who made the image."""
    plane, diameter = failure.case.image.plane, failure.case.image.diameter or 30
    across = SIDE if diameter > 16 else SIDE // 2
    place = replace(failure, found=np.zeros_like(failure.found)) if crowd else failure
    window = where_it_is_worst(place, across)
    zoom = SIDE // across
    pixels = np.asarray(plane.data)[:3, *window].astype(np.float32)
    grey = pixels.mean(axis=0) if not plane.rgb else pixels
    low, high = np.percentile(grey, (1, 99.5))
    shown = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
    shown = np.moveaxis(shown, 0, -1) if plane.rgb else np.repeat(shown[..., None], 3, axis=-1)
    canvas = (np.kron(shown, np.ones((zoom, zoom, 1))) * 200).astype(np.uint8)
    true, found = (outlines(each[window], zoom) for each in (failure.case.image.labels, failure.found))
    for where, colour in ((true, GREEN), (found, MAGENTA), (true & found, WHITE)):
        canvas[where] = colour
    made = Image.new("RGB", (SIDE, SIDE + WORDS), WHITE)
    made.paste(Image.fromarray(canvas), (0, 0))
    source = DATA_SETS[failure.case.image.folder]
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(11)
    words = [
        f"AP {failure.precision:.2f}: {title or source.title}",
        *textwrap.wrap(source.notice, LETTERS)[:2],
    ]
    draw.text((2, SIDE + 3), "\n".join(each[:LETTERS] for each in words), "black", font)
    return made


def main() -> None:
    """Make the pictures of some models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", choices=sorted(PLANS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, help="at most this many images of each data set")
    args = parser.parse_args()
    for name in args.models:
        made = [picture(each) for each in worst(name, args.data, args.images)[:SHOWN]]
        width = sum(each.width for each in made) + GAP * (len(made) - 1)
        together = Image.new("RGB", (width, SIDE + WORDS), WHITE)
        for index, each in enumerate(made):
            together.paste(each, (index * (SIDE + GAP), 0))
        path = IMAGES / f"failures_{name}.png"
        together.quantize(96).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
