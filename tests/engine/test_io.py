"""Reading and writing image files."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import dask.array
import imageio.v3
import numpy as np
import PIL.Image
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import (
    ImageFile,
    atomic_path,
    read_image,
    write_image,
    write_labels,
)
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.planes.units import canonical_unit, micrometres

RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4)


def assert_one_sentence(error: BaseException) -> None:
    message = str(error)
    assert message.endswith((".", ").", "uncompressed."))
    assert "\n" not in message
    assert len(message) < 400


# Atomic writing


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_killed_write_leaves_the_old_file_readable(tmp_path: Path) -> None:
    target = tmp_path / "image.tif"
    write_image(target, RAMP)
    script = textwrap.dedent(
        f"""
        import sys, time
        from napari_utile.engine.files.atomic import atomic_path
        with atomic_path({str(target)!r}) as temporary, temporary.open("wb") as file:
            file.write(b"II*\\0 half of a file")
            file.flush()
            print("writing", flush=True)
            time.sleep(60)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    finally:
        child.communicate(timeout=10)
    np.testing.assert_array_equal(read_image(target).data, RAMP)
    assert find_images([tmp_path]) == [target]  # what the killed write left is not taken for an image


def test_a_new_file_gets_ordinary_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("permissions are a matter of POSIX systems")
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_text("")
    for _ in range(2):
        with atomic_path(atomic) as temporary:
            temporary.write_text("")
    assert atomic.stat().st_mode == plain.stat().st_mode
    atomic.chmod(0o640)
    with atomic_path(atomic) as temporary:
        temporary.write_text("new")
    assert atomic.stat().st_mode & 0o777 == 0o640


def test_a_write_through_a_symbolic_link_replaces_the_file_and_keeps_the_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_the_temporary_file_keeps_the_suffix_and_the_folder(tmp_path: Path) -> None:
    with atomic_path(tmp_path / ("n" * 240 + ".tif")) as temporary:
        assert temporary.suffix == ".tif"
        assert temporary.parent == tmp_path
        temporary.write_text("")


def test_writing_where_it_cannot_be_done_says_so(tmp_path: Path) -> None:
    with pytest.raises(UtileError, match="does not exist"), atomic_path(tmp_path / "no" / "a.tif"):
        pass
    with pytest.raises(UtileError, match="is a folder"), atomic_path(tmp_path):
        pass
    with pytest.raises(UtileError, match="Cannot write"), atomic_path(tmp_path / "never_written.tif"):
        pass


@pytest.mark.parametrize("is_named", [False, True])
def test_a_file_that_is_written_by_way_of_another_is_called_by_its_own_name(
    tmp_path: Path, is_named: bool
) -> None:
    target = tmp_path / "cells.csv"

    def write() -> None:
        with atomic_path(target) as outer, atomic_path(outer) as inner:
            raise OSError(errno.EIO, "no", str(inner)) if is_named else OSError(errno.EFBIG, "no")

    with pytest.raises(UtileError) as caught:
        write()
    assert str(caught.value) == f"Cannot write {target}: no."
    assert not list(tmp_path.iterdir())


# Round trips

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    axes=st.sampled_from(["YX", "CYX", "TYX", "ZYX", "TCYX", "ZCYX", "TZCYX", "YXS"]),
    seed=st.integers(0, 2**31),
    pixel_size=st.none() | st.tuples(*[st.floats(1e-3, 1e3)] * 2),
    unit=st.sampled_from(["µm", "nm", "mm", "Å", "in"]),
    data=st.data(),
)
def test_what_was_written_is_read_back(tmp_path_factory, dtype, axes, seed, pixel_size, unit, data) -> None:
    sizes = {"T": 2, "Z": 5, "C": 3, "S": 3}
    sides = st.integers(1, 20)
    shape = tuple(data.draw(sides) if axis in "YX" else sizes[axis] for axis in axes)
    pixels = (np.random.default_rng(seed).random(shape) * 120).astype(dtype)
    path = tmp_path_factory.getbasetemp() / "round_trip.tif"
    write_image(path, pixels, axes, pixel_size, unit, '{"sigma": "5 µm"}')
    image = read_image(path)
    assert image.axes == axes
    np.testing.assert_array_equal(image.data, pixels * np.uint8(255) if dtype == "bool" else pixels)
    if pixel_size is None:
        assert image.pixel_size is None
        assert image.unit is None
    else:
        assert image.pixel_size == pytest.approx(pixel_size, rel=1e-6)
        assert image.unit == unit
    assert image.description == '{"sigma": "5 µm"}'


