from qtpy.QtCore import Qt

from napari_utile.widgets.parts.place_table import PlaceTable


def test_numbers_end_below_each_other_and_below_their_heading(qtbot):
    table = PlaceTable(("Image", "Cells"), numbers=(1,))
    qtbot.addWidget(table)
    table.set_rows([("one", "9"), ("another", "1,234")])
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    for column, side in ((0, left), (1, right)):
        items = [table.horizontalHeaderItem(column), *(table.item(row, column) for row in range(2))]
        assert all(item.textAlignment() == side for item in items)
