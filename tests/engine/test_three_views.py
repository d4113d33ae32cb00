"""Three views of a stack: which pixels they see, what they cost, and the cells that come of them."""

from dataclasses import replace

import numpy as np
import pytest

from bright_model import save_bright_model
from napari_utile import segment
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.linking.measure import Spacing
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.segmentation import planes_of_volume
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.volumes.segment import (
    estimate_volume,
    groups_along_z,
    plane_distance,
    segment_volume_steps,
    volume_of,
)
from napari_utile.engine.windows import Window

BALLS = ((6, 16, 14), (6, 16, 36), (14, 34, 24))


def balls(shape=(20, 48, 48), depth=1.0, radius=7):
    z, y, x = np.indices(shape)
    near = [(z * depth - a * depth) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= radius**2 for a, b, c in BALLS]
    noise = np.random.default_rng(0).normal(0, 3, shape)
    return np.clip(30 + 150 * np.any(near, 0) + noise, 0, 255).astype(np.uint8)


def stack_of(volume):
    return [ImagePlane(plane[None]) for plane in volume]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_bright_model(tmp_path_factory.mktemp("model") / "bright.safetensors", object_diameter=20.0)


@pytest.fixture(scope="module")
def seen(model):
    volume = volume_of(
        stack_of(balls()), 1.0, SegmentParams(diameter=None), model, compute=choose_compute("cpu", "float32")
    )
    return Run(segment_volume_steps(volume)).result


def test_balls_are_found_whole(seen):
    assert seen.count == len(BALLS)
    for place in BALLS:
        cell = seen.labels == seen.labels[place]
        assert seen.labels[place] > 0
        assert cell.sum() == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.1)


def test_a_view_across_the_stack_sees_what_the_turned_stack_shows_in_its_planes(seen, model):
    turned = volume_of(
        stack_of(balls().transpose(1, 0, 2)),
        1.0,
        SegmentParams(diameter=None),
        model,
        seen.volume.limits,
        seen.volume.compute,
    )
    across = Run(Run(seen.volume.read()).result.field(1, 16).tiles()).result
    np.testing.assert_allclose(across, Run(turned.field(0, 16).tiles()).result, atol=1e-4)


def test_a_region_has_the_numbers_of_the_whole(seen):
    region = Window(slice(8, 40), slice(4, 30))
    part = Run(segment_volume_steps(seen.volume, region)).result
    np.testing.assert_allclose(part.values, seen.values[:, :, 8:40, 4:30], atol=1e-4)


def test_sections_are_stretched_where_planes_are_farther_apart(model):
    volume = volume_of(stack_of(balls()[::2]), 2.0, SegmentParams(diameter=None), model)
    assert volume.field(0, 0).plan().shape == (48, 48)
    assert volume.field(1, 0).plan().shape == (20, 48)


def test_other_parameters_decode_the_same_outputs(seen):
    none = seen.relabelled(replace(seen.params.instances, threshold=1.0))
    assert none.count == 0
    again = none.relabelled(seen.params.instances)
    assert np.array_equal(again.labels, seen.labels)


def test_a_plane_of_a_volume_is_a_segmentation_with_the_ids_of_the_volume(seen):
    plane = list(planes_of_volume(seen))[6]
    assert np.array_equal(plane.labels, seen.labels[6])
    assert plane.foreground.shape == plane.labels.shape
    assert plane.plane is seen.volume.planes[6]


def test_python_gives_objects_and_their_table(seen, model):
    made = segment(balls(), model, axes="ZYX", diameter=None, three_views=True, plane_distance=1)
    assert np.array_equal(made.labels, seen.labels)
    table = made.measure()
    assert table["object"].tolist() == [1, 2, 3]
    assert table["volume_px"].tolist() == np.bincount(seen.labels.ravel())[1:].tolist()


def test_time_points_are_volumes_of_their_own():
    assert groups_along_z([{"T": t, "Z": z} for t in (0, 1) for z in (2, 0, 1)]) == [[1, 2, 0], [4, 5, 3]]


def test_how_far_planes_are_apart_is_given_or_read_or_asked_for():
    spacing = Spacing((0.5, 0.5), "um", {"Z": (2.0, "um")})
    assert plane_distance(VolumeParams(True), spacing) == 4
    assert plane_distance(VolumeParams(True, 3), spacing) == 3
    assert plane_distance(VolumeParams(True), Spacing((0.5, 0.5), None, {"Z": (2.0, None)})) == 4
    with pytest.raises(UtileError, match="--plane-distance"):
        plane_distance(VolumeParams(True), Spacing((0.5, 0.5), "um"))


def test_what_three_views_cannot_do_is_said_before_anything_runs(model, monkeypatch):
    with pytest.raises(UtileError, match="give --limits stack"):
        volume_of(stack_of(balls()), 1.0, SegmentParams(limits="plane"), model)
    with pytest.raises(UtileError, match="not linked through time"):
        segment(balls(), axes="ZYX", three_views=True, link="t")
    with pytest.raises(UtileError, match="no planes along Z"):
        segment(balls()[0], three_views=True)
    lazy = np.broadcast_to(np.uint8(0), (1000, 20000, 20000))
    huge = volume_of(
        [ImagePlane(plane[None]) for plane in lazy],
        1.0,
        SegmentParams(diameter=20),
        model,
        IntensityLimits((0.0,), (1.0,)),
    )
    with pytest.raises(UtileError, match=r"need about \d.* GB of memory, and \d.* GB are free"):
        next(segment_volume_steps(huge))


def test_the_cost_is_known_without_reading(model):
    volume = volume_of(
        stack_of(balls()), 1.0, SegmentParams(diameter=20), model, IntensityLimits((0.0,), (1.0,))
    )
    cost = estimate_volume(volume)
    one = volume.field(0, 0).plan().gflop * 20
    assert cost.gflop > 2.5 * one
    assert cost.tiles >= 20 + 48 + 48