def test_labels_take_the_narrowest_type_that_holds_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    for largest, dtype in [(1, np.uint16), (65535, np.uint16), (65536, np.uint32), (2**32 - 1, np.uint32)]:
        labels = np.array([[0, largest]], np.int64)
        write_labels(path, labels)
        image = read_image(path)
        assert image.data.dtype == dtype
        np.testing.assert_array_equal(image.data, labels)


@pytest.mark.parametrize(
    "labels",
    [np.array([[-1, 0]]), np.array([[2**32]]), np.ones((2, 2)), np.zeros((0, 3), int), np.ones(4, int)],
)
def test_labels_that_are_no_ids_are_refused(tmp_path: Path, labels) -> None:
    with pytest.raises(ValueError, match=r"got|once"):
        write_labels(tmp_path / "labels.tif", labels)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((3, 4), "YXS"), ((3, 4, 5), None), ((3, 4), "YY"), ((3, 4), "TZ"), ((2, 3, 4), "QYX"), ((0, 4), "YX")],
)
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, shape, axes) -> None:
    with pytest.raises(ValueError, match="got"):
        write_image(tmp_path / "image.tif", np.zeros(shape, np.uint8), axes)


def test_an_impossible_pixel_size_is_refused(tmp_path: Path) -> None:
    for pixel_size in [(0, 1), (1, -1), (float("nan"), 1), (1, float("inf"))]:
        with pytest.raises(ValueError, match="pixel_size"):
            write_image(tmp_path / "image.tif", RAMP, pixel_size=pixel_size)


@pytest.mark.parametrize(("size", "unit"), [(1e-12, "km"), (1e-10, "m"), (1e11, "nm"), (3e-30, None)])
def test_a_pixel_size_that_imagej_cannot_hold_is_kept(tmp_path: Path, size: float, unit: str | None) -> None:
    write_labels(tmp_path / "labels.tif", RAMP.astype(np.uint16), pixel_size=(size, 2 * size), unit=unit)
    found = read_image(tmp_path / "labels.tif")
    assert found.pixel_size == pytest.approx((size, 2 * size))
    assert found.unit == unit


