"""OME-Zarr that many programs write, with odd or missing parts: the image, or one sentence that says which."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_utile.cli.inputs import inputs_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, series_of
from napari_utile.engine.files.plates import plate_fields
from napari_utile.engine.planes.selection import Selection

STACK = np.random.default_rng(0).integers(1, 99, (3, 20, 30)).astype(np.uint8)


def write(folder: Path, pixels: np.ndarray, axes: list, path: str = "0", **more) -> "zarr.Group":
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    group.create_array(path, shape=pixels.shape, dtype=pixels.dtype, **more)[...] = pixels
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": path}]}]
    return group


def spaces(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "type": "space", "unit": "micrometer"} for name in names]


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("focus", "row", "col"), "ZYX"),
        (("a", "b", "c"), "ZYX"),
        (("x", "y", "depth"), "XYZ"),
    ],
)
def test_axes_of_space_have_free_names(tmp_path: Path, names: tuple[str, ...], axes: str) -> None:
    write(tmp_path / "a.zarr", STACK, spaces(*names))
    assert read_image(tmp_path / "a.zarr").axes == axes


def test_distances_without_a_unit_are_distances(tmp_path: Path) -> None:
    group = write(tmp_path / "a.zarr", STACK, [{"name": name, "type": "space"} for name in "zyx"])
    multiscale = group.attrs["multiscales"][0]
    for scale, size, steps in (([2, 0.5, 0.5], (0.5, 0.5), {"Z": (2.0, None)}), ([1, 1, 1], None, {})):
        multiscale["datasets"][0]["coordinateTransformations"] = [{"type": "scale", "scale": scale}]
        group.attrs["multiscales"] = [multiscale]
        found = read_image(tmp_path / "a.zarr")
        assert (found.pixel_size, found.unit, found.steps) == (size, None, steps)


@pytest.mark.parametrize(
    ("scale", "unit", "said"),
    [
        ([2, 0, 0.3], None, "its pixel size (0 micrometer x 0.3 micrometer) cannot be used and was left out"),
        ([2, np.nan, 0.3], None, "its pixel size (nan micrometer x 0.3 micrometer) cannot be used"),
        ([2, 1e30, 0.3], None, "its pixel size (1e+30 micrometer x 0.3 micrometer) cannot be used"),
        ([2, 0.3, 0.3], "foo", "its pixel size (0.3 foo x 0.3 micrometer) cannot be used"),
        ([-1, 0.3, 0.3], None, "the distance of its planes (-1 micrometer) cannot be used and was left out"),
    ],
)
def test_sizes_that_cannot_be_used_are_left_out_and_said(tmp_path, scale, unit, said) -> None:
    axes = spaces("z", "y", "x")
    axes[1]["unit"] = unit or "micrometer"
    group = write(tmp_path / "a.zarr", STACK, axes)
    multiscale = group.attrs["multiscales"][0]
    multiscale["datasets"][0]["coordinateTransformations"] = [{"type": "scale", "scale": scale}]
    group.attrs["multiscales"] = [multiscale]
    found = read_image(tmp_path / "a.zarr")
    assert (found.pixel_size is None, "Z" in found.steps) == (scale[0] > 0, scale[0] > 0)
    [note] = found.notes
    assert said in note


def test_units_that_are_no_words_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr", STACK[0], [{"name": "y", "unit": 3}, {"name": "x", "unit": None}])
    assert read_image(tmp_path / "a.zarr").unit is None


def test_the_largest_resolution_is_taken_wherever_it_is_listed(tmp_path: Path) -> None:
    group = write(tmp_path / "a.zarr", STACK[0, ::2, ::2], spaces("y", "x"))
    group.create_array("1", shape=(20, 30), dtype="uint8")[...] = STACK[0]
    scales = [{"type": "scale", "scale": [size, size]} for size in (2.0, 1.0)]
    datasets = [
        {"path": str(level), "coordinateTransformations": [scale]} for level, scale in enumerate(scales)
    ]
    group.attrs["multiscales"] = [{"axes": spaces("y", "x"), "datasets": datasets}]
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.asarray(image.data), STACK[0])
    assert image.pixel_size == (1, 1)


@pytest.mark.parametrize("multiscales", [{"datasets": []}, [{"datasets": []}], [{}], ["0"], "0"])
def test_metadata_of_other_kinds_are_one_sentence(tmp_path: Path, multiscales: object) -> None:
    write(tmp_path / "a.zarr", STACK, spaces("z", "y", "x")).attrs["multiscales"] = multiscales
    with pytest.raises(UtileError, match="multiscales does not list images with their resolutions"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("layout", ["chunks", "nested", "shards"])
def test_absent_chunks_are_counted_by_their_files(tmp_path: Path, layout: str) -> None:
    more: dict = {"chunks": (1, 10, 10)}
    if layout == "shards":
        more["shards"] = (1, 20, 30)
    elif layout == "nested":
        more["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    array = zarr.create_array(tmp_path / "a.zarr", shape=STACK.shape, dtype="uint8", **more)
    array[:2] = STACK[:2]
    count, total = (1, 3) if layout == "shards" else (6, 18)
    what = "shards" if layout == "shards" else "chunks"
    assert read_image(tmp_path / "a.zarr").notes == (f"{count} of {total} {what} absent, read as 0",)
    array[2] = STACK[2]
    assert read_image(tmp_path / "a.zarr").notes == ()


def test_an_array_that_announces_chunks_without_end_is_opened_and_read_at_once(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(10**7, 10**7), chunks=(500, 500), dtype="uint8")
    array[:4, :4] = 7
    image = read_image(tmp_path / "a.zarr")
    assert image.notes == (f"{4 * 10**8 - 1} of {4 * 10**8} chunks absent, read as 0",)
    assert np.asarray(image.data[:5, :5]).sum() == 7 * 16


def test_images_of_a_collection_that_are_missing_are_named(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    group.create_group("OME").attrs["series"] = ["0", "1"]
    write(tmp_path / "a.zarr" / "1", STACK[0], spaces("y", "x"))
    assert series_of(tmp_path / "a.zarr") == ("0", "1")
    with pytest.raises(UtileError, match=r"its image 0 is missing"):
        read_image(tmp_path / "a.zarr")
    assert read_image(tmp_path / "a.zarr", series="1").axes == "YX"


def test_wells_that_are_missing_are_named_when_their_turn_comes(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "p.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    group.create_group("A/1").attrs["well"] = {"images": [{"path": "0"}]}
    write(tmp_path / "p.zarr" / "A" / "1" / "0", STACK[0], spaces("y", "x"))
    there, gone = inputs_of([tmp_path / "p.zarr"], Selection())
    assert there.open().axes == "YX"
    assert gone.name == "p B/2"
    with pytest.raises(UtileError, match=r"There is no file .*B/2"):
        gone.open()
    assert len(plate_fields(tmp_path / "p.zarr")) == 2
