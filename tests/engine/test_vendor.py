"""Files of microscope vendors: the same pixels as the plain arrays, lazily, or one sentence."""

import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.images import read_image

sys.path.insert(0, str(Path(__file__).parent))
from vendor_files import write_czi, write_lif, write_nd2

SIZES = {"T": 3, "Z": 4, "C": 2, "Y": 12, "X": 20}


def pixels(axes: str, seed: int = 0) -> np.ndarray:
    shape = tuple(SIZES[axis] for axis in axes)
    return np.random.default_rng(seed).integers(0, 60000, shape).astype(np.uint16)


def check(path: Path, expected: np.ndarray, axes: str, **options: str) -> None:
    image = read_image(path, **options)
    assert isinstance(image.data, dask.array.Array)
    assert image.axes == axes
    np.testing.assert_array_equal(np.asarray(image.data), expected)
    index = tuple(0 if axis in "TZC" else slice(3, 9) if axis in "YX" else slice(None) for axis in axes)
    np.testing.assert_array_equal(np.asarray(image.data[index]), expected[index])


# Leica


@pytest.mark.parametrize("axes", ["YX", "CYX", "ZYX", "TZCYX", "TYX"])
def test_lif(tmp_path: Path, axes: str) -> None:
    expected = pixels(axes)
    write_lif(tmp_path / "a.lif", {"field": expected}, axes)
    check(tmp_path / "a.lif", expected, axes)
    image = read_image(tmp_path / "a.lif")
    assert image.pixel_size == pytest.approx((0.3, 0.2))
    assert image.unit == "µm"
    if "Z" in axes:
        assert image.steps["Z"] == (pytest.approx(1.0), "µm")
    if "T" in axes:
        assert image.steps["T"] == (pytest.approx(5.0), "s")


def test_a_lif_of_several_images(tmp_path: Path) -> None:
    one, two = pixels("YX"), pixels("YX", 1)
    write_lif(tmp_path / "a.lif", {"first": one, "second field": two}, "YX")
    check(tmp_path / "a.lif", one, "YX")
    check(tmp_path / "a.lif", two, "YX", series="1")
    name = read_image(tmp_path / "a.lif").series[1]
    check(tmp_path / "a.lif", two, "YX", series=name)
    assert "of 2" in read_image(tmp_path / "a.lif").notes[0]
    with pytest.raises(UtileError, match="no series 7"):
        read_image(tmp_path / "a.lif", series="7")


# Zeiss


@pytest.mark.parametrize("compression", [0, 5, 6])
def test_czi(tmp_path: Path, compression: int) -> None:
    expected = pixels("TZCYX")
    tiles = [
        (dict(zip("TZC", index, strict=True)), expected[index]) for index in np.ndindex(expected.shape[:3])
    ]
    write_czi(tmp_path / "a.czi", tiles, compression)
    check(tmp_path / "a.czi", expected, "TZCYX")
    image = read_image(tmp_path / "a.czi")
    assert image.pixel_size == pytest.approx((0.25, 0.25))
    assert image.steps["Z"] == (pytest.approx(1.0), "µm")


def test_tiles_of_a_czi_are_joined_and_said(tmp_path: Path) -> None:
    expected = pixels("YX")
    tiles = [
        ({"C": 0, "M": 0, "X": 100, "Y": -4}, expected[:, :11]),
        ({"C": 0, "M": 1, "X": 111, "Y": -4}, expected[:, 11:]),
    ]
    write_czi(tmp_path / "a.czi", tiles)
    check(tmp_path / "a.czi", expected[None], "CYX")
    assert read_image(tmp_path / "a.czi").notes == ("2 tiles joined where the microscope placed them",)


def test_scenes_of_a_czi_are_series(tmp_path: Path) -> None:
    one, two = pixels("YX"), pixels("YX", 1)[:8]
    write_czi(tmp_path / "a.czi", [({"S": 0, "Y": 0, "X": 0}, one), ({"S": 1, "Y": 90, "X": 40}, two)])
    check(tmp_path / "a.czi", one, "YX")
    check(tmp_path / "a.czi", two, "YX", series="scene 1")