def test_axes_out_of_order_are_sorted_with_their_pixels(tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    write_image(tmp_path / "image.tif", pixels, "ZTXY")
    image = read_image(tmp_path / "image.tif")
    assert image.axes == "TZYX"
    np.testing.assert_array_equal(image.data, pixels.transpose(1, 0, 3, 2))


@pytest.mark.parametrize("ids", [0, 10**6])
def test_the_same_image_gives_the_same_bytes(tmp_path: Path, ids: int) -> None:
    for name in ("a.tif", "b.tif"):
        write_labels(tmp_path / name, RAMP.astype(np.int64) + ids, pixel_size=(0.5, 0.5), unit="µm")
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


# Pixel size as other programs write it


def test_the_pixel_size_of_imagej_is_read_with_its_escaped_micro_sign(tmp_path: Path) -> None:
    path = tmp_path / "imagej.tif"
    options = {"imagej": True, "metadata": {"unit": "\\u00B5m", "axes": "YX"}}
    tifffile.imwrite(path, RAMP, resolution=(4, 2), **options)
    image = read_image(path)
    assert image.pixel_size == (0.5, 0.25)
    assert image.unit == "µm"


def test_the_pixel_size_of_ome_defaults_to_micrometres(tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.tif"
    tifffile.imwrite(path, RAMP, metadata={"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2})
    image = read_image(path)
    assert image.pixel_size == (0.2, 0.1)
    assert image.unit == "µm"
    assert image.name == "cells"


@pytest.mark.parametrize(
    ("resolution", "resolution_unit", "pixel_size"),
    [((72, 72), "INCH", None), ((300, 300), "INCH", None), ((20000, 40000), "CENTIMETER", (0.25, 0.5))],
)
def test_a_printing_resolution_is_no_pixel_size(
    tmp_path: Path, resolution, resolution_unit, pixel_size
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, RAMP, resolution=resolution, resolutionunit=resolution_unit, metadata=None)
    assert read_image(path).pixel_size == (pytest.approx(pixel_size) if pixel_size else None)


@pytest.mark.parametrize("damage", ["", "nonsense", "-0.5", "0", "nan"])
def test_a_nonsensical_pixel_size_is_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, RAMP, metadata={"axes": "YX", "PhysicalSizeX": "0.1", "PhysicalSizeY": "0.125"})
    with tifffile.TiffFile(path) as tif:
        description = tif.pages[0].description
    tifffile.tiffcomment(path, description.replace('"0.125"', f'"{damage}"').encode())
    image = read_image(path)
    assert image.pixel_size is None
    np.testing.assert_array_equal(image.data, RAMP)


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("um", "µm"),
        ("micrometer", "µm"),
        ("Micrometres", "µm"),
        ("\u03bcm", "µm"),
        ("\\u00B5m", "µm"),
        ("micron", "µm"),
        ("nanometer", "nm"),
        ("inch", "in"),
        ("pixel", None),
        ("", None),
        (None, None),
        ("parsec", "parsec"),
    ],
)
def test_units_have_one_spelling(spelling: str | None, unit: str | None) -> None:
    assert canonical_unit(spelling) == unit
    assert canonical_unit(unit) == unit


def test_lengths_are_known_in_micrometres() -> None:
    assert micrometres("nm") == 1e-3
    assert micrometres("millimeter") == 1e3
    assert micrometres("pixel") is None
    assert micrometres("parsec") is None


# Axes as other programs write them


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((7, 9), "YX"),
        ((3, 40, 50), "TYX"),
        ((6, 40, 50), "TYX"),
        ((6, 3, 40, 50), "TZYX"),
        ((40, 50, 2), "YXC"),
        ((40, 50, 3), "YXS"),
    ],
)
def test_unnamed_axes_of_a_plain_tiff_are_named(tmp_path: Path, shape, axes) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="rgb" if axes == "YXS" else "minisblack")
    assert read_image(path).axes == axes


def test_planar_colours_keep_their_axis(tmp_path: Path) -> None:
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, np.zeros((3, 40, 50), np.uint8), photometric="rgb", planarconfig="separate")
    assert read_image(path).axes == "SYX"


# Compressions that tifffile leaves to another package


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(2000, dtype=np.uint16).reshape(40, 50) * 30,
        np.arange(6000, dtype=np.uint8).reshape(40, 50, 3),
        np.arange(6000, dtype=np.uint16).reshape(3, 40, 50),
        np.linspace(-1, 1, 2000, dtype=np.float32).reshape(40, 50),
    ],
)
def test_lzw_is_read(tmp_path: Path, pixels) -> None:
    path = tmp_path / "lzw.tif"
    is_stack = pixels.ndim == 3 and pixels.shape[-1] != 3
    first, *others = [PIL.Image.fromarray(page) for page in (pixels if is_stack else [pixels])]
    first.save(path, compression="tiff_lzw", save_all=True, append_images=others)
    image = read_image(path)
    assert image.axes == {2: "YX", 3: "TYX" if is_stack else "YXS"}[pixels.ndim]
    np.testing.assert_array_equal(image.data, pixels)


# Large files


