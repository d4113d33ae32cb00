"""Calls from Python with numbers, arrays and options of types that scripts have: the same result, or one sentence."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray

from napari_utile import average_precision, grow_seeds, measure, segment
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import write_labels
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.segment_params import SegmentParams

Y, X = np.mgrid[:64, :64]
IMAGE = (200 * ((Y % 32 - 16) ** 2 + (X % 32 - 16) ** 2 < 81)).astype(np.uint8)
LABELS = np.zeros((64, 64), np.uint16)
LABELS[:32, :32][IMAGE[:32, :32] > 0] = 3
LABELS[32:, 32:][IMAGE[32:, 32:] > 0] = 70


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"channels": 0, "percentiles": [0, 100]}, {"percentiles": (0.0, 100.0)}),
        ({"channels": np.array([0]), "tile": np.int8(64), "minimum_size": np.int16(9)}, {"minimum_size": 9}),
        (
            {"percentiles": np.array([0, 99]), "threshold": np.float32(0.5)},
            {"percentiles": (0, 99), "threshold": 0.5},
        ),
    ],
    ids=str,
)
def test_numbers_of_any_type_are_numbers(given: dict, plain: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # overflow
        made = segment(IMAGE, diameter=None, region=[slice(None), slice(np.int8(0), np.int8(64))], **given)
    np.testing.assert_array_equal(made.labels, segment(IMAGE, diameter=None, **plain).labels)


def test_numbers_of_numpy_become_plain_ones() -> None:
    params = SegmentParams(tile=np.int8(64), diameter=np.float32(20))
    assert (type(params.tile), type(params.diameter)) == (int, float)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"diametr": 3}, "did you mean 'diameter'"),
        ({"Threshold": 0.4}, "did you mean 'threshold'"),
        ({"percentile": (1, 99)}, "did you mean 'percentiles'"),
        ({"percentiles": 99}, "two numbers"),
        ({"percentiles": "1,99"}, "several numbers"),
        ({"channels": "0"}, "several numbers"),
        ({"project": 1}, "project must be a text"),
        ({"preprocess": ["invert"]}, "preprocess must be a text"),
        ({"axes": ["Y", "X"]}, "axes must be a text"),
        ({"series": 3}, "has no series 3"),
        ({"region": slice(0, 9)}, "a slice of rows and one of columns"),
        ({"region": (slice(0.0, 9.0), slice(None))}, "whole numbers of pixels"),
        ({"region": (slice("a", None), slice(None))}, "whole numbers of pixels"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_named(options: dict, said: str) -> None:
    with pytest.raises((UtileError, ValueError), match=said):
        segment(IMAGE, diameter=None, **options)


@pytest.mark.parametrize(
    "image", [[[1, 2], [3]], xarray.Dataset({"a": (("y", "x"), IMAGE)})], ids=["ragged", "set"]
)
def test_what_is_no_array_is_one_sentence(image: object) -> None:
    with pytest.raises(UtileError, match="This is not an array of numbers"):
        segment(image)


def test_tensors_of_bfloat16_are_arrays() -> None:
    array, names = as_array(torch.from_numpy(IMAGE).to(torch.bfloat16))
    np.testing.assert_array_equal(array, IMAGE)
    assert names is None


def test_ids_of_floating_point_are_ids() -> None:
    floats = LABELS.astype(np.float32)
    assert measure(floats)["index"].tolist() == [3, 70]
    assert average_precision(floats, LABELS, 0.5) == 1
    with pytest.raises(ValueError, match="whole numbers, got nan"):
        measure(np.where(LABELS == 0, np.nan, floats))


def test_seeds_are_opened_by_their_path(tmp_path: Path) -> None:
    write_labels(tmp_path / "s.tif", LABELS)
    grown = grow_seeds(IMAGE, tmp_path / "s.tif", distance=2)
    np.testing.assert_array_equal(
        grown, grow_seeds(IMAGE, torch.from_numpy(LABELS.astype(np.int64)), distance=2)
    )
    assert set(np.unique(grown)) == {0, 3, 70}
    with pytest.raises(UtileError, match="3 planes"):
        grow_seeds(IMAGE, np.stack([LABELS] * 3))
