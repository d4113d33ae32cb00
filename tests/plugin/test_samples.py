from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.layers import Layer
from npe2 import PluginManifest

from napari_utile.engine.files.images import read_image
from napari_utile.widgets.files.described import image_layers
from napari_utile.widgets.sample_images import sample

TOP = Path(__file__).parents[2]
KEYS = [each.key for each in PluginManifest.from_file(TOP / "napari.yaml").contributions.sample_data]


def test_every_shipped_image_is_offered():
    shipped = {path.stem for path in (TOP / "sample_data").glob("*.tif")}
    assert {name for name in shipped if not name.endswith("_truth")} == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_sample_comes_with_its_truth_on_the_same_pixels(key):
    *images, (truth, options, kind) = sample(key)
    assert kind == "labels"
    assert not options["visible"]
    assert np.unique(truth).size > 5
    for data, image_options, image_kind in images:
        assert image_kind == "image"
        assert data.shape == truth.shape
        assert image_options["scale"] == options["scale"]


def test_the_channels_of_a_film_are_layers_of_their_own_in_micrometres():
    nuclei, bodies, truth = sample("film_two_channels")
    stored = tifffile.imread(TOP / "sample_data/film_two_channels.tif")
    np.testing.assert_array_equal(nuclei[0], stored[:, 0])
    np.testing.assert_array_equal(bodies[0], stored[:, 1])
    assert nuclei[1]["axis_labels"] == truth[1]["axis_labels"] == ("t", "y", "x")
    assert nuclei[1]["scale"] == (1.0, 0.5, 0.5)
    assert nuclei[1]["units"] == ("pixel", "µm", "µm")


def test_colours_stay_together(tmp_path):
    from napari_utile.engine.files.images import read_image

    path = tmp_path / "stained.tif"
    pixels = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    tifffile.imwrite(path, pixels, photometric="rgb")
    ((data, options, kind),) = image_layers(read_image(path))
    np.testing.assert_array_equal(data, pixels)
    assert options["rgb"]
    assert options["scale"] == (1.0, 1.0)
    assert kind == "image"


def test_napari_opens_every_sample_from_its_menu(make_napari_viewer):
    viewer = make_napari_viewer()
    for key in KEYS:
        viewer.open_sample("napari-utile", key)
    truths = [layer for layer in viewer.layers if layer.name.endswith(" truth")]
    assert len(truths) == len(KEYS)
    assert {str(unit) for layer in viewer.layers for unit in layer.units[-2:]} == {"micrometer"}


def test_an_image_whose_unit_nobody_knows_is_shown_in_pixels(tmp_path):
    path = tmp_path / "odd.tif"
    tifffile.imwrite(
        path, np.zeros((4, 5), np.uint8), imagej=True, metadata={"unit": "widgets/sq ft"}, resolution=(2, 2)
    )
    ((data, options, kind),) = image_layers(read_image(path))
    layer = Layer.create(data, options, kind)
    assert {str(unit) for unit in layer.units} == {"pixel"}