def test_colours_of_a_czi_are_red_green_blue(tmp_path: Path) -> None:
    expected = np.random.default_rng(0).integers(0, 255, (9, 7, 3)).astype(np.uint8)
    for compression in (0, 5):
        write_czi(tmp_path / "a.czi", [({"Z": 0}, expected)], compression)
        check(tmp_path / "a.czi", expected[None], "ZYXS")


def test_missing_planes_of_a_czi_are_not_black(tmp_path: Path) -> None:
    plane = pixels("YX")
    write_czi(tmp_path / "a.czi", [({"Z": 0, "C": 0}, plane), ({"Z": 1, "C": 1}, plane)])
    with pytest.raises(UtileError, match="2 of 4 planes are missing"):
        read_image(tmp_path / "a.czi")
    image = read_image(tmp_path / "a.czi", accept_missing=True)
    assert image.notes == ("2 of 4 planes missing, read as 0",)
    np.testing.assert_array_equal(np.asarray(image.data), [[plane, plane * 0], [plane * 0, plane]])


# Nikon


@pytest.mark.parametrize("channels", [1, 2])
def test_nd2(tmp_path: Path, channels: int) -> None:
    frames = pixels("TYXC")[..., :channels]
    write_nd2(tmp_path / "a.nd2", frames, period=2500.0)
    expected = frames[..., 0] if channels == 1 else np.moveaxis(frames, -1, 1)
    check(tmp_path / "a.nd2", expected, "TYX" if channels == 1 else "TCYX")
    image = read_image(tmp_path / "a.nd2")
    assert image.pixel_size == pytest.approx((0.5, 0.5))
    assert image.steps["T"] == (pytest.approx(2.5), "s")


def test_an_nd2_of_one_frame(tmp_path: Path) -> None:
    frames = pixels("TYXC")[:1, ..., :1]
    write_nd2(tmp_path / "a.nd2", frames)
    check(tmp_path / "a.nd2", frames[0, ..., 0], "YX")


def test_missing_frames_of_an_nd2_are_not_black(tmp_path: Path) -> None:
    frames = pixels("TYXC")
    write_nd2(tmp_path / "a.nd2", frames, period=1.0, lost=(1,))
    with pytest.raises(UtileError, match="1 of 3 planes are missing"):
        read_image(tmp_path / "a.nd2")
    image = read_image(tmp_path / "a.nd2", accept_missing=True)
    assert image.notes == ("1 of 3 planes missing, read as 0",)
    assert not np.asarray(image.data)[1].any()


# All


@pytest.mark.parametrize("suffix", [".nd2", ".czi", ".lif"])
def test_damaged_files_are_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_nd2(tmp_path / "a.nd2", pixels("TYXC"))
    write_czi(tmp_path / "a.czi", [({"C": 0}, pixels("YX"))])
    write_lif(tmp_path / "a.lif", {"a": pixels("YX")}, "YX")
    content = path.read_bytes()
    for damaged in (b"", b"x" * 100, content[:30], content[: len(content) // 2], content[200:]):
        path.write_bytes(damaged)
        with pytest.raises(UtileError, match=f"a{suffix}") as caught:
            np.asarray(read_image(path).data)
        assert "\n" not in str(caught.value)


def test_napari_opens_them_by_channels(tmp_path: Path) -> None:
    from napari_utile.widgets.files.reader import get_reader

    expected = pixels("TCYX")
    write_lif(tmp_path / "a.lif", {"field": expected}, "TCYX")
    reader = get_reader(str(tmp_path / "a.lif"))
    assert reader is not None
    layers = reader(str(tmp_path / "a.lif"))
    assert [kind for *_, kind in layers] == ["image", "image"]
    for number, (data, options, _) in enumerate(layers):
        np.testing.assert_array_equal(np.asarray(data), expected[:, number])
        assert options["scale"][1:] == pytest.approx((0.3, 0.2))


@pytest.mark.parametrize("suffix", [".nd2", ".czi", ".lif"])
def test_without_its_reader_the_line_that_installs_it(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_utile.engine.files import vendor

    (tmp_path / f"a{suffix}").write_bytes(b"x" * 20)
    monkeypatch.setattr(vendor, "find_spec", lambda name: None)
    with pytest.raises(UtileError, match=r'pip install "napari-utile\[formats\]"'):
        read_image(tmp_path / f"a{suffix}")
    assert find_images([tmp_path]) == [tmp_path / f"a{suffix}"]
