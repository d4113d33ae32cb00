"""How far apart planes and frames are, as programs spell it, and written again."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from napari_utile.engine.files.images import read_image, write_image
from napari_utile.engine.planes.units import canonical_time, seconds

STACK = np.zeros((3, 20, 30), np.uint8)


@pytest.mark.parametrize(
    ("spelling", "short"),
    [
        ("sec", "s"),
        ("Seconds", "s"),
        ("", "s"),
        (None, "s"),
        ("msec", "ms"),
        ("milliseconds", "ms"),
        ("\u03bcs", "µs"),
        ("Minuten", "min"),
        ("minute", "min"),
        ("hours", "h"),
        ("Stunden", "h"),
        ("days", "d"),
        ("ns", "ns"),
        ("fortnight", None),
        ("µm", None),
    ],
)
def test_units_of_time_have_one_spelling(spelling: str | None, short: str | None) -> None:
    assert canonical_time(spelling) == short
    assert (seconds(spelling) is None) == (short is None)


@pytest.mark.parametrize(("unit", "interval"), [("sec", 20), ("msec", 0.02), ("minutes", 1200), ("h", 72000)])
def test_times_between_frames_survive(tmp_path: Path, unit: str, interval: float) -> None:
    metadata = {"axes": "TYX", "finterval": 20.0, "tunit": unit}
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata=metadata)
    image = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", STACK, "TYX", steps=image.steps)
    assert read_image(tmp_path / "b.tif").steps == {"T": (pytest.approx(interval), "s")}


def test_the_distance_of_planes_has_a_unit_of_its_own_and_a_direction(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "unit": "um", "spacing": -500.0, "zunit": "nm"}
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(2, 2), metadata=metadata)
    image = read_image(tmp_path / "a.tif")
    assert (image.pixel_size, image.unit, image.steps) == ((0.5, 0.5), "µm", {"Z": (500, "nm")})
    write_image(tmp_path / "b.tif", STACK, "ZYX", image.pixel_size, image.unit, steps=image.steps)
    assert read_image(tmp_path / "b.tif").steps == {"Z": (pytest.approx(0.5), "µm")}


@pytest.mark.parametrize("size", [None, (2.0, 2.0)])
@pytest.mark.parametrize("dtype", ["uint16", "float64"], ids=["ImageJ", "OME"])
def test_the_distance_of_planes_is_kept_where_pixels_have_no_unit(tmp_path: Path, dtype: str, size) -> None:
    write_image(tmp_path / "a.tif", STACK.astype(dtype), "ZYX", size, steps={"Z": (3.0, "µm")})
    image = read_image(tmp_path / "a.tif")
    assert (image.pixel_size, image.unit, image.steps) == (size, None, {"Z": (3.0, "µm")})


@pytest.mark.parametrize("kind", ["ImageJ", "OME"])
def test_a_distance_of_planes_that_cannot_be_used_is_said(tmp_path: Path, kind: str) -> None:
    if kind == "ImageJ":
        metadata = {"axes": "ZYX", "unit": "um", "spacing": 1e30}
        tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(2, 2), metadata=metadata)
    else:
        metadata = {"axes": "ZYX", "PhysicalSizeZ": -1}
        tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=metadata)
    image = read_image(next(tmp_path.iterdir()))
    assert not image.steps
    assert "cannot be used and was left out" in image.notes[-1]


def test_weight_maps_of_a_stack_keep_the_distance_of_its_planes(tmp_path: Path) -> None:
    labels = STACK.astype(np.uint16)
    labels[:, 3:9, 3:9] = 1
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 2.0}
    tifffile.imwrite(tmp_path / "a.tif", labels, imagej=True, resolution=(2, 2), metadata=metadata)
    assert main(["weight-map", str(tmp_path / "a.tif"), "-o", str(tmp_path / "w.tif")]) == 0
    assert read_image(tmp_path / "w.tif").steps == {"Z": (2.0, "µm")}
