"""What is folded is out of the way of the keyboard as well, and fields have names for screen readers."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QScrollBar,
    QVBoxLayout,
    QWidget,
)

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form
from napari_utile.widgets.workbench.dock import PAGES
from pages import page_of


def test_folded_fields_are_not_reached_by_the_tab_key_until_they_are_unfolded(qtbot):
    window, inside = QWidget(), QLineEdit()
    qtbot.addWidget(window)
    part = folded("More", inside)
    QVBoxLayout(window).addWidget(part)
    window.show()
    assert not inside.isVisible()
    assert part.text() == "▸ More"
    part.expand(animate=False)
    assert part.text() == "▾ More"
    assert inside.isVisible()
    assert inside.height() >= inside.sizeHint().height() - 2
    part.collapse(animate=False)
    assert not inside.isVisible()


@pytest.mark.parametrize("animate", [False, True])
def test_what_is_unfolded_grows_with_what_is_said_in_it(qtbot, animate):
    window, said = QWidget(), QLabel("Short.")
    qtbot.addWidget(window)
    part = folded("More", QLineEdit(), said)
    QVBoxLayout(window).addWidget(part)
    window.resize(200, 600)
    window.show()
    part.expand(animate=animate)
    qtbot.wait(50)
    for _ in range(2):
        said.setText(said.text() + "\nAnother line." * 4)
        qtbot.waitUntil(lambda: said.height() >= said.sizeHint().height())
    part.collapse(animate=animate)
    assert not said.isVisible()


def test_every_field_of_a_form_has_a_name(qtbot):
    form = Form(InstanceParams(), ("threshold", "minimum_size"), slide={"minimum_size": (0, 500)})
    assert {form[name].native.accessibleName() for name in ("threshold", "minimum_size")} == {
        "Threshold",
        "Minimum size",
    }
    assert all(part.accessibleName() for part in form["threshold"].native.findChildren(QWidget))


@pytest.mark.parametrize("name", PAGES)
def test_every_field_of_every_page_has_a_name(qtbot, name):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 32, 32)))
    page = page_of(viewer, name, qtbot)
    fields = QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit
    nameless = []
    for field in page.dock.findChildren(fields):
        inside = field.parentWidget()
        if isinstance(field, QScrollBar | QHeaderView) or isinstance(
            inside, QAbstractSpinBox | QAbstractItemView
        ):
            continue
        if isinstance(inside.parentWidget(), QComboBox):  # its list
            continue
        if not field.accessibleName() and not (isinstance(field, QAbstractButton) and field.text()):
            nameless.append(f"{type(field).__name__} {field.objectName()}: {field.toolTip()[:60]}")
    assert not nameless, "\n".join(sorted(set(nameless)))
