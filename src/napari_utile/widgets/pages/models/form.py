"""What the Models page looks like: a list, what is known of a model, and buttons. It shows state; the page acts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QListWidget, QWidget

from napari_utile.engine.models.catalogue import ListedModel
from napari_utile.engine.models.origin import origin_of
from napari_utile.engine.models.trash import ThrownModel
from napari_utile.engine.words import counted, three_digits
from napari_utile.widgets.pages.models.import_fields import ImportFields
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words

_MOST_SCORES = 6


class ModelsForm(QWidget):
    """The widgets of the Models page.

    Attributes
    ----------
    versions, trash : QComboBox
        Earlier versions of the marked model, by number; deleted models, by file. Hidden where there are none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setAccessibleName("Models")
        self.list.setWordWrap(True)
        self.list.setMinimumHeight(120)
        self.about, self.disk = Words(), Words()
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use = push_button("Use", "Use this model on all pages.")
        self.duplicate = push_button("Duplicate…", "Copy this model, also a bundled one, under another name.")
        self.rename = push_button("Rename…", "Give one of your models another name.")
        self.delete = push_button("Delete", "Move one of your models to the trash.")
        self.take_in = push_button(
            "Import…",
            "Import a U-Tile model, a bioimage.io package, an ONNX file or a checkpoint.",
        )
        self.import_fields = ImportFields()
        self.export = push_button(
            "Export…",
            "Save this model as a file, or as a bioimage.io package for other programs.",
        )
        self.versions, self.trash = choice("Earlier versions"), choice("Models in the trash")
        self.revert = push_button(
            "Take back to this one", "Use this version again; the present one goes to the trash."
        )
        self.restore = push_button("Restore", "Take this model out of the trash, with its versions.")
        self.empty_trash = push_button("Empty…", "Delete for good what is in the trash.")
        self.status = StatusLine()
        grid = QGridLayout()
        buttons = (self.use, self.duplicate, self.rename, self.delete, self.export, self.take_in)
        for number, button in enumerate(buttons):
            grid.addWidget(button, *divmod(number, 3))
        self._earlier, self._thrown = QWidget(), QWidget()
        earlier = row((self.versions, 1), self.revert, spacing=4)
        column(QLabel("Earlier versions of this model"), earlier, on=self._earlier, spacing=2)
        thrown = row((self.trash, 1), self.restore, self.empty_trash, spacing=4)
        column(QLabel("In the trash"), thrown, on=self._thrown, spacing=2)
        column(
            (self.list, 1),
            grid,
            self.about,
            self._earlier,
            self._thrown,
            folded("Import options", self.import_fields),
            self.disk,
            on=self,
            margins=(8, 8, 8, 8),
            spacing=8,
        )
        self.status.say("")

    def offer(self, usable: bool, own: bool, versions: Sequence[Path]) -> None:
        """Enable what the marked model allows, and list its earlier versions, the oldest first."""
        for button in (self.use, self.duplicate, self.export):
            button.setEnabled(usable)
        for button in (self.rename, self.delete):
            button.setEnabled(own)
        self.versions.clear()
        for path in reversed(versions):
            when = datetime.fromtimestamp(path.stat().st_mtime)
            self.versions.addItem(f"Version {path.stem}, until {_day(when)}", int(path.stem))
        self._earlier.setVisible(bool(versions))

    def show_trash(self, thrown: Sequence[ThrownModel]) -> None:
        """List what can be taken out of the trash."""
        self.trash.clear()
        for model in thrown:
            self.trash.addItem(f"{model.card.title or model.name}, {_day(model.when)}", model.path)
        self.trash.setEnabled(bool(thrown))
        self.restore.setEnabled(bool(thrown))

    def show_disk_use(self, taken: int, thrown: int) -> None:
        """Say how much room the user's models take, and of that the trash. Bytes."""
        self._thrown.setVisible(thrown > 0)
        trash = f", {_megabytes(thrown)} of it in the trash" if thrown else ""
        self.disk.setText(
            f"Your own models and training sets take {_megabytes(taken)}{trash}." if taken else ""
        )


def described(model: ListedModel) -> str:
    """Say what is known of a model: what for, trained on what, how good, how large."""
    card = model.card
    if card is None:
        return f"This model cannot be used: {model.problem}"
    parts = [card.description]
    if model.title != model.name:
        parts.append(f"Its name on the command line is {model.name}.")
    origin = origin_of(card)
    if origin is not None:
        parts.append(f"It was {origin}.")
    if card.data:
        names = ", ".join(f"{each.name} ({counted(each.images, 'image')})" for each in card.data)
        parts.append(f"{'Before that t' if origin else 'T'}rained on: {names}.")
    if card.object_diameter:
        parts.append(f"It knows cells of about {card.object_diameter:.0f} px across.")
    if scores := _scores(card.metrics):
        parts.append(f"Scores: {scores}.")
    if model.path.is_file():  # it may have been deleted since the list was made
        parts.append(f"Its file takes {_megabytes(model.path.stat().st_size)}.")
    parts.append(card.licence)
    return "\n\n".join(part for part in parts if part)


def _scores(metrics: Mapping[str, Any]) -> str:
    numbers = []
    for name, value in metrics.items():
        if isinstance(value, int | float):
            numbers.append(f"{name} {three_digits(value)}")
        elif isinstance(value, Mapping):
            inner = [f"{key} {each:.2f}" for key, each in value.items() if isinstance(each, float)]
            every = {"": value, **value}
            inner += [f"{key} {said}".lstrip() for key, each in every.items() if (said := _change(each))]
            if inner:
                numbers.append(f"{name}: {', '.join(inner[:3])}")
    return "; ".join(numbers[:_MOST_SCORES])


def _change(value: Any) -> str:
    """Say a score before and after a training; empty where it is something else."""
    if not isinstance(value, Mapping):
        return ""
    sides = [value.get(side) for side in ("before", "after")]
    # of the tiles that were held out, there are further scores
    scores = [side.get("ap50") if isinstance(side, Mapping) else side for side in sides]
    if not all(isinstance(score, float) for score in scores):
        return ""
    return f"AP {scores[0]:.2f} → {scores[1]:.2f}"


def _day(when: datetime) -> str:
    return f"{when.day} {when:%B, %H:%M}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
