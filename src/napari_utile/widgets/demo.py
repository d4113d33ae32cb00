"""The demo behind `utile demo`: an image, the Segment page and Run, in a window or without a display."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import napari
import numpy as np
from napari.layers._source import layer_source
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_utile.engine.cells.measure import measure
from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.images import atomic_path, read_image, write_labels
from napari_utile.engine.files.result_files import LABELS, new_result
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.files.targets import check_folder
from napari_utile.engine.weights.weight_map import weight_map
from napari_utile.session.results import SegmentResult
from napari_utile.widgets.files.described import image_layers
from napari_utile.widgets.pages.segment.page import SegmentPage
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.offscreen import has_display, use_offscreen
from napari_utile.widgets.workbench.commands import open_page

SAMPLE = "nuclei"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    parser = argparse.ArgumentParser(prog="utile demo")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--offscreen", action="store_true")
    parser.add_argument("image", nargs="?", type=Path)
    parsed = parser.parse_args(arguments)
    try:
        if has_display() and not parsed.offscreen:
            in_a_window(parsed.image)
        else:
            without_display(parsed.image, parsed.output)
    except Exception as error:  # noqa: BLE001 - whatever it is, a user is told in one sentence
        print(f"utile demo: {sentence_of(error)}", file=sys.stderr)
        return 1
    return 0


def in_a_window(image: Path | None) -> None:
    """Open napari, press Run, and leave the rest to the user."""
    viewer = napari.Viewer()
    dock = open_with_dock(viewer, image)

    def start() -> None:
        viewer.reset_view()  # the dock has taken its room by now
        dock.run()

    QTimer.singleShot(200, start)
    napari.run()


def without_display(image: Path | None, output: Path) -> None:
    """Press Run in an off-screen viewer and write what the layers show.

    Parameters
    ----------
    image : Path or None
        None takes the sample.
    output : Path
        Folder for ``<name>_labels.tif``, ``<name>_measurements.csv`` and ``<name>_figure.png``.

    Raises
    ------
    UtileError
        If the image cannot be read or segmented, or the results cannot be written.
    """
    check_folder(output)
    use_offscreen()

    viewer = napari.Viewer(show=False)
    try:
        dock = open_with_dock(viewer, image)
        results: list[SegmentResult] = []
        session_of(viewer).events.result.connect(results.append)
        start = time.perf_counter()
        dock.run()
        wait_while(lambda: dock.running)
        if not results:
            raise UtileError(dock.form.status.text() or "The segmentation ended without a result.")
        (result,) = results
        print(f"{result.count} instances in {time.perf_counter() - start:.1f} s")
        for path in write_results(result, output):
            print(f"wrote {path}")
    finally:
        viewer.close()


def open_with_dock(viewer: "napari.Viewer", image: Path | None) -> SegmentPage:
    """Show an image, or the sample, and the Segment page beside it, as napari's menus would."""
    if image is None:
        viewer.open_sample("napari-utile", SAMPLE)
    else:
        open_image(viewer, image)

    dock = open_page(viewer, "segment")
    dock.header.source.image.set_layer(viewer.layers[0])  # of several channels the first
    return cast(SegmentPage, dock.page("segment"))


def open_image(viewer: "napari.Viewer", image: Path) -> None:
    """Show an image file with its pixel size; its first layer knows the file, so that a copied command names it.

    The others are further channels: the command would take the first one.
    """
    first, *others = image_layers(read_image(image))
    with layer_source(path=str(image.resolve())):
        viewer.add_image(first[0], **first[1])
    for data, options, _ in others:
        viewer.add_image(data, **options)


def wait_while(busy: Callable[[], bool]) -> None:
    """Let Qt work until the condition ends; Ctrl+C gets through."""
    while busy():
        QApplication.processEvents()
        time.sleep(0.01)


def write_results(result: SegmentResult, output: Path) -> list[Path]:
    """Write labels, measurements and a figure; return their paths."""
    from napari_utile.engine.reports.figure import overview

    made = result.segmentation
    plane = made.plane
    channels = np.asarray(plane.data[(slice(None), *made.region)])
    pixels = np.moveaxis(channels[:3], 0, -1) if plane.rgb else channels[0]
    check_folder(output)
    stem = plane.name.replace(" ", "_")
    labels, table, figure = (
        output / f"{stem}_{kind}" for kind in ("labels.tif", "measurements.csv", "figure.png")
    )
    with new_result(str(output / stem), None, ()) as new:
        write_labels(new[LABELS], made.labels, pixel_size=plane.pixel_size, unit=plane.unit)
    write_table(table, measure(made.labels, channels, plane.pixel_size, plane.unit))
    drawn = overview(pixels, made.labels, made.foreground, weight_map(made.labels).total, plane.name)
    with atomic_path(figure) as temporary:
        drawn.savefig(temporary, dpi=100)
    return [labels, table, figure]


if __name__ == "__main__":
    sys.exit(main())
