"""Law 1: the result does not depend on the tiles. And what happens when memory runs out."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.inference import predict
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.fused import joins
from napari_utile.engine.inference.predict import predict_tiles
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.tiling import TileBudget, plan_tiles
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window

FLOAT32 = Compute("cpu", "float32", 1 << 30, 100.0)
KINDS = [(1, 3, False), (2, 4, True), (3, 2, True)]


def probabilities(model, plane, memory=1 << 30, **plan):
    planned = plan_tiles(plane.shape[1:], model.network, TileBudget(memory), **plan)
    return Run(predict_tiles(model, plane, planned, FLOAT32)).result


@given(
    st.sampled_from(KINDS),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([{"tile": 8}, {"tile": 37}, {"memory": 60_000}]),
    st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_probabilities_do_not_depend_on_the_tiles(several_models, kind, shape, tiling, seed):
    model = several_models[kind]
    plane = np.random.default_rng(seed).random((1, *shape), np.float32)
    whole = probabilities(model, plane)
    tiled = probabilities(model, plane, **tiling)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-4)
    np.testing.assert_allclose(whole.sum(0), 1, rtol=0, atol=1e-5)


@given(st.integers(0, 1000), st.data())
@settings(max_examples=15, deadline=None)
def test_a_region_is_a_crop_of_the_whole(several_models, seed, data):
    model = several_models[2, 4, True]
    plane = np.random.default_rng(seed).random((1, 61, 83), np.float32)
    y, x = (
        sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in (61, 83)
    )
    region = slice(*y), slice(*x)
    tile = data.draw(st.sampled_from([None, 24]))
    whole = probabilities(model, plane)
    np.testing.assert_allclose(
        probabilities(model, plane, region=region, tile=tile),
        whole[:, region[0], region[1]],
        rtol=0,
        atol=1e-4,
    )


@given(st.integers(0, 1000), st.sampled_from([None, 11.0, 35.0]), st.integers(12, 60))
@settings(max_examples=12, deadline=None)
def test_labels_do_not_depend_on_the_tiles_at_any_scale(small_model, seed, diameter, tile):
    rng = np.random.default_rng(seed)
    coarse = rng.random((12, 14))
    image = np.kron(coarse, np.ones((6, 6))).astype(np.float32)
    whole = segment(image, small_model, diameter=diameter, precision="float32")
    tiled = segment(image, small_model, diameter=diameter, precision="float32", tile=tile)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, rtol=0, atol=1e-4)
    assert np.array_equal(tiled.labels, whole.labels)


def run_out_of_memory_above(pixels, monkeypatch, error):
    """Let tiles of more than so many input pixels fail, and record what ran."""
    ran = []
    run_tile = predict.run_tile

    def limited(model, plane, tile, compute):
        size = (tile.outer[0].stop - tile.outer[0].start) * (tile.outer[1].stop - tile.outer[1].start)
        ran.append(size)
        if size > pixels:
            raise error
        return run_tile(model, plane, tile, compute)

    monkeypatch.setattr(predict, "run_tile", limited)
    return ran


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_lack_of_memory_shrinks_the_tiles_and_not_the_answer(small_model, monkeypatch, error):
    plane = np.random.default_rng(0).random((1, 90, 130), np.float32)
    whole = probabilities(small_model, plane)
    ran = run_out_of_memory_above(4000, monkeypatch, error)
    np.testing.assert_allclose(probabilities(small_model, plane), whole, rtol=0, atol=1e-4)
    assert sum(size > 4000 for size in ran) <= 3  # the size is learned, not tried again for every tile


def test_memory_for_not_even_the_smallest_tile_is_one_clear_error(small_model, monkeypatch):
    run_out_of_memory_above(0, monkeypatch, MemoryError())
    with pytest.raises(MemoryError, match="smallest tile"):
        probabilities(small_model, np.zeros((1, 40, 40), np.float32))


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory(small_model, monkeypatch):
    ran = run_out_of_memory_above(0, monkeypatch, RuntimeError("sizes do not match"))
    with pytest.raises(RuntimeError, match="sizes"):
        probabilities(small_model, np.zeros((1, 40, 40), np.float32))
    assert len(ran) == 1


def test_who_keeps_an_error_does_not_keep_the_tensors_of_its_tile(small_model, monkeypatch):
    features = []

    def fails(image):
        made = image * 2
        features.append(weakref.ref(made))
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(predict, "warm_network", lambda *_: fails)
    with pytest.raises(RuntimeError) as kept:
        probabilities(small_model, np.zeros((1, 40, 40), np.float32))
    assert kept.value is not None
    assert features[0]() is None


def test_progress_counts_every_tile_and_gives_its_pixels(small_model):
    plane = np.random.default_rng(1).random((1, 50, 70), np.float32)
    plan = plan_tiles((50, 70), small_model.network, TileBudget(1 << 30), tile=24)
    run = Run(predict_tiles(small_model, plane, plan, FLOAT32))
    seen = np.full((50, 70), np.nan, np.float32)
    done = []
    for step in run:
        seen[step.window] = step.foreground
        done.append((step.done, step.total))
    result = run.result
    assert done == [(n + 1, len(plan)) for n in range(len(plan))]
    np.testing.assert_array_equal(seen, result[1])


def test_a_cancelled_prediction_computes_no_further_tile(small_model, monkeypatch):
    ran = run_out_of_memory_above(1 << 30, monkeypatch, MemoryError())
    plan = plan_tiles((50, 70), small_model.network, TileBudget(1 << 30), tile=24)
    steps = predict_tiles(small_model, np.zeros((1, 50, 70), np.float32), plan, FLOAT32)
    next(steps)
    steps.close()
    assert len(ran) == 1


def test_cached_tiles_are_not_computed_again_and_pixels_of_another_image_are_not_taken(
    small_model, monkeypatch
):
    ran = run_out_of_memory_above(1 << 30, monkeypatch, MemoryError())
    cache = TileCache()
    rng = np.random.default_rng(2)
    first, second = rng.random((2, 1, 50, 70), np.float32)
    whole = plan_tiles((50, 70), small_model.network, TileBudget(1 << 30), tile=24)
    part = plan_tiles(
        (50, 70), small_model.network, TileBudget(1 << 30), tile=24, region=(slice(5, 30), slice(40, 60))
    )
    expected = Run(predict_tiles(small_model, first, whole, FLOAT32, cache=cache, key="first")).result
    count = len(ran)
    again = Run(predict_tiles(small_model, first, part, FLOAT32, cache=cache, key="first")).result
    assert len(ran) == count
    np.testing.assert_array_equal(again, expected[:, 5:30, 40:60])
    other = Run(predict_tiles(small_model, second, part, FLOAT32, cache=cache, key="second")).result
    assert len(ran) > count
    assert not np.array_equal(other, again)


def test_the_cache_keeps_the_tiles_used_last_within_its_bytes():
    tile = np.zeros((2, 8, 8), np.float32)
    cache = TileCache(max_bytes=3 * tile.nbytes)
    window = Window(slice(0, 8), slice(8, 16))
    for key in "abc":
        cache.put(key, window, tile, (24, 24))
    assert cache.get("a", window, (24, 24)) is not None
    cache.put("d", window, tile, (24, 24))
    assert cache.get("b", window, (24, 24)) is None
    assert [len(cache.tiles(key)) for key in "abcd"] == [1, 0, 1, 1]
    assert cache.get("a", window) is None, "the last digits depend on what the network read at once"
    assert cache.nbytes == 3 * tile.nbytes
    cache.put("a", window, tile, (24, 24))
    assert len(cache) == 3
    assert cache.nbytes == 3 * tile.nbytes
    cache.clear()
    assert len(cache) == 0
    assert cache.nbytes == 0


def test_bfloat16_differs_from_float32_by_rounding_only(small_model):
    if joins(torch.float32) and not joins(torch.bfloat16):
        pytest.skip("this CPU has no instructions for bfloat16")
    bfloat16 = choose_compute("cpu", "bfloat16")
    plane = np.random.default_rng(3).random((1, 60, 60), np.float32)
    plan = plan_tiles((60, 60), small_model.network, TileBudget(1 << 30))
    exact = Run(predict_tiles(small_model, plane, plan, FLOAT32)).result
    rounded = Run(predict_tiles(small_model, plane, plan, bfloat16)).result
    assert 0 < np.abs(exact - rounded).max() < 0.1
