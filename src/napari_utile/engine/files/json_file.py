"""JSON files: read with a sentence where that cannot be, written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path


def read_json(path: str | os.PathLike[str], otherwise: str) -> Any:
    """Read a file.

    Parameters
    ----------
    path : str or path-like
    otherwise : str
        What is said of a file of another kind, such as ``"is not a recipe"``.

    Raises
    ------
    UtileError
        If it cannot be read, or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UtileError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UtileError(f"{path.name} {otherwise}: it is not JSON.") from error


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Write a file; a reader sees the old content or the new.

    Raises
    ------
    UtileError
        If it cannot be written.
    """
    text = json.dumps(values, indent=1, ensure_ascii=False)
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # a name of bytes that are not UTF-8
        text = json.dumps(values, indent=1)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
