"""Pages of the dock for tests: the dock around a page lives as long as the page is held."""

import threading

import numpy as np

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.source import read_source
from napari_utile.widgets.workbench.dock import Workbench


def page_of(viewer, name, qtbot=None):
    """Make a dock on a page and return the page, whose ``dock`` and ``viewer`` are those that it is in."""
    dock = Workbench(viewer)
    if qtbot is not None:
        qtbot.addWidget(dock)
    page = dock.open_page(name)
    page.dock, page.viewer = dock, viewer
    return page


def slide(width=120):
    """Give an image (90, width) of bright squares, 9 pixels wide, as a large one is in small."""
    data = np.full((90, width), 100, np.uint8)
    for y in range(5, 80, 20):
        for x in range(5, width - 10, 20):
            data[y : y + 9, x : x + 9] = 220
    return data


def fits(page):
    """Say whether a page asks for no more width than the dock does."""
    return page.form.minimumSizeHint().width() <= page.dock.sizeHint().width()


def finish(qtbot, job):
    """Wait until a job, or the run of a page, has ended."""
    qtbot.waitUntil(lambda: not job.running, timeout=60_000)


def jobs():
    """Return the threads of jobs that have not ended."""
    return [each for each in threading.enumerate() if each.name == "napari-utile-job"]


def result_on_screen(page):
    """Return the result of the plane that the viewer shows; None where it was not segmented."""
    session = session_of(page.viewer)
    source = read_source(page.viewer, session)
    return session.result_of(source.layer, source.place.key)
