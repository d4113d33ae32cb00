"""Pages of the dock for tests: the dock around a page lives as long as the page is held."""

from napari_utile.widgets.workbench.dock import Workbench


def page_of(viewer, name, qtbot=None):
    """Make a dock on a page and return the page, whose ``dock`` attribute is the dock."""
    dock = Workbench(viewer)
    if qtbot is not None:
        qtbot.addWidget(dock)
    page = dock.open_page(name)
    page.dock = dock
    return page
