"""The images in sample_data."""

from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.files.images import read_image

FOLDER = Path(__file__).parents[2] / "sample_data"
IMAGES = sorted(path for path in FOLDER.glob("*.tif") if not path.stem.endswith("_truth"))


def test_the_samples_are_few_and_small() -> None:
    assert len(IMAGES) == 4
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1.5e6


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_every_sample_has_its_truth_pixel_size_and_a_note_that_it_is_simulated(path: Path) -> None:
    image, truth = read_image(path), read_image(path.with_name(f"{path.stem}_truth.tif"))
    assert image.data.dtype == np.uint16
    assert image.pixel_size == truth.pixel_size == (0.5, 0.5)
    assert image.unit == truth.unit == "µm"
    assert image.description is not None
    assert image.description.startswith("Simulated")
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    assert dict(zip(truth.axes, truth.data.shape, strict=True)) == {
        axis: size for axis, size in sizes.items() if axis != "C"
    }
    assert truth.data.max() >= 10
    assert path.name in (FOLDER / "README.md").read_text()
