"""The one dock: a header, and a page for each thing to do with an image and its cells."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

import napari.viewer
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QSizePolicy,
    QStackedWidget,
    QTabBar,
    QWidget,
)

from napari_utile.widgets.connections import Connections, when_deleted
from napari_utile.widgets.later import later
from napari_utile.widgets.parts.arrange import column, line
from napari_utile.widgets.tabs import open_help
from napari_utile.widgets.viewer.hovered_rows import hover_by_plane
from napari_utile.widgets.viewer.keys import BorrowedKeys
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.linked_layers import restore_links
from napari_utile.widgets.workbench.closing import hold_page, keep_page, kept_page
from napari_utile.widgets.workbench.header import Header
from napari_utile.widgets.workbench.page import Page

PAGES = {
    "segment": ("Segment", "SegmentPage", "Find the cells of the image."),
    "click": ("Click", "ClickPage", "Take, split, merge and remove cells with the mouse."),
    "train": ("Train", "TrainPage", "Teach the model your own cells."),
    "weights": ("Weights", "WeightsPage", "See what training on these cells would weigh."),
    "evaluate": ("Evaluate", "EvaluatePage", "Compare the cells with a reference."),
    "models": ("Models", "ModelsPage", "See what models there are; import, export, rename and delete them."),
}
"""Name of each page: its title, class and what it is for."""

# Pixels.
_WIDTH, _LEAST_WIDTH, _HEIGHT = 340, 310, 640


class Workbench(QWidget):
    """The dock. It ends when its X is pressed, and rests while it is hidden or covered by another tab.

    napari's X takes the widget out of its dock and leaves it to Python's collector, which may come much later.
    For a hidden dock and a covered tab Qt emits the same signal.

    Attributes
    ----------
    bar : QTabBar
        Of the pages.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        hover_by_plane(self._viewer)
        self._connections = Connections(self)
        self._connections.connect(
            self._session.events.cells, self._restore_links
        )  # before pages ask for them
        self._restore_links(self._session.cells)
        self._pages: dict[str, Page] = {}
        self._covered = False
        self.header = Header(self._viewer, self._session)
        self.bar = QTabBar()
        self.bar.setObjectName("pages")
        self.bar.setAccessibleName("Pages")
        self.bar.setUsesScrollButtons(False)
        self.bar.setElideMode(Qt.TextElideMode.ElideNone)
        self.bar.setDrawBase(False)
        self.bar.setStyleSheet("QTabBar::tab { padding: 5px 5px; }")
        for title, _, about in PAGES.values():
            self.bar.setTabToolTip(self.bar.addTab(title), about)
        self._stack = QStackedWidget()
        column(self.header, self.bar, line(), (self._stack, 1), on=self, spacing=0)
        # Else napari puts an empty stretch below, which takes half of the height from the page.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._keys = BorrowedKeys(self._viewer, {"Control-Enter": self._press_main_button})
        self._ends: list[list[Callable[[], object]]] = [[self._keys.give_back]]
        ends = self._ends
        when_deleted(self, lambda: _end(ends))
        self.bar.currentChanged.connect(lambda index: self.open_page(list(PAGES)[index]))
        self.open_page(self._session.page)
        self._connections.connect(self._session.events.page, self.open_page)

    def page(self, name: str) -> Page:
        """Return a page; it is made when it is asked for the first time."""
        if name not in self._pages:
            made = cast(Page | None, kept_page(self._viewer, name)) or self._made(name)
            made.cover(True)
            viewer = self._viewer
            made.help_wanted.connect(lambda: open_help(viewer, name))
            self._pages[name] = made
            self._ends.append(made.ends)
            self._stack.addWidget(made)
        return self._pages[name]

    def _restore_links(self, cells: Any) -> None:
        restore_links(self._viewer, cells)

    def _made(self, name: str) -> Page:
        module = import_module(f"napari_utile.widgets.pages.{name}.page")
        return cast(Callable[..., Page], getattr(module, PAGES[name][1]))(self._viewer)

    def open_page(self, name: str) -> Page:
        """Show a page, and let the others rest."""
        page = self.page(name)
        self._session.page = name
        self._stack.setCurrentWidget(page)
        page.show()  # one that was kept while the dock was closed is hidden
        self.bar.setCurrentIndex(list(PAGES).index(name))
        self._cover()
        return page

    def minimumSizeHint(self) -> QSize:
        """Be no narrower than the widest page that was opened."""
        return super().minimumSizeHint().expandedTo(QSize(_LEAST_WIDTH, 0))

    def sizeHint(self) -> QSize:
        """Be narrow, so that the image keeps its room."""
        width = max(_WIDTH, self.minimumSizeHint().width())
        return QSize(width, max(super().sizeHint().height(), _HEIGHT))

    def changeEvent(self, event: QEvent | None) -> None:
        """Listen to the frame around this widget, and end when it is gone."""
        super().changeEvent(event)
        if event is None or event.type() != QEvent.Type.ParentChange:
            return
        frame = self.parent()
        if isinstance(frame, QDockWidget):
            frame.visibilityChanged.connect(self._seen)
            later(self, 0, self._join_tabs).start()
        elif frame is None:
            for page in self._pages.values():
                page.let_go()
            self._connections.disconnect_all()  # or the dock that is opened next would call this one
            _end(self._ends)
            for name, page in self._pages.items():
                if page.asks:
                    keep_page(self._viewer, name, page)
                elif page.undecided:
                    hold_page(self._viewer, name, page)
            self.deleteLater()

    def _join_tabs(self) -> None:
        """Become a tab of what is open on this side, such as a table: napari puts docks below each other."""
        frame = self.parent()
        window = frame.parent() if isinstance(frame, QDockWidget) else None
        if not isinstance(frame, QDockWidget) or not isinstance(window, QMainWindow):
            return
        beside = [
            other
            for other in window.findChildren(QDockWidget)
            if window.dockWidgetArea(other) == window.dockWidgetArea(frame)
            and other.isVisible()
            and not other.isFloating()
            and not isinstance(other.widget(), Workbench)
        ]
        if beside and not frame.isFloating() and beside[-1] not in window.tabifiedDockWidgets(frame):
            window.tabifyDockWidget(beside[-1], frame)
            frame.raise_()

    def _seen(self, seen: bool) -> None:
        if self.parent() is not None:
            self._covered = not seen
            self._cover()

    def _press_main_button(self, _: object = None) -> None:
        """Press the main button of the page that is shown."""
        page = self._pages[self._session.page]
        if page.main_button is not None and page.main_button.isVisible():
            page.main_button.click()

    def _cover(self) -> None:
        (self._keys.give_back if self._covered else self._keys.take)()
        current = self._stack.currentWidget()
        for page in sorted(
            self._pages.values(), key=lambda page: page is current
        ):  # keys are given back first
            page.cover(self._covered or (page is not current and not page.works_beside))


def _end(ends: list[list[Callable[[], object]]]) -> None:
    for functions in ends:
        while functions:
            functions.pop()()
