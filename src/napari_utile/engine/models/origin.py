"""Where a model comes from that was trained further from another; read from its card, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.words import counted

_MOST_NAMES = 3


@dataclass(frozen=True)
class Origin:
    """One training that went further from a model.

    Attributes
    ----------
    base : str
        Name of the model that it started from.
    images : tuple of str
        Names of the images that it learnt from.
    training_set : str
        Title of the set that they are of; empty where they are of none.
    date : str
        ISO 8601; empty where it is not known.
    before : Origin or None
        The same of the base, where that was trained further itself.
    """

    base: str
    images: tuple[str, ...] = ()
    training_set: str = ""
    date: str = ""
    before: "Origin | None" = None

    @property
    def first(self) -> str:
        """The name of the model at the start of all."""
        return self.before.first if self.before else self.base

    def __str__(self) -> str:
        """Say it in words."""
        names = ", ".join(self.images[:_MOST_NAMES]) + (" …" if len(self.images) > _MOST_NAMES else "")
        count = counted(len(self.images), "image")
        of_set = f" of the set “{self.training_set}”" if self.training_set else ""
        day = f" on {self.date}" if self.date else ""
        said = f"trained from {self.base} on {count}{of_set} ({names}){day}"
        return f"{said}; {self.base} was {self.before}" if self.before else said


def origin_of(card: ModelCard) -> Origin | None:
    """Return where a model comes from; None where it was not trained further from another."""
    return _origin(card.training, 0)


def _origin(training: Any, depth: int) -> Origin | None:
    base = training.get("base") if isinstance(training, Mapping) else None
    if not isinstance(base, Mapping) or not isinstance(base.get("name"), str) or depth > 20:
        return None
    data = training.get("data")
    entries = data if isinstance(data, list) else []
    names = tuple(str(each.get("name", "")) for each in entries if isinstance(each, Mapping))
    training_set, date = (str(training.get(key) or "") for key in ("set", "date"))
    return Origin(base["name"], names, training_set, date, _origin(training.get("continued"), depth + 1))
