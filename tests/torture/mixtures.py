"""Files of every mixture of layout, type, compression, axes and size: right pixels, or one sentence."""

import logging
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile
import zarr

from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image, series_of
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.planes.selection import SelectedPlanes
from torture.runs import Case

SIZES = {"T": 3, "Z": 2, "C": 2}
LAYOUTS = (
    "ome", "imagej", "shaped", "pages", "zarr2", "zarr3", "rgb", "planar_rgb", "white", "palette",
    "ome_series", "ome_files", "picture", "grey_alpha", "bits", "pyramid", "bare_zarr",
)  # fmt: skip
DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64", "float16", "int8", "int32")
COMPRESSIONS = (None, "zlib", "lzw", "packbits", "zstd", "lzma", "png", "jpegxl", "lerc", "jpeg2000")
_IMAGES = ("png", "jpegxl", "jpeg2000", "lerc")
AXES = ("YX", "TYX", "ZYX", "CYX", "TZYX", "ZCYX", "TZCYX")
Written = tuple[Path, np.ndarray, str, dict[str, Any]]
"""A file, its pixels, the axes that it must be read with, and options of `read_image`."""


def write(path: Path, layout: str, rng: np.random.Generator) -> Written:
    """Write one file."""
    size = tuple(int(side) for side in rng.integers(9, 70, 2))
    axes = str(rng.choice(AXES))
    dtype = str(rng.choice(DTYPES))
    if layout in ("shaped", "pages"):
        axes = (
            axes
            if len(axes) <= (4 if layout == "shaped" else 3)
            else "TZYX"[-4 if layout == "shaped" else -3 :]
        )
    if layout in ("imagej", "grey_alpha"):
        dtype = str(
            rng.choice(("uint8", "uint16") if layout == "grey_alpha" else ("uint8", "uint16", "float32"))
        )
    if layout in ("rgb", "planar_rgb", "white", "palette", "picture"):
        dtype = "uint8" if layout == "palette" or rng.random() < 0.5 else "uint16"
    if layout in ("ome_series", "ome_files", "pyramid", "ome") and dtype == "float16":
        dtype = "float32"  # OME knows no such type
    options = options_of(rng, dtype, layout)
    if layout in ("rgb", "planar_rgb"):
        return *_colours(path, layout, pixels_of(rng, (*size, 3), dtype), options), {}
    if layout in ("white", "palette"):
        return _turned(path, layout, pixels_of(rng, size, dtype), options)
    if layout in ("picture", "bits"):
        return (_picture if layout == "picture" else _bits)(path, rng, size, dtype)
    if layout == "grey_alpha":
        grey = pixels_of(rng, size, dtype)
        both = np.stack([grey, np.full_like(grey, np.iinfo(dtype).max)], -1)
        tifffile.imwrite(
            path,
            both,
            photometric="minisblack",
            extrasamples=["unassalpha"],
            planarconfig="contig",
            **options,
        )
        return path, grey, "YX", {}
    pixels = pixels_of(rng, (*(SIZES[axis] for axis in axes[:-2]), *size), dtype)
    if layout.startswith("zarr") or layout == "bare_zarr":
        return _zarr(path.with_suffix(".zarr"), rng, layout, pixels, axes)
    if layout in ("ome", "pyramid"):
        with tifffile.TiffWriter(
            path, ome=True, bigtiff=options.pop("bigtiff"), byteorder=options.pop("byteorder")
        ) as tif:
            levels = {"subifds": 1} if layout == "pyramid" else {}
            tif.write(pixels, photometric="minisblack", metadata={"axes": axes}, **levels, **options)
            if levels:
                tif.write(pixels[..., ::2, ::2], photometric="minisblack", subfiletype=1, **options)
        return path, pixels, axes, {}
    if layout == "imagej":
        order = [axes.index(axis) for axis in "TZCYX" if axis in axes]
        pixels, axes = pixels.transpose(order), "".join(axes[position] for position in order)
        options |= {"bigtiff": False, "byteorder": None}
        tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": axes}, **options)
        return path, pixels, axes, {}
    if layout == "ome_series":
        which = int(rng.integers(3))
        images = [pixels_of(rng, pixels.shape, dtype) for _ in range(3)]
        with tifffile.TiffWriter(
            path, ome=True, bigtiff=options.pop("bigtiff"), byteorder=options.pop("byteorder")
        ) as tif:
            for number, each in enumerate(images):
                tif.write(
                    each, photometric="minisblack", metadata={"axes": axes, "Name": f"Pos{number}"}, **options
                )
        return path, images[which], axes, {"series": str(which) if rng.random() < 0.5 else f"Pos{which}"}
    if layout == "ome_files":
        return _files(path, pixels_of(rng, (3, *size), dtype), options)
    plain = {"metadata": None} if layout == "pages" else {}
    tifffile.imwrite(path, pixels, photometric="minisblack", **options, **plain)
    return path, pixels, "ZTYX"[-pixels.ndim :] if pixels.ndim < 4 else "TZYX", {}


