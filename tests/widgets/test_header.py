"""What the header of the dock offers and preselects."""

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.own_pictures import add_own
from pages import page_of


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


def test_what_was_painted_goes_before_a_reference(viewer, header):
    viewer.add_labels(np.ones((8, 9), int), name="ground truth")
    viewer.add_labels(np.ones((8, 9), int), name="my painting")
    viewer.add_labels(np.ones((8, 9), int), name="gt")
    assert session_of(viewer).cells.name == "my painting"


def test_labels_that_were_opened_as_an_image_are_not_preselected_and_become_labels_when_asked(viewer, qtbot):
    viewer.add_image(np.ones((8, 9)), name="stack")
    opened = viewer.add_image(np.eye(8, 9, dtype=np.uint16), name="stack_labels")
    viewer.add_image(np.ones((8, 9), np.uint16), name="label-free")
    header = page_of(viewer, "models", qtbot).dock.header
    assert header.source.layer.name == "label-free"
    viewer.layers.remove("label-free")
    assert header.source.layer.name == "stack"
    assert header.labels.isHidden()
    header.source.image.set_layer(opened)
    assert header.labels.text.text() == "“stack_labels” is open as an image, not as labels."
    header.labels.buttons[0].click()
    session = session_of(viewer)
    assert session.image.layer.name == "stack"
    np.testing.assert_array_equal(session.cells.data, opened.data)
    assert header.labels.isHidden()
    assert opened in viewer.layers


@pytest.mark.parametrize(
    "labels",
    [
        {"name": "nuclei truth"},
        {"name": "nuclei_gt"},
        {"name": "manual annotation"},
        {"name": "mine", "visible": False},
        {"name": "mine", "scale": (0.5, 0.5)},
        {"name": "mine", "translate": (0, 20)},
        {"name": "mine", "data": np.ones((4, 4), int)},
        {"name": "mine", "data": np.ones((2, 8, 9), int)},
    ],
    ids=str,
)
@pytest.mark.parametrize("first", ["image", "labels"])
def test_no_truth_and_nothing_hidden_or_elsewhere_is_taken_unasked(viewer, header, labels, first):
    labels = {"data": np.ones((8, 9), int), **labels}
    if first == "labels":
        viewer.add_labels(**labels)
    image = viewer.add_image(np.zeros((8, 9)))
    if first == "image":
        viewer.add_labels(**labels)
    assert session_of(viewer).image.layer is image
    assert session_of(viewer).cells is None
    header.cells.set_layer(viewer.layers[labels["name"]])
    assert session_of(viewer).cells.name == labels["name"], "but it can be chosen"


@pytest.mark.parametrize("name", ["lengths", "daylight", "mine"])
@pytest.mark.parametrize("channels", [False, True])
def test_labels_that_are_seen_on_the_image_are_taken_unasked(viewer, header, name, channels):
    labels = viewer.add_labels(np.ones((8, 9), int), name=name)
    assert session_of(viewer).cells is labels, "without an image, too"
    viewer.add_image(np.zeros((2, 8, 9) if channels else (8, 9)))
    if channels:
        header.source.axis.setCurrentIndex(1)
    assert session_of(viewer).cells is labels


def test_cells_follow_the_image_that_they_lie_on_and_stay_with_another_channel(viewer, header):
    one, other = viewer.add_image(np.zeros((8, 9))), viewer.add_image(np.zeros((3, 5, 5)))
    painted = viewer.add_labels(np.ones((8, 9), int), name="painted")
    assert session_of(viewer).cells is painted
    header.source.image.set_layer(other)
    assert session_of(viewer).cells is None
    header.source.image.set_layer(one)
    assert session_of(viewer).cells is painted
    elsewhere = viewer.add_labels(np.ones((4, 4), int), name="a part")
    header.cells.set_layer(elsewhere)
    header.source.reading.renamed.emit()
    assert session_of(viewer).cells is elsewhere, "the image is the same, and they were chosen"


def test_new_layer_stays_chosen_when_labels_come(viewer, header):
    header.cells.set_layer(None)
    viewer.add_labels(np.ones((8, 9), int), name="labels")
    assert session_of(viewer).cells is None


def test_every_field_of_the_header_has_a_name_for_screen_readers(header):
    for field in (header.source.image, header.source.axis, header.model.combo, header.cells):
        assert field.accessibleName()


def test_planes_are_linked_along_the_axes_that_the_user_names_and_never_along_channels(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    kind, reading = page.form.linking.kind, page.dock.header.source.reading
    viewer.add_image(np.ones((3, 8, 9)))
    ways = [[kind.itemData(row) for row in range(kind.count())]]
    for letter in "zc":
        reading.name_axis(0, letter)
        ways.append([kind.itemData(row) for row in range(kind.count())])
    assert ways == [["none", "z", "views", "t"], ["none", "z", "views"], []]