@pytest.mark.parametrize("options", [{"tile": (16, 32)}, {"tile": (16, 32), "compression": "zlib"}, {}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_large_tiff_is_read_where_it_is_indexed(tmp_path: Path, options, byteorder) -> None:
    path = tmp_path / "large.tif"
    pixels = np.random.default_rng(0).integers(0, 60000, (2, 50, 70), np.uint16)
    tifffile.imwrite(path, pixels, byteorder=byteorder, metadata={"axes": "CYX"}, ome=True, **options)
    image = read_tiff(path, lazy_bytes=100)
    assert not isinstance(image.data, np.ndarray) or isinstance(image.data, np.memmap)
    assert image.data.shape == pixels.shape
    np.testing.assert_array_equal(image.data[1, 7:40, 30:69], pixels[1, 7:40, 30:69])
    np.testing.assert_array_equal(np.asarray(image.data), pixels)


def test_the_full_resolution_of_a_pyramid_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96), np.uint8)
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(pixels, subifds=1, tile=(16, 16), compression="zlib")
        tif.write(pixels[::2, ::2], subfiletype=1, tile=(16, 16), compression="zlib")
    for lazy_bytes in (0, 10**9):
        np.testing.assert_array_equal(read_tiff(path, lazy_bytes).data[...], pixels)


# Pictures


@pytest.mark.parametrize(
    ("pixels", "axes"),
    [
        (np.arange(20, dtype=np.uint8).reshape(4, 5), "YX"),
        (np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000, "YX"),
        (np.arange(60, dtype=np.uint8).reshape(4, 5, 3), "YXS"),
        (np.arange(80, dtype=np.uint8).reshape(4, 5, 4), "YXS"),
    ],
)
def test_png_is_read_as_it_was_written(tmp_path: Path, pixels, axes) -> None:
    path = tmp_path / "picture.png"
    imageio.v3.imwrite(path, pixels)
    image = read_image(path)
    assert image.axes == axes
    np.testing.assert_array_equal(image.data, pixels)


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    imageio.v3.imwrite(tmp_path / "a.png", RAMP)
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").data, RAMP)


def test_jpeg_is_read(tmp_path: Path) -> None:
    imageio.v3.imwrite(tmp_path / "a.jpg", np.full((9, 8, 3), 128, np.uint8))
    image = read_image(tmp_path / "a.jpg")
    assert image.axes == "YXS"
    assert np.abs(image.data.astype(int) - 128).max() <= 2


# OME-Zarr


def make_ome_zarr(path: Path, zarr_format: int, version: str, scale_of_all: float = 1.0) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 999, (2, 3, 40, 50), np.uint16)
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    for level, data in enumerate([pixels, pixels[..., ::2, ::2]]):
        array = group.create_array(str(level), shape=data.shape, dtype=data.dtype, chunks=(1, 1, 16, 16))
        array[...] = data
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [1, 1, f * 0.5, f * 0.25]}],
        }
        for level, f in enumerate([1, 2])
    ]
    multiscale = {"axes": axes, "datasets": datasets, "version": version}
    multiscale["coordinateTransformations"] = [{"type": "scale", "scale": [1, 1, scale_of_all, scale_of_all]}]
    if version >= "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [multiscale]
    return pixels


@pytest.mark.parametrize(("zarr_format", "version"), [(2, "0.4"), (3, "0.5")])
def test_ome_zarr_is_opened_at_full_resolution_with_axes_and_scale(tmp_path, zarr_format, version) -> None:
    path = tmp_path / "cells.ome.zarr"
    pixels = make_ome_zarr(path, zarr_format, version, scale_of_all=2.0)
    image = read_image(path)
    assert isinstance(image.data, dask.array.Array)
    assert image.axes == "TCYX"
    assert image.pixel_size == (1.0, 0.5)
    assert image.unit == "µm"
    assert image.name == "cells"
    np.testing.assert_array_equal(image.data[1, 2, 5:30, 7:49], pixels[1, 2, 5:30, 7:49])


def test_old_ome_zarr_without_axes_is_tczyx(tmp_path: Path) -> None:
    path = tmp_path / "old.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=(1, 2, 1, 8, 9), dtype="u1", chunks=(1, 1, 1, 8, 9))[...] = 1
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}], "version": "0.1"}]
    image = read_image(path)
    assert image.axes == "TCZYX"
    assert image.pixel_size is None


def test_the_first_image_of_a_bioformats_collection_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "collection.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    pixels = make_ome_zarr(path / "0", 2, "0.4")
    np.testing.assert_array_equal(read_image(path).data[...], pixels)


