"""Stores of this program that are not finished: never taken for a result."""

import json
import os
from pathlib import Path

from napari_utile.engine.errors import UtileError

HOME = ".utile"
"""Folder of plan and journal in a store."""
PLAN = "plan.json"


def is_store(place: Path) -> bool:
    """Tell whether a folder is a store that this program began."""
    return os.path.isfile(place / HOME / PLAN)


def is_complete(place: Path) -> bool:
    """Tell whether a store of this program is finished: what its labels are is written last."""
    for file in ("zarr.json", ".zattrs"):  # of OME-Zarr 0.5 and 0.4
        try:
            found = json.loads((place / "labels" / file).read_text(encoding="utf-8"))
            attributes = found["attributes"]["ome"] if file == "zarr.json" else found
            return "cells" in attributes["labels"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return False


def refuse_unfinished(place: Path) -> None:
    """Refuse a store, or something inside one, that is not finished.

    Raises
    ------
    UtileError
        Naming how to finish it.
    """
    for folder in (place, *place.parents[:3]):
        if is_store(folder) and not is_complete(folder):
            raise UtileError(
                f"{folder.name} is not finished, so it is not a result yet: finish it with utile segment and --resume."
            )
