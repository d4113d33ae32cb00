"""On a graphics card: the same results as on the CPU, whatever the tiles, and its memory given back."""

import contextlib
import dataclasses
import functools

import numpy as np
import pytest
import torch

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference import predict
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.device_check import check_device
from napari_utile.engine.inference.predict import predict_tiles
from napari_utile.engine.inference.tiling import TileBudget, plan_tiles
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run

pytestmark = pytest.mark.gpu

CPU = Compute("cpu", "float32", 1 << 30, 100.0)


def steps(model, picture, compute, tile=None):
    plan = plan_tiles(picture.shape, model.network, TileBudget(1 << 30), tile=tile)
    return predict_tiles(model, picture[None], plan, compute)


def probabilities(model, picture, compute, tile=None):
    return Run(steps(model, picture, compute, tile)).result


def reserved(card):
    """Return the bytes that torch holds of the card."""
    return torch.cuda.memory_reserved() if card == "cuda" else torch.mps.driver_allocated_memory()


@contextlib.contextmanager
def rounding_to_tf32():
    """Set torch as programs do that want speed."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def threshold_between(foreground):
    """Return a threshold near 0.5 that no probability comes close to, so that rounding moves no pixel across it."""
    values = np.unique(foreground[(foreground > 0.4) & (foreground < 0.6)].astype(np.float64))
    widest = np.diff(values).argmax()
    return float(values[widest : widest + 2].mean())


def test_the_card_agrees_with_the_cpu_and_is_chosen(card):
    assert check_device(card, "float32").agrees
    assert choose_compute().device == card
    assert choose_compute(card, "float32").key == (card, "float32")


def test_float32_is_that_of_the_cpu(card, model, picture):
    expected = probabilities(model, picture, CPU)
    assert expected.std() > 0.1  # or anything would agree
    with rounding_to_tf32():
        found = probabilities(model, picture, choose_compute(card, "float32"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("tile", [24, 100, 170])
def test_probabilities_do_not_depend_on_the_tiles(card, model, picture, tile):
    compute = choose_compute(card, "float32")
    whole = probabilities(model, picture, compute)
    np.testing.assert_allclose(probabilities(model, picture, compute, tile), whole, rtol=0, atol=1e-4)


def test_bfloat16_differs_by_rounding_only(card, model, picture):
    compute = choose_compute(card)
    if compute.precision != "bfloat16":
        pytest.skip(f"this {card} device computes in {compute.precision} by itself")
    expected = probabilities(model, picture, CPU)
    assert 0 < np.abs(probabilities(model, picture, compute) - expected).max() < 0.1


def test_memory_is_given_back_at_the_end_after_a_failure_and_after_a_cancel(
    card, model, picture, monkeypatch
):
    compute = choose_compute(card, "float32")
    probabilities(model, picture, compute)  # the network stays on the card
    kept = reserved(card)

    running = steps(model, picture, compute, tile=100)
    next(running)
    running.close()
    assert reserved(card) <= kept

    def fails(network, image):
        network(image)
        raise RuntimeError("the driver has given up")

    network = warm_network(model, compute)
    with monkeypatch.context() as broken:
        broken.setattr(predict, "warm_network", lambda *_: functools.partial(fails, network))
        with pytest.raises(RuntimeError, match="given up"):
            probabilities(model, picture, compute)
        assert reserved(card) <= kept  # although the error, with its frames, is still there

    probabilities(model, picture, compute)
    assert reserved(card) <= kept


def test_tiles_too_large_for_the_card_are_halved_and_the_labels_are_the_same(
    card, model, picture, monkeypatch
):
    """The card itself says that its memory is out: torch may use only half of what the one tile needs."""
    if card != "cuda":
        pytest.skip("only CUDA says how much memory a tile took")
    plane, compute = plane_from_array(picture), choose_compute(card, "float32")
    instances = InstanceParams(split=0)
    list(segment_steps(plane, SegmentParams(instances=instances), model=model, compute=compute))
    kept = reserved(card)
    torch.cuda.reset_peak_memory_stats()
    expected = Run(
        segment_steps(plane, SegmentParams(instances=instances), model=model, compute=compute)
    ).result
    peak = torch.cuda.max_memory_reserved()

    ran = []
    run_tile = predict.run_tile
    monkeypatch.setattr(predict, "run_tile", lambda *all: ran.append(all) or run_tile(*all))
    allowed = kept + (peak - kept) // 2
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.mem_get_info()[1])
    try:
        again = Run(
            segment_steps(plane, SegmentParams(instances=instances), model=model, compute=compute)
        ).result
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(ran) > 2  # more than the one tile that did not fit
    np.testing.assert_allclose(again.probabilities, expected.probabilities, rtol=0, atol=1e-4)
    clear = dataclasses.replace(instances, threshold=threshold_between(expected.foreground))
    np.testing.assert_array_equal(again.relabelled(clear).labels, expected.relabelled(clear).labels)
