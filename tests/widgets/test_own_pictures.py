"""What the plugin draws is never offered, and so never chosen unasked, as an image, labels or shapes; its cells are."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes

from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.viewer.own_pictures import CELLS, add_own, role_of
from napari_utile.widgets.workbench.dock import PAGES
from pages import page_of

ROLES = {
    Image: (
        "probability",
        "preview",
        "weight map",
        "network view",
        "sees",
        "compared",
        "difference",
        "learning",
    ),
    Labels: ("mask", "classes", "outline", "errors", "sees", "compared"),
    Shapes: ("diameter",),
}


@pytest.mark.parametrize("first", [True, False], ids=["before the dock", "after it"])
def test_own_pictures_are_offered_nowhere(qtbot, first):
    viewer = ViewerModel()
    data = np.zeros((24, 24), np.int32)
    data[4:12, 4:12] = 1

    def draw():
        for make, roles in ROLES.items():
            for role in roles:
                content = [np.array([[1, 1], [9, 9]])] if make is Shapes else data
                add_own(viewer, make(content, name=f"{role} {make.__name__}"), role)

    mine = viewer.add_image(data.astype(np.float32), name="mine"), viewer.add_labels(data, name="cells")
    if first:
        draw()
    page = page_of(viewer, "segment", qtbot)
    for name in PAGES:
        page.dock.open_page(name)
    if not first:
        draw()
    add_own(viewer, Labels(data, name="mine instances"), CELLS)
    offered = {}
    for combo in page.dock.findChildren(LayerCombo):
        layers = [combo.itemData(row) for row in range(combo.count())]
        for layer in layers:
            if layer is not None:
                offered.setdefault(role_of(layer), set()).add(layer)
    assert set(offered) == {"", CELLS}
    assert offered[""] == set(mine)
    assert page.dock.header.source.image.layer is mine[0]
    assert page.dock.header.cells.layer is mine[1]
