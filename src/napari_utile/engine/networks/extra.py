"""What the extra `exchange` installs, asked for in one sentence where it is missing."""

from importlib import import_module
from types import ModuleType

from napari_utile.engine.errors import UtileError


def exchange_module(name: str) -> ModuleType:
    """Import a module of the extra `exchange`.

    Raises
    ------
    UtileError
        With the line that installs it, where it is missing.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UtileError(
            f'This needs {name}, which is not installed: pip install "napari-utile[exchange]".'
        ) from error
