"""What lies in the trash of the user's library, and taking it out again."""

import os
import re
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard, read_card
from napari_utile.engine.models.catalogue import SUFFIX, called, user_model_folder
from napari_utile.engine.models.own_models import library_lock, versions_folder, write_named

_THROWN = re.compile(r"(?P<name>.+)-(?P<when>\d{8}-\d{6})(-\d+)?")


@dataclass(frozen=True)
class ThrownModel:
    """A model that was deleted, or replaced by an earlier version.

    Attributes
    ----------
    path : Path
    name : str
        As it was called.
    card : ModelCard
    when : datetime
        It went to the trash.
    """

    path: Path
    name: str
    card: ModelCard
    when: datetime

    @property
    def title(self) -> str:
        """What people called it."""
        return self.card.title or self.name


def thrown_models() -> list[ThrownModel]:
    """List the models in the trash, the last that went there first; what cannot be read is left out."""
    found = []
    for path in (user_model_folder() / "trash").glob(f"*{SUFFIX}"):
        if named := _THROWN.fullmatch(path.stem):
            try:
                when = datetime.strptime(named["when"], "%Y%m%d-%H%M%S")
                found.append(ThrownModel(path, named["name"], read_card(path), when))
            except (UtileError, ValueError):  # an image of a training set, or damaged
                continue
    return sorted(found, key=lambda each: (each.when, each.path.name), reverse=True)


def restore_model(thrown: str | Path) -> Path:
    """Take a model, with its versions, out of the trash; where its name is taken meanwhile, under one with a number.

    Parameters
    ----------
    thrown : str or Path
        A file in the trash, or the name or title that the model had: then the last one.

    Returns
    -------
    Path
        Its file in the library.

    Raises
    ------
    UtileError
        If there is no such model in the trash.
    """
    with library_lock() as folder:
        listed = thrown_models()
        found = [each for each in listed if str(each.path) == str(thrown)] or called(str(thrown), listed)
        if not found:
            names = ", ".join(dict.fromkeys(each.name for each in listed)) or "none"
            raise UtileError(f"There is no model {str(thrown)!r} in the trash; there is {names}.")
        model = found[0]
        taken = {path.stem.lower() for path in folder.glob(f"*{SUFFIX}")}
        stems = (model.name if number == 1 else f"{model.name}-{number}" for number in count(1))
        restored = folder / f"{next(stem for stem in stems if stem.lower() not in taken)}{SUFFIX}"
        title = model.card.title
        if restored.stem != model.name:
            title = f"{title or model.name} ({restored.stem.removeprefix(f'{model.name}-')})"
        write_named(model.path, restored, replace(model.card, title=title))
        versions = model.path.with_suffix("")
        if versions.is_dir() and not versions_folder(restored).exists():
            versions_folder(restored).parent.mkdir(exist_ok=True)
            os.replace(versions, versions_folder(restored))
        model.path.unlink()
        return restored
