"""Other ways that an annotated image may look: the annotation stays with it."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.training.annotated_image import AnnotatedImage

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy_runs.images")


@pytest.mark.parametrize(
    ("look", "factor"), [("enlarged", 2), ("shrunk", 0.5), ("dim", 1), ("inverted", 1), ("blurred", 1)]
)
def test_an_image_that_looks_otherwise_keeps_its_cells(images, look: str, factor: float) -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[4:16, 8:20], labels[20:36, 30:50] = 1, 2
    plane = plane_from_array((200 * (labels > 0) + 20).astype(np.uint16), "YX")
    seen = images.LOOKS[look](AnnotatedImage(plane, labels))
    assert seen.labels.shape == seen.plane.shape == (40 * factor, 60 * factor)
    assert set(np.unique(seen.labels)) == {0, 1, 2}
    values = np.asarray(seen.plane.data)[0]
    cells, around = values[seen.labels > 0].mean(), values[seen.labels == 0].mean()
    assert (cells > around) == (look != "inverted")
    assert factor != 1 or not np.array_equal(values, np.asarray(plane.data)[0])
