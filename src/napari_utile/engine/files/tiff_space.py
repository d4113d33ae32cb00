"""What a TIFF says of the size of its pixels, the distance of its planes and the time between them."""

import re
from collections.abc import Mapping
from typing import Any

import tifffile

from napari_utile.engine.files.space import Said, UsableSpace, space_of, usable_length
from napari_utile.engine.files.tiff_ome import image_of_series

# Micrometres. A coarser resolution was meant for a printer (300 dots per inch are 85 µm).
_COARSEST_PIXEL = 20.0
# TIFF 6.0, tag 296: inch, centimetre; tifffile knows millimetre and micrometre as well.
_MICROMETRES_OF_RESOLUTION_UNIT = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}


def describe_space(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, number: int = 0, axes: str = "YX"
) -> UsableSpace:
    """Read pixel size, z spacing and time interval of one image.

    Parameters
    ----------
    tif, series
    number : int
        Which of the file's images it is.
    axes : str
        Steps are given along these.
    """
    said = _ome(tif, series, number) if tif.is_ome and tif.ome_metadata else _tags(tif, series)
    return space_of({axis: each for axis, each in said.items() if axis in axes})


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


def _ome(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, number: int) -> dict[str, Said]:
    image = image_of_series(tif, series, number)
    pixels = image.pixels if image else {}
    said: dict[str, Said] = {
        axis: (pixels.get(f"PhysicalSize{axis}"), str(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
        for axis in "YXZ"  # µm is the schema's default
    }
    return said | {"T": (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit"))}


def _tags(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> dict[str, Said]:
    if tif.is_lsm:
        return _lsm(tif.lsm_metadata or {})
    if tif.is_svs and (side := _aperio_side(tif.pages.first.description)):
        return {"Y": (side, "µm"), "X": (side, "µm")}
    metadata = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    units = {axis: str(metadata.get(f"{axis.lower()}unit") or metadata.get("unit") or "") for axis in "YXZ"}
    said: dict[str, Said] = {"T": (metadata.get("finterval"), metadata.get("tunit"))}
    depth = metadata.get("spacing")
    if isinstance(depth, (int, float)):
        said["Z"] = (abs(depth), units["Z"])  # the sign says in which direction the stage went
    tags = series.keyframe.tags
    pixels_per_unit = [_ratio(tags.valueof(name)) for name in ("YResolution", "XResolution")]
    if None in pixels_per_unit:
        return said
    height, width = (1 / value for value in pixels_per_unit if value is not None)
    if tif.is_imagej:
        return said | {"Y": (height, units["Y"]), "X": (width, units["X"])}
    factor = _MICROMETRES_OF_RESOLUTION_UNIT.get(int(tags.valueof("ResolutionUnit", 2)))
    if factor is None or max(height, width) * factor > _COARSEST_PIXEL:
        return said
    return said | {"Y": (height * factor, "µm"), "X": (width * factor, "µm")}


def _lsm(metadata: Mapping[str, Any]) -> dict[str, Said]:
    """Read the voxel sizes of a Zeiss LSM, which are metres there, and its time interval, seconds."""
    lengths = {axis: metadata.get(f"VoxelSize{axis}") for axis in "ZYX"}
    said: dict[str, Said] = {
        axis: (1e6 * value if isinstance(value, (int, float)) else None, "µm")
        for axis, value in lengths.items()
    }
    return said | {"T": (metadata.get("TimeIntervall"), "s")}  # the format's spelling


def _aperio_side(description: str) -> float | None:
    """Read ``MPP = 0.499``, micrometres per pixel, of an Aperio SVS slide."""
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", description)
    return usable_length(found.group(1), "µm") if found else None


def _ratio(value: Any) -> float | None:
    if isinstance(value, tuple) and len(value) == 2 and value[0] > 0 and value[1] > 0:
        return float(value[0]) / float(value[1])
    return None
