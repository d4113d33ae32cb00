from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.prompts import cell_at
from napari_utile.engine.inference import predict
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

FLOAT32 = SegmentParams(device="cpu", precision="float32")


def segmented(image, model, params):
    return Run(segment_steps(plane_from_array(image), params, model=model)).result


def picture(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 11.0, 35.0]), st.data())
def test_a_window_is_read_as_a_segmentation_of_the_whole_plane_has_it(small_model, seed, diameter, data):
    image = picture(seed, (150, 130))
    params = SegmentParams(device="cpu", precision="float32", diameter=diameter)
    field = Field(plane_from_array(image), small_model, params, cache=TileCache())
    rows, columns = (
        slice(start, data.draw(st.integers(start + 1, size)))
        for size in image.shape
        for start in [data.draw(st.integers(0, size - 1))]
    )
    expected = segmented(image, small_model, params).foreground[rows, columns]
    assert np.abs(field.read(Window(rows, columns)) - expected).max() <= 1e-4


@pytest.mark.parametrize("relief", ["probability", "distances"])
def test_a_clicked_cell_is_that_of_the_segmentation_of_the_whole_plane(small_model, distances_model, relief):
    image, model, params = picture(3, (180, 200)), small_model, FLOAT32
    if relief == "distances":  # many cells that touch, which the probability would cut otherwise
        image = np.kron(picture(3, (10, 12)), np.ones((12, 12), np.float32))
        model = replace(distances_model, card=replace(distances_model.card, relief=relief))
        params = replace(params, instances=InstanceParams(split=0.9, minimum_size=5))
    result = segmented(image, model, params)
    field = Field(plane_from_array(image), model, params, cache=TileCache())
    ids = np.unique(result.labels)[1:]
    assert ids.size
    for number in ids[:: max(1, ids.size // 8)]:
        inside = np.argwhere(result.labels == number)
        point = tuple(int(v) for v in inside[len(inside) // 2])
        cell = Run(cell_at(field, point, result.params.instances)).result
        found = np.zeros(image.shape, dtype=bool)
        found[cell.window] = cell.mask
        assert np.array_equal(found, result.labels == number)


def test_only_what_lies_around_the_window_is_computed_in_one_run_and_only_once(small_model, monkeypatch):
    computed = []
    run = predict.run_tile
    monkeypatch.setattr(predict, "run_tile", lambda *args: computed.append(args[2].inner) or run(*args))
    field = Field(plane_from_array(picture(0, (3000, 3000))), small_model, FLOAT32, cache=TileCache())
    window = Window(slice(1500, 1510), slice(1500, 1510))
    assert not field.is_known(window)
    first = field.read(window)
    assert len(computed) == 1
    (rows, columns) = computed[0]
    assert 1500 - 64 <= rows.start <= 1500 < 1510 <= rows.stop <= 1510 + 64
    assert 1500 - 64 <= columns.start <= 1500 < 1510 <= columns.stop <= 1510 + 64
    assert field.is_known(window)
    assert np.array_equal(field.read(window), first)
    assert len(computed) == 1
    field.read(Window(slice(1500, 1510), slice(1500, 1600)))
    assert len(computed) == 2


@pytest.mark.parametrize("diameter", [None, 20.0])
def test_what_a_segmentation_computed_is_read_and_not_computed_again(small_model, monkeypatch, diameter):
    image, cache = picture(4, (120, 140)), TileCache()
    params = SegmentParams(device="cpu", precision="float32", diameter=diameter, tile=24)
    part = Window(slice(20, 70), slice(0, 140))
    steps = segment_steps(
        plane_from_array(image), params, model=small_model, region=part, cache=cache, pixels="same"
    )
    result = Run(steps).result
    field = Field(
        plane_from_array(image), small_model, replace(params, tile=None), cache=cache, pixels="same"
    )
    window = Window(slice(30, 60), slice(0, 140))
    with monkeypatch.context() as patch:
        patch.setattr(predict, "run_tile", lambda *_: pytest.fail("computed again"))
        assert field.is_known(window)
        assert np.array_equal(field.read(window), result.foreground[window.relative_to(part)])
    wider = Window(slice(0, 120), slice(0, 140))
    assert not field.is_known(wider)
    whole = Field(plane_from_array(image), small_model, params).read(wider)
    assert np.abs(field.read(wider) - whole).max() <= 1e-4


def test_all_tiles_of_a_region_are_that_part_of_all_tiles(small_model):
    field = Field(plane_from_array(picture(6, (90, 100))), small_model, FLOAT32)
    region = Window(slice(11, 70), slice(0, 57))
    part, whole = (Run(field.tiles(where)).result for where in (region, None))
    assert np.abs(part - whole[:, *region]).max() <= 1e-4
    with pytest.raises(ValueError, match="does not lie inside"):
        field.plan((slice(0, 91), slice(0, 3)))


def test_pixels_of_another_key_or_model_are_not_taken(small_model, several_models):
    cache = TileCache()
    window = Window(slice(0, 40), slice(0, 40))
    one = Field(plane_from_array(picture(1, (64, 64))), small_model, FLOAT32, cache=cache, pixels="one")
    one.read(window)
    other = Field(plane_from_array(picture(2, (64, 64))), small_model, FLOAT32, cache=cache, pixels="other")
    assert not other.is_known(window)
    another_model = next(m for m in several_models.values() if m.fingerprint != small_model.fingerprint)
    if another_model.network.config.in_channels == 1:
        third = Field(
            plane_from_array(picture(1, (64, 64))), another_model, FLOAT32, cache=cache, pixels="one"
        )
        assert not third.is_known(window)


@pytest.mark.parametrize("change", [{"diameter": 40.0}, {"channels": (1,)}])
def test_other_parameters_do_not_get_the_tiles_of_the_first(small_model, change):
    plane = plane_from_array(np.stack([picture(1, (64, 64)), picture(2, (64, 64))]), "CYX")
    limits, window = IntensityLimits((-2.0,), (2.0,)), Window(slice(0, 32), slice(0, 32))
    cache = TileCache()
    first, second = replace(FLOAT32, channels=(0,)), replace(FLOAT32, **{"channels": (0,), **change})
    Field(plane, small_model, first, cache=cache, pixels="one", limits=limits).read(window)
    again = Field(plane, small_model, second, cache=cache, pixels="one", limits=limits).read(window)
    fresh = Field(plane, small_model, second, cache=TileCache(), pixels="one", limits=limits).read(window)
    np.testing.assert_array_equal(again, fresh)


def test_a_read_can_be_stopped_before_each_tile(small_model, monkeypatch):
    monkeypatch.setattr(predict, "run_tile", lambda *args: pytest.fail("a tile was computed"))
    field = Field(plane_from_array(picture(0, (64, 64))), small_model, FLOAT32, cache=TileCache())
    steps = field.read_steps(Window(slice(0, 9), slice(0, 9)))
    next(steps)
    steps.close()


def test_a_lack_of_memory_shrinks_the_tiles_and_not_the_answer(small_model, monkeypatch):
    plane = plane_from_array(picture(5, (90, 90)))
    window = Window(slice(10, 80), slice(5, 60))
    expected = Field(plane, small_model, FLOAT32, cache=TileCache()).read(window)

    run = predict.run_tile

    def too_large(model, seen, tile, compute):
        if tile.outer.size > 90**2:
            raise MemoryError
        return run(model, seen, tile, compute)

    monkeypatch.setattr(predict, "run_tile", too_large)
    found = Field(plane, small_model, FLOAT32, cache=TileCache()).read(window)
    assert np.abs(found - expected).max() <= 1e-4
