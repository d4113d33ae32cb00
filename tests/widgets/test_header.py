"""What the header of the dock offers and preselects."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.own_pictures import add_own
from pages import page_of


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def header(viewer, qtbot):
    page = page_of(viewer, "models", qtbot)
    yield page.dock.header
    del page  # until now the dock is held


def offered(combo):
    return [combo.itemText(row) for row in range(combo.count())]


@pytest.mark.parametrize("role", ["probability", "preview", "live weight map", "sees", "compared"])
def test_pictures_of_the_plugin_are_never_offered_as_images(viewer, header, role):
    mine = viewer.add_image(np.zeros((8, 9)), name="mine")
    add_own(viewer, Image(np.zeros((8, 9)), name="picture"), role)
    assert offered(header.source.image) == ["mine"]
    assert session_of(viewer).image.layer is mine
    viewer.layers.remove("mine")
    assert session_of(viewer).image.layer is None


@pytest.mark.parametrize("role", ["outline", "errors", "mask", "sees"])
def test_only_cells_are_offered_as_cells(viewer, header, role):
    add_own(viewer, Labels(np.ones((8, 9), int), name="picture"), role)
    assert offered(header.cells) == ["New layer"]
    cells = add_own(viewer, Labels(np.ones((8, 9), int), name="result"), "instances")
    assert session_of(viewer).cells is cells


def test_a_reference_is_not_what_is_edited_where_there_is_something_else(viewer, header):
    viewer.add_labels(np.ones((8, 9), int), name="my painting")
    viewer.add_labels(np.ones((8, 9), int), name="ground truth")
    assert session_of(viewer).cells.name == "my painting"


def test_new_layer_stays_chosen_when_labels_come(viewer, header):
    header.cells.set_layer(None)
    viewer.add_labels(np.ones((8, 9), int), name="labels")
    assert session_of(viewer).cells is None


def test_every_field_of_the_header_has_a_name_for_screen_readers(header):
    for field in (header.source.image, header.source.axis, header.model.combo, header.cells):
        assert field.accessibleName()
