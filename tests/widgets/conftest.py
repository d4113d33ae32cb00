import pytest
from napari.components import ViewerModel


@pytest.fixture
def viewer():
    """A viewer without a window, made in no time; files of tests that need a window have one of their own."""
    return ViewerModel()
