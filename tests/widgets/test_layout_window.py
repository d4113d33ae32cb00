"""Nothing on any page is cut off: in a window of 1280 x 800, and with letters half as large again."""

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QFont
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
)
from superqt import QCollapsible

from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.workbench.dock import PAGES, Workbench
from napari_utile.widgets.workbench.reading_menu import ReadingMenu

pytestmark = pytest.mark.real_window

SHOWN = (QAbstractButton, QAbstractSpinBox, QComboBox, QLabel, QLineEdit)
CHOICES = ("Planes", "Link planes")
"""Boxes whose choices are words of the dock, not names of layers."""
LONG = "plate_7_well_B03_field_0012_" + 60 * "x" + "_/_" + 20 * "an_export_of_"


@pytest.fixture
def opened(make_napari_viewer, bright_nuclei):
    """Return the function that opens a window with an image of a long name, cells, a reference, and the dock."""
    return lambda: opened_in(make_napari_viewer(show=True))  # a window that the fixture held would not end


def opened_in(viewer):
    viewer.window._qt_window.resize(1280, 800)
    labels = np.zeros((2, 64, 64), int)
    labels[:, 10:20, 10:20], labels[:, 10:20, 22:40] = 1, 2
    viewer.add_image(np.random.default_rng(0).random((2, 64, 64)), name=LONG)
    viewer.add_labels(labels, name=f"{LONG} cells")
    viewer.add_labels(labels, name=f"{LONG} truth")
    dock = Workbench(viewer)
    viewer.window.add_dock_widget(dock, name="U-Tile")
    return viewer.window._qt_window, dock


def cut_off(page) -> list[str]:
    """Name the widgets of a page that lie beyond what can be seen or scrolled to, or are too small for their text."""
    (scroll,) = (each for each in page.children() if isinstance(each, QScrollArea))
    form, seen = scroll.widget(), scroll.viewport().width()
    sideways = scroll.horizontalScrollBar().maximum()
    found = [f"the page is {sideways} pixels too wide and scrolls sideways"] if sideways else []
    for part in page.findChildren(SHOWN):
        if not part.isVisible() or not (part.accessibleName() or getattr(part, "text", str)()):
            continue
        if form.isAncestorOf(part):
            left = part.mapTo(form, QPoint(0, 0)).x()
            if left < 0 or left + part.width() > seen:
                found.append(f"{said(part)} ends at {left + part.width()} of {seen}")
        least = part.minimumSizeHint()
        if isinstance(part, Words):
            least.setHeight(part.heightForWidth(part.width()))
        if isinstance(part, QAbstractSpinBox):  # whose hint has room for buttons that it does not have
            part, least = part.lineEdit(), part.fontMetrics().size(0, part.text())
        if part.width() < least.width() or part.height() < least.height() - 1:
            found.append(
                f"{said(part)} is {part.width()} x {part.height()}, not {least.width()} x {least.height()}"
            )
    return found


def choices_cut_off(page) -> list[str]:
    """Name the boxes that have no room for the longest of their choices."""
    found = []
    for box in page.findChildren(QComboBox):
        if box.isVisible() and box.accessibleName() in CHOICES:
            option = QStyleOptionComboBox()
            box.initStyleOption(option)
            parts = QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, box
            room = box.style().subControlRect(*parts).width()
            texts = [box.itemText(place) for place in range(box.count())]
            found += [text for text in texts if box.fontMetrics().horizontalAdvance(text) > room]
    return found


def shows_all(qtbot, page, name="segment"):
    """Wait until the letters are there and everything has its place."""

    def all_in_sight():
        assert (name, cut_off(page)) == (name, [])

    QTest.qWait(100)
    qtbot.waitUntil(all_in_sight, timeout=10_000)


def said(part) -> str:
    return f"{type(part).__name__} {getattr(part, 'text', part.accessibleName)()[:40]!r}"


def test_nothing_is_cut_off(opened, qtbot):
    frame, dock = opened()
    for name in PAGES:
        page = dock.open_page(name)
        page.form.status.say(f"Saved {LONG} and more words.")
        QTest.qWait(300)
        shows_all(qtbot, page, name)
        assert choices_cut_off(page) == []
        for part in page.findChildren(QCollapsible):
            part.expand(animate=False)
        shows_all(qtbot, page, name)
        assert frame.width() == 1280
        assert dock.width() <= 420, "the image keeps its room"


def test_the_buttons_of_the_evaluate_page_are_in_sight_without_scrolling(opened):
    _, dock = opened()
    page = dock.open_page("evaluate")
    page.form.show_has_result(True)
    page.form.status.say("cells: SEG 0.84, AP 0.89 at IoU 0.5, 9 errors.")
    QTest.qWait(300)
    (scroll,) = (each for each in page.children() if isinstance(each, QScrollArea))
    assert scroll.verticalScrollBar().maximum() == 0


def test_nothing_is_cut_off_in_the_3d_view(opened, qtbot):
    frame, dock = opened()
    page = dock.open_page("segment")
    frame._qt_viewer.viewer.dims.ndisplay = 3
    page.form.planes.kind.setCurrentIndex(1)
    qtbot.waitUntil(page.form.planes.hint.isVisible, timeout=10_000)
    shows_all(qtbot, page)


def test_nothing_is_cut_off_with_larger_letters(opened, qtbot):
    frame, dock = opened()
    frame.setStyleSheet(frame.styleSheet() + "* { font-size: 14pt; }")
    for name in PAGES:
        shows_all(qtbot, dock.open_page(name), name)


def test_everything_follows_the_size_of_letters_that_napari_is_set_to(opened, qtbot):
    _, dock = opened()
    page = dock.open_page("segment")
    (ask,) = (each for each in page.findChildren(QPushButton) if each.text() == "?")
    (reading,) = dock.findChildren(ReadingMenu)
    appearance = get_settings().appearance
    for size in (20, appearance.font_size):
        appearance.font_size = size
        shows_all(qtbot, page)
        assert choices_cut_off(page) == []
        assert ask.font() == reading.font() == page.form.run_bar.run_button.font()


@pytest.mark.parametrize("by", ["font", "style"])
def test_a_sentence_takes_less_room_in_smaller_letters_again(qtbot, by):
    words = Words("Cells that touch the border of the image are left out of the table of results.")
    qtbot.addWidget(words)
    words.resize(200, 20)
    words.show()

    def write(points):
        if by == "style":
            words.setStyleSheet(f"font-size: {points}pt;")
        else:
            words.setFont(QFont(words.font().family(), points))
        return words.minimumHeight()

    small, large = write(9), write(20)
    assert large > small
    assert write(9) == small


def test_long_names_break_where_they_have_marks(qtbot):
    words = Words(f"Saved {LONG}.")
    qtbot.addWidget(words)
    assert words.text() == f"Saved {LONG}."
    assert words.minimumSizeHint().width() < 24 * words.fontMetrics().maxWidth()
    assert words.minimumSizeHint().width() < 310
    rich = Words("<b>w</b> = 2&nbsp;" + 40 * "&nbsp;", rich=True)
    qtbot.addWidget(rich)
    assert rich.textFormat() == Qt.TextFormat.RichText
    assert rich.text().startswith("<b>")
