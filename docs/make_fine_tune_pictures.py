"""Make docs/images/fine_tune.png and fine_tune_dock.png: a dozen cells teach a model in the real window.

    python docs/make_fine_tune_pictures.py --data ../shared/data --minutes 2.3

Opens a phase-contrast image (Usiigaci, (c) 2018 OIST, MIT; Tsai et al., SoftwareX 9:230, 2019), gives it a box with
about a dozen painted cells (taken from its published labels), presses Fine-tune with the bundled model, waits, presses
Keep, and segments the next image with the model before and after. Without a display it starts Xvfb.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make_screenshots
import napari
import numpy as np
import tifffile
from make_screenshots import settle
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.commands import open_page

PAINTED, NEXT = "usiigaci_set16_crop", "usiigaci_set38_crop"
CELLS = 12
"""Painted cells, at most."""
GREEN, GAP = (70, 255, 120), 12


def read(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its published labels."""
    folder = data / "usiigaci_phase"
    return tifffile.imread(folder / "images" / f"{name}.tif"), tifffile.imread(
        folder / "labels" / f"{name}.tif"
    )


def box_of_a_dozen(truth: np.ndarray) -> tuple[slice, slice]:
    """Find the box with most to learn from, into which no more than a dozen cells reach."""
    height, width = truth.shape
    best, most = (slice(0, 0), slice(0, 0)), 0
    for top in range(0, height, 32):
        for left in range(0, width, 32):
            for bottom in range(top + 128, height + 1, 32):
                for right in range(left + 128, width + 1, 32):
                    box = slice(top, bottom), slice(left, right)
                    painted = int((truth[box] > 0).sum())
                    if painted > most and np.unique(truth[box]).size <= CELLS + 1:
                        best, most = box, painted
    return best


def corners(box: tuple[slice, slice]) -> np.ndarray:
    """Return the corners of a box, whose pixels reach half a pixel to either side."""
    top, bottom = box[0].start - 0.5, box[0].stop - 0.5
    left, right = box[1].start - 0.5, box[1].stop - 0.5
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])


def learn(viewer: napari.Viewer, data: Path, minutes: float) -> str:
    """Paint, press Fine-tune, take the picture half-way, keep; return the model's name."""
    image, truth = read(data, PAINTED)
    viewer.add_image(image, name="phase contrast", contrast_limits=np.percentile(image, (0.5, 99.8)))
    dock = open_page(viewer, "train").page("train")
    form = dock.form
    settle(2)
    form.pairs.paint.click()
    box = box_of_a_dozen(truth)
    labels = session_of(viewer).cells
    labels.data = np.where(np.isin(truth, np.unique(truth[box])), truth, 0)
    labels.mode, labels.opacity = "pan_zoom", 0.4
    viewer.add_shapes(
        [corners(box)],
        shape_type="rectangle",
        name="all painted in here",
        edge_color="yellow",
        face_color="transparent",
        edge_width=3,
    )
    form.complete.setCurrentIndex(form.complete.findData("boxes"))
    form.params["minutes"].value = minutes
    viewer.reset_view()
    settle(1)
    print(
        f"{np.unique(labels.data).size - 1} painted cells in a box of {np.ptp(corners(box), axis=0)} pixels",
        flush=True,
    )
    form.run_bar.run_button.click()
    settle(
        until=lambda: not dock.running or ("learning" in viewer.layers and form.run_bar.bar.value() > 500),
        limit=60 * minutes + 120,
    )
    save(viewer.window.screenshot(flash=False, canvas_only=False), "fine_tune_dock")
    settle(until=lambda: not dock.running, limit=60 * minutes + 120)
    print(form.result.verdict.text() or form.status.text(), flush=True)
    form.result.name.setText("phase")
    form.result.keep.click()
    print(form.status.text(), flush=True)
    return "phase"


def segment_next(viewer: napari.Viewer, image: np.ndarray, models: list[str]) -> list[np.ndarray]:
    """Press Segment on the next image with each model; return the labels."""
    layer = viewer.add_image(image, name="next image")
    dock = open_page(viewer, "segment").page("segment")
    settle(2)
    found = []
    for model in models:
        session_of(viewer).model = model
        settle(5, until=lambda model=model: session_of(viewer).model == model)  # its sliders follow
        dock.form.run_bar.run_button.click()
        settle(0.5, until=lambda: not dock.running)
        found.append(np.array(viewer.layers[f"{layer.name} instances"].data))
    return found


def outlined(image: np.ndarray, labels: np.ndarray, title: str) -> Image.Image:
    """Draw the outlines of cells upon an image, and a title."""
    low, high = np.percentile(image, (0.5, 99.8))
    grey = np.clip((image - low) / (high - low), 0, 1) * 255
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    picture[find_boundaries(labels, mode="inner")] = GREEN
    drawn = Image.fromarray(picture)
    ImageDraw.Draw(drawn).text(
        (8, 6), title, fill="white", font=ImageFont.load_default(18), stroke_width=2, stroke_fill="black"
    )
    return drawn


def compare(image: np.ndarray, truth: np.ndarray, labels: list[np.ndarray]) -> None:
    """Score the labels before and after, and save them side by side."""
    pictures = []
    for when, each in zip(("before", "after"), labels, strict=True):
        score = match(contingency(each, truth))
        found = f"{score.true_positives} of {np.unique(truth).size - 1} cells found"
        print(f"{when}: {found} in {each.max()} outlines, AP at IoU 0.5 {score.average_precision:.2f}")
        pictures.append(np.asarray(outlined(image, each, f"{when}: {found}")))
    gap = np.full((image.shape[0], GAP, 3), 255, np.uint8)
    save(np.hstack([pictures[0], gap, pictures[1]]), "fine_tune")


def with_viewer(scene: Callable[[napari.Viewer], Any]) -> Any:
    """Play a scene in a fresh viewer."""
    viewer = napari.Viewer()
    settle()
    viewer.window.resize(*make_screenshots.WINDOW)
    settle()
    result = scene(viewer)
    viewer.close()
    settle(0.2)
    return result


def save(pixels: np.ndarray, name: str) -> None:
    """Write a picture in 256 colours, which are enough and make it a third as large."""
    path = make_screenshots.IMAGES / f"{name}.png"
    Image.fromarray(pixels[..., :3]).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path} ({path.stat().st_size / 1000:.0f} kB)", flush=True)


def main() -> None:
    """Play both scenes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--minutes", type=float, default=2.3)
    args = parser.parse_args()
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        screen = "-screen 0 1600x1000x24 +extension GLX"
        xvfb = shutil.which("xvfb-run") or sys.exit(
            "There is no display and no Xvfb: sudo apt-get install xvfb"
        )
        os.execv(xvfb, [xvfb, "-a", "-s", screen, sys.executable, __file__, *sys.argv[1:]])
    image, truth = read(args.data, NEXT)
    with tempfile.TemporaryDirectory() as library:
        os.environ["UTILE_MODELS"] = library  # not the user's
        name = with_viewer(lambda viewer: learn(viewer, args.data, args.minutes))
        labels = with_viewer(lambda viewer: segment_next(viewer, image, ["nuclei", name]))
    compare(image, truth, labels)


if __name__ == "__main__":
    main()
