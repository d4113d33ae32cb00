"""A label layer says where cells are looked for: page Segment, Where, Inside labels."""

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels
from npe2 import PluginManager

import napari_utile.session.store_jobs as store_jobs
import napari_utile.widgets.viewer.label_mask as label_masks
from napari_utile.engine.windows import Window
from napari_utile.widgets.viewer.label_mask import label_mask
from napari_utile.widgets.viewer.layers import place_of
from pages import page_of, slide


def read(labels, image):
    """Return the mask of the whole plane."""
    viewer = ViewerModel()
    for layer in (image, labels):
        viewer.add_layer(layer)
    place = place_of(image, viewer)
    region, inside = label_mask(labels, image, place)
    whole = np.zeros(place.plane_shape, bool)
    window = Window.part_of(place.plane_shape, region)
    whole[window] = True if inside is None else inside
    return whole


masks = st.integers(0, 10**6).map(lambda seed: np.random.default_rng(seed).random((12, 9)) < 0.3)


@settings(deadline=None, max_examples=40)
@given(masks, st.sampled_from([1, 2, 3]), st.integers(-4, 4), st.integers(-4, 4))
def test_labels_of_any_resolution_and_place_count_where_they_lie(mask, step, down, right) -> None:
    image = Image(np.zeros((24, 20), np.uint8), scale=(0.5, 0.5))
    size = 0.5 * step
    # The corner of the first pixel of the labels lies on the corner of a pixel of the image.
    start = [0.5 * (at + (step - 1) / 2) for at in (down, right)]
    labels = Labels(mask.astype(np.uint8), scale=(size, size), translate=start)
    expected = np.zeros((24, 20), bool)
    large = np.kron(mask, np.ones((step, step), bool))
    rows, columns = (slice(max(at, 0), at + n) for at, n in zip((down, right), large.shape, strict=True))
    part = expected[rows, columns]
    part[...] = large[max(-down, 0) :, max(-right, 0) :][: part.shape[0], : part.shape[1]]
    if not expected.any():
        with pytest.raises(ValueError, match="has no label on"):
            read(labels, image)
        return
    np.testing.assert_array_equal(read(labels, image), expected)


def test_labels_with_sliders_count_on_the_plane_of_the_image_and_turned_ones_are_refused() -> None:
    image = Image(np.zeros((3, 8, 6), np.uint8))
    labels = np.zeros((3, 8, 6), np.uint8)
    for plane in range(3):
        labels[plane, : plane + 1] = 1
    assert read(Labels(labels), image)[:, 0].sum() == 2, "the viewer shows the plane in the middle"
    assert read(Labels(labels[2]), image)[:, 0].sum() == 3
    with pytest.raises(ValueError, match="turned against"):
        read(Labels(labels[0], rotate=30), image)
    swapped = Labels(labels[2].T.copy(), affine=[[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(read(swapped, image), labels[2] > 0)


@pytest.fixture
def page(qtbot, tmp_path, monkeypatch, bright_nuclei):
    PluginManager.instance().discover()
    monkeypatch.setattr(store_jobs.Path, "home", lambda: tmp_path)
    data = slide()
    viewer = ViewerModel()
    viewer.add_image(data, name="slide")
    tissue = np.zeros((90, 120), np.uint8)
    tissue[:, 40:100] = 3
    viewer.add_labels(tissue, name="tissue")
    page = page_of(viewer, "segment", qtbot)
    page.dock.show()
    page.form.diameter.value = None
    kind = page.form.region.kind
    kind.setCurrentIndex(kind.findText("Inside labels"))
    kind.activated.emit(kind.currentIndex())
    assert page.form.region.labels.isVisible()
    return page


def done(page, qtbot):
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert page.form.status.kind != "problem", page.form.status.text()


def test_cells_are_found_inside_labels_only(page, qtbot) -> None:
    done(page, qtbot)
    found = page.viewer.layers["slide instances"]
    assert found.data.max() == 12
    assert "12 cells" in page.form.summary.text()


def test_large_images_take_a_coarser_mask(page, qtbot, tmp_path, monkeypatch) -> None:
    for module in (store_jobs, label_masks):
        monkeypatch.setattr(module, "MOST_IN_MEMORY", 3000)
    _, request = page.request()
    assert request.region is None
    assert np.asarray(request.inside).shape == (45, 60)
    done(page, qtbot)
    labels = zarr.open_array(tmp_path / "U-Tile/slide.cells.ome.zarr/labels/cells/0", mode="r")[...]
    assert labels.max() == 12
    assert not labels[:, :39].any()


def test_planes_of_a_stack_are_segmented_in_the_labels_of_each(page, qtbot, monkeypatch) -> None:
    viewer = page.viewer
    [data, tissue] = [np.stack([layer.data, layer.data]) for layer in viewer.layers]
    viewer.layers.clear()
    tissue[1, :, :60] = 0
    viewer.add_image(data, name="slide", axis_labels=("z", "y", "x"))
    viewer.add_labels(tissue, name="tissue", axis_labels=("z", "y", "x"))
    page.form.planes.kind.setCurrentIndex(page.form.planes.kind.findData("all"))
    done(page, qtbot)
    found = viewer.layers["slide instances"].data
    assert [np.unique(plane).size - 1 for plane in found] == [12, 8]
    monkeypatch.setattr(store_jobs, "MOST_IN_MEMORY", 3000)
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=120_000)
    assert "The labels differ from plane to plane" in page.form.status.text()
    page.form.linking.kind.setCurrentIndex(page.form.linking.kind.findData("views"))
    page.run()
    assert "Three views segment boxes" in page.form.status.text()


def test_labels_that_are_empty_are_said(page, qtbot) -> None:
    page.viewer.layers["tissue"].data = np.zeros((90, 120), np.uint8)
    page.run()
    assert "tissue has no label on slide" in page.form.status.text()
