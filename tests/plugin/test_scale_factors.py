"""At 1280 x 800 logical pixels nothing of the dock is cut off, whatever a logical pixel is on the screen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QApplication, QCheckBox, QLabel

TESTS = Path(__file__).parents[1]

pytestmark = pytest.mark.real_window


def cut_off(page, dock):
    """List what of a page cannot be read in full, or asks for more width than there is."""
    lacking = []
    for widget in dock.findChildren((QAbstractButton, QLabel)):
        if not widget.isVisible() or not widget.text().strip() or "<" in widget.text():
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            need = widget.heightForWidth(widget.width()) - widget.height()
        else:
            mark = 20 if isinstance(widget, QCheckBox) else 0
            need = widget.fontMetrics().horizontalAdvance(widget.text()) + mark - widget.width()
        if need > 0:
            lacking.append(f"{widget.text()[:40]!r} lacks {need}")
    if page.form.minimumSizeHint().width() > page.width():
        lacking.append("the page is wider than the dock")
    button = page.main_button
    if button is not None and button.isVisible() and button.visibleRegion().isEmpty():
        lacking.append("the main button is out of sight")
    return lacking


def look(folder):
    """Open every page in a window and write down what is cut off; with a folder, photograph each."""
    import napari
    from PIL import Image
    from qtpy.QtTest import QTest

    from napari_utile.widgets.workbench.commands import open_page
    from napari_utile.widgets.workbench.dock import PAGES
    from simulation.simulate import simulate

    viewer = napari.Viewer()
    viewer.window._qt_window.resize(1280, 800)
    field = simulate("nuclei", height=96, width=96, cells=6, seed=1)
    stack = np.broadcast_to(field.image, (2, 2, *field.image.shape))
    viewer.add_image(stack, name="a long name of an image, as people give", axis_labels=tuple("tzyx"))
    viewer.add_labels(field.labels, name="truth")
    seen = {"ratio": viewer.window._qt_window.devicePixelRatioF(), "cut off": []}
    for name in PAGES:
        dock = open_page(viewer, name)
        page = dock.page(name)
        page.form.status.say(
            "This is a sentence as long as some that are said here, over two lines.", "problem"
        )
        QTest.qWait(700)
        if folder:
            pixels = viewer.window.screenshot(flash=False, canvas_only=False)
            Image.fromarray(pixels[..., :3]).save(Path(folder) / f"{name}.png")
        seen["cut off"] += [f"{name}: {each}" for each in cut_off(page, dock)]
    viewer.close()
    QApplication.processEvents()
    sys.stdout.write(f"\n{json.dumps(seen)}\n")


@pytest.mark.parametrize("factor", ["1.5", "2"])  # test_layout_window.py looks at 1
def test_nothing_of_the_dock_is_cut_off(factor, tmp_path):
    environment = {
        **os.environ,
        "QT_SCALE_FACTOR": factor,
        "UTILE_MODELS": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([*sys.path[:1], str(TESTS), str(TESTS.parent / "training"), *sys.path]),
    }
    made = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stderr[-2000:]
    assert json.loads(made.stdout.splitlines()[-1]) == {"ratio": float(factor), "cut off": []}


if __name__ == "__main__":
    look(os.environ.get("UTILE_TOUR", ""))
