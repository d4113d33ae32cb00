"""Measurements of instances: by hand, against scikit-image, and as a file."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import regionprops_table

from napari_utile.engine.cells.measure import measure, unit_suffix
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import write_table

label_images = hnp.arrays(np.int32, (9, 8), elements=st.sampled_from([0, 0, 1, 2, 5]))


def blobs() -> np.ndarray:
    """Nine ellipses of different shape, some of them touching."""
    y, x = np.mgrid[:90, :96]
    labels = np.zeros((90, 96), np.int32)
    for number in range(9):
        cy, cx = 15 + 30 * (number // 3), 16 + 31 * (number % 3)
        a, b, angle = 8 + number, 14 - number / 2, number / 3
        u = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle)
        v = -(y - cy) * np.sin(angle) + (x - cx) * np.cos(angle)
        labels[(u / a) ** 2 + (v / b) ** 2 < 1] = 2 * number + 3
    return labels


def test_a_rectangle_by_hand() -> None:
    labels = np.zeros((6, 8), int)
    labels[1:3, 2:6] = 4
    image = np.arange(48.0).reshape(6, 8)
    table = measure(labels, image)
    assert list(table)[:5] == ["index", "label", "area_px", "centroid_y", "centroid_x"]
    row = {name: values.tolist() for name, values in table.items()}
    assert (row["index"], row["area_px"], row["centroid_y"], row["centroid_x"]) == ([4], [8], [1.5], [3.5])
    pixels = [10, 11, 12, 13, 18, 19, 20, 21]
    assert row["intensity_sum"] == [sum(pixels)]
    assert row["intensity_mean"] == [sum(pixels) / 8]
    assert (row["intensity_min"], row["intensity_max"]) == ([10], [21])
    # Variance of 4 columns is 15/12 and of 2 rows 3/12; an axis is 4 standard deviations.
    assert row["major_axis_px"] == pytest.approx([4 * np.sqrt(15 / 12)])
    assert row["minor_axis_px"] == pytest.approx([4 * np.sqrt(3 / 12)])
    assert row["eccentricity"] == pytest.approx([np.sqrt(1 - 3 / 15)])
    assert row["solidity"] == [1]


def test_an_l_fills_a_part_of_its_convex_hull() -> None:
    labels = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    # The hull's corners are (0, 0), (3, 0), (3, 3): ten pixels lie in it.
    assert measure(labels)["solidity"].tolist() == [7 / 10]


@pytest.mark.parametrize(
    "labels", [np.array([[1]]), np.array([[1, 1, 1]]), np.array([[1], [1]]), np.eye(3, dtype=int)]
)
def test_points_and_lines_are_convex(labels: np.ndarray) -> None:
    table = measure(labels)
    assert table["solidity"].tolist() == [1]
    assert np.isfinite([values[0] for values in table.values()]).all()


def test_lengths_and_areas_are_in_physical_units() -> None:
    labels = blobs()
    pixels, physical = measure(labels), measure(labels, pixel_size=(0.5, 0.5), unit="micrometer")
    assert physical["area_um2"] == pytest.approx(pixels["area_px"] / 4)
    for name in ("perimeter", "major_axis", "minor_axis"):
        assert physical[f"{name}_um"] == pytest.approx(pixels[f"{name}_px"] / 2)
    assert physical["centroid_y"] == pytest.approx(pixels["centroid_y"])


def test_pixels_need_not_be_square() -> None:
    stretched = np.repeat(blobs(), 3, axis=0)
    flat = measure(stretched, pixel_size=(1 / 3, 1.0), unit="um")
    square = measure(blobs(), pixel_size=(1.0, 1.0), unit="um")
    assert flat["area_um2"] == pytest.approx(square["area_um2"])
    assert flat["major_axis_um"] == pytest.approx(square["major_axis_um"], rel=0.02)
    assert flat["perimeter_um"] == pytest.approx(square["perimeter_um"], rel=0.1)


@pytest.mark.parametrize(
    ("unit", "suffix"),
    [("µm", "um"), ("μm", "um"), ("micron", "um"), ("nm", "nm"), (None, "unit"), ("Å", "angstrom")],
)
def test_units_are_plain_letters_in_column_names(unit: str | None, suffix: str) -> None:
    assert unit_suffix(unit) == suffix


def test_a_pixel_size_of_one_without_a_unit_is_pixels() -> None:
    assert list(measure(blobs(), pixel_size=(1.0, 1.0), unit="pixel")) == list(measure(blobs()))
    assert "area_unit2" in measure(blobs(), pixel_size=(2.0, 2.0))


def test_shapes_agree_with_scikit_image() -> None:
    labels = blobs()
    image = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    ours = measure(labels, image)
    names = {
        "index": "label",
        "area_px": "area",
        "centroid_y": "centroid-0",
        "centroid_x": "centroid-1",
        "perimeter_px": "perimeter_crofton",
        "major_axis_px": "axis_major_length",
        "minor_axis_px": "axis_minor_length",
        "eccentricity": "eccentricity",
        "intensity_mean": "intensity_mean",
        "intensity_min": "intensity_min",
        "intensity_max": "intensity_max",
    }
    wanted = {name.split("-")[0] for name in names.values()}
    theirs = regionprops_table(labels, image, properties=tuple(sorted(wanted)))
    for name, other in names.items():
        assert ours[name] == pytest.approx(theirs[other], rel=1e-6), name


@given(label_images)
def test_solidity_counts_the_pixels_inside_the_convex_hull(labels: np.ndarray) -> None:
    table = measure(labels)
    for number, solidity in zip(table["index"], table["solidity"], strict=True):
        points = np.argwhere(labels == number)
        assert len(points) / solidity == pytest.approx(_pixels_in_hull(points))


def _pixels_in_hull(points: np.ndarray) -> int:
    """Count pixels that no line through two points of the object parts from it."""
    ys, xs = np.mgrid[
        points[:, 0].min() : points[:, 0].max() + 1, points[:, 1].min() : points[:, 1].max() + 1
    ]
    inside = np.ones(ys.shape, bool)
    for py, px in points:
        for qy, qx in points:
            side = (points[:, 0] - py) * (qx - px) - (points[:, 1] - px) * (qy - py)
            if (side <= 0).all() and (py, px) != (qy, qx):
                inside &= (ys - py) * (qx - px) - (xs - px) * (qy - py) <= 0
    return int(inside.sum())


def test_neighbours_and_touching_fraction() -> None:
    labels = np.array(
        [
            [1, 1, 2, 2, 0, 3],
            [1, 1, 2, 2, 0, 3],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [4, 4, 0, 0, 0, 0],
        ]
    )
    table = measure(labels)
    # 2 touches 1 and is one pixel from 3; two rows lie between 4 and the others.
    assert table["neighbours"].tolist() == [1, 2, 1, 0]
    assert table["touching_fraction"].tolist() == pytest.approx([2 / 8, 2 / 8, 0, 0])


def test_ids_far_apart_are_measured_as_near_ones_are() -> None:
    near, image = blobs().astype(np.int64), np.random.default_rng(0).random((90, 96))
    far = np.where(near > 0, near + 2**40 * (near % 5), 0)
    ids = np.unique(far[far > 0])
    there, here = measure(far, image), measure(near, image)
    order = np.argsort(there["index"] % 2**40)
    assert there["index"].tolist() == there["label"].tolist() == ids.tolist()
    for name in set(there) - {"index", "label"}:
        assert there[name][order] == pytest.approx(here[name]), name


@settings(max_examples=50)
@given(label_images)
def test_columns_are_those_of_the_transposed_image(labels: np.ndarray) -> None:
    there, back = measure(labels), measure(labels.T)
    for name, values in there.items():
        other = {"centroid_y": "centroid_x", "centroid_x": "centroid_y"}.get(name, name)
        assert back[other] == pytest.approx(values), name


def test_each_channel_has_its_columns() -> None:
    channels = np.stack([np.full((3, 3), 7, np.uint8), np.full((3, 3), 200, np.uint8)])
    labels = np.ones((3, 3), int)
    assert measure(labels, channels, basic=True)["intensity_mean_1"].tolist() == [200]
    alike = measure(labels, channels, channel_names=("dapi", "dapi"), basic=True)
    assert [alike[f"intensity_mean_dapi_{number}"].tolist() for number in range(2)] == [[7], [200]]
    named = measure(labels, channels, channel_names=("dapi", "gfp"))
    assert (named["intensity_sum_dapi"].tolist(), named["intensity_sum_gfp"].tolist()) == ([63], [1800])


def test_sums_of_small_integers_do_not_overflow() -> None:
    assert measure(np.ones((100, 100), int), np.full((100, 100), 255, np.uint8))["intensity_sum"] == [2550000]


def test_without_instances_there_are_columns_without_rows() -> None:
    for shape in ((4, 4), (0, 3), (3, 0)):
        table = measure(np.zeros(shape, int), np.zeros(shape))
        assert set(map(len, table.values())) == {0}
        assert "solidity" in table


def test_basic_columns_are_a_part_of_all_columns() -> None:
    labels, image = blobs(), np.random.default_rng(1).random((90, 96))
    everything, basic = measure(labels, image), measure(labels, image, basic=True)
    assert list(basic) == ["index", "label", "area_px", "centroid_y", "centroid_x", "intensity_mean"]
    for name, values in basic.items():
        assert values.tolist() == everything[name].tolist()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.zeros((2, 2, 2), int),), r"labels must be \(Y, X\)"),
        ((np.full((2, 2), 0.5),), "whole numbers .* got 0.5"),
        ((np.full((2, 2), "a"),), "integer or boolean"),
        ((np.zeros((2, 2), int), np.zeros((3, 3))), r"on \(2, 2\), got \(1, 3, 3\)"),
        ((np.zeros((2, 2), int), None, (0.0, 1.0)), "two positive numbers"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        measure(*arguments)


def test_a_table_is_written_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    write_table(path, measure(np.array([[3, 3, 0]]), np.array([[1.5, 2.5, 9.0]]), basic=True))
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["index", "label", "area_px", "centroid_y", "centroid_x", "intensity_mean"],
        ["3", "3", "2", "0.0", "0.5", "2.0"],
    ]


def test_a_table_of_unequal_columns_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        write_table(tmp_path / "cells.csv", {"a": [1], "b": [1, 2]})
    with pytest.raises(UtileError, match="does not exist"):
        write_table(tmp_path / "missing" / "cells.csv", {"a": [1]})
    assert not list(tmp_path.iterdir())
