"""The question before something is deleted for good."""

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from napari_utile.widgets.deleting import may_delete


@pytest.mark.parametrize(
    ("key", "deletes"), [(Qt.Key.Key_Return, False), (Qt.Key.Key_Escape, False), ("Yes", True)]
)
def test_only_yes_deletes(qtbot, key, deletes):
    window, said = QWidget(), []
    qtbot.addWidget(window)

    def answer():
        box = QApplication.activeModalWidget()
        said.append(box.text())
        if key == "Yes":
            QTest.mouseClick(box.button(QMessageBox.StandardButton.Yes), Qt.MouseButton.LeftButton)
        else:
            QTest.keyClick(box, key)

    QTimer.singleShot(100, answer)
    assert may_delete(window, "slide.cells.ome.zarr") is deletes
    assert said == ["Delete slide.cells.ome.zarr? This cannot be undone."]
