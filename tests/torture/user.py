"""Somebody at a real window, who does what people do with images, and closes what they opened."""

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import napari
import numpy as np
import psutil
import tifffile
from napari.layers import Layer
from qtpy.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from qtpy.QtWidgets import QDockWidget, QMessageBox

from bright_model import save_bright_model
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.session.state import ChosenImage, Session
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.commands import open_page
from napari_utile.widgets.workbench.dock import PAGES, Workbench
from napari_utile.widgets.workbench.page import Page
from simulation.simulate import simulate

PATIENCE = 300.0
"""Seconds that anything may take before it counts as stuck."""
SIDE = 160


class Stuck(Exception):
    """Something did not end."""


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Let the window work as it does by itself, asleep between events, until a condition holds."""
    loop, check, end = QEventLoop(), QTimer(), time.monotonic() + patience
    check.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    check.start(20)
    while not condition() and time.monotonic() < end:
        loop.exec()  # it also ends where the last window of before is closed
    check.stop()
    if not condition():
        raise Stuck(f"{what} did not end within {patience:.0f} s")


def wait(seconds: float) -> None:
    """Let the window work for a time."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def settle() -> None:
    """Deliver deferred deletes."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        wait(0.02)


def prepare(folder: Path) -> None:
    """Write the images of the user, and a model that takes no time in the place of the usual one."""
    for number in range(3):
        cells = simulate("nuclei", height=SIDE, width=SIDE, cells=14, seed=number)
        tifffile.imwrite(folder / f"cells{number}.tif", cells.image)
        tifffile.imwrite(folder / f"cells{number}_truth.tif", cells.labels.astype(np.uint16))


def quick_model() -> None:
    """Put a model that takes no time in the place of the usual one."""
    save_bright_model(user_model_folder() / "nuclei.safetensors", object_diameter=18.0)


def jobs() -> int:
    """Count the threads of jobs."""
    return sum(each.name == "napari-utile-job" for each in threading.enumerate())


def belongings() -> dict[str, int]:
    """Count what must not grow once nobody holds it: what is open, threads, and our objects that are alive."""
    gc.collect()
    process = psutil.Process()
    kinds = {
        "docks": Workbench,
        "pages": Page,
        "sessions": Session,
        "layers": Layer,
        "viewers": napari.Viewer,
    }
    alive = [each for each in gc.get_objects() if isinstance(each, tuple(kinds.values()))]
    return {
        "handles": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
        "threads": process.num_threads(),
        "jobs": jobs(),
        **{name: sum(isinstance(each, kind) for each in alive) for name, kind in kinds.items()},
    }


def resident() -> float:
    """Return the memory of this process, MiB."""
    return psutil.Process().memory_info().rss / 2**20


class User:
    """One window and what its user does with it.

    Parameters
    ----------
    folder : Path
        With the images that `prepare` wrote.
    rng : numpy.random.Generator
        Decides.
    """

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.folder, self.rng = folder, rng
        self.viewer: Any = None
        self.number = 0

    # Windows and docks.

    def open_window(self) -> None:
        """Open napari and an image."""
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1200, 800)
        wait(0.1)
        self.open_image()

    def open_image(self) -> None:
        """Open an image and its reference as files."""
        self.open_number(int(self.rng.integers(3)))

    def open_number(self, number: int) -> None:
        """Open a certain image."""
        self.number = number
        for name in (f"cells{self.number}", f"cells{self.number}_truth"):
            kind = "labels" if name.endswith("truth") else "image"
            self.viewer.open(self.folder / f"{name}.tif", layer_type=kind, plugin="napari")
        choose(self.viewer, self.image, session_of(self.viewer).cells)

    def close_images(self) -> None:
        """Take all layers away."""
        self.viewer.layers.clear()

    @property
    def image(self) -> Any:
        """The image's layer."""
        return self.viewer.layers[f"cells{self.number}"]

    @property
    def truth(self) -> Any:
        """The reference's layer."""
        return self.viewer.layers[f"cells{self.number}_truth"]

    def page(self, name: str) -> Any:
        """Open the dock on a page."""
        return open_page(self.viewer, name).page(name)

    def close_dock(self) -> None:
        """Press the X; a training is stopped when that is asked."""
        window = self.viewer.window._qt_window
        for frame in window.findChildren(QDockWidget):
            if isinstance(frame.widget(), Workbench):
                frame.title.close_button.click()
        for box in window.findChildren(QMessageBox, "utile-go-on"):
            (stop,) = (button for button in box.buttons() if "Stop it" in button.text())
            stop.click()
        settle()

    def close_window(self) -> None:
        """Close napari."""
        if self.viewer is not None:
            viewer, self.viewer = self.viewer, None
            viewer.close()
            del viewer
            settle()

    # What people do.

    def segment(self) -> int:
        """Press Segment and wait; return how many cells there are."""
        page = self.page("segment")
        page.run()
        wait_until(lambda: not page.running, "a segmentation")
        session = session_of(self.viewer)
        if session.cells is None or session.cells is self.truth:
            raise Stuck(f"no cells: {page.form.status.text()}")
        return int(np.unique(np.asarray(session.cells.data)).size - 1)

    def move_a_slider(self) -> None:
        """Change the threshold of the result and wait for the cells to follow."""
        page = self.page("segment")
        page.form.instances["threshold"].value = float(self.rng.uniform(0.3, 0.7))
        wait(0.3)

    def click(self, clicks: int = 6) -> None:
        """Take, split and remove cells, undo all of it and redo some."""
        page = self.page("click")
        page.set_on(True)
        wait_until(lambda: page.tool.queue.busy == 0, "getting ready to click")
        centres = np.argwhere(np.asarray(self.truth.data) > 0)
        for _ in range(clicks):
            pixel = tuple(int(each) for each in centres[self.rng.integers(len(centres))])
            page.mouse.clicked.emit(pixel, str(self.rng.choice(["click", "click", "shift", "control"])))
            wait_until(lambda: page.tool.queue.busy == 0, "a click")
        for _ in range(clicks):
            page.form.undo.click()
        for _ in range(clicks // 2):
            page.form.redo.click()
        page.set_on(False)

    def paint(self) -> Any:
        """Paint a few cells as one would with the brush; return their layer."""
        painted = self.viewer.add_labels(np.zeros((SIDE, SIDE), np.int32), name="painted")
        truth = np.asarray(self.truth.data)
        for label in self.rng.permutation(np.unique(truth)[1:])[:6]:
            with painted.block_history():
                painted.data_setitem(np.nonzero(truth == label), int(label))
        return painted

    def train(self, seconds: float = 2.0, end: str = "discard") -> None:
        """Paint, train, and ``keep`` or ``discard`` the model, ``stop`` early or ``cancel``."""
        session_of(self.viewer).cells = self.paint()
        page = self.page("train")
        page.form.params["minutes"].value = seconds / 60
        page.run()
        if not page.running:
            raise Stuck(f"it does not train: {page.form.status.text()}")
        if end in ("stop", "cancel"):
            wait_until(lambda: page.form.plot.steps or not page.running, "the first steps")
            (page.form.stop.click if end == "stop" else page.cancel)()
        wait_until(lambda: not page.running, "a training")
        decision = page.form.result
        if end == "keep":
            decision.keep.click()
            wait_until(decision.keep.isEnabled, "keeping a model")
        else:
            decision.discard.click()

    def weigh(self) -> None:
        """Look at the weights of the reference."""
        session_of(self.viewer).cells = self.truth
        self.page("weights")
        wait(0.5)

    def evaluate(self) -> None:
        """Compare the newest cells with the reference, and walk through the errors."""
        session = session_of(self.viewer)
        mine = [layer for layer in self.viewer.layers if layer.name.endswith("instances")]
        if not mine:
            return
        session.cells = mine[-1]
        page = self.page("evaluate")
        page.form.truth.set_layer(self.truth)
        page.run()
        wait_until(lambda: not page.running, "an evaluation")
        for _ in range(3):
            page.form.errors.step(1)
            wait(0.05)

    def look_around(self) -> None:
        """Open every page."""
        for name in self.rng.permutation(list(PAGES)):
            self.page(str(name))
            wait(0.05)


def choose(viewer: Any, image: Any, cells: Any) -> None:
    """Choose image and cells in the header of the dock."""
    session = session_of(viewer)
    session.image, session.cells = ChosenImage(image), cells


def answer_closing_questions() -> Any:
    """Say yes wherever closing a window asks."""
    return mock.patch.object(QMessageBox, "question", return_value=QMessageBox.StandardButton.Close)


def environment(folder: Path, library: Path | None = None) -> None:
    """Keep the user's library of models, log and home out of it."""
    library = library or folder / "library"
    library.mkdir(exist_ok=True)
    os.environ["UTILE_MODELS"], os.environ["UTILE_LOG"] = str(library), str(folder / "utile.log")
