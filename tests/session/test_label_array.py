import numpy as np
import pytest
import zarr

from napari_utile.session.clicks.label_plane import label_range, labels_at


def chunked(pixels):
    stored = zarr.create_array(
        zarr.storage.MemoryStore(), shape=pixels.shape, chunks=(1, 4, 4), dtype=pixels.dtype
    )
    stored[:] = pixels
    return stored


@pytest.mark.parametrize("kind", [np.asarray, chunked])
def test_labels_of_pixels_are_those_of_the_array_and_0_outside(kind):
    pixels = np.arange(3 * 9 * 7, dtype=np.uint16).reshape(3, 9, 7)
    positions = [(2, 8, 6), (0, 0, 1), (3, 0, 0), (1, -1, 2), (1, 4, 4), (1, 4, 4), (0, 0, 900)]
    assert labels_at(kind(pixels), positions).tolist() == [188, 1, 0, 0, 95, 95, 0]
    assert labels_at(kind(pixels), []).tolist() == []
    assert labels_at(kind(pixels), [(5, 5, 5)]).tolist() == [0]


@pytest.mark.parametrize("kind", [np.asarray, chunked])
def test_the_lowest_and_the_highest_label_are_found_block_by_block(kind, monkeypatch):
    monkeypatch.setattr("napari_utile.session.clicks.label_plane._BLOCK", 63)
    pixels = np.zeros((3, 9, 7), np.int16)
    pixels[1, 2, 3], pixels[2, 0, 0] = 77, -3
    steps = label_range(kind(pixels))
    for _ in range(3):
        next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == (-3, 77)
