"""Where large images are computed: on this computer, or by the Dask scheduler that the user names."""

import contextlib
import json
from typing import Any

from napari_utile.engine.jobs.cluster import cluster_jobs
from napari_utile.engine.models.catalogue import user_model_folder

_FILE = "run_on.json"


def remembered() -> str:
    """Return the address that was used last; "" for this computer."""
    try:
        address = json.loads((user_model_folder() / _FILE).read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return address if isinstance(address, str) else ""


def remember(address: str) -> None:
    """Keep an address for the next time; nothing happens where it cannot be written."""
    path = user_model_folder() / _FILE
    if address == remembered():
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"address": address}), encoding="utf-8")


def jobs_at(address: str) -> Any:
    """Return where blocks are computed, as a context: the workers of a Dask scheduler, or None for this process.

    Parameters
    ----------
    address : str
        Such as ``"tcp://workstation:8786"``; "" for this computer.

    Raises
    ------
    UtileError
        On entering, if Dask Distributed is missing, or nothing answers there.
    """
    if not address:
        return contextlib.nullcontext(None)

    return cluster_jobs(address, timeout=10)
