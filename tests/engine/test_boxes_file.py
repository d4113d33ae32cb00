"""Boxes from Shapes layers that napari saved as CSV."""

import numpy as np
import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.boxes_file import find_boxes, read_boxes

HEADER = "index,shape-type,vertex-index,axis-0,axis-1\n"


def test_what_napari_saves_is_read_as_the_dock_reads_the_layer(tmp_path):
    from napari.components import ViewerModel
    from napari_builtins.io import napari_write_shapes

    from napari_utile.widgets.viewer.layers import place_of
    from napari_utile.widgets.viewer.regions import boxes_of_shapes

    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((60, 80)))
    corners = np.array([[5, 5.4], [5, 50.6], [40, 50.6], [40, 5.4]])
    ellipse = np.array([[-8, 60], [-8, 95], [20, 95], [20, 60]])
    shapes = viewer.add_shapes([corners, ellipse], shape_type=["rectangle", "ellipse"])
    data, meta, _ = shapes.as_layer_data_tuple()
    shapes.selected_data = {1}  # as napari leaves it when a second shape is drawn; both count
    path = napari_write_shapes(str(tmp_path / "field.csv"), data, meta)
    windows = boxes_of_shapes(shapes, image, place_of(image, viewer))
    assert read_boxes(path, (60, 80)) == [(y.start, x.start, y.stop, x.stop) for y, x in windows]
    assert read_boxes(path, (60, 80)) == [(5, 5, 41, 52), (0, 60, 21, 80)]


def test_of_a_stack_the_last_two_axes_count_and_other_columns_do_not_matter(tmp_path):
    path = tmp_path / "stack.csv"
    path.write_text(
        "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n"
        "0,rectangle,0,3,2,4\n0,rectangle,1,3,2,6\n0,rectangle,2,3,8,6\n0,rectangle,3,3,8,4\n"
    )
    assert read_boxes(path, (20, 20)) == [(2, 4, 9, 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no shapes"),
        ("label,area\n1,5\n", "holds no shapes"),
        (HEADER, "has no box on its image of 20 x 30 pixels"),
        (HEADER + "0,rectangle,0,50,50\n0,rectangle,1,60,60\n", "has no box on its image"),
        (HEADER + "0,rectangle,0,a,1\n", "not a readable table"),
        (HEADER + "0,rectangle,0,nan,1\n", "not a readable table"),
        (HEADER + "0,rectangle,0\n", "Row 2 of field.csv has 3 values, its header 5"),
    ],
)
def test_what_holds_no_boxes_is_said_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "field.csv"
    path.write_text(text)
    with pytest.raises(UtileError, match=message):
        read_boxes(path, (20, 30))


def test_files_are_found_by_the_names_of_their_images(tmp_path):
    for name in ("a.csv", "b_boxes.csv", "other.csv"):
        (tmp_path / name).touch()
    assert find_boxes(tmp_path, ["a", "b", "c"]) == {
        "a": tmp_path / "a.csv",
        "b": tmp_path / "b_boxes.csv",
    }
    assert find_boxes(tmp_path / "other.csv", ["a"]) == {"a": tmp_path / "other.csv"}
    with pytest.raises(UtileError, match="give a folder"):
        find_boxes(tmp_path / "other.csv", ["a", "b"])
    with pytest.raises(UtileError, match="no file or folder"):
        find_boxes(tmp_path / "nowhere", ["a"])
