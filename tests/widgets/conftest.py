import pytest
from napari.components import ViewerModel
from npe2 import PluginManager


@pytest.fixture
def viewer(request):
    """A viewer without a window, made in no time; tests of a real window get one of 1280 x 800 pixels."""
    if request.node.get_closest_marker("real_window"):
        viewer = request.getfixturevalue("make_napari_viewer")(show=True)
        viewer.window._qt_window.resize(1280, 800)
        return viewer
    PluginManager.instance().discover()  # with a window, napari does it
    return ViewerModel()
