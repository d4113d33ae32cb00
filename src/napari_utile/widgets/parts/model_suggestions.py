"""Which model fits? Every model rated on the image, in a list to choose from."""

from collections.abc import Hashable
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from napari_utile.engine.fitting.ranking import NOT_KNOWN, RatedModel, Ratings
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.windows import Window
from napari_utile.session.measured import Stack
from napari_utile.session.model_suggestions import PICTURED, Picture, pictures_job, suggest_job
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine

_NONE_FITS = (
    f"No model looks right for this image; none knows {NOT_KNOWN} well. Paint a few cells, choose them as Cells above, "
    "and press Fit to these cells, or Train; where you have labels of their nuclei, grow the cells from them."
)
_CLICK_ONE = "Best fit first, with what each finds in view. Click a model to use it."
_MOST_ROWS = 5
_PICTURE = 56


class ModelSuggestions(BarJob, QWidget):
    """A button that rates every model on an image, and the list of them; a click on one sets `Session.model`.

    Attributes
    ----------
    asked : Signal
        Emitted when the button is pressed; answer it with `suggest_for`.
    advice : StatusLine
        Above the button: a doubt about the chosen model.
    answer : StatusLine
        Below it: what to do with the list.
    """

    asked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._subject: Hashable = None
        self.advice = StatusLine()
        self.answer = StatusLine()
        self.run_bar = RunBar(
            "Which model fits?", "Try every model on this image, and list them, the best fit first."
        )
        self.run_bar.run_button.setObjectName("which_model_fits")
        self.run_bar.run_button.setMinimumHeight(0)
        self.run_bar.cancel_button.setToolTip("Stop; what was found so far stays in the list.")
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.setIconSize(QSize(_PICTURE, _PICTURE))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName("Models, the best fit first")
        self.list.hide()
        column(self.advice, self.run_bar, self.answer, self.list, on=self, spacing=4)
        self.clear()
        self.run_bar.run.connect(self.asked)
        self.run_bar.cancel.connect(self.cancel)
        self.list.itemClicked.connect(self._choose)
        self.list.itemActivated.connect(self._choose)
        self._connections = Connections(self)
        self._connections.connect(session.events.model, self._model_chosen)

    def suggest_for(
        self, stack: Stack, params: SegmentParams, plane: ImagePlane, view: Window | None = None
    ) -> None:
        """Rate every model on the planes of an image, then show what each makes of the part in view.

        Parameters
        ----------
        params : SegmentParams
            Channels, device and precision are used.
        plane : ImagePlane
            The one on screen.
        view : Window, optional
            What is in view of it; without it there are no pictures.
        """
        self.follow(stack, params)
        self.clear()
        self.begin(
            suggest_job(self._session, params, stack),
            "starting…",
            on_progress=self._show_progress,
            on_done=lambda ratings: self._show_all(ratings, stack, params, plane, view),
            on_error=self.answer.failed,
        )

    def follow(self, stack: Stack, params: SegmentParams) -> None:
        """Forget what was said where it was about another image or channel."""
        subject = stack.key, params.channels and params.channels[:1]
        if subject != self._subject:
            self._subject = subject
            self.clear()

    def clear(self) -> None:
        """Stop, and forget what was said."""
        self.drop()
        self.run_bar.set_idle()
        self.advice.say("")
        self.answer.say("")
        self.list.clear()
        self.list.hide()

    def doubt(self, sentence: str) -> None:
        """Say above the button that the chosen model may not fit; nothing where the list says so."""
        if not self.running and self.list.isHidden():
            self.advice.say(sentence, "problem" if sentence else "info")

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Make room for lines that wrap."""
        super().resizeEvent(event)
        self._fit_height()

    def _show_progress(self, ratings: Ratings) -> None:
        self._show(ratings)
        done = len(ratings.models)
        self.run_bar.set_progress(done, ratings.total, f"{done + 1} of {ratings.total}: {ratings.next_title}")

    def _show_all(
        self,
        ratings: Ratings,
        stack: Stack,
        params: SegmentParams,
        plane: ImagePlane,
        view: Window | None,
    ) -> None:
        self._show(ratings)
        if ratings.any_looks_right:
            self.answer.say(_CLICK_ONE)
        else:
            self.answer.problem(_NONE_FITS)
        if view is None:
            return
        self.begin(
            pictures_job(self._session, params, stack, plane, view.central(PICTURED), ratings.models),
            "pictures of what each finds…",
            on_progress=self._show_picture,
            on_done=lambda _: None,
            on_error=self.answer.failed,
        )

    def _show_picture(self, made: tuple[str, Picture] | None) -> None:
        if made is None:
            return
        name, picture = made
        height, width = picture.shape[:2]
        image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        for row in range(self.list.count()):
            item: Any = self.list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == name:
                item.setIcon(QIcon(QPixmap.fromImage(image)))
        self._fit_height()

    def _show(self, ratings: Ratings) -> None:
        if len(ratings.models) == self.list.count():
            return
        self.list.clear()
        for rated in ratings.models:
            self.list.addItem(_item(rated))
        self.list.show()
        self._mark_chosen(self._session.model)
        self.list.scrollToTop()
        self._fit_height()

    def _choose(self, item: QListWidgetItem) -> None:
        self._session.model = item.data(Qt.ItemDataRole.UserRole)

    def _model_chosen(self, name: str) -> None:
        self.doubt("")
        self._mark_chosen(name)

    def _mark_chosen(self, name: str) -> None:
        for row in range(self.list.count()):
            item: Any = self.list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == name:
                self.list.setCurrentItem(item)

    def _fit_height(self) -> None:
        """Show all models without scrolling, where they are few."""
        few = self.list.count() <= _MOST_ROWS
        policy = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if few else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.list.setVerticalScrollBarPolicy(policy)  # its bar would make more lines wrap
        self.list.scheduleDelayedItemsLayout()
        last = self.list.item(min(self.list.count(), _MOST_ROWS) - 1)
        if last is not None:
            bottom = self.list.visualItemRect(last).bottom() + self.list.verticalOffset()
            self.list.setFixedHeight(bottom + 2 * self.list.frameWidth() + 3)


def _item(rated: RatedModel) -> QListWidgetItem:
    size = "" if rated.diameter is None else f", {rated.diameter:.0f} px across"
    item = QListWidgetItem(f"{rated.title}{size}\n{rated.in_words()}")
    item.setData(Qt.ItemDataRole.UserRole, rated.name)
    item.setToolTip(
        "" if rated.problem else f"Click to use {rated.title}. The number is its confidence in its cells."
    )
    if rated.problem:
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item
