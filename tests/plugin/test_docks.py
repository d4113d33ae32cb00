from pathlib import Path

import numpy as np
from npe2 import PluginManifest
from qtpy.QtWidgets import QDockWidget

from napari_utile.widgets.tabs import show_table
from napari_utile.widgets.workbench.commands import open_page

TOP = Path(__file__).parents[2]


def test_napari_makes_every_dock_from_the_manifest(make_napari_viewer):
    viewer = make_napari_viewer()
    for widget in PluginManifest.from_file(TOP / "napari.yaml").contributions.widgets:
        dock, contents = viewer.window.add_plugin_dock_widget("napari-utile", widget.display_name)
        assert widget.display_name in dock.windowTitle()
        assert type(contents).__module__.startswith("napari_utile.widgets.")
        assert contents.minimumSizeHint().width() <= contents.sizeHint().width()


def test_a_page_fills_the_dock_to_its_foot(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    dock = open_page(viewer, "segment")
    page = dock.page("segment")
    frame = 3  # pixels
    qtbot.waitUntil(lambda: dock.rect().bottom() - page.mapTo(dock, page.rect().bottomLeft()).y() <= frame)


def test_the_dock_opened_after_a_table_is_a_tab_beside_it(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_labels(np.eye(8, dtype=int))
    show_table(viewer)
    table = next(
        frame
        for frame in viewer.window._qt_window.findChildren(QDockWidget)
        if "table" in frame.windowTitle()
    )
    frame, dock = viewer.window.add_plugin_dock_widget("napari-utile", "U-Tile")  # as the menu Plugins does
    qtbot.waitUntil(lambda: table in viewer.window._qt_window.tabifiedDockWidgets(frame))
    qtbot.waitUntil(lambda: not dock.bar.visibleRegion().isEmpty())