def pixels_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Make numbers that every type holds."""
    values = rng.integers(0, 120, shape)
    return (values / 8 if dtype.startswith("float") else values).astype(dtype)


def options_of(rng: np.random.Generator, dtype: str, layout: str) -> dict[str, Any]:
    """Draw how a TIFF is stored; only what keeps every bit."""
    compression = COMPRESSIONS[rng.integers(len(COMPRESSIONS))]
    whole = dtype in ("uint8", "uint16")
    plain = layout not in ("planar_rgb", "palette", "white", "grey_alpha", "rgb")
    usable = {
        "packbits": np.dtype(dtype).itemsize <= 4,
        "png": whole and plain,
        "jpegxl": whole and plain,
        "jpeg2000": whole and plain,
        "lerc": dtype in ("uint8", "uint16", "int16", "uint32", "int32", "float32") and plain,
    }
    compression = compression if usable.get(str(compression), True) else None
    options: dict[str, Any] = {
        "compression": compression,
        "byteorder": "<" if compression in _IMAGES else "<>"[rng.integers(2)],
        "tile": (16, 16) if rng.random() < 0.3 or compression in _IMAGES else None,
        "bigtiff": bool(rng.random() < 0.2),
    }
    if compression == "jpeg2000":
        options["compressionargs"] = {"level": 0, "reversible": True}
    if compression in ("zlib", "lzw", "zstd") and rng.random() < 0.5 and dtype != "float16":
        options["predictor"] = True
    return options


def _colours(
    path: Path, layout: str, colours: np.ndarray, options: dict[str, Any]
) -> tuple[Path, np.ndarray, str]:
    planar = layout == "planar_rgb"
    colours = np.moveaxis(colours, -1, 0) if planar else colours
    kind = "separate" if planar else "contig"
    tifffile.imwrite(path, colours, photometric="rgb", planarconfig=kind, **options)
    return path, colours, "SYX" if planar else "YXS"


def _turned(path: Path, layout: str, grey: np.ndarray, options: dict[str, Any]) -> Written:
    stored = np.iinfo(grey.dtype).max - grey
    if layout == "white":
        tifffile.imwrite(path, stored, photometric="miniswhite", **options)
    else:
        ramp = np.stack([(255 - np.arange(256, dtype=np.uint16)) * 257] * 3)
        tifffile.imwrite(path, stored, photometric="palette", colormap=ramp, **options)
    return path, grey, "YX", {}


def _picture(path: Path, rng: np.random.Generator, size: tuple[int, ...], dtype: str) -> Written:
    """Write a PNG, BMP or GIF, which keep every bit; in colours, grey, or grey through a palette."""
    ending = str(rng.choice(["png", "bmp", "gif"]))
    path = path.with_suffix(f".{ending}" if rng.random() < 0.7 else ".tif")
    kind = str(rng.choice(["grey", "rgb", "palette"]))
    if ending == "png" and kind == "grey":
        grey = pixels_of(rng, size, dtype) * (np.iinfo(dtype).max // 120)
        PIL.Image.fromarray(grey).save(path, ending)
        return path, grey, "YX", {}
    if kind == "rgb" and ending != "gif":
        colours = pixels_of(rng, (*size, 3), "uint8")
        PIL.Image.fromarray(colours).save(path, ending)
        return path, colours, "YXS", {}
    grey = pixels_of(rng, size, "uint8")
    image = PIL.Image.fromarray(grey)
    if kind == "palette":
        image = PIL.Image.fromarray(255 - grey, mode="P")
        image.putpalette([255 - number for number in range(256) for _ in range(3)])
    image.save(path, ending)
    return path, grey, "YX", {}


def _bits(path: Path, rng: np.random.Generator, size: tuple[int, ...], _: str) -> Written:
    """Write one bit a pixel."""
    bits = rng.random(size) < 0.5
    white = bool(rng.random() < 0.5)
    tifffile.imwrite(path, bits ^ white, photometric="miniswhite" if white else "minisblack")
    return path, bits, "YX", {}


def _files(path: Path, planes: np.ndarray, options: dict[str, Any]) -> Written:
    """Spread a time series over three files, which share their OME-XML."""
    folder = path.with_suffix("")
    folder.mkdir()
    height, width = planes.shape[1:]
    names = [f"p{number}.ome.tif" for number in range(3)]
    blocks = "".join(
        f'<TiffData FirstT="{n}" FirstZ="0" FirstC="0" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:'
        f"0000000{n}-0000-0000-0000-000000000000</UUID></TiffData>"
        for n, name in enumerate(names)
    )
    kind = {"float32": "float", "float64": "double"}.get(str(planes.dtype), str(planes.dtype))
    for number, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:0000000{number}-0000-0000-0000-000000000000"><Image ID="Image:0" Name="a"><Pixels '
            f'ID="Pixels:0" DimensionOrder="XYCZT" Type="{kind}" SizeX="{width}" SizeY="{height}" SizeC="1" SizeZ="1" '
            f'SizeT="3"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / name, planes[number], description=xml, metadata=None, photometric="minisblack", **options
        )
    return folder / names[0], planes, "TYX", {}


def _zarr(folder: Path, rng: np.random.Generator, layout: str, pixels: np.ndarray, axes: str) -> Written:
    version = 2 if layout == "zarr2" or (layout == "bare_zarr" and rng.random() < 0.5) else 3
    chunks = (1,) * (pixels.ndim - 2) + (16, 32)
    more: dict[str, Any] = {"chunks": chunks}
    if version == 3 and rng.random() < 0.4:
        more["shards"] = (*chunks[:-2], 32, 64)
    if rng.random() < 0.4:
        more["compressors"] = None
    if layout == "bare_zarr":
        names = {"dimension_names": tuple(axes.lower())} if version == 3 else {}
        array = zarr.create_array(
            folder, shape=pixels.shape, dtype=pixels.dtype, zarr_format=version, **names, **more
        )
        array[...] = pixels
        return folder, pixels, axes if names else ("ZTYX"[-pixels.ndim :] if pixels.ndim < 4 else "TZYX"), {}
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, **more)[...] = pixels
    named = [{"name": axis.lower()} for axis in axes]
    metadata = {"multiscales": [{"axes": named, "datasets": [{"path": "0"}]}]}
    group.attrs.update(metadata if version == 2 else {"ome": metadata})
    return folder, pixels, axes, {}


def planes_of(pixels: np.ndarray, axes: str) -> list[np.ndarray]:
    """All planes (C, Y, X), in the order of the axes."""
    channel = "S" if "S" in axes else "C"
    order = [
        *(axis for axis in axes if axis not in ("Y", "X", channel)),
        *(channel if channel in axes else ""),
        "Y",
        "X",
    ]
    moved = pixels.transpose([axes.index(axis) for axis in order])
    count = pixels.shape[axes.index(channel)] if channel in axes else 1
    return list(moved.reshape(-1, count, *moved.shape[-2:]))


def cases(folder: Path, scale: float) -> Iterator[Case]:
    """Give the files: 5,000 at scale 1."""
    for seed in range(max(1, round(5_000 * scale))):
        yield "mixtures of files", str(seed), partial(attempt, seed, folder)


def attempt(seed: int, folder: Path) -> str:
    """Write a file of a mixture and read it; return "read", "refused", or what went wrong."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[seed % len(LAYOUTS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path, pixels, axes, options = write(folder / f"{seed}.tif", layout, rng)
        try:
            lazy = path.read_bytes()[:2] in (b"II", b"MM") if path.is_file() else False
            if lazy and rng.random() < 0.5:
                image = read_tiff(path, lazy_bytes=0, **options)
            else:
                image = read_image(path, **options)
            return difference(image, pixels, axes, layout) or "read"
        except UtileError as error:
            said = sentence_of(error)
            return "refused" if "\n" not in said and len(said) < 600 else f"not one sentence: {said[:200]!r}"
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            return f"{layout}: {type(error).__name__}: {str(error)[:200]}"


def difference(image: ImageFile, pixels: np.ndarray, axes: str, layout: str) -> str:
    """Say how what was read differs from what was written; empty where it is the same."""
    found = [np.asarray(plane.data[:, :, :]) for _, plane in SelectedPlanes(image)]
    expected = planes_of(pixels, axes)
    if len(found) != len(expected):
        return f"{layout}: {len(found)} planes along {image.axes}, not {len(expected)} along {axes}"
    if not all(
        one.shape == other.shape and np.array_equal(one, other)
        for one, other in zip(found, expected, strict=True)
    ):
        return f"{layout}: other pixels along {image.axes}, not {axes}"
    if layout in ("shaped", "pages") and pixels.ndim > 2 and not image.guessed:
        return f"{layout}: a guess that is not said"
    if layout == "ome_series" and len(series_of(image.path)) != 3:
        return f"{layout}: {series_of(image.path)} are not three images"
    if (
        pixels.dtype.kind in "iu"
        and not set("CS") & set(axes)
        and layout not in ("white", "palette", "picture")
    ):
        labels = [plane for _, plane in labels_of(image)]
        if not all(np.array_equal(one, other[0]) for one, other in zip(labels, expected, strict=True)):
            return f"{layout}: other labels"
    return ""
