"""Three views as the dock asks for them: a request, a result with layers, table and recipe, and sliders."""

from dataclasses import replace

import numpy as np
import pytest

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.provenance.locate import LayerAxis
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.windows import Window
from napari_utile.session.measured import Stack
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.session.volumes import (
    VolumeRequest,
    estimate_volume_job,
    relabel_volume_job,
    segment_volume_job,
)

STEPS = {"Z": (1.0, "um")}


def request_of(region=None, steps=STEPS):
    z, y, x = np.indices((10, 32, 40))
    ball = (z * 2 - 9) ** 2 + (y - 15) ** 2 + (x - 20) ** 2 <= 64
    planes = [
        ImagePlane(plane[None], "ball", pixel_size=(0.5, 0.5), unit="um")
        for plane in np.where(ball, 200, 0).astype(np.uint8)
    ]
    stack = Stack(tuple(planes), key="ball", of_one_image=True)
    axes = (LayerAxis("y", 32, "Y"), LayerAxis("x", 40, "X"))
    return VolumeRequest(
        [
            SegmentRequest(
                plane,
                SegmentParams(diameter=None),
                region,
                axes=(LayerAxis("z", 10, "", number), *axes),
                stack=stack,
            )
            for number, plane in enumerate(planes)
        ],
        VolumeParams(three_views=True),
        steps,
    )


@pytest.mark.usefixtures("bright_nuclei")
def test_a_stack_gives_labels_with_a_table_and_a_recipe_that_says_how():
    result = Run(segment_volume_job(Session(), request_of())).result
    assert result.shown.labels.shape == (10, 32, 40)
    assert result.shown.features["object"].tolist() == [1]
    assert result.shown.features["volume_um3"] == np.count_nonzero(result.shown.labels) / 4
    assert result.shown.summary == "1 object"
    assert result.recipe.views == VolumeParams(True, 2.0)
    assert [record.index for record in result.recipe.planes] == [{"Z": number} for number in range(10)]
    assert "--three-views --plane-distance 2.0" in result.recipe.command
    assert result.segmented.foreground.shape == (10, 32, 40)


@pytest.mark.usefixtures("bright_nuclei")
def test_sliders_find_the_cells_anew():
    result = Run(segment_volume_job(Session(), request_of())).result
    instances = replace(result.segmented.params.instances, threshold=1.0)
    none = Run(relabel_volume_job(result, instances)).result
    assert none.shown.summary == "0 objects"
    assert none.recipe.params.instances.threshold == 1.0


@pytest.mark.usefixtures("bright_nuclei")
def test_a_region_is_a_part_of_every_plane():
    result = Run(segment_volume_job(Session(), request_of(Window(slice(4, 28), slice(8, 34))))).result
    assert result.shown.labels.shape == (10, 24, 26)
    assert result.recipe.planes[0].region == ((4, 28), (8, 34))


@pytest.mark.usefixtures("bright_nuclei")
def test_the_cost_is_that_of_all_views():
    _, cost, _ = Run(estimate_volume_job(Session(), request_of())).result
    assert cost.tiles >= 10 + 32 + 40


def test_planes_of_unknown_distance_are_asked_for():
    with pytest.raises(UtileError, match="how far apart the planes are"):
        next(segment_volume_job(Session(), request_of(steps=None)))


@pytest.mark.usefixtures("bright_nuclei")
def test_the_recipe_says_what_settings_were_fitted_to_until_a_slider_moves():
    request = request_of()
    instances = InstanceParams(threshold=0.4)
    first = replace(
        request.first,
        params=replace(request.first.params, instances=instances),
        fitted="5 cells (mean IoU 0.90)",
    )
    request = replace(request, planes=[first, *request.planes[1:]])
    result = Run(segment_volume_job(Session(), request)).result
    assert result.recipe.fitted == "5 cells (mean IoU 0.90)"
    moved = Run(relabel_volume_job(result, replace(instances, threshold=0.6))).result
    assert moved.recipe.fitted == ""
