"""How far pixels and planes lie apart, however napari is told."""

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from napari.utils.notifications import notification_manager

from napari_utile.session.linking import described
from napari_utile.session.state import ChosenImage
from napari_utile.widgets.files.results import results_of
from napari_utile.widgets.viewer.layers import session_of
from napari_utile.widgets.viewer.lengths import pixel_size_of
from napari_utile.widgets.viewer.source import axes_of, read_source
from napari_utile.widgets.viewer.stack_space import stack_space_of

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari, of turned stacks

MICROMETRES = ("um", "um", "um")


def box() -> np.ndarray[Any, Any]:
    labels = np.zeros((4, 20, 20), np.int32)
    labels[:, 5:10, 5:10] = 1
    return labels


def moved(**entries: float) -> np.ndarray[Any, Any]:
    """An affine of pixels of 0.5 and planes 2 apart, and what else they move by."""
    affine = np.diag([2.0, 0.5, 0.5, 1.0])
    for place, value in entries.items():
        affine["zyx".index(place[1]), "zyx".index(place[0])] = value
    return affine


@pytest.mark.parametrize(
    "lies",
    [
        {"scale": (2, 0.5, 0.5)},
        {"scale": (-2, 0.5, 0.5)},
        {"scale": (2, -0.5, 0.5)},
        {"affine": moved()},
        {"scale": (2, 0.5, 0.5), "rotate": (10, 20, 30)},
        {"scale": (2, 0.25, 0.25), "affine": np.diag([1, 2, 2, 1])},
        {"affine": moved(zy=0.5, zx=-3)},  # planes are shifted against each other
        {"scale": (2, 500, 0.0005), "units": ("um", "nm", "mm")},
    ],
    ids=lambda lies: "+".join(lies),
)
def test_a_volume_is_the_same_however_napari_is_told_where_the_stack_lies(lies) -> None:
    layer = Labels(box(), axis_labels="zyx", **{"units": MICROMETRES, **lies})
    made = described(layer.data, stack_space_of(layer, "z"), "Z", {})
    [volume] = (
        made.features[name] for name in made.features if name.startswith("volume_") and "px" not in name
    )
    unit = 1 if str(layer.units[1]) == "micrometer" else 1e9
    assert volume.tolist() == pytest.approx([100 * 2 * 0.25 * unit])


@pytest.mark.parametrize("step", [30, -30])
def test_the_time_between_frames_is_that_of_a_film_that_stands_still(step: float) -> None:
    affine = np.eye(4)
    affine[1, 0] = 7  # the stage drifts
    layer = Labels(box(), scale=(step, 0.5, 0.5), affine=affine, units=("s", "um", "um"), axis_labels="tyx")
    assert stack_space_of(layer, "t").steps == {"T": (30, "second")}


def test_a_recipe_knows_the_distance_of_planes_that_an_affine_holds(viewer) -> None:
    layer = viewer.add_image(box().astype(float), affine=moved(), units=MICROMETRES, axis_labels="zyx")
    session = session_of(viewer)
    session.image = ChosenImage(layer)
    assert axes_of(read_source(viewer, session))[0].step == (2, "micrometer")


@pytest.mark.parametrize(
    "lies",
    [{"scale": (0.5, 0.5), "shear": [0.25]}, {"affine": [[0.5, 0.1, 0], [0, 0.5, 0], [0, 0, 1]]}],
    ids=list,
)
def test_pixels_that_are_no_rectangles_have_no_size_which_is_said_once(viewer, lies) -> None:
    layer = viewer.add_labels(box()[1], units=("um", "um"), **lies)
    with notification_manager:
        before = len(notification_manager.records)
        for _ in range(2):
            results = results_of(viewer, layer, None)
            assert (results.pixel_size, results.unit) == (None, None)
        said = [record.message for record in notification_manager.records[before:]]
    assert said == ["This layer is sheared: lengths and areas are in pixels."]


def test_rounding_is_no_shear() -> None:
    affine = np.eye(3)
    affine[0, 1], affine[1, 1] = 1e-7, 0.5
    assert pixel_size_of(Image(np.zeros((8, 9)), affine=affine, units=("um", "um")))[0] == pytest.approx(
        (1, 0.5)
    )


def test_volumes_of_a_sheared_plane_are_in_pixels() -> None:
    layer = Labels(box(), units=MICROMETRES, scale=(2, 0.5, 0.5), shear=[0, 0, 0.5], axis_labels="zyx")
    made = described(layer.data, stack_space_of(layer, "z"), "Z", {})
    assert [name for name in made.features if "volume" in name] == ["volume_px"]