def test_a_bare_zarr_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bare.zarr"
    zarr.create_array(path, shape=(20, 30, 3), dtype="u1", chunks=(20, 30, 3))[...] = 7
    image = read_image(path)
    assert image.axes == "YXS"
    assert image.data[3, 4, 1] == 7


def test_a_plate_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "plate.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": []}
    with pytest.raises(UtileError, match=r"^plate\.zarr is a plate that lists no images\.$"):
        read_image(path)
    group.attrs["plate"] = {"wells": [{"path": "C/7"}]}
    said = r"is a plate of 1 image: choose .* such as plate\.zarr/C/7\.$"
    with pytest.raises(UtileError, match=said):
        read_image(path)


def pickled_zarr(path: Path, marker: Path) -> None:
    """Make an array whose first chunk would create `marker` when it is decoded."""
    import pickle

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (marker,))

    path.mkdir()
    array = {
        "zarr_format": 2,
        "shape": [4, 4],
        "chunks": [4, 4],
        "dtype": "|O",
        "compressor": None,
        "fill_value": None,
        "order": "C",
        "filters": [{"id": "pickle", "protocol": 4}],
    }
    (path / ".zarray").write_text(json.dumps(array))
    (path / "0.0").write_bytes(pickle.dumps(Bomb()))


def test_a_pickled_zarr_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    pickled_zarr(tmp_path / "bomb.zarr", marker)
    with pytest.raises(UtileError) as caught:
        read_image(tmp_path / "bomb.zarr")
    assert_one_sentence(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".zgroup", ""),
        (".zgroup", "{"),
        (".zattrs", "{"),
        (".zattrs", "{}"),
        (".zattrs", '{"multiscales": []}'),
        (".zattrs", '{"multiscales": [{}]}'),
        (".zattrs", '{"multiscales": [{"datasets": [{"path": "9"}]}]}'),
        (".zattrs", '{"multiscales": [{"datasets": [{"path": "../../other"}]}]}'),
        (".zattrs", '{"multiscales": [{"datasets": [{"path": "0"}], "axes": ["y", "x"]}]}'),
        (".zattrs", '{"multiscales": [{"datasets": [{"path": "0"}], "axes": ["t", "c", "q", "q"]}]}'),
        ("0/.zarray", ""),
        ("0/.zarray", "[]"),
        ("0/.zarray", '{"zarr_format": 2}'),
    ],
)
def test_damaged_zarr_metadata_give_one_sentence(tmp_path: Path, file: str, content: str) -> None:
    path = tmp_path / "cells.zarr"
    make_ome_zarr(path, 2, "0.4")
    (path / file).write_text(content)
    with pytest.raises(UtileError) as caught:
        read_image(path)
    assert_one_sentence(caught.value)


# Files that cannot be read


def test_files_that_are_no_images_give_one_sentence(tmp_path: Path) -> None:
    contents = {
        "empty.tif": b"",
        "text.tif": b"not an image at all",
        "short.tif": b"II*\x00",
        "object.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O'",
        "pickle.tif": b"\x80\x04\x95\x0b\x00\x00\x00",
        "html.png": b"<html>404</html>",
        "no_picture.png": b"\x89PNG\r\n\x1a\n",
        "no_picture.jpg": b"\xff\xd8\xff\xe0",
        "no_pages.tif": b"II*\x00\x00\x00\x00\x00",
        "loop.tif": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UtileError, match=name.replace(".", r"\.")) as caught:
            read_image(tmp_path / name)
        assert_one_sentence(caught.value)


def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    for read in (read_image, lambda path: find_images([path])):
        with pytest.raises(UtileError, match=r"a\.tif is a pipe or a device, not a file"):
            read(tmp_path / "a.tif")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UtileError, match=r"no file .*missing\.tif"):
        read_image(tmp_path / "missing.tif")
    with pytest.raises(UtileError, match="is a folder"):
        read_image(tmp_path)


def test_pixels_of_complex_numbers_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RAMP.astype(np.complex64))
    with pytest.raises(UtileError, match="complex64"):
        read_image(tmp_path / "a.tif")


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(UtileError, match="no pixels"):
        ImageFile(np.zeros((0, 5)), "YX", None, None, Path("a.tif"))


