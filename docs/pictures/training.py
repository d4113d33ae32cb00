"""A dozen painted cells teach a model in the real window; the next image is segmented before and after."""

import numpy as np
from pictures.window import Window, save, settle, without_empty_foot
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.metrics.matching import match
from napari_utile.widgets.viewer.layers import session_of
from simulation.simulate import simulate

MOST_CELLS = 14
"""Cells that are painted."""
MINUTES = 3.0
GREEN, GAP = (70, 255, 120), 12


def teach(window: Window) -> None:
    """Paint a box of cells, press Train, keep the model, and segment an image that it never saw."""
    window.viewer.open_sample("napari-utile", "phase_contrast_cells")
    image, truth = window.viewer.layers
    page = window.page("train")
    form = page.form
    settle(2)
    window.press(form.pairs.paint)
    labels = session_of(window.viewer).cells
    box = box_of_a_dozen(truth.data)
    labels.data = np.where(np.isin(truth.data, np.unique(truth.data[box])), truth.data, 0)
    labels.mode, labels.opacity = "pan_zoom", 0.4
    window.viewer.layers.remove(truth)
    window.viewer.add_shapes(
        [corners(box)],
        shape_type="rectangle",
        name="all painted in here",
        edge_color="yellow",
        face_color="transparent",
        edge_width=3,
        scale=image.scale,
        units=image.units,
    )
    form.complete.setCurrentIndex(form.complete.findData("boxes"))
    form.params["minutes"].value = MINUTES
    window.viewer.reset_view()
    settle(1)
    print(
        f"{np.unique(labels.data).size - 1} cells painted, in a box of {np.ptp(corners(box), axis=0)} pixels"
    )
    window.press(form.run_bar.run_button)
    settle(
        until=lambda: (
            not page.running or ("learning" in window.viewer.layers and form.run_bar.bar.value() > 600)
        )
    )
    save(window.photograph(), "train")
    settle(2, until=lambda: not page.running and form.result.pending)
    save(without_empty_foot(window.photograph(window.dock)), "train_end")
    print(form.result.verdict.text(), flush=True)
    form.result.name.setText("my cells")
    window.press(form.result.keep)
    settle(1, until=lambda: session_of(window.viewer).model != "nuclei")
    before_and_after(window, session_of(window.viewer).model)


def before_and_after(window: Window, taught: str) -> None:
    """Segment another image with the model before and the taught one, and draw both."""
    following = simulate("phase", seed=21, height=352, width=352, cells=36)
    space = {"scale": (0.5, 0.5), "units": ("µm", "µm")}
    layer = window.viewer.add_image(following.image, name="next image", **space)
    page = window.page("segment")
    window.dock.header.source.image.set_layer(layer)
    pictures = []
    for when, model in (("before", "nuclei"), ("after", taught)):
        session_of(window.viewer).model = model
        settle(3, until=lambda model=model: session_of(window.viewer).model == model)
        window.run(page)
        found = np.array(window.viewer.layers[f"{layer.name} instances"].data)
        score = match(contingency(found, following.labels))
        said = f"{when}: {score.true_positives} of {following.labels.max()} cells found"
        print(f"{said}, in {found.max()} outlines; AP at IoU 0.5 {score.average_precision:.2f}", flush=True)
        pictures.append(np.asarray(outlined(following.image, found, said)))
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    save(Image.fromarray(np.hstack([pictures[0], gap, pictures[1]])), "fine_tune")


def box_of_a_dozen(truth: np.ndarray) -> tuple[slice, slice]:
    """Find the box with most to learn from, into which no more than a dozen cells reach."""
    height, width = truth.shape
    best, most = (slice(0, 0), slice(0, 0)), 0
    for top in range(0, height, 32):
        for left in range(0, width, 32):
            for bottom in range(top + 96, height + 1, 32):
                for right in range(left + 96, width + 1, 32):
                    box = slice(top, bottom), slice(left, right)
                    painted = int((truth[box] > 0).sum())
                    if painted > most and np.unique(truth[box]).size <= MOST_CELLS + 1:
                        best, most = box, painted
    return best


def corners(box: tuple[slice, slice]) -> np.ndarray:
    """Return the corners of a box, whose pixels reach half a pixel to either side."""
    top, bottom = box[0].start - 0.5, box[0].stop - 0.5
    left, right = box[1].start - 0.5, box[1].stop - 0.5
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])


def outlined(image: np.ndarray, labels: np.ndarray, title: str) -> Image.Image:
    """Draw the outlines of cells upon an image, and a title."""
    low, high = np.percentile(image, (0.5, 99.8))
    grey = np.clip((image - low) / (high - low), 0, 1) * 255
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    picture[find_boundaries(labels, mode="inner")] = GREEN
    drawn = Image.fromarray(picture)
    ImageDraw.Draw(drawn).text(
        (8, 6), title, fill="white", font=ImageFont.load_default(16), stroke_width=2, stroke_fill="black"
    )
    return drawn
