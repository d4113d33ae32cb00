"""What is done in each scene before it is photographed; all images are the samples, or simulated like them."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pictures.click_film import click
from pictures.training import teach
from pictures.window import Window, save, settle, without_empty_foot
from PIL import Image
from scipy import ndimage

from napari_utile.cli import main
from napari_utile.engine.files.images import write_image
from simulation.simulate import simulate


def nuclei(window: Window) -> None:
    """Segment the sample by one press: the dock before, the window after, the table of its cells."""
    window.viewer.open_sample("napari-utile", "nuclei")
    page = window.page("segment")
    settle(2, until=lambda: "measured" in page.form.estimate.text())
    window.viewer.reset_view()
    save(without_empty_foot(window.photograph(window.dock)), "segment_before")
    window.run(page)
    labels = window.viewer.layers["nuclei instances"]
    labels.contour, labels.opacity = 2, 0.9
    window.viewer.reset_view()
    settle(1)
    save(window.photograph(), "segment")
    window.press(page.form.show_table)
    settle(2)
    save(window.photograph(), "table")


def plate(window: Window) -> None:
    """Look at the quality sheet of a small batch, one image of which is out of focus."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("quality.png needs a browser without a window: sudo apt-get install chromium")
        return
    with tempfile.TemporaryDirectory() as folder:
        images, results = Path(folder) / "plate", Path(folder) / "results"
        images.mkdir()
        for number, well in enumerate(("A01", "A02", "A03", "B01", "B02", "B03")):
            field = simulate(
                "nuclei", seed=30 + number, height=384, width=384, cells=(45, 50, 40, 48, 3, 44)[number]
            )
            image = field.image if well != "B03" else ndimage.gaussian_filter(field.image, 6)
            write_image(images / f"exp_{well}_f1.tif", image, None, (0.5, 0.5), "µm")
        main(
            ["segment", *map(str, sorted(images.iterdir())), "-o", str(results), "--measurements", "--quiet"]
        )
        picture = Path(folder) / "quality.png"
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                "--window-size=1000,760",
                f"--screenshot={picture}",
                (results / "quality.html").as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        save(Image.open(picture).convert("RGB"), "quality")


def which_model(window: Window) -> None:
    """Ask which model fits cells in phase contrast."""
    window.viewer.open_sample("napari-utile", "phase_contrast_cells")
    page = window.page("segment")
    settle(2)
    suggestions = page.form.suggestions
    window.press(suggestions.run_bar.run_button)
    settle(1, until=lambda: not suggestions.running)
    window.viewer.reset_view()
    save(without_empty_foot(window.photograph(window.dock)), "which_model")


def weights(window: Window) -> None:
    """Paint two nuclei that touch, and point at the ridge between them."""
    window.viewer.open_sample("napari-utile", "nuclei_clustered")
    image, truth = window.viewer.layers
    one, other, gap = neighbours(truth.data)
    labels = window.viewer.add_labels(
        np.zeros(truth.data.shape, np.int32),
        name="my cells",
        opacity=0.45,
        scale=truth.scale,
        units=truth.units,
    )
    window.viewer.layers.remove(truth)
    page = window.page("weights")
    settle(1, until=lambda: page.follower.live is not None)
    page.form.explain.expand(animate=False)  # with the budget of the loss
    look_at(window, labels, np.argwhere(np.isin(truth.data, (one, other))), share=0.55)
    labels.mode, labels.brush_size = "paint", 9
    for number, cell in enumerate((one, other), start=1):
        labels.selected_label = number
        path = strokes(truth.data == cell, labels.brush_size)
        window.drag([window.on_canvas(image, place) for place in path])
    labels.mode = "pan_zoom"
    settle(1.5, until=lambda: page.form.budget.table.rowCount() > 0)
    near = page.follower.live.border[max(round(gap[0]) - 6, 0) : round(gap[0]) + 7]
    peak = np.unravel_index(int(near.argmax()), near.shape)
    place = window.on_canvas(image, (max(round(gap[0]) - 6, 0) + peak[0], peak[1]))
    window.move(place)
    settle(1, until=lambda: "d2" in page.form.readout.text())
    save(
        window.with_pointer(window.photograph(), place), "weight_map", few_colours=False
    )  # for the colour bar


def evaluate(window: Window) -> None:
    """Compare a result with the truth of the sample, and look at its errors."""
    window.viewer.open_sample("napari-utile", "nuclei_clustered")
    page = window.page("segment")
    settle(2)
    window.run(page)
    page = window.page("evaluate")
    settle(1)
    window.run(page)
    window.viewer.reset_view()
    settle(1)
    save(window.photograph(), "evaluate")


def models(window: Window) -> None:
    """Look at the models there are."""
    window.viewer.open_sample("napari-utile", "nuclei")
    page = window.page("models")
    settle(2, until=lambda: page.form.list.count() > 2)
    page.form.list.setCurrentRow(0)
    settle(0.5)
    save(without_empty_foot(window.photograph(window.dock)), "models")


