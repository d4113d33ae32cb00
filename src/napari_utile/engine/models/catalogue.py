"""Which models there are and what is known of them, from their cards alone: no weights, no torch.

Bundled models live in the package, the user's in the platform's data folder, and any file can be picked.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard, read_card

BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "models"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class ListedModel:
    """A model file that was found: `problem` says why it cannot be used, None where it can."""

    path: Path
    bundled: bool
    card: ModelCard | None
    problem: str | None = None

    @property
    def name(self) -> str:
        """The name to ask for it by."""
        return self.card.name if self.card else self.path.stem

    @property
    def title(self) -> str:
        """What people call it."""
        return (self.card.title if self.card else "") or self.name


def user_model_folder() -> Path:
    """Return where the user's models live; the environment variable UTILE_MODELS overrides the platform's place."""
    if chosen := os.environ.get("UTILE_MODELS"):
        return Path(chosen)

    import platformdirs

    return platformdirs.user_data_path("napari-utile", appauthor=False) / "models"


def list_models() -> list[ListedModel]:
    """List the bundled models, then the user's, each by name, those that only teach after the others.

    Nothing is loaded but the headers of the files: torch is not imported.

    Returns
    -------
    list of ListedModel
        Each with ``name``, ``path``, whether it is ``bundled``, and its ``card``, which is None where a
        file cannot be used: ``problem`` says why.

    Examples
    --------
    >>> [each.name for each in list_models() if each.bundled][:3]
    ['bacteria', 'cells', 'nuclei']
    """

    def teaching(each: ListedModel) -> bool:
        return each.card is not None and each.card.teaching

    return [
        *sorted(_listed(BUNDLED_FOLDER, bundled=True), key=teaching),
        *sorted(_listed(user_model_folder(), bundled=False), key=teaching),
    ]


def candidates() -> list[str]:
    """Name the models that may be suggested for an image: all that can be read, but for those that only teach."""
    listed = {each.name: each.card for each in list_models()}
    return [name for name, card in listed.items() if card is not None and not card.teaching]


def _listed(folder: Path, *, bundled: bool) -> Iterator[ListedModel]:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            yield ListedModel(path, bundled, _card_in(path))
        except UtileError as error:
            yield ListedModel(path, bundled, None, str(error))


def called(asked: str, models: Iterable[Any]) -> list[Any]:
    """Give the models of a name or, where there is none, those of a title, in their order."""
    listed, title = list(models), " ".join(asked.split())
    return [each for each in listed if each.name == asked] or [each for each in listed if each.title == title]


def find_model(name: str | Path) -> Path:
    """Find a model's file by path, name or title; a user's model goes before a bundled one of the same name.

    Raises
    ------
    UtileError
        If there is none, naming those there are, or several have the title.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise UtileError(f"A model is a name or the path of a file; got {type(name).__name__}.")
    path = _as_path(name)
    if path is not None and os.path.isfile(path):
        return path
    listed = [each for each in reversed(list_models()) if each.card]
    found: list[ListedModel] = called(str(name), listed)
    if len(found) > 1 and found[0].name != str(name):
        names = " and ".join(sorted(each.name for each in found))
        raise UtileError(f"Several models have the title {str(name)!r}: ask for {names} by name.")
    if found:
        return found[0].path
    if path is not None:
        raise UtileError(f"There is no model or file {path}.")
    known = ", ".join(sorted({each.name for each in listed})) or "none"
    raise UtileError(
        f"There is no model named {str(name)!r}; there is {known}. A file needs its ending, {SUFFIX}."
    )


def model_name(asked: str) -> str:
    """Give the name of a model that is asked for by its title, which may change; of others what is given."""
    path = _as_path(asked)
    if path is not None and os.path.isfile(path):
        return asked
    return next((each.name for each in called(asked, list_models())), asked)


def findable_model(asked: str) -> str:
    """Give a model's name, or where its file is from any folder."""
    path = _as_path(name := model_name(asked))
    return str(path.resolve()) if path is not None and os.path.isfile(path) else name


def _as_path(name: str | Path) -> Path | None:
    """Return the path that may be that of a model's file, None where it is a name or title for sure."""
    path = Path(os.path.expanduser(name))
    return path if path.suffix == SUFFIX or len(path.parts) > 1 else None


def card_of(name: str | Path) -> ModelCard:
    """Return a model's card, by name or path.

    Raises
    ------
    UtileError
        If there is no such model, or its card cannot be used.
    """
    return _card_in(find_model(name))


def _card_in(path: Path) -> ModelCard:
    """Return the card in a file, which is read again where the file is another one by now."""
    try:
        found = path.stat()
    except OSError:
        return read_card(path)  # and say why it cannot be
    return _read_once(path, (found.st_ino, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=64)
def _read_once(path: Path, seen: tuple[int, ...]) -> ModelCard:
    del seen
    return read_card(path)
