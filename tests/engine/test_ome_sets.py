"""OME-TIFF of several images: which one is meant in sets of files, with odd names and without planes."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.cli.inputs import inputs_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import one_of_each_set, read_image
from napari_utile.engine.files.tiff_series import number_of_series, series_to_ask_for
from napari_utile.engine.planes.selection import Selection

PLANES = np.random.default_rng(0).integers(0, 256, (3, 20, 30)).astype(np.uint8)
_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def _image(number: int, name: str, where: str, size: float = 1.0, depth: int = 1) -> str:
    return (
        f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="30" SizeY="20" SizeZ="{depth}" SizeC="1" SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}">'
        f'<Channel ID="Channel:{number}:0" SamplesPerPixel="1"/>{where}</Pixels></Image>'
    )


def _in_file(number: int) -> str:
    uuid = f"urn:uuid:0000000{number}-0000-0000-0000-000000000000"
    return f'<TiffData IFD="0" PlaneCount="1"><UUID FileName="p{number}.ome.tif">{uuid}</UUID></TiffData>'


def _write(path: Path, planes: np.ndarray, images: str, uuid: int | None = None) -> Path:
    own = "" if uuid is None else f' UUID="urn:uuid:0000000{uuid}-0000-0000-0000-000000000000"'
    xml = f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_SCHEMA}"{own}>{images}</OME>'
    tifffile.imwrite(path, planes, description=xml, metadata=None, photometric="minisblack")
    return path


@pytest.fixture
def positions(tmp_path: Path) -> list[Path]:
    """Three positions, each in a file of its own, all of them described in every file."""
    every = "".join(_image(number, f"Pos{number}", _in_file(number), 1 + number) for number in range(3))
    return [_write(tmp_path / f"p{number}.ome.tif", PLANES[number], every, number) for number in range(3)]


def test_a_file_of_a_set_of_positions_is_its_own_position(positions: list[Path]) -> None:
    for number, path in enumerate(positions):
        image = read_image(path)
        np.testing.assert_array_equal(image.data, PLANES[number])
        assert image.series[image.chosen] == f"Pos{number}"
        assert image.pixel_size == (1 + number, 1 + number)
    assert one_of_each_set(positions) == (positions, {})
    alone, parts = one_of_each_set(positions, every_image=True)  # for --series all, and --series N
    assert (alone, list(parts)) == (positions[:1], positions[1:])


def test_positions_in_files_that_are_lost_are_said(positions: list[Path]) -> None:
    positions[0].unlink()
    image = read_image(positions[1])
    np.testing.assert_array_equal(image.data, PLANES[1])
    assert image.pixel_size == (2, 2)
    assert image.notes[-1] == "1 of 3 images of the set left out: p0.ome.tif is not there"


def test_an_image_without_planes_does_not_lend_its_pixel_size(tmp_path: Path) -> None:
    ghost = _image(0, "ghost", '<TiffData IFD="7" PlaneCount="1"/>', 9)
    real = _image(1, "real", '<TiffData IFD="0" PlaneCount="1"/>', 0.5)
    image = read_image(_write(tmp_path / "a.ome.tif", PLANES[0], ghost + real))
    np.testing.assert_array_equal(image.data, PLANES[0])
    assert (image.pixel_size, image.unit) == ((0.5, 0.5), "µm")


@pytest.mark.parametrize(
    "names", [("1", "2", "3"), ("2", "1", "0"), ("x", "x", "x"), ("1", "1", "0"), ("a/b", "a_b", "A b")]
)
def test_all_images_are_read_once_whatever_they_are_called(tmp_path: Path, names: tuple[str, ...]) -> None:
    blocks = [f'<TiffData IFD="{number}" PlaneCount="1"/>' for number in range(3)]
    images = "".join(map(_image, range(3), names, blocks))
    path = _write(tmp_path / "a.ome.tif", PLANES, images)
    opened = [each.open() for each in inputs_of([path], Selection(series="all"))]
    assert [image.chosen for image in opened] == [0, 1, 2]
    for number, image in enumerate(opened):
        np.testing.assert_array_equal(image.data, PLANES[number])
    assert len({image.name.lower() for image in opened}) == 3
    assert [number_of_series(series_to_ask_for(at, names), names, "a") for at in range(3)] == [0, 1, 2]


def test_a_bare_array_is_one_image(tmp_path: Path) -> None:
    import zarr

    zarr.create_array(tmp_path / "a.zarr", shape=(20, 30), dtype="uint8")[...] = PLANES[0]
    assert read_image(tmp_path / "a.zarr", series="0").axes == "YX"
    with pytest.raises(UtileError, match=r"a\.zarr has no series 1: it is one image"):
        read_image(tmp_path / "a.zarr", series="1")
