"""The training set: which one painted images collect in, what is in it, and how to take something out."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QInputDialog,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from napari_utile.engine.training.sets import PaintedImage, TrainingSet, list_sets, remove_image
from napari_utile.engine.words import counted, percent
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.worker import as_job, run_job

_NEW = "\0new"
_HEIGHT = 96


class SetPanel(QWidget):
    """A combo box of the user's sets, and, for the chosen one, the list of its images.

    Attributes
    ----------
    changed : Signal(str)
        Emitted with the title when another set, or none, is chosen.
    problem, done : Signal(str)
        Emitted with a sentence when something went wrong, or was done.
    """

    changed = Signal(str)
    problem = Signal(str)
    done = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._made: list[str] = []
        self.images: tuple[PaintedImage, ...] = ()
        self.combo = choice(
            "Training set",
            "Painted images collect in a set, over days; each training starts again from the base model on all of it.",
        )
        self.list = QListWidget()
        self.list.setAccessibleName("Images of the set")
        self.list.setMaximumHeight(_HEIGHT)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.add = push_button(
            "Add to the set", "Put what is painted on screen into the set, without training."
        )
        self.remove = push_button("Remove", "Take the marked images out of the set; they go to the trash.")
        self.contents = QWidget()
        column(self.list, row(self.add, self.remove), on=self.contents)
        column(self.contents, on=self)
        self.combo.activated.connect(self._activated)
        self.remove.clicked.connect(lambda _: self.remove_marked())
        self.list.itemSelectionChanged.connect(self._marked)
        self._fill([])
        self.look()

    @property
    def title(self) -> str:
        """Title of the chosen set; empty for none."""
        return self._title

    def choose(self, title: str) -> None:
        """Choose a set, a new one too; "" for none."""
        if title and title not in self._titles():
            self._made.append(title)
        self._title = title
        self.look()
        self.changed.emit(title)

    def look(self) -> None:
        """Read what sets there are, and what is in the chosen one."""
        run_job(as_job(_read, self._title), on_done=self._show, on_error=self._fail, owner=self)

    def remove_marked(self) -> None:
        """Move the marked images to the trash."""
        paths = [item.data(Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()]
        if paths:
            run_job(as_job(_removed, paths), on_done=self._removed, on_error=self._fail, owner=self)

    def _removed(self, count: int) -> None:
        many = counted(count, "image")
        self.done.emit(f"{many} taken out of the set “{self._title}”; the files are in the library's trash.")
        self.look()

    def _show(self, found: tuple[list[TrainingSet], tuple[PaintedImage, ...]]) -> None:
        sets, self.images = found
        titles = [each.title for each in sets]
        self._made = [title for title in self._made if title not in titles]
        self._fill([*titles, *self._made])
        with QSignalBlocker(self.list):
            self.list.clear()
            for image in self.images:
                item = QListWidgetItem(_words(image))
                item.setToolTip(image.problem or _more_words(image))
                item.setData(Qt.ItemDataRole.UserRole, image.path)
                self.list.addItem(item)
            if not self.images:
                item = QListWidgetItem("Empty: paint cells, then press Add to the set.")
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                self.list.addItem(item)
        self.contents.setVisible(bool(self._title))
        self._marked()

    def _fill(self, titles: list[str]) -> None:
        with QSignalBlocker(self.combo):
            self.combo.clear()
            self.combo.addItem("None: only what is open", "")
            for title in titles:
                self.combo.addItem(title, title)
            self.combo.addItem("New set…", _NEW)
            self.combo.setCurrentIndex(max(0, self.combo.findData(self._title)))
        self.contents.setVisible(bool(self._title))

    def _titles(self) -> list[str]:
        return [str(self.combo.itemData(index)) for index in range(self.combo.count())]

    def _activated(self, index: int) -> None:
        title = str(self.combo.itemData(index))
        if title == _NEW:
            given, pressed = QInputDialog.getText(self, "New training set", "Name", text="My cells")
            title = str(given).strip() if pressed else self._title
        self.choose(title)

    def _marked(self) -> None:
        self.remove.setEnabled(bool(self.list.selectedItems()))

    def _fail(self, error: Exception) -> None:
        self.problem.emit(sentence_of(error))


def _read(title: str) -> tuple[list[TrainingSet], tuple[PaintedImage, ...]]:
    sets = list_sets()
    return sets, tuple(image for each in sets if each.title == title for image in each.images)


def _removed(paths: list[Path]) -> int:
    for path in paths:
        remove_image(path)
    return len(paths)


def _words(image: PaintedImage) -> str:
    if image.problem:
        return f"{image.name}: cannot be used"
    return f"{image.name}: {counted(image.cells, 'cell')}, {image.added[:10]}"


def _more_words(image: PaintedImage) -> Any:
    rows, columns = image.shape
    classes = f", classes {', '.join(image.classes)}" if image.classes else ""
    return f"{columns} × {rows} px, {percent(image.annotated)} of it annotated{classes}"
