from pathlib import Path

from npe2 import PluginManifest

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
