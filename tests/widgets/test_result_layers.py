import numpy as np
import pytest

from napari_utile.session.layer_specs import LayerSpec
from napari_utile.widgets.viewer import result_layers
from napari_utile.widgets.viewer.layers import place_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY, is_own
from napari_utile.widgets.viewer.result_layers import (
    edited_layer,
    layer_of_another_view,
    own_layer,
    show_layers,
)


def squares(*ids, shape=(8, 12)):
    """Label image with one 2x2 square per id, side by side."""
    labels = np.zeros(shape, dtype=np.int32)
    for slot, label in enumerate(ids):
        labels[1:3, 1 + 3 * slot : 3 + 3 * slot] = label
    return labels


def instances(labels, window=None, **more):
    index = np.unique(labels)
    index = index[index > 0]
    area = np.array([(labels == label).sum() for label in index], dtype=float)
    return LayerSpec(
        "labels",
        "cells instances",
        labels,
        "instances",
        metadata={"recipe": {"model": "nuclei", "planes": []}},
        features={"index": index, "area": area},
        window=window,
        **more,
    )


def probability(data):
    return LayerSpec("image", "cells probability", data.astype(np.float32), "probability")


def show(viewer, source, *specs, place=None):
    return show_layers(viewer, specs, source, place or place_of(source, viewer))


def paint(layer, position, value=9):
    layer.data_setitem(tuple(np.array([entry]) for entry in position), np.array([value]))


@pytest.fixture
def source(viewer):
    return viewer.add_image(
        np.ones((8, 12)), name="cells", scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"), rotate=20
    )


def test_results_lie_on_their_source_and_carry_their_recipe(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    np.testing.assert_allclose(layer.data_to_world((3, 4)), source.data_to_world((3, 4)))
    assert layer.units == source.units
    assert layer.metadata[METADATA_KEY]["recipe"] == {"model": "nuclei", "planes": []}
    assert layer.name == "cells instances"
    assert list(layer.features["index"]) == [1, 2]
    assert is_own(layer)
    assert not is_own(source)


def test_running_again_replaces_the_data_in_the_same_layers(viewer, source):
    first = show(viewer, source, probability(np.zeros((8, 12))), instances(squares(1, 2)))
    second = show(viewer, source, probability(np.ones((8, 12))), instances(squares(1)))
    assert first == second
    assert len(viewer.layers) == 3
    np.testing.assert_array_equal(second[1].data, squares(1))
    assert list(second[1].features["index"]) == [1]
    assert second[0].data.max() == 1


def test_how_the_user_shows_a_result_is_left_alone(viewer, source):
    layer = show(viewer, source, instances(squares(1)))[0]
    layer.visible, layer.opacity = False, 0.3
    show(viewer, source, instances(squares(1, 2)))
    assert not layer.visible
    assert layer.opacity == 0.3


def test_an_edited_result_is_kept_and_the_new_one_gets_a_new_name(viewer, source):
    edited = show(viewer, source, instances(squares(1, 2)))[0]
    paint(edited, (6, 6))
    new = show(viewer, source, instances(squares(1)))[0]
    assert new is not edited
    assert new.name != edited.name
    assert edited.data[6, 6] == 9
    assert edited.data.max() == 9
    np.testing.assert_array_equal(new.data, squares(1))
    again = show(viewer, source, instances(squares(1, 2, 3)))[0]
    assert again is new


def test_an_edit_that_was_undone_is_no_edit(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    paint(layer, (6, 6))
    layer.undo()
    assert show(viewer, source, instances(squares(1)))[0] is layer


def test_undo_does_not_bring_pixels_of_a_replaced_result_back(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    paint(layer, (6, 6))
    layer.undo()
    show(viewer, source, instances(squares(1)))
    layer.redo()
    layer.undo()
    np.testing.assert_array_equal(layer.data, squares(1))


def test_a_renamed_result_belongs_to_the_user(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    layer.name = "my final cells"
    assert show(viewer, source, instances(squares(1)))[0] is not layer
    np.testing.assert_array_equal(layer.data, squares(1, 2))


def test_a_column_added_to_the_table_belongs_to_the_user(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    features = layer.features
    features["verdict"] = ["good", "bad"]
    layer.features = features
    assert show(viewer, source, instances(squares(1)))[0] is not layer


def test_layers_of_the_user_with_the_same_name_are_never_touched(viewer, source):
    mine = viewer.add_labels(squares(4), name="cells instances")
    new = show(viewer, source, instances(squares(1)))[0]
    assert new is not mine
    assert new.name != mine.name
    np.testing.assert_array_equal(mine.data, squares(4))


def test_two_sources_of_one_name_have_results_of_their_own(viewer, source):
    other = viewer.add_image(np.ones((8, 12)), name="cells")
    first = show(viewer, source, instances(squares(1)))[0]
    second = show(viewer, other, instances(squares(1, 2)))[0]
    assert first is not second
    assert own_layer(viewer, "instances", source) is first


def test_a_deleted_result_is_made_again(viewer, source):
    layer = show(viewer, source, instances(squares(1)))[0]
    viewer.layers.remove(layer)
    assert show(viewer, source, instances(squares(1)))[0] in viewer.layers


def test_a_copy_that_the_user_made_of_a_result_is_theirs(viewer, source):
    layer = show(viewer, source, instances(squares(1)))[0]
    copy = viewer.add_layer(type(layer)(layer.data.copy(), name="copy", metadata=layer.metadata))
    viewer.layers.remove(layer)
    assert show(viewer, source, instances(squares(1, 2)))[0] is not copy


def test_results_of_a_stack_gather_plane_by_plane_with_distinct_ids(viewer):
    stack = viewer.add_image(np.ones((3, 8, 12)), name="stack", axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    layer = show(viewer, stack, instances(squares(1, 2)))[0]
    assert layer.data.shape == (3, 8, 12)
    viewer.dims.set_current_step(0, 2)
    assert show(viewer, stack, instances(squares(1)))[0] is layer
    np.testing.assert_array_equal(layer.data[0], 0)
    np.testing.assert_array_equal(layer.data[1], squares(1, 2))
    np.testing.assert_array_equal(layer.data[2], squares(3))
    assert list(layer.features["index"]) == [1, 2, 3]
    assert list(layer.features["z"]) == [1, 1, 2]


def test_running_a_plane_of_a_stack_again_replaces_only_that_plane(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)), axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1, 2)))[0]
    viewer.dims.set_current_step(0, 1)
    show(viewer, stack, instances(squares(1)))
    viewer.dims.set_current_step(0, 0)
    show(viewer, stack, instances(squares(1)))
    assert len(np.unique(layer.data)) == 3, "ids stay distinct"
    np.testing.assert_array_equal(layer.data[1], squares(3))
    assert sorted(layer.features["index"]) == [3, 4]


def test_an_edit_on_one_plane_does_not_stop_results_on_another(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1)))[0]
    paint(layer, (0, 6, 6))
    viewer.dims.set_current_step(0, 1)
    assert show(viewer, stack, instances(squares(1)))[0] is layer
    assert layer.data[0, 6, 6] == 9
    viewer.dims.set_current_step(0, 0)
    assert show(viewer, stack, instances(squares(1)))[0] is not layer


