import gc

import numpy as np
import pytest

from napari_utile.widgets.parts.layer_combo import LayerCombo


@pytest.fixture
def combo(viewer, qtbot):
    combo = LayerCombo(viewer, ("Image",))
    qtbot.addWidget(combo)
    return combo


def names(combo):
    return [combo.itemText(index) for index in range(combo.count())]


def test_without_a_layer_it_says_so(combo):
    assert combo.layer is None
    assert names(combo) == ["no image open"]
    assert not combo.isEnabled()


def test_only_layers_of_its_kind_are_listed_the_topmost_first(viewer, combo):
    viewer.add_image(np.ones((4, 5)), name="below")
    viewer.add_labels(np.ones((4, 5), dtype=int), name="cells")
    viewer.add_image(np.ones((4, 5)), name="above")
    assert names(combo) == ["above", "below"]


def test_the_chosen_layer_stays_chosen_while_others_come_and_go(viewer, combo):
    chosen = viewer.add_image(np.ones((4, 5)), name="first")
    other = viewer.add_image(np.ones((4, 5)), name="second")
    assert combo.layer is chosen
    viewer.layers.remove(other)
    assert combo.layer is chosen


def test_the_next_layer_is_chosen_when_the_chosen_one_is_removed(viewer, combo, qtbot):
    other = viewer.add_image(np.ones((4, 5)), name="second")
    chosen = viewer.add_image(np.ones((4, 5)), name="first")
    combo.set_layer(chosen)
    with qtbot.waitSignal(combo.layer_changed) as heard:
        viewer.layers.remove(chosen)
    assert heard.args == [other]


def test_a_renamed_layer_is_listed_under_its_new_name(viewer, combo):
    layer = viewer.add_image(np.ones((4, 5)), name="before")
    layer.name = "after"
    assert names(combo) == ["after"]


def test_a_deleted_combo_box_listens_no_more(viewer, qtbot):
    combo = LayerCombo(viewer, ("Image",))
    heard = []
    combo.layer_changed.connect(heard.append)
    combo.deleteLater()
    qtbot.wait(20)
    viewer.add_image(np.ones((4, 5)))
    gc.collect()
    assert heard == []


def test_an_entry_for_no_layer_can_be_offered(viewer, qtbot):
    combo = LayerCombo(viewer, ("Image",), none_text="none")
    qtbot.addWidget(combo)
    layer = viewer.add_image(np.ones((4, 5)), name="one")
    assert names(combo) == ["none", "one"]
    assert combo.layer is None
    combo.set_layer(layer)
    assert combo.layer is layer


def test_names_that_are_too_long_show_their_ends(viewer, combo, qtbot):
    viewer.add_image(np.ones((4, 5)), name="film_two_channels channel 0 of many")
    combo.resize(150, combo.sizeHint().height())
    combo.show()
    pictures = []
    for name in ("film_two_channels channel 0 of few", "film_two_channels channel 0 of some"):
        viewer.layers[0].name = name
        pictures.append(combo.grab().toImage())
    assert pictures[0] != pictures[1]
    assert combo.currentText() == viewer.layers[0].name