def samples_for_damage(folder: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 3000, (3, 40, 50)).astype(np.uint16)
    files = {}
    tifffile.imwrite(folder / "imagej.tif", stack, imagej=True)
    tifffile.imwrite(folder / "plain.tif", stack, photometric="minisblack", metadata=None)
    tifffile.imwrite(folder / "shaped.tif", stack, compression="zlib", photometric="minisblack")
    tifffile.imwrite(
        folder / "ome.ome.tif", stack, compression="zlib", tile=(16, 16), photometric="minisblack"
    )
    tifffile.imwrite(folder / "big.tif", stack, bigtiff=True, compression="zlib", photometric="minisblack")
    for name in ("imagej.tif", "plain.tif", "shaped.tif", "ome.ome.tif", "big.tif"):
        files[name] = stack
    write_image(folder / "ours.tif", stack, "CYX", (0.5, 0.5), "µm", "made by a test")
    files["ours.tif"] = stack
    imageio.v3.imwrite(folder / "gray.png", stack[0])
    files["gray.png"] = stack[0]
    # PIL writes the directory at the end of the file
    imageio.v3.imwrite(folder / "pillow.tif", stack[0], plugin="pillow")
    files["pillow.tif"] = stack[0]
    return files


SEEDS = st.integers(0, 2**31)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_or_read_in_full(tmp_path_factory, share: float) -> None:
    folder = tmp_path_factory.getbasetemp() / "truncated"
    folder.mkdir(exist_ok=True)
    for name, pixels in samples_for_damage(folder).items():
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            data = read_image(path).data
        except UtileError as error:
            assert_one_sentence(error)
        else:
            np.testing.assert_array_equal(data, pixels)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, head=st.booleans())
def test_a_file_with_wrong_bytes_never_raises_anything_but_a_sentence(tmp_path_factory, seed, head) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    for name in samples_for_damage(folder):
        path = folder / name
        content = bytearray(path.read_bytes())
        where = rng.integers(0, min(400, len(content)) if head else len(content), 6)
        for position in where:
            content[position] = rng.integers(0, 256)
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow and tifffile warn about what they then read or refuse
            try:
                read_image(path)
            except UtileError as error:
                assert_one_sentence(error)


# Finding images


def test_folders_files_and_patterns_are_expanded_in_counting_order(tmp_path: Path) -> None:
    for name in ("t10.tif", "t2.TIF", "t1.png", "notes.txt", ".t3.1a2b.tmp.tif"):
        (tmp_path / name).write_bytes(b"x")
    make_ome_zarr(tmp_path / "z.ome.zarr", 2, "0.4")
    (tmp_path / "folder.zarr").mkdir()
    t1, t2, t10, z = (tmp_path / name for name in ("t1.png", "t2.TIF", "t10.tif", "z.ome.zarr"))
    assert find_images([tmp_path]) == [t1, t2, t10, z]
    assert find_images([z, t10, tmp_path]) == [z, t10, t1, t2]
    assert find_images([str(tmp_path / "t*")]) == [t1, t2, t10]
    assert find_images([str(tmp_path / "**" / "*.tif")]) == [t10]


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cells [1].tif"
    path.write_bytes(b"x")
    assert find_images([path]) == [path]


def test_inputs_without_images_are_named(tmp_path: Path) -> None:
    for item, message in [
        (tmp_path / "none.tif", "no file or folder"),
        (tmp_path, "no image in the folder"),
        (str(tmp_path / "*.tif"), "No image matches"),
    ]:
        with pytest.raises(UtileError, match=message):
            find_images([item])
    with pytest.raises(UtileError, match="No images were given"):
        find_images([])


@pytest.mark.shared_data
def test_annotated_images_and_labels_are_read(shared_data: Path) -> None:
    for path in find_images([shared_data / "bbbc039_fluo_nuclei" / "images"])[:3]:
        image = read_image(path)
        assert image.data.shape == (520, 696)
        assert image.data.dtype == np.uint16
