"""Numbers as people type them, in the locales of several countries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from qtpy.QtCore import QLocale, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractSpinBox

from napari_utile.widgets.parts.number_box import NumberBox, WholeNumberBox, read_number
from napari_utile.widgets.workbench.dock import Workbench

LOCALES = ("en_US", "de_DE", "fr_FR", "ru_RU", "hi_IN", "ar_EG", "de_CH", "tr_TR")


@pytest.fixture(params=LOCALES)
def country(request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


def type_into(box, text):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)
    return box.value()


@given(st.decimals(0, 10**6, places=2), st.sampled_from(".,"), st.sampled_from(".,"))
def test_a_point_and_a_comma_mean_the_same(number, mark, point):
    assert read_number(f"{number:f}".replace(".", mark), point) == float(number)


@given(st.text("0123456789.,' +-e\u00a0٣٫", max_size=8), st.sampled_from(".,"))
def test_no_digit_is_lost_and_none_added(text, point):
    number = read_number(text, point)
    if number is not None:
        digits = text.replace(",", ".").replace("٫", ".").replace("٣", "3").strip()
        assert number == float(f"0{digits}" if digits[0] not in "+-" else f"{digits[0]}0{digits[1:]}")


@pytest.mark.parametrize(
    ("text", "point"),
    [("1,500", "."), ("1.500", ","), ("1 500", "."), ("1'500", "."), ("1.234.567", "."), ("1,234.5", "."),
     ("1\u202f500", ","), ("", "."), (",", ","), ("-", "."), ("1e5", "."), ("twelve", ".")],
)  # fmt: skip
def test_thousands_marks_and_words_are_refused(text, point):
    assert read_number(text, point) is None


def test_boxes_take_both_marks_in_any_country(qtbot, country):
    box = NumberBox()
    qtbot.addWidget(box)
    box.setRange(0, 1000)
    box.setDecimals(3)
    box.setSuffix(" px")
    box.setKeyboardTracking(False)
    box.show()
    for typed, value in {"0.4": 0.4, "0,4": 0.4, ".35": 0.35, ",35": 0.35, "12.5": 12.5, "12,5": 12.5, "0.123": 0.123,
                         "1000": 1000}.items():  # fmt: skip
        assert type_into(box, typed) == pytest.approx(value), typed
        shown = box.text()
        box.setValue(7)
        box.lineEdit().setText(shown)  # keys of other scripts cannot be pressed by a test
        box.interpretText()
        assert box.value() == pytest.approx(value), "what is shown can be typed"
    box.setValue(7)
    for typed in ("1 000", "1'000", "2000", "1.2.3", "12..5", "1e2", "-3"):
        assert type_into(box, typed) == 7, typed


def test_boxes_of_whole_numbers_lose_no_mark(qtbot, country):
    box = WholeNumberBox()
    qtbot.addWidget(box)
    box.setRange(0, 5000)
    box.show()
    assert type_into(box, "1200") == 1200
    assert isinstance(box.value(), int)
    for typed in ("12.5", "12,5", "1,200", "1.200", "1 200", "12.", "6000", "1e3"):
        assert type_into(box, typed) == 1200, typed


def test_a_box_without_a_number_shows_its_word(qtbot, country):
    box = NumberBox()
    qtbot.addWidget(box)
    box.setRange(-1, 100)
    box.setSpecialValueText("automatic")
    box.setValue(-1)
    box.show()
    assert box.text() == "automatic"
    assert type_into(box, "12,5") == 12.5
    box.setValue(-1)
    assert type_into(box, "none") == -1
    assert box.text() == "automatic"


@pytest.fixture
def dock(qtbot, country):
    """With all of its pages."""
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 20, 20)))
    dock = Workbench(viewer)
    qtbot.addWidget(dock)
    for page in ("segment", "click", "train", "weights", "evaluate", "models"):
        dock.open_page(page)
    return dock


def test_every_field_of_the_dock_takes_a_point_and_a_comma(dock):
    boxes = dock.findChildren(QAbstractSpinBox)
    assert len(boxes) > 20
    rng = np.random.default_rng(0)
    seen = set()
    for box in boxes:
        assert isinstance(box, NumberBox), box.accessibleName()
        places = box.decimals()
        seen.add(places)
        low, high = box.minimum(), min(box.maximum(), 900)
        if box.specialValueText():
            low = max(low + box.singleStep(), 0) if low < 0 else box.singleStep()
        for number in rng.uniform(max(low, 0), high, 4):
            value = round(float(number), places)
            for mark in ".,":
                box.setValue(box.maximum())
                box.lineEdit().setText(f"{value:.{places}f}".replace(".", mark))
                box.interpretText()
                assert box.value() == pytest.approx(value), (box.text(), value, mark, places)
                shown = box.text()
                box.setValue(box.maximum())
                box.lineEdit().setText(shown)
                box.interpretText()
                assert box.value() == pytest.approx(value), shown
    assert len(seen) > 1
