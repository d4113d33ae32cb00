"""What the OME-XML of a TIFF says of its images, and over which files they are spread."""

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_utile.engine.errors import UtileError

_SHOWN = 5
"""Files that are named in a sentence."""


@dataclass(frozen=True)
class _Block:
    """Planes one behind the other: in which file (None: this one), from which page on, how many (None: all)."""

    file: str | None
    first: int
    count: int | None


@dataclass(frozen=True)
class OmeImage:
    """One image of OME-XML: its name, its entry, what is said of its pixels, and where its planes lie."""

    name: str
    entry: Mapping[str, Any]
    pixels: Mapping[str, Any]
    blocks: tuple[_Block, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that are named for its planes, each once."""
        return tuple(dict.fromkeys(block.file for block in self.blocks if block.file is not None))

    def holds(self, file: str, page: int, own: str) -> bool:
        """Tell whether a page of a file is one of its planes; `own` is the file that the XML lies in."""
        return any(
            (block.file or own).lower() == file.lower()
            and block.first <= page
            and (block.count is None or page < block.first + block.count)
            for block in self.blocks
        )


def ome_images(tif: tifffile.TiffFile) -> tuple[OmeImage, ...]:
    """Give all images of a file's OME-XML; empty where it has none."""
    return _images(tif.ome_metadata) if tif.is_ome and tif.ome_metadata else ()


@functools.lru_cache(maxsize=1)
def _images(xml: str) -> tuple[OmeImage, ...]:
    root = tifffile.xml2dict(xml).get("OME")
    entries = _entries(root.get("Image")) if isinstance(root, Mapping) else []
    return tuple(_image(entry) for entry in entries)


def image_of_series(tif: tifffile.TiffFile, series: Any, number: int) -> OmeImage | None:
    """Find what OME-XML says of a series, whose number there may be another: images without planes are no series.

    Parameters
    ----------
    tif, series
    number : int
        Which of the series it is: counts where the XML does not say where planes lie.
    """
    images = ome_images(tif)
    page = next((each for each in getattr(series, "pages", ()) if each is not None), None)
    if page is not None and isinstance(page.index, int):
        where = page.parent.filename, page.index, tif.filename
        named = [image for image in images if image.holds(*where)]
        if len(named) == 1:
            return named[0]
    return images[min(number, len(images) - 1)] if images else None


def set_of_files(tif: tifffile.TiffFile, own: str | None = None) -> tuple[str, ...]:
    """Name the files that images are spread over; empty where all is in this file.

    Parameters
    ----------
    tif
    own : str, optional
        A file's name: only of the images that are partly in it, where there are such.
    """
    images = ome_images(tif)
    if own is not None:
        images = tuple(image for image in images if own in image.files) or images
    found = tuple(dict.fromkeys(name for image in images for name in image.files))
    return found if len(found) > 1 else ()


def absent_files(path: Path, names: Iterable[str]) -> str:
    """Name those of the files beside `path` that are not there, in words; empty where all are."""
    absent = sorted(name for name in names if not (path.parent / name).is_file())
    shown = ", ".join(absent[:_SHOWN]) + (f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else "")
    return f"{shown} {'is' if len(absent) == 1 else 'are'} not there" if absent else ""


def refuse_files_elsewhere(tif: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that names pixels in files outside its folder, before tifffile opens them.

    Raises
    ------
    UtileError
    """
    folder = path.parent.resolve()
    for name in _named_anywhere(tif):
        if not (folder / name.replace("\\", "/")).resolve().is_relative_to(folder):
            raise UtileError(
                f"Cannot read {path.name}: it names {name[:80]!r}, which lies outside its folder; put all files of "
                "the set into one folder."
            )


def files_of_set(path: Path, every_image: bool = False) -> tuple[str, ...]:
    """Name the files that the image in a file is spread over; empty for a file that is all of it.

    Parameters
    ----------
    path : Path
    every_image : bool
        Also those of the other images of the set.
    """
    if ".tif" not in path.name.lower() or not os.path.isfile(path):
        return ()
    try:
        with tifffile.TiffFile(path, _multifile=False) as tif:
            return set_of_files(tif, None if every_image else path.name)
    except Exception:  # noqa: BLE001  # whoever reads it says what is wrong
        return ()


def _image(entry: Mapping[str, Any]) -> OmeImage:
    pixels = entry.get("Pixels")
    pixels = pixels if isinstance(pixels, Mapping) else {}
    blocks = []
    for data in _entries(pixels.get("TiffData"), empty=True):
        uuid = next(iter(_entries(data.get("UUID"))), {})
        count = data.get("PlaneCount", data.get("NumPlanes", 1 if "IFD" in data else None))
        blocks.append(
            _Block(
                str(uuid["FileName"]) if uuid.get("FileName") else None,
                _whole(data.get("IFD")),
                _whole(count) or None,
            )
        )
    return OmeImage(str(entry.get("Name", "")), entry, pixels, tuple(blocks))


def _entries(node: Any, empty: bool = False) -> list[Mapping[str, Any]]:
    """Give one or several elements as a list; those without attributes are None in the dictionary."""
    nodes = node if isinstance(node, list) else [node]
    return [each if isinstance(each, Mapping) else {} for each in nodes if isinstance(each, Mapping) or empty]


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _named_anywhere(tif: tifffile.TiffFile) -> Iterator[str]:
    """Give every file that the XML names, wherever it stands."""
    if not tif.is_ome or not tif.ome_metadata or "FileName" not in tif.ome_metadata:
        return
    nodes: list[Any] = [tifffile.xml2dict(tif.ome_metadata)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Mapping):
            if node.get("FileName"):
                yield str(node["FileName"])
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
