"""The Models page: what models there are, what each was trained on, and how to take, copy, rename and delete them."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog, QListWidgetItem

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.models import own_models
from napari_utile.engine.models.catalogue import SUFFIX, ListedModel, card_of
from napari_utile.engine.models.trash import restore_model, thrown_models
from napari_utile.session.jobs import Choices, choices_job
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.deleting import may_delete
from napari_utile.widgets.pages.models.form import ModelsForm, described
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.workbench.page import Page
from napari_utile.widgets.worker import as_job, run_job

_PACKAGE = "bioimage.io packages (*.zip)"
_EXPORTED = f"U-Tile models (*.safetensors);;{_PACKAGE}"
_FIRST = "nuclei"
"""What is used where the model in use was deleted."""
_IMPORTED = "Models (*.safetensors *.zip *.onnx *.pt *.pth);;All files (*)"


class ModelsPage(Page):
    """List models, and change the user's own."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._session = session_of(viewer)
        self._notes: tuple[str, ...] = ()
        self._marked: Path | None = None
        self.form = ModelsForm()
        self.show_form(self.form, self.form.status)
        form = self.form
        form.list.currentItemChanged.connect(lambda *_: self._describe())
        form.list.itemActivated.connect(lambda _: self.use())
        for button, act in (
            (form.use, self.use),
            (form.duplicate, self.duplicate),
            (form.rename, self.rename),
            (form.revert, self.revert),
            (form.delete, self.delete),
            (form.restore, self.restore),
            (form.take_in, self.import_file),
            (form.export, self.export),
            (form.empty_trash, self.empty_trash),
        ):
            button.clicked.connect(lambda _=False, act=act: act())
        self._connections = Connections(self)
        self._connections.connect(self._session.events.models, self._list)
        self._connections.connect(self._session.events.model, self._list)
        self._list()

    @property
    def chosen(self) -> ListedModel | None:
        """The model that is marked in the list."""
        item = self.form.list.currentItem()
        return None if item is None else item.data(Qt.ItemDataRole.UserRole)

    # Acts.

    def use(self) -> None:
        """Use the marked model on all pages."""
        if self.chosen is not None and self.chosen.problem is None:
            named = self._path_of(self.chosen.name) == self.chosen.path
            self._session.model = self.chosen.name if named else str(self.chosen.path)
            self.form.status.say(f"{self.chosen.title} is used from now on.", "good")

    def duplicate(self, title: str = "") -> None:
        """Copy the marked model under another name."""
        if self.chosen is not None and (
            title := title or self._ask("Duplicate", f"{self.chosen.title} copy")
        ):
            self._change(
                partial(own_models.duplicate_model, str(self.chosen.path), title),
                "Copied to {title}.",
                mark=True,
            )

    def rename(self, title: str = "") -> None:
        """Give the marked model another name."""
        if self.chosen is not None and (title := title or self._ask("Rename", self.chosen.title)):
            self._change(
                partial(own_models.rename_model, str(self.chosen.path), title),
                "Renamed to {title}.",
                use=self._is_used(self.chosen),
                mark=True,
            )

    def revert(self) -> None:
        """Take back the version that is chosen in the list of them."""
        if self.chosen is not None:
            version = self.form.versions.currentData()
            said = f"{{title}} is version {version} again; what it was before is in the trash."
            self._change(partial(own_models.revert_model, str(self.chosen.path), version), said)

    def delete(self) -> None:
        """Move the marked model to the trash."""
        if self.chosen is not None:
            used = self._is_used(self.chosen)
            said = "Moved to the trash; Restore takes it back."
            if used:
                said += f" {card_of(_FIRST).title} is used again."
            self._change(
                partial(own_models.delete_model, str(self.chosen.path)), said, use=_FIRST if used else False
            )

    def restore(self) -> None:
        """Take the model that is chosen in the list of the trash out of it."""
        if (path := self.form.trash.currentData()) is not None:
            self._change(partial(restore_model, path), "{title} is back among your models.", mark=True)

    def import_file(self, path: str = "") -> None:
        """Copy a model file into the library."""
        path = path or QFileDialog.getOpenFileName(self, "Import a model", "", _IMPORTED)[0]
        if path:
            options = self.form.import_fields.options()
            self.form.status.say(f"Reading {Path(path).name}…")
            said = "Imported as {title}; every page uses it now.{notes}"
            self._change(partial(self._imported, path, options), said, use=True, mark=True)

    def _imported(self, path: str, options: dict[str, Any]) -> Path:
        from napari_utile.engine.exchange.importing import import_model

        taken = import_model(path, **options)
        self._notes = taken.notes  # read on the GUI thread once the job is done
        return taken.path

    def export(self, path: str = "") -> None:
        """Copy the marked model to a file, for another computer or a colleague."""
        if self.chosen is None:
            return
        source, kind = self.chosen.path, ""
        if not path:
            start = str(Path.home() / source.name)
            path, kind = QFileDialog.getSaveFileName(self, "Export the model", start, _EXPORTED)
        if path:
            self.form.status.say(f"Writing {Path(path).name}…")  # a package is run before it is written
            self._change(partial(_exported, source, path, kind), "Saved {file}.")

    def empty_trash(self) -> None:
        """Delete for good what lies in the trash, after asking."""
        if may_delete(self, "what is in the trash, the models and what was taken out of training sets"):
            self._change(own_models.empty_trash, "The trash is empty.")

    def _ask(self, what: str, title: str) -> str:
        given, pressed = QInputDialog.getText(self, what, "Name", text=title)
        return str(given).strip() if pressed else ""

    def _is_used(self, model: ListedModel) -> bool:
        return self._path_of(self._session.model) == model.path

    def _change(
        self, act: Callable[[], Path], said: str, *, use: bool | str = False, mark: bool = False
    ) -> None:
        """Do something with a file of the library, and say so.

        Parameters
        ----------
        act : callable
            Returns the file that it made or left.
        said : str
            With `title`, `file` and `notes` in braces.
        use : bool or str
            Whether that model, or which one, is used on all pages from then on.
        mark : bool
            Whether it is marked in the list.
        """

        def done(made: tuple[Path, str]) -> None:
            path, title = made
            if mark:
                self._marked = path
            if use:
                self._session.model = path.stem if use is True else use
            self._session.events.models_changed.emit()
            self._show_trash()
            notes, self._notes = "".join(f" {note}" for note in self._notes), ()
            words = {"title": title, "file": path.name, "notes": notes}
            self.form.status.say(said.format(**words), "good")

        run_job(as_job(_done_and_named, act), on_done=done, on_error=self.form.status.failed, owner=self)

    # What the user sees.

    def rest(self, covered: bool) -> None:
        """Look again at what is in the library when the page comes back: files may have been put there by hand."""
        if not covered:
            run_job(choices_job(), on_done=self._looked, owner=self)

    def _looked(self, found: Choices) -> None:
        self._session.models = found.models
        self._describe()
        self._show_trash()

    def _list(self, _: object = None) -> None:
        in_use = self._path_of(self._session.model)
        wanted = (self._marked, None if self.chosen is None else self.chosen.path, in_use)
        paths = {model.path for model in self._session.models}
        marked = next((path for path in wanted if path in paths), None)
        if marked == self._marked:
            self._marked = None  # once is enough: from then on it is what the user marks
        self.form.list.clear()
        for model in self._session.models:
            used = " (in use)" if model.path == in_use else ""
            item = QListWidgetItem(f"{model.title}{'' if model.bundled else ' (yours)'}{used}")
            item.setData(Qt.ItemDataRole.UserRole, model)
            self.form.list.addItem(item)
            if model.path == marked:
                self.form.list.setCurrentItem(item)
        self._describe()
        self._show_trash()

    def _path_of(self, name: str) -> Path:
        """Return the file that a name stands for."""
        listed = self._session.listed(name)
        return Path(name) if listed is None else listed.path

    def _show_trash(self) -> None:
        self.form.show_trash(thrown_models())
        self.form.show_disk_use(*own_models.disk_use())

    def _describe(self) -> None:
        model: Any = self.chosen
        self.form.about.setText("" if model is None else described(model))
        own = model is not None and not model.bundled
        versions = own_models.kept_versions(model.path) if own else []
        usable = model is not None and model.problem is None
        self.form.offer(usable, own, versions)


def _done_and_named(act: Callable[[], Path]) -> tuple[Path, str]:
    """Do something; return its file and, where that is a model, the title."""
    path = act()
    return path, (card_of(path).title if path.suffix == SUFFIX else "") or path.stem


def _exported(source: Path, path: str, kind: str) -> Path:
    """Write a model to a file; one without an ending gets that of the chosen kind, if nothing is replaced by that."""
    target = Path(path)
    if target.suffix.lower() not in (SUFFIX, ".zip"):
        target = target.with_name(target.name + (".zip" if kind == _PACKAGE else SUFFIX))
        if target.exists():
            raise UtileError(f"{target.name} is there already: choose another name.")
    if target.suffix.lower() == ".zip":
        from napari_utile.engine.exchange.export import export_model

        return export_model(source, target)
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
