"""What has a fixed width has room for its words at every size of the letters."""

import pytest
from qtpy.QtWidgets import QLabel, QPushButton

from napari_utile.widgets.parts.room import room_for


@pytest.mark.parametrize("points", [6, 9, 18, 40])
def test_the_width_follows_the_font(qtbot, points):
    button = QPushButton("Draw")
    qtbot.addWidget(button)
    room_for(button, "Draw", beside=20)
    font = button.font()
    font.setPointSize(points)
    button.setFont(font)
    label = QLabel("Draw")
    qtbot.addWidget(label)
    label.setFont(font)
    assert (
        button.minimumWidth() == button.maximumWidth() == label.fontMetrics().horizontalAdvance("Draw") + 20
    )
