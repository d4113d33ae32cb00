"""Keep a model that was trained, and take that back: as a new model, or as the next version of one of the user's."""

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import ModelCard, read_card
from napari_utile.engine.models.catalogue import SUFFIX, ListedModel, list_models, user_model_folder
from napari_utile.engine.models.library import save_model
from napari_utile.engine.models.origin import origin_of
from napari_utile.engine.models.own_models import (
    check_not_bundled,
    delete_model,
    kept_versions,
    new_place,
    revert_model,
    safe_name,
    version_of,
)
from napari_utile.session.fine_tuning import FineTuneResult


@dataclass(frozen=True)
class Kept:
    """A model that was kept.

    Attributes
    ----------
    version : int
        1 for a new model.
    card : ModelCard
        As it was written.
    before : int
        The version in whose place it came; 0 for a new model.
    """

    path: Path
    title: str
    version: int
    card: ModelCard
    before: int = 0

    @property
    def found(self) -> Path:
        """Where it is now: the user may have given it another name since, and its own to another model.

        Raises
        ------
        UtileError
            If it is no longer among the user's models.
        """
        own = [each for each in list_models() if not each.bundled]
        same = [each.path for each in own if each.card is not None and self._is(each.card)]
        if not same:
            raise UtileError(f"“{self.title}” is no longer among your models: there is nothing to take back.")
        return self.path if self.path in same else same[0]

    def _is(self, card: ModelCard) -> bool:
        """Say whether a card is this model's, by whatever name; as text, as some of its numbers equal nothing."""
        as_named = replace(card, name=self.card.name, title=self.card.title)
        return as_named.to_header() == self.card.to_header()


def place_of(title: str) -> Path:
    """Return where a model of this title lies in the user's library, there already or not.

    Raises
    ------
    UtileError
        If the title leaves no name for a file, or it is that of a bundled model.
    """
    check_not_bundled(title)
    return user_model_folder() / f"{safe_name(title)}{SUFFIX}"


def next_version(title: str, lineage: str) -> int:
    """Return which version a model of this title would be; 1 where it would be a new one.

    Parameters
    ----------
    title : str
        As the user wrote it.
    lineage : str
        Name of the user's model that it may replace; empty for none.

    Raises
    ------
    UtileError
        If the title cannot be used, or belongs to another model.
    """
    path = place_of(title)
    if not path.exists():
        new_place(path.parent, title)  # says no where another one differs in capitals only
        return 1
    if path.stem != lineage:
        raise UtileError(f"There is a model named {path.stem} already; choose another name.")
    return max([version_of(path), *(int(each.stem) for each in kept_versions(path))]) + 1


def previous_of(models: Sequence[ListedModel], model: str, training_set: str = "") -> ListedModel | None:
    """Find the user's model whose next version a training may make.

    Parameters
    ----------
    model : str
        Name of the one that is in use, or is trained further.
    training_set : str
        Title of the set that is trained on. The last model that was trained on it goes before one of no set.
    """
    own = [each for each in models if not each.bundled and each.card is not None]
    used = [each for each in own if each.name == model]
    of_set = [each for each in own if training_set and _set_of(each) == training_set]
    of_set.sort(key=lambda each: each.path.stat().st_mtime if each.path.exists() else 0)
    return next(iter([each for each in used if each in of_set] or of_set[-1:] or used), None)


def _set_of(model: ListedModel) -> str:
    origin = None if model.card is None else origin_of(model.card)
    return "" if origin is None else origin.training_set


def free_title(base: str, wanted: str = "") -> str:
    """Suggest a title that is free: the one that is wanted, else one of the base."""
    if wanted:
        with suppress(UtileError):  # nothing of it can be the name of a file
            if not place_of(wanted).exists():
                return wanted
    number = 1
    while True:
        title = f"{base}-tuned" if number == 1 else f"{base}-tuned-{number}"
        if not place_of(title).exists():
            return title
        number += 1


def keep_job(result: FineTuneResult, title: str, lineage: str = "") -> Generator[None, None, Kept]:
    """Save the model to the user's library; see `next_version` for the title and what it may replace.

    Raises
    ------
    UtileError
        If the name is taken or cannot be used.
    """
    yield

    version = next_version(title, lineage)
    path, model = place_of(title), result.tuned.model
    before = version_of(path) if version > 1 else 0
    shown = "" if title == path.stem else title
    save_model(replace(model.card, name=path.stem, title=shown, version=str(version)), model.network, path)
    return Kept(path, title, version, read_card(path), before)


def take_back_job(kept: Kept) -> Generator[None, None, Path]:
    """Undo a *Keep*: the version before comes back, or the new model goes to the trash; return where it was."""
    yield
    path = kept.found
    if kept.version > 1:
        revert_model(str(path), kept.before)
    else:
        delete_model(str(path))
    return path
