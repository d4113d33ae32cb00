"""Large planes are written tiled, with a pyramid, in a BigTIFF, and read as what was written."""

import numpy as np
import pytest
import tifffile

import napari_utile.engine.files.tiff as tiff
from napari_utile.engine.files.images import read_image, write_image, write_labels


@pytest.fixture
def few(monkeypatch):
    """Count planes of a few pixels as large, in small tiles."""
    monkeypatch.setattr(tiff, "LARGE", 1000)
    monkeypatch.setattr(tiff, "TILE", 16)
    monkeypatch.setattr(tiff, "SMALLEST_LEVEL", 16)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("shape", [(45, 70), (3, 45, 70)])
def test_labels_have_levels_without_new_ids(tmp_path, shape):
    labels = np.random.default_rng(0).integers(0, 70000, shape)
    axes = "ZYX"[-len(shape) :]
    write_labels(tmp_path / "a.tif", labels, axes, (0.5, 0.5), "µm", steps={"Z": (2.0, "µm")})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        levels = file.series[0].levels
        assert [level.shape[-2:] for level in levels] == [(45, 70), (23, 35), (12, 18), (6, 9)]
        assert levels[0].keyframe.is_tiled
        np.testing.assert_array_equal(levels[1].asarray(), labels[..., ::2, ::2])
        np.testing.assert_array_equal(levels[2].asarray(), labels[..., ::4, ::4])
    again = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(again.data), labels)
    assert again.axes == axes
    assert again.pixel_size == (0.5, 0.5)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_levels_of_images_are_means(tmp_path, dtype):
    image = np.arange(48 * 64).reshape(48, 64) % 200
    write_image(tmp_path / "a.tif", image.astype(dtype))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        half = file.series[0].levels[1].asarray()
    expected = image.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(half, expected if dtype is np.float32 else np.rint(expected))


@pytest.mark.usefixtures("few")
def test_the_same_image_gives_the_same_file(tmp_path):
    for name in ("a.tif", "b.tif"):
        write_labels(tmp_path / name, np.eye(50, 60, dtype=int))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_small_planes_stay_plain(tmp_path):
    write_labels(tmp_path / "a.tif", np.eye(50, 60, dtype=int))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert not file.is_bigtiff
        assert file.is_imagej
        assert len(file.series[0].levels) == 1
