"""What a TIFF says of the size of its pixels, the distance of its planes and the time between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tifffile

from napari_utile.engine.files.image_file import usable_interval, usable_length, usable_pixel_size
from napari_utile.engine.files.tiff_ome import image_of_series
from napari_utile.engine.planes.units import canonical_unit

# Micrometres. A coarser resolution was meant for a printer (300 dots per inch are 85 µm).
_COARSEST_PIXEL = 20.0
# TIFF 6.0, tag 296: inch, centimetre; tifffile knows millimetre and micrometre as well.
_MICROMETRES_OF_RESOLUTION_UNIT = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}


@dataclass(frozen=True)
class Space:
    """Pixel size and its unit, the steps along Z and T, and what could not be used."""

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    steps: Mapping[str, tuple[float, str | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def describe_space(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, number: int = 0, axes: str = "YX"
) -> Space:
    """Read pixel size, z spacing and time interval of one image.

    Parameters
    ----------
    tif, series
    number : int
        Which of the file's images it is.
    axes : str
        Steps are given along these.
    """
    space = _ome(tif, series, number) if tif.is_ome and tif.ome_metadata else _tags(tif, series)
    steps = {axis: step for axis, step in space.steps.items() if axis in axes}
    return Space(space.pixel_size, space.unit, steps, space.notes)


def description_of(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries | None = None, number: int = 0
) -> str | None:
    """Give the free text that `write_image` stores."""
    if tif.is_imagej:
        return (tif.imagej_metadata or {}).get("Info")
    if image := image_of_series(tif, series, number):
        text = image.entry.get("Description")
        return text if isinstance(text, str) else None
    return None


def _ome(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, number: int) -> Space:
    image = image_of_series(tif, series, number)
    pixels = image.pixels if image else {}

    def unit_of(axis: str) -> str:
        return str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))  # the schema's default

    height, width = pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")
    size, unit = usable_pixel_size(height, width, unit_of("Y"), unit_of("X"))
    notes = []
    if size is None and not (height is None and width is None):
        said = " x ".join(
            f"{','.join(map(str, value)) if isinstance(value, tuple) else value} {unit_of(axis)}"
            for value, axis in ((height, "Y"), (width, "X"))
        )
        if canonical_unit(unit_of("Y")) is not None or (height, width) != (1, 1):
            notes.append(f"its pixel size ({said}) cannot be used and was left out")
    steps: dict[str, tuple[float, str | None]] = {}
    depth = usable_length(pixels.get("PhysicalSizeZ"), unit_of("Z"))
    if depth is not None:
        steps["Z"] = (depth, canonical_unit(unit_of("Z")))
    if interval := usable_interval(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit")):
        steps["T"] = interval
    return Space(size, unit, steps, tuple(notes))


def _tags(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Space:
    if tif.is_lsm:
        return _lsm(tif.lsm_metadata or {})
    if tif.is_svs and (side := _aperio_side(tif.pages.first.description)):
        return Space((side, side), "µm")
    metadata = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    unit = str(metadata.get("unit", "") or "")
    steps: dict[str, tuple[float, str | None]] = {}
    depth_unit, depth = str(metadata.get("zunit") or unit), metadata.get("spacing")
    if isinstance(depth, (int, float)) and (depth := usable_length(abs(depth), depth_unit)):
        steps["Z"] = (depth, canonical_unit(depth_unit))  # the sign says in which direction the stage went
    if interval := usable_interval(metadata.get("finterval"), metadata.get("tunit")):
        steps["T"] = interval
    tags = series.keyframe.tags
    pixels_per_unit = [_ratio(tags.valueof(name)) for name in ("YResolution", "XResolution")]
    if None in pixels_per_unit:
        return Space(steps=steps)
    height, width = (1 / value for value in pixels_per_unit if value is not None)
    if tif.is_imagej:
        size, name = usable_pixel_size(
            height, width, str(metadata.get("yunit") or unit), str(metadata.get("xunit") or unit)
        )
        return Space(size, name, steps)
    factor = _MICROMETRES_OF_RESOLUTION_UNIT.get(int(tags.valueof("ResolutionUnit", 2)))
    if factor is None or max(height, width) * factor > _COARSEST_PIXEL:
        return Space(steps=steps)
    return Space(*usable_pixel_size(height * factor, width * factor, "µm"), steps=steps)


def _lsm(metadata: Mapping[str, Any]) -> Space:
    """Read the voxel sizes of a Zeiss LSM, which are metres there, and its time interval, seconds."""
    lengths = {axis: metadata.get(f"VoxelSize{axis}") for axis in "ZYX"}
    found = {
        axis: 1e6 * value if isinstance(value, (int, float)) else None for axis, value in lengths.items()
    }
    size, unit = usable_pixel_size(found["Y"], found["X"], "µm")
    steps: dict[str, tuple[float, str | None]] = {}
    if (depth := usable_length(found["Z"], "µm")) is not None:
        steps["Z"] = (depth, "µm")
    if interval := usable_interval(metadata.get("TimeIntervall"), "s"):  # the format's spelling
        steps["T"] = interval
    return Space(size, unit, steps)


def _aperio_side(description: str) -> float | None:
    """Read ``MPP = 0.499``, micrometres per pixel, of an Aperio SVS slide."""
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", description)
    return usable_length(found.group(1), "µm") if found else None


def _ratio(value: Any) -> float | None:
    if isinstance(value, tuple) and len(value) == 2 and value[0] > 0 and value[1] > 0:
        return float(value[0]) / float(value[1])
    return None