def test_a_table_that_was_measured_after_an_edit_stops_no_results_on_another_plane(viewer):
    stack = viewer.add_image(np.ones((3, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1, 2)))[0]
    paint(layer, (0, 1, 1), 0)
    layer.features = layer.features[layer.features["index"] == 2]
    viewer.dims.set_current_step(0, 1)
    assert show(viewer, stack, instances(squares(1)))[0] is layer
    assert layer.data[0, 1, 1] == 0
    assert sorted(layer.features["index"]) == [2, 3]


def test_what_was_added_to_the_rows_of_a_plane_protects_that_plane_alone(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1, 2)))[0]
    layer.features = layer.features.assign(verdict=["good", ""])
    viewer.dims.set_current_step(0, 1)
    assert show(viewer, stack, instances(squares(1)))[0] is layer
    assert show(viewer, stack, instances(squares(1, 2)))[0] is layer
    viewer.dims.set_current_step(0, 0)
    assert show(viewer, stack, instances(squares(1)))[0] is not layer
    assert layer.features["verdict"].tolist() == ["good", "", "", ""]


def test_cells_of_later_planes_take_no_id_that_was_painted(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1)))[0]
    layer.selected_label = 2
    layer.paint((0, 6, 6), 2)
    viewer.dims.set_current_step(0, 1)
    show(viewer, stack, instances(squares(1)))
    np.testing.assert_array_equal(layer.data[1], squares(3))