def stack(window: Window) -> None:
    """Segment all planes of a simulated volume, and link them to objects."""
    from napari_utile.widgets.pages.segment.link_layer import link_active_labels_z

    volume = simulated_volume()
    image = window.viewer.add_image(
        volume, name="embryo", scale=(1.0, 0.5, 0.5), units=("µm",) * 3, axis_labels=("z", "y", "x")
    )
    page = window.page("segment")
    settle(2)
    page.form.planes.kind.setCurrentIndex(1)
    settle(1)
    window.run(page)
    labels = window.viewer.layers["embryo instances"]
    window.viewer.layers.selection.active = labels
    link_active_labels_z(window.viewer)
    settle(1, until=lambda: "embryo instances objects" in window.viewer.layers)
    labels.visible = image.visible = False
    window.viewer.dims.ndisplay = 3
    window.viewer.reset_view()
    window.viewer.scene.camera.angles = (-20, 30, -30)
    settle(2)
    save(window.photograph(), "stack")


def timelapse(window: Window) -> None:
    """Segment all frames of the sample, and link them to tracks."""
    from napari_utile.widgets.pages.segment.link_layer import link_active_labels_t

    window.viewer.open_sample("napari-utile", "film_two_channels")
    cells, nuclei = (window.viewer.layers[f"film_two_channels channel {each}"] for each in (1, 0))
    cells.visible = False
    page = window.page("segment")
    window.dock.header.source.image.set_layer(nuclei)
    settle(2)
    page.form.planes.kind.setCurrentIndex(1)
    settle(1)
    window.run(page)
    labels = next(layer for layer in window.viewer.layers if layer.name.endswith("instances"))
    window.viewer.layers.selection.active = labels
    link_active_labels_t(window.viewer)
    settle(1, until=lambda: f"{labels.name} paths" in window.viewer.layers)
    labels.visible = False
    paths = window.viewer.layers[f"{labels.name} paths"]
    paths.tail_width, paths.tail_length = 4, 10
    window.viewer.layers[f"{labels.name} tracks"].contour = 1
    window.viewer.dims.set_current_step(0, 5)
    window.viewer.reset_view()
    settle(2)
    save(window.photograph(), "timelapse")


def look_at(window: Window, layer: Any, pixels: np.ndarray, share: float) -> None:
    """Zoom so that some pixels of a layer take a share of the canvas."""
    scale = np.asarray(layer.scale[-2:])
    camera = window.viewer.scene.camera
    camera.center = (0, *(pixels.mean(axis=0) * scale))
    side = min(window.canvas.width(), window.canvas.height())
    camera.zoom = share * side / (np.ptp(pixels, axis=0) * scale).max()
    settle(0.5)


def strokes(cell: np.ndarray, brush: float) -> np.ndarray:
    """Give places so that a round brush fills a cell without leaving it: along rows, then along columns."""
    inner = ndimage.distance_transform_edt(cell) >= brush / 2 - 0.5
    path = []
    for turned in (False, True):
        lines = inner.T if turned else inner
        for turn, line in enumerate(np.flatnonzero(lines.any(axis=1))):
            ends = np.flatnonzero(lines[line])[[0, -1]]
            places = [(line, end) for end in (ends if turn % 2 else ends[::-1])]
            path += [place[::-1] for place in places] if turned else places
    return np.array(path, float)


def neighbours(truth: np.ndarray) -> tuple[int, int, tuple[float, float]]:
    """Choose two large cells near the centre of the image that touch, and a place between them."""
    from napari_utile.engine.weights.loss_budget import loss_budget
    from napari_utile.engine.weights.weight_map import weight_map

    area = np.bincount(truth.ravel())
    middle = np.array(truth.shape) / 2
    gaps = [
        gap
        for gap in loss_budget(weight_map(truth), largest=200).gaps
        if min(area[list(gap.cells)]) > np.median(area[1:])
        and np.abs(np.array(gap.position) - middle).max() < 0.3 * min(truth.shape)
    ]
    best = max(gaps, key=lambda gap: gap.share)
    return *best.cells, best.position


def simulated_volume() -> np.ndarray:
    """Draw a (Z, Y, X) uint16 volume of blurred ellipsoids that touch here and there."""
    rng = np.random.default_rng(4)
    shape = np.array((24, 220, 220))
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    light = np.zeros(shape, np.float32)
    texture = 1 + 0.25 * ndimage.gaussian_filter(rng.normal(0, 8, shape), (1, 2, 2))
    for _ in range(80):
        radii = rng.uniform((5, 11, 11), (7, 15, 15))
        at = rng.uniform((6, 14, 14), shape - (6, 14, 14))
        inside = sum(
            ((each - middle) / radius) ** 2 for each, middle, radius in zip((z, y, x), at, radii, strict=True)
        )
        if not light[inside < 1.05].any():
            light[inside < 1] = rng.uniform(500, 1200)
    blurred = ndimage.gaussian_filter(light * texture, (0.7, 1.0, 1.0)).clip(0) + 110
    return rng.poisson(blurred).astype(np.uint16)


SCENES = {
    each.__name__: each
    for each in (nuclei, click, which_model, teach, plate, stack, timelapse, weights, evaluate, models)
}
