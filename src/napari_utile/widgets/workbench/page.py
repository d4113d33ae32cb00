"""What the pages of the dock share: an end that leaves nothing behind, and a form that scrolls in a low window."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QFrame,
    QScrollArea,
    QWidget,
)

from napari_utile.widgets.later import later
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import name_fields
from napari_utile.widgets.parts.room import room_for
from napari_utile.widgets.workbench.closing import GoesOn

# So long what was revealed stays in sight while it grows. Milliseconds.
_FOLLOWED = 1000
# Pixels above and below what is revealed.
_MARGIN = 8


class Column(QScrollArea):
    """A form that scrolls up and down, and is never narrower than its widgets and the scroll bar beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._shown: QWidget | None = None
        self._forget = later(self, _FOLLOWED, self._forget_shown)
        bar = self.verticalScrollBar()
        if bar is not None:
            bar.rangeChanged.connect(lambda *_: self._follow())

    def _forget_shown(self) -> None:
        self._shown = None

    def minimumSizeHint(self) -> QSize:
        """Keep room for the scroll bar, also while it is not needed: it must not move or cover anything."""
        least, form, bar = super().minimumSizeHint(), self.widget(), self.verticalScrollBar()
        if form is None or bar is None:
            return least
        around = bar.sizeHint().width() + 2 * self.frameWidth()  # napari's theme draws a frame
        return QSize(form.minimumSizeHint().width() + around, least.height())

    def sizeHint(self) -> QSize:
        """Wish for no less."""
        return super().sizeHint().expandedTo(self.minimumSizeHint())

    def show_all(self, part: QWidget) -> None:
        """Scroll no more than is needed to see a part of the form; of one that is too high, its upper end.

        Sentences ask for their height only once they have their width: it is followed for a moment.
        """
        self._shown = part
        self._forget.start()
        self._follow()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Let the user scroll elsewhere."""
        self._shown = None
        super().wheelEvent(event)

    def _follow(self) -> None:
        part, form, view, bar = self._shown, self.widget(), self.viewport(), self.verticalScrollBar()
        if part is None or form is None or view is None or bar is None or not part.isVisible():
            return
        top = part.mapTo(form, QPoint(0, 0)).y()
        bottom = top + part.height() + _MARGIN
        bar.setValue(min(max(bar.value(), bottom - view.height()), top - _MARGIN))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow a form whose widgets come and go."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest and watched is self.widget():
            self.updateGeometry()
        return super().eventFilter(watched, event)


class Page(GoesOn):
    """A page of the dock. It works on the image, the model and the cells that the session names.

    Attributes
    ----------
    covered : bool
        Whether another page is shown, or the dock is hidden or covered by another tab.
    ends : list of callable
        What is still to be called at the end.
    help_wanted : Signal
        Emitted by the button *?*.
    main_button : QAbstractButton, optional
        What Ctrl+Enter presses.
    """

    help_wanted = Signal()
    main_button: QAbstractButton | None = None

    def __init__(self) -> None:
        super().__init__()
        self.covered = False
        self.ends: list[Callable[[], object]] = []
        self._scroll = Column()

    def show_form(self, form: QWidget, below: QWidget) -> None:
        """Fill the page; to be called once.

        Parameters
        ----------
        below : QWidget
            Stays in sight under the form, however low the window is.
        """
        self._scroll.setWidget(form)
        name_fields(form)
        ask = push_button("?", "Open the chapter on this page.")
        ask.setAccessibleName("Help on this page")
        room_for(ask, ask.text())
        ask.clicked.connect(lambda _: self.help_wanted.emit())
        below.setContentsMargins(0, 4, 0, 4)
        foot = row((below, 1), margins=(8, 0, 8, 4))
        foot.addStretch(0)
        foot.addWidget(ask, 0, Qt.AlignmentFlag.AlignBottom)
        column(self._scroll, foot, on=self)

    def reveal(self, part: QWidget) -> None:
        """Scroll so that all of a part of the form is in sight, once sentences and buttons have their places."""
        timer = later(part, 0, lambda: self._scroll.show_all(part))
        timer.timeout.connect(timer.deleteLater)
        timer.start()

    def at_end(self, function: Callable[[], object]) -> None:
        """Call a function once: when the X is pressed, or when Qt deletes the dock. It must not refer to the page."""
        self.ends.append(function)

    def cover(self, covered: bool) -> None:
        """Say whether the page is out of sight."""
        if covered is not self.covered:
            self.covered = covered
            self.rest(covered)

    def rest(self, covered: bool) -> None:
        """Give mouse and keys back while the page is out of sight, and take them again; jobs go on."""

    @property
    def works_beside(self) -> bool:
        """Whether its keys work while another page is shown."""
        return False

    @property
    def undecided(self) -> bool:
        """Whether something that was made waits for a decision, and so for the dock to be opened again."""
        return False

    def let_go(self) -> None:
        """End the jobs, as the X was pressed; but not one that is asked about."""
