"""Plates of OME-Zarr: which fields they have, and where each of them lies."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.image_file import brief
from napari_utile.engine.files.names import image_name
from napari_utile.engine.files.ome_zarr import is_zarr, ome_attributes

_WELL = re.compile(r"([A-Za-z]{1,2})[ _/-]?0*(\d{1,2})")
_ROW = re.compile("[A-Za-z]{1,2}")
_WELL_IN_NAME = re.compile(r"(?:[A-P]|A[A-F])\d\d")  # t2, f1, s3 number other things


@dataclass(frozen=True)
class PlateField:
    """One field of view of a plate.

    Attributes
    ----------
    path : Path
        The folder of its image.
    plate, row, column, field : str
        As the plate calls them: ``"A"``, ``"1"``, ``"0"``.
    """

    path: Path
    plate: str
    row: str
    column: str
    field: str

    @property
    def well(self) -> str:
        """Row and column together: ``"A1"``."""
        return f"{self.row}{self.column}"

    @property
    def name(self) -> str:
        """What people call it: ``plate A/1/0``."""
        return f"{self.plate} {self.row}/{self.column}/{self.field}".rstrip("/")


def plate_fields(path: Path) -> tuple[PlateField, ...]:
    """List the fields of a plate, well after well; nothing where the path is not a plate.

    Raises
    ------
    UtileError
        If its metadata are damaged.
    """
    if not os.path.isdir(path):
        return ()
    try:
        node: Any = zarr.open(path, mode="r")
        attributes: Mapping[str, Any] = {} if isinstance(node, zarr.Array) else ome_attributes(node)
        if "plate" not in attributes:
            return ()
        return tuple(_fields(path, node, attributes["plate"].get("wells", ())))
    except Exception as error:  # damaged metadata raise KeyError, TypeError, JSONDecodeError ...
        raise UtileError(f"Cannot read {path.name}: its metadata are damaged ({brief(error)}).") from error


def _fields(path: Path, node: Any, wells: Any) -> list[PlateField]:
    found = []
    for well in wells:
        row, column = str(well["path"]).split("/")
        group = node.get(str(well["path"]))
        images = () if group is None else ome_attributes(group).get("well", {}).get("images", ())
        if not images:  # said when its turn comes
            found.append(PlateField(path / row / column, image_name(path), row, column, ""))
            continue
        for image in images:
            name = str(image["path"])
            if any(part in ("", ".", "..") or "\\" in part for part in (row, column, *name.split("/"))):
                raise ValueError(f"the field {name!r} of well {row}{column} is not inside it")
            found.append(PlateField(path / row / column / name, image_name(path), row, column, name))
    return found


def results_of_plates(folder: Path) -> list[Path]:
    """List the images in the folders of wells, of a folder of plates, of one plate, or of one of its rows.

    No other folder is looked into, so a folder of many does not take long.
    """
    plates = [folder, *_folders_in(folder)]
    rows = [folder, *(row for plate in plates for row in _folders_in(plate) if _ROW.fullmatch(row.name))]
    found: list[Path] = []
    for row in rows:
        for well in _folders_in(row):
            if well_of_folder(well) and not is_zarr(row.parent):
                with suppress(UtileError):  # there is none
                    found += find_images([well])
    return found


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = [folder / each.name for each in entries if each.is_dir() and each.name[0] != "."]
    except OSError:
        return []
    return sorted(inside, key=lambda path: (len(path.name), path.name))


def well_of_folder(folder: Path) -> str:
    """Give plate, row and column of a folder that is called as that of a well: ``plate/A/1``; empty for others."""
    plate, row, column = ("", "", "", *folder.absolute().parts)[-3:]
    return f"{plate}/{row}/{column}" if canonical_well(f"{row}/{column}") else ""


def canonical_well(text: str) -> str | None:
    """Give a well as ``"A1"``, whichever way it is written; None where the text is not a well.

    Examples
    --------
    >>> canonical_well("a01"), canonical_well("B/2"), canonical_well("AA-12"), canonical_well("cells")
    ('A1', 'B2', 'AA12', None)
    """
    found = _WELL.fullmatch(text.strip())
    return f"{found[1].upper()}{int(found[2])}" if found else None


def well_in_name(name: str) -> str | None:
    """Find the well in the name of a file such as ``exp3_B02_f1``; None where there is none, or several."""
    parts = re.split(r"[ _.,-]+", name)
    wells = {canonical_well(part) for part in parts if _WELL_IN_NAME.fullmatch(part)}
    return wells.pop() if len(wells) == 1 else None
