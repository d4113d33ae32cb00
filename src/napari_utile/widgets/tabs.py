"""Tables and plots open as tabs beside the dock, never below it."""

from typing import Any

import napari.viewer

from napari_utile.widgets.help import CHAPTERS, HelpTab
from napari_utile.widgets.plots.tab import PlotsTab
from napari_utile.widgets.review.tab import ReviewTab
from napari_utile.widgets.viewer.layers import plain_viewer


def show_table(viewer: napari.viewer.Viewer) -> None:
    """Open napari's table of the active layer's features, or bring it to the front."""
    window = getattr(plain_viewer(viewer), "window", None)
    if window is not None:
        frame, _ = window.add_plugin_dock_widget("napari", "Features table widget", tabify=True)
        _raise(frame)


def open_plots(viewer: napari.viewer.Viewer) -> Any:
    """Open the plots of the chosen cells, or bring them to the front."""
    return open_tab(viewer, "U-Tile plots", PlotsTab)


def open_review(viewer: napari.viewer.Viewer) -> Any:
    """Open the queue in which the results of a batch are reviewed, or bring it to the front."""
    return open_tab(viewer, "U-Tile review", ReviewTab)


def open_help(viewer: napari.viewer.Viewer, page: str) -> Any:
    """Open the chapter of the documentation on a page of the dock."""
    tab = open_tab(viewer, "U-Tile help", HelpTab)
    tab.show_chapter(CHAPTERS[page])
    return tab


def open_tab(viewer: napari.viewer.Viewer, name: str, make: Any) -> Any:
    """Open a tab beside the dock, made by a function of the viewer, or bring it to the front."""
    window = plain_viewer(viewer).window
    shown = window.dock_widgets.get(name)
    if shown is not None:
        _raise(shown.parent())
        return shown
    tab = make(viewer)
    _raise(window.add_dock_widget(tab, name=name, tabify=True, add_vertical_stretch=False))
    return tab


def _raise(frame: Any) -> None:
    frame.show()
    frame.raise_()
