"""The sliders' answers are those of a fresh run with the sliders' values."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.jobs import relabel_job, segment_job
from napari_utile.session.results import SegmentRequest, SegmentResult
from napari_utile.session.state import Session
from simulation.simulate import simulate

slider_values = st.builds(
    InstanceParams,
    threshold=st.floats(0.1, 0.9),
    fill_holes=st.sampled_from([0, 5, 100]),
    minimum_size=st.integers(0, 200),
    split=st.floats(0, 1),
    grow=st.integers(0, 3),
)


def carried_out(steps):
    return Run(steps).result


def request_of(image, instances, **where):
    plane = ImagePlane(image[None], name="cells", pixel_size=(0.5, 0.5), unit="µm")
    params = SegmentParams(diameter=None, precision="float32", device="cpu", instances=instances)
    return SegmentRequest(plane, params, **where)


@pytest.fixture(scope="module")
def image():
    return simulate("clustered_nuclei", height=72, width=80, cells=7, seed=3).image


@pytest.fixture(scope="module")
def session():
    return Session()  # its cache of tiles spares the network the second time


def everywhere(shape):
    return {}


def inside_a_disc(shape):
    rows, columns = slice(6, 66), slice(4, 76)
    y, x = np.mgrid[rows, columns]
    return {"region": (rows, columns), "inside": np.hypot(y - 36, x - 40) < 28}


@pytest.mark.parametrize("where", [everywhere, inside_a_disc])
@settings(max_examples=15, deadline=None)
@given(values=st.lists(slider_values, min_size=1, max_size=3))
def test_after_any_sequence_of_slider_values_all_is_as_after_a_fresh_run(session, image, where, values):
    where = where(image.shape)
    result = carried_out(segment_job(session, request_of(image, InstanceParams(), **where)))
    for instances in values:
        result = carried_out(relabel_job(result, instances))
    fresh = carried_out(segment_job(session, request_of(image, values[-1], **where)))
    assert result.segmentation.labels.dtype == fresh.segmentation.labels.dtype == np.int32
    assert np.array_equal(result.segmentation.labels, fresh.segmentation.labels)
    assert np.array_equal(result.segmentation.mask, fresh.segmentation.mask)
    assert list(result.features) == list(fresh.features)
    for name, column in fresh.features.items():
        assert np.array_equal(result.features[name], column), name
    assert result.request.params == fresh.request.params
    assert result.recipe.command == fresh.recipe.command
    assert result.recipe.params == fresh.recipe.params
    assert result.recipe.planes == fresh.recipe.planes
    assert result.nbytes == fresh.nbytes


def test_a_size_or_split_finds_no_basins_again_and_a_threshold_does(session, image):
    first = carried_out(segment_job(session, request_of(image, InstanceParams()))).segmentation
    same = first.relabelled(InstanceParams(minimum_size=50, split=0.2, grow=3))
    other = first.relabelled(InstanceParams(threshold=0.3))
    assert same.landscape is first.landscape
    assert other.landscape is not first.landscape
    assert first.labels.max() > 3
    assert not np.array_equal(same.labels, first.labels)


def test_the_share_of_a_part_is_of_the_plane_where_the_layer_holds_more_than_the_part():
    part = Window(slice(0, 10), slice(0, 10))
    made = SimpleNamespace(
        inside=None, labels=np.zeros((10, 10)), plane=SimpleNamespace(shape=(100, 100)), region=part
    )
    result = SegmentResult(None, made, {}, None, None, None, {"cell": 0.2})
    inside = {"area_px": [50], "centroid_y": [5.0], "centroid_x": [5.0]}
    assert result.covered_by(inside) == {"cell": 0.5}
    both = {"area_px": [50, 950], "centroid_y": [5.0, 50.0], "centroid_x": [5.0, 60.0]}
    assert result.covered_by(both) == {"cell": 0.1}
