"""The commands of the menus: each opens the dock, or brings it to the front, on one of its pages."""

import napari.viewer

from napari_utile.widgets.viewer.layers import plain_viewer
from napari_utile.widgets.workbench.dock import Workbench


def open_page(viewer: napari.viewer.Viewer, name: str) -> Workbench:
    """Open the dock on a page, or bring it there; one of `PAGES`."""
    frame, dock = plain_viewer(viewer).window.add_plugin_dock_widget("napari-utile", "U-Tile")
    dock.open_page(name)
    frame.show()
    frame.raise_()
    made: Workbench = dock
    return made


def open_segment(viewer: napari.viewer.Viewer) -> None:
    """Find the cells of an image."""
    open_page(viewer, "segment")


def open_click(viewer: napari.viewer.Viewer) -> None:
    """Take and correct cells with the mouse."""
    open_page(viewer, "click")


def open_train(viewer: napari.viewer.Viewer) -> None:
    """Teach a model your own cells."""
    open_page(viewer, "train")


def open_weights(viewer: napari.viewer.Viewer) -> None:
    """See what training would weigh."""
    open_page(viewer, "weights")


def open_evaluate(viewer: napari.viewer.Viewer) -> None:
    """Compare cells with a reference."""
    open_page(viewer, "evaluate")


def open_models(viewer: napari.viewer.Viewer) -> None:
    """See and change the models that there are."""
    open_page(viewer, "models")
