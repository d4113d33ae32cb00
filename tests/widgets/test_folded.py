"""What is folded is out of the way of the keyboard as well, and fields have names for screen readers."""

from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.widgets.parts.folded import folded
from napari_utile.widgets.parts.forms import Form


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


def test_every_field_of_a_form_has_a_name(qtbot):
    form = Form(InstanceParams(), ("threshold", "minimum_size"), slide={"minimum_size": (0, 500)})
    assert {form[name].native.accessibleName() for name in ("threshold", "minimum_size")} == {
        "Threshold",
        "Minimum size",
    }
    assert all(part.accessibleName() for part in form["threshold"].native.findChildren(QWidget))