def test_an_edit_is_undone_after_a_result_on_another_plane_came(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1)))[0]
    layer.fill((0, 1, 1), 0)
    viewer.dims.set_current_step(0, 1)
    show(viewer, stack, instances(squares(1)))
    layer.undo()
    np.testing.assert_array_equal(layer.data, [squares(1), squares(2)])


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_a_stack_seen_from_another_side_gets_layers_of_its_own(viewer, order):
    stack = viewer.add_image(np.ones((8, 8, 12)), axis_labels=("z", "y", "x"))
    viewer.dims.set_current_step(0, 1)
    first = show(viewer, stack, probability(np.ones((8, 12))), instances(squares(1)))
    before = [layer.data.copy() for layer in first]
    viewer.dims.order = order
    place = place_of(stack, viewer)
    assert layer_of_another_view(viewer, "instances", stack, place) is first[1]
    assert edited_layer(viewer, "instances", stack, place) is None, "nobody edited them"
    shape = place.plane_shape
    second = show(viewer, stack, probability(np.ones(shape)), instances(squares(1, shape=shape)))
    assert not {*first} & {*second}
    assert layer_of_another_view(viewer, "instances", stack, place) is None
    for layer, data in zip(first, before, strict=True):
        np.testing.assert_array_equal(layer.data, data)
    viewer.dims.order = (0, 1, 2)
    assert show(viewer, stack, instances(squares(1, 2)))[0] is first[1]


def test_cells_painted_on_a_plane_that_was_never_run_are_kept(viewer):
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1)))[0]
    paint(layer, (1, 6, 6))
    viewer.dims.set_current_step(0, 1)
    assert show(viewer, stack, instances(squares(1)))[0] is not layer
    assert layer.data[1, 6, 6] == 9


def test_a_window_is_filled_in_and_the_rest_stays(viewer, source):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    window = (slice(4, 8), slice(0, 6))
    new = np.zeros((4, 6), np.int32)
    new[1:3, 1:3] = 1
    show(viewer, source, instances(new, window))
    np.testing.assert_array_equal(layer.data[:4], squares(1, 2)[:4])
    np.testing.assert_array_equal(layer.data[4:, :6], new * 3)
    assert list(layer.features["index"]) == [1, 2, 3]


@pytest.mark.parametrize(("axis", "shape"), [(0, (8, 12)), (1, (2, 3, 8, 12))])
def test_results_of_a_channel_axis_are_seen_from_every_channel(viewer, axis, shape):
    data = np.ones((3, 8, 12)) if axis == 0 else np.ones(shape)
    stack = viewer.add_image(data)
    place = place_of(stack, viewer, channel_axis=axis)
    layer = show(viewer, stack, instances(squares(1, 2)), place=place)[0]
    assert layer.data.shape == shape
    shown = layer.data if axis == 0 else layer.data[place.index[0], 2]
    np.testing.assert_array_equal(shown, squares(1, 2))
    assert show(viewer, stack, instances(squares(1)), place=place)[0] is layer


def test_a_plane_seen_from_the_side_is_filled_from_the_side(viewer):
    stack = viewer.add_image(np.ones((8, 5, 12)))
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 3)
    layer = show(viewer, stack, instances(squares(1, 2)))[0]
    np.testing.assert_array_equal(layer.data[:, 3, :], squares(1, 2))


def test_large_results_are_kept_in_chunks_and_can_be_painted(viewer, source, monkeypatch):
    monkeypatch.setattr(result_layers, "CHUNKED_ABOVE", 16)
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    assert not isinstance(layer.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(layer.data), squares(1, 2))
    assert show(viewer, source, instances(squares(1)))[0] is layer
    paint(layer, (6, 6))
    assert show(viewer, source, instances(squares(1)))[0] is not layer


def test_an_edit_of_a_large_plane_does_not_stop_results_on_planes_to_come(viewer, monkeypatch):
    monkeypatch.setattr(result_layers, "COMPARED_BELOW", 16)
    stack = viewer.add_image(np.ones((2, 8, 12)))
    viewer.dims.set_current_step(0, 0)
    layer = show(viewer, stack, instances(squares(1)))[0]
    paint(layer, (0, 6, 6))
    viewer.dims.set_current_step(0, 1)
    assert show(viewer, stack, instances(squares(1)))[0] is layer
    viewer.dims.set_current_step(0, 0)
    assert show(viewer, stack, instances(squares(1)))[0] is not layer


def test_edits_of_planes_too_large_to_compare_are_noticed(viewer, source, monkeypatch):
    monkeypatch.setattr(result_layers, "COMPARED_BELOW", 16)
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    assert show(viewer, source, instances(squares(1)))[0] is layer
    paint(layer, (6, 6))
    assert show(viewer, source, instances(squares(1)))[0] is not layer


def test_the_thumbnail_follows_once_results_rest(viewer, source, qtbot):
    layer = show(viewer, source, instances(squares(1, 2)))[0]
    before = layer.thumbnail.copy()
    drawn = []
    layer.events.thumbnail.connect(drawn.append)
    for ids in ((1,), (2,), (1, 2, 3)):
        show(viewer, source, instances(squares(*ids)))
    assert not drawn
    qtbot.waitUntil(lambda: not np.array_equal(layer.thumbnail, before))
    assert len(drawn) == 1
