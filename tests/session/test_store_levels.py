"""Levels of a store for layers: what is there when they are read, and nothing is read twice."""

import os
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.session.store_levels import levels

SHAPE = (3, 100, 70)


def made(folder: Path, version: int = 3) -> np.ndarray:
    """Write an image of two levels, its chunks (8) in files of 32 where the format has such."""
    rng = np.random.default_rng(0)
    data = rng.integers(1, 255, SHAPE).astype(np.uint8)
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    for level in range(2):
        part = data[:, :: 1 << level, :: 1 << level]
        more = (
            {"shards": (1, 32 >> level, 32 >> level)}
            if version == 3
            else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        )
        group.create_array(str(level), data=part, chunks=(1, 8, 8), **more)
    return data


@pytest.fixture(scope="module", params=[3, 2])
def kept(request, tmp_path_factory):
    """Levels that are read again and again, and their pixels."""
    folder = tmp_path_factory.mktemp("levels") / "a.zarr"
    data = made(folder, request.param)
    return levels(folder, "", (0,)), data


ends = st.lists(st.integers(0, 105), min_size=2, max_size=2).map(sorted)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2), ends, ends, st.integers(0, 1))
def test_any_window_is_that_of_the_array(kept, plane, rows, columns, level) -> None:
    found, data = kept
    expected = data[:, :: 1 << level, :: 1 << level]
    key = (plane, slice(*rows), slice(*columns))
    np.testing.assert_array_equal(found[level][key], expected[key])
    np.testing.assert_array_equal(found[level][plane], expected[plane])
    np.testing.assert_array_equal(np.asarray(found[level]), expected)
    strided = (plane, slice(None, None, 3), slice(None))
    np.testing.assert_array_equal(found[level][strided], expected[strided])


def test_what_was_read_is_read_again_only_where_its_file_is_another_one(tmp_path: Path) -> None:
    data = made(tmp_path / "a.zarr")
    [level, _] = levels(tmp_path / "a.zarr", "", (0,))
    window = (1, slice(10, 60), slice(0, 50))
    np.testing.assert_array_equal(level[window], data[window])
    for file in (tmp_path / "a.zarr" / "0" / "c" / "1").rglob("*"):
        if file.is_file():
            before = file.stat()
            file.write_bytes(b"\0" * before.st_size)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    np.testing.assert_array_equal(level[window], data[window])
    (tmp_path / "a.zarr" / "0" / "c" / "1" / "1" / "0").unlink()
    data[1, 32:64, 0:32] = 255
    again = zarr.open_array(tmp_path / "a.zarr" / "0", mode="r+")
    again[1, 32:64, 0:32] = data[1, 32:64, 0:32]
    np.testing.assert_array_equal(level[window], data[window])


def test_what_was_not_written_yet_is_empty_and_appears_when_it_is(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "0", shape=(64, 64), chunks=(8, 8), shards=(32, 32), dtype="uint8")
    [level] = levels(tmp_path)
    assert not level[0:64, 0:64].any()
    array[32:, :32] = 7
    assert level[0:64, 0:64].sum() == 7 * 32 * 32
