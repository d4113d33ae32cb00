"""The tab *Batch*: open layers, files and folders segmented one after the other, with a summary."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import napari.viewer
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
)

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.files.find import IMAGE_SUFFIXES
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.provenance.command import command_options
from napari_utile.engine.segment_params import MEASURED, SegmentParams, suggested_instances
from napari_utile.engine.words import counted, percent, rescaled
from napari_utile.session.batch import (
    BatchImage,
    BatchRequest,
    BatchStep,
    FinishedBatch,
    batch_in_words,
    batch_job,
)
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import as_in_the_dock, failures_to
from napari_utile.widgets.files.writer import save_image
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.place_table import PlaceTable
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.tabs import open_review, open_tab
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.own_pictures import is_own
from napari_utile.widgets.workbench.closing import GoesOn, guard_window, keep_page, kept_page

_NAME = "U-Tile batch"
_FILTER = f"Images (*{' *'.join(IMAGE_SUFFIXES)});;All files (*)"


def open_batch(viewer: napari.viewer.Viewer) -> "BatchTab":
    """Open the tab *Batch* beside the dock, or bring it to the front."""
    tab: BatchTab = open_tab(viewer, _NAME, lambda _: kept_page(viewer, _NAME) or BatchTab(viewer))
    tab.show()  # one that was kept while it was in no dock is hidden
    return tab


class BatchTab(BarJob, GoesOn):
    """Chooses images and a folder for the results, runs the batch, and shows what came out.

    Attributes
    ----------
    finished : FinishedBatch or None
        What the last batch did.
    """

    doing = "U-Tile segments images"
    opened = "U-Tile: segment many images"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer, self._session = plain_viewer(viewer), session_of(viewer)
        self.finished: FinishedBatch | None = None
        self._done = ""
        self.images = QListWidget()
        self.images.setAccessibleName("Images of the batch")
        self.images.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.images.setMaximumHeight(160)
        self.add_layers = push_button("Add open images", "Add every image layer that is open.")
        self.add_files = push_button("Add files…", "Add image files.")
        self.add_folder = push_button("Add folder…", "Add all images of a folder.")
        self.remove = push_button("Remove", "Remove the marked images from the list.")
        self.target = QLineEdit()
        self.target.setAccessibleName("Results")
        self.target.setPlaceholderText("folder for the results")
        self.choose = push_button("…", "Choose the folder for the results.")
        room_for(self.choose, self.choose.text())
        self.how = Words()
        self.run_bar = RunBar("Segment all", "Segment every image of the list, one after the other.")
        self.run_bar.cancel_button.setToolTip("Stop now; finished images stay.")
        self.table = PlaceTable(("Image", "Cells", "Covered", "Sure"), numbers=(1, 2, 3))
        self.open_sheet = push_button(
            "Quality sheet", "Open thumbnails of all images, the worst first, as a web page."
        )
        self.review = push_button(
            "Review", "Look at the results one after the other, the least sure first, and correct them."
        )
        self.copy_command = push_button("Copy command", "Copy the command line that does the same.")
        self.status = StatusLine()
        self._arrange()
        self._connect()
        self._show_how()
        self._show_finished(None)
        guard_window(viewer, self)
        self.status.say("Add images, choose a folder for the results, and press Segment all.")

    def _arrange(self) -> None:
        grid = QGridLayout()
        for number, button in enumerate((self.add_layers, self.add_files, self.add_folder, self.remove)):
            grid.addWidget(button, *divmod(number, 2))
        column(
            self.images,
            grid,
            row(QLabel("Results"), (self.target, 1), self.choose),
            self.how,
            self.run_bar,
            (self.table, 1),
            row(self.open_sheet, self.review),
            self.copy_command,
            self.status,
            on=self,
            margins=None,
        )

    def _connect(self) -> None:
        self.add_layers.clicked.connect(lambda _: self.add_open_images())
        self.add_files.clicked.connect(lambda _: self._ask_files())
        self.add_folder.clicked.connect(lambda _: self._ask_folder())
        self.remove.clicked.connect(lambda _: self._remove(self.images.selectedItems()))
        self.choose.clicked.connect(lambda _: self._ask_target())
        self.run_bar.run.connect(self.run)
        self.run_bar.cancel.connect(self.cancel)
        self.open_sheet.clicked.connect(lambda _: self._open_sheet())
        self.review.clicked.connect(lambda _: self._review())
        self.copy_command.clicked.connect(lambda _: self._copy())
        self._connections = Connections(self)
        for event in (self._session.events.model, self._session.events.asked, self._session.events.values):
            self._connections.connect(event, self._show_how)
        self._connections.connect(self._session.events.closed, self.drop)
        self._connections.connect(self._viewer.layers.events.removed, self._layer_removed)

    # The list.

    def add_open_images(self) -> None:
        """Add every open image: its file where it has one, else its pixels."""
        for layer in self._viewer.layers:
            if layer._type_string != "image" or is_own(layer):
                continue
            path = layer.source.path
            if path and Path(path).exists():
                self.add(Path(path))
            else:
                self._add_item(f"{layer.name} (open layer)", layer)
        if not self.images.count():
            self.status.problem("There is no open image: add files or a folder.")

    def add(self, path: Path) -> None:
        """Add a file or folder, once."""
        self._add_item(str(path), path)
        if not self.target.text():
            beside = path if path.is_dir() else path.parent
            self.target.setText(str(beside / "segmented"))

    def _add_item(self, text: str, what: Any) -> None:
        if self._items_of(what):
            return
        item = QListWidgetItem(text)
        item.setToolTip(text)
        item.setData(Qt.ItemDataRole.UserRole, what)
        self.images.addItem(item)

    def _items(self) -> list[QListWidgetItem]:
        items = (self.images.item(place) for place in range(self.images.count()))
        return [item for item in items if item is not None]

    def _items_of(self, what: Any) -> list[QListWidgetItem]:
        """Return the items of a path or a layer; another layer may have got the name of one that was closed."""
        return [item for item in self._items() if _means(item) == what]

    def _remove(self, items: list[QListWidgetItem]) -> None:
        for item in items:
            self.images.takeItem(self.images.row(item))

    def _layer_removed(self, event: Any) -> None:
        self._remove(self._items_of(event.value))

    def _ask_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Images", "", _FILTER)
        for path in paths:
            self.add(Path(path))

    def _ask_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "A folder of images"):
            self.add(Path(folder))

    def _ask_target(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Folder for the results", self.target.text()):
            self.target.setText(folder)

    # Running.

    def request(self) -> BatchRequest:
        """Capture what the button would do now.

        Raises
        ------
        ValueError, UtileError
            In one sentence, if something is missing.
        """
        chosen = [_means(item) for item in self._items()]
        if not chosen:
            raise ValueError("Add open images, files or a folder first.")
        if not self.target.text().strip():
            raise ValueError("Choose a folder for the results first.")
        target = Path(self.target.text().strip()).expanduser()
        paths = tuple(each for each in chosen if isinstance(each, Path))
        layers = tuple(_written(each) for each in chosen if not isinstance(each, Path))
        return BatchRequest(paths, layers, target, tuple(self._options()))

    def _params(self) -> SegmentParams:
        asked = self._session.asked or SegmentParams()
        return replace(asked, model=self._session.model, channels=self._session.image.channels)

    def _options(self) -> list[str]:
        params = self._params()
        usual = SegmentParams(params.model)
        words = ["--model", params.model, *command_options(SegmentParams, params, reference=usual)]
        if values := self._values():
            suggested = suggested_instances(card_of(params.model), params.known_diameter)
            words += command_options(InstanceParams, replace(suggested, **values), reference=suggested)
        return words

    def _values(self) -> Mapping[str, Any]:
        """Return what was chosen for the model on the page Segment, if it is the chosen one still."""
        asked = self._session.asked
        return self._session.values if asked is not None and asked.model == self._session.model else {}

    def run(self) -> None:
        """Start the batch."""
        if self.running:
            return
        with failures_to(self.status.failed):
            request = self.request()
            self.table.set_rows([])
            self._show_finished(None)
            self._done = "no image is done"
            self.status.say(f"Results go to {request.target}.")
            self.begin(
                batch_job(request),
                "starting…",
                on_progress=lambda step: self._show_step(step, request.target),
                on_done=self._finish,
                on_error=self._fail,
                on_cancelled=self._cancelled,
            )

    @property
    def asks(self) -> str:
        """A batch is under way."""
        return f"A batch is under way: {self._done}." if self.running else ""

    def _show_step(self, step: BatchStep, target: Path) -> None:
        if step.total:
            are = "is" if step.total == 1 else "are"
            self._done = f"{step.done} of {counted(step.total, 'image')} {are} done, in {target}"
            self.activity.update(step.done, step.total)
            self.run_bar.set_progress(step.done, step.total, f"{step.done} of {step.total} images")
            if step.said:
                self.status.say(f"{step.said} is done.")

    def _cancelled(self) -> None:
        self.status.say(f"Cancelled: {self._done}.")
        if self.parent() is None:
            show_info(self.status.text())

    def _fail(self, error: Exception) -> None:
        self.status.failed(error)
        self._tell_end()

    def _tell_end(self) -> None:
        self.activity.end(f"The batch has ended: open {self.opened}.")

    def _finish(self, finished: FinishedBatch) -> None:
        self._show_finished(finished)
        self.table.set_rows(
            [_row(image) for image in finished.images],
            [as_in_the_dock(image.failed) or image.flags or image.name for image in finished.images],
        )
        failures = [
            f"{Path(image.name).name}: {as_in_the_dock(image.failed)}"
            for image in finished.images
            if image.failed
        ]
        said = f"{finished} Results: {finished.target}."
        self.status.say(" ".join([said, *failures[:3]]), "problem" if failures else "good")
        self._tell_end()

    def _open_sheet(self) -> None:
        if self.finished is not None and self.finished.sheet is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.finished.sheet)))

    def _show_finished(self, finished: FinishedBatch | None) -> None:
        self.finished = finished
        self.open_sheet.setEnabled(finished is not None and finished.sheet is not None)
        self.review.setEnabled(finished is not None and finished.failed < len(finished.images))

    def _review(self) -> None:
        if self.finished is not None:
            open_review(self._viewer).review(self.finished.target)

    def _copy(self) -> None:
        with failures_to(self.status.failed):
            self.status.copied(batch_in_words(self.request()))

    def _show_how(self, _: object = None) -> None:
        params = self._params()
        listed = self._session.listed(params.model)
        card = None if listed is None else listed.card
        title = params.model if listed is None else listed.title
        size = f"cells of {params.diameter} px"
        if params.diameter is None or (card is not None and card.own_size and params.diameter in MEASURED):
            zoomed = rescaled(1.0 if card is None else card.scale)
            size = f"images {zoomed or 'as they are'}"
        elif params.diameter in MEASURED:
            size = "the cell size measured"
        sliders = " and the sliders" if self._values() else ""
        self.how.setText(f"With {title}, {size}{sliders} as on the page Segment.")

    def changeEvent(self, event: QEvent | None) -> None:
        """Ask about a batch when the X of the tab takes it out of its frame; else end."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            if self.asks:
                keep_page(self._viewer, _NAME, self)
            else:
                self.drop()
                self.deleteLater()


def _means(item: QListWidgetItem) -> Any:
    """Return the path or the open layer that an item of the list stands for."""
    return item.data(Qt.ItemDataRole.UserRole)


def _written(layer: Any) -> tuple[str, Any]:
    data, attributes, _ = layer.as_layer_data_tuple()
    return layer.name, partial(_write, save_image, data, attributes)


def _write(save: Any, data: Any, attributes: Any, path: Path) -> None:
    save(str(path), data, attributes)


def _row(image: BatchImage) -> tuple[str, str, str, str]:
    name = Path(image.name).name
    if image.failed:
        return name, "failed", "", ""
    covered = "" if image.covered is None else percent(image.covered)
    return name, f"{image.cells:,}", covered, "" if image.confidence is None else percent(image.confidence)
