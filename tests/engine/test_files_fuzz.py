"""Files of every mixture of layout, type, compression, axes and size: the pixels of the plain array, or one sentence.

A few hundred of them by default; UTILE_FUZZ=5000 makes as many as one likes.
"""

import logging
import os
import warnings
from pathlib import Path

import numpy as np
import tifffile
import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.tiff_reading import read_tiff
from napari_utile.engine.planes.selection import SelectedPlanes

FILES = int(os.environ.get("UTILE_FUZZ", "250"))
SIZES = {"T": 3, "Z": 2, "C": 2}
LAYOUTS = ("ome", "imagej", "shaped", "pages", "zarr2", "zarr3", "rgb", "planar_rgb", "white", "palette")
DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64")
COMPRESSIONS = (None, "zlib", "lzw", "packbits", "zstd")
AXES = ("YX", "TYX", "ZYX", "CYX", "TZYX", "ZCYX", "TZCYX")


def pixels_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = rng.integers(0, 120, shape)
    return (values / 8 if dtype.startswith("float") else values).astype(dtype)


def write(path: Path, layout: str, rng: np.random.Generator) -> tuple[Path, np.ndarray, str]:
    """Write one file; return it, its pixels and the axes that it must be read with."""
    size = tuple(int(side) for side in rng.integers(9, 70, 2))
    axes = str(rng.choice(AXES))
    dtype = str(rng.choice(DTYPES))
    options = {
        "compression": COMPRESSIONS[rng.integers(len(COMPRESSIONS))],
        "byteorder": "<>"[rng.integers(2)],
        "tile": (16, 16) if rng.random() < 0.3 else None,
        "bigtiff": bool(rng.random() < 0.2),
    }
    if options["compression"] == "packbits" and np.dtype(dtype).itemsize > 4:
        options["compression"] = None
    if layout in ("rgb", "planar_rgb", "white", "palette"):
        dtype = "uint8" if layout == "palette" or rng.random() < 0.5 else "uint16"
    if layout in ("rgb", "planar_rgb"):
        colours = pixels_of(rng, (*size, 3), dtype)
        planar = layout == "planar_rgb"
        tifffile.imwrite(
            path,
            np.moveaxis(colours, -1, 0) if planar else colours,
            photometric="rgb",
            planarconfig="separate" if planar else "contig",
            **options,
        )
        return path, np.moveaxis(colours, -1, 0) if planar else colours, "SYX" if planar else "YXS"
    if layout in ("white", "palette"):
        grey = pixels_of(rng, size, dtype)
        stored = np.iinfo(dtype).max - grey
        if layout == "white":
            tifffile.imwrite(path, stored, photometric="miniswhite", **options)
        else:
            ramp = np.stack([(255 - np.arange(256, dtype=np.uint16)) * 257] * 3)
            tifffile.imwrite(path, stored, photometric="palette", colormap=ramp, **options)
        return path, grey, "YX"
    if layout in ("shaped", "pages"):
        axes = axes if len(axes) <= 4 else "TZYX"
        if layout == "pages":
            axes = axes if len(axes) <= 3 else "TYX"
    if layout == "imagej":
        dtype = str(rng.choice(("uint8", "uint16", "float32")))
        options["bigtiff"] = False
    pixels = pixels_of(rng, (*(SIZES[axis] for axis in axes[:-2]), *size), dtype)
    if layout.startswith("zarr"):
        folder = path.with_suffix(".zarr")
        group = zarr.open_group(folder, mode="w", zarr_format=int(layout[-1]))
        chunks = (1,) * (pixels.ndim - 2) + (16, 32)
        group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, chunks=chunks)[...] = pixels
        named = [{"name": axis.lower()} for axis in axes]
        metadata = {"multiscales": [{"axes": named, "datasets": [{"path": "0"}]}]}
        group.attrs.update(metadata if layout == "zarr2" else {"ome": metadata})
        return folder, pixels, axes
    if layout == "ome":
        tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": axes}, **options)
    elif layout == "imagej":
        order = [axes.index(axis) for axis in "TZCYX" if axis in axes]
        pixels, axes = pixels.transpose(order), "".join(axes[position] for position in order)
        tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": axes}, **{**options, "byteorder": None})
    else:
        plain = {"metadata": None} if layout == "pages" else {}
        tifffile.imwrite(path, pixels, photometric="minisblack", **options, **plain)
        axes = "ZTYX"[-pixels.ndim :] if pixels.ndim < 4 else "TZYX"
    return path, pixels, axes


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


def test_any_mixture_is_read_as_the_plain_array_or_refused_in_one_sentence(tmp_path: Path) -> None:
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    refused: list[str] = []
    for seed in range(FILES):
        rng = np.random.default_rng(seed)
        layout = LAYOUTS[seed % len(LAYOUTS)]
        path, pixels, axes = write(tmp_path / f"{seed}.tif", layout, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                lazy = path.suffix == ".tif" and rng.random() < 0.5
                image = read_tiff(path, lazy_bytes=0) if lazy else read_image(path)
            except UtileError as error:
                refused.append(str(error))
                continue
        found = [np.asarray(plane.data[:, :, :]) for _, plane in SelectedPlanes(image)]
        expected = planes_of(pixels, axes)
        assert len(found) == len(expected), (seed, layout, image.axes, axes, pixels.shape)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=f"{seed} {layout} {image.axes} {axes}")
        if layout in ("shaped", "pages") and pixels.ndim > 2:
            assert image.guessed, (seed, layout)
    assert len(refused) <= FILES // 20
    assert not any("\n" in sentence for sentence in refused)
