"""One pair of grey limits for all planes of a stack."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_utile.cli import main
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import save_model
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import Normalization, measure_limits
from napari_utile.engine.planes.stack import stack_limits
from napari_utile.engine.provenance.command import command_options
from napari_utile.engine.provenance.recipe import load_recipe
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import SegmentParams


def test_the_limits_of_a_stack_are_those_of_all_its_pixels() -> None:
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 3000, (4, 2, 30, 40)).astype(np.uint16)
    stack[0] //= 100
    planes = [ImagePlane(plane) for plane in stack]
    tall = np.moveaxis(stack, 0, 1).reshape(2, -1, 40)
    assert stack_limits(planes, Normalization()) == measure_limits(tall, Normalization())
    assert stack_limits(planes[:1], Normalization()) == measure_limits(stack[0], Normalization())


def test_blocks_across_planes_are_read(monkeypatch) -> None:
    monkeypatch.setattr("napari_utile.engine.planes.normalize.EXACT_PIXELS", 100)
    stack = np.random.default_rng(0).integers(0, 3000, (3, 1, 300, 280)).astype(np.uint16)
    tall = stack.reshape(1, -1, 280)
    assert stack_limits([ImagePlane(plane) for plane in stack], Normalization()) == measure_limits(tall)


def test_the_choice_is_plane_or_stack() -> None:
    assert SegmentParams().limits == "stack"
    with pytest.raises(ValueError, match="limits must be one of"):
        SegmentParams(limits="film")


def test_the_planes_of_a_file_share_their_limits_also_where_some_are_chosen(tmp_path, small_model) -> None:
    stack = np.random.default_rng(0).integers(0, 3000, (2, 40, 48)).astype(np.uint16)
    stack[1] //= 50
    tifffile.imwrite(tmp_path / "film.tif", stack, imagej=True, metadata={"axes": "TYX"})
    save_model(small_model.card, small_model.network, tmp_path / "m.safetensors")
    words = ["segment", str(tmp_path / "film.tif"), "-o", str(tmp_path), "--quiet", "--diameter", "none"]
    words += ["--model", str(tmp_path / "m.safetensors")]
    assert main(words) == 0
    recipe = load_recipe(tmp_path / "film_recipe.json")
    first, second = recipe.planes
    assert (first.low, first.high) == (second.low, second.high)
    assert recipe.params.limits == "stack"
    assert main(["replay", str(tmp_path / "film_recipe.json"), "--quiet"]) == 0
    labels = tifffile.imread(tmp_path / "film_labels.tif")
    assert main([*words, "--t", "1"]) == 0
    (alone,) = load_recipe(tmp_path / "film_recipe.json").planes
    assert (alone.low, alone.high) == (second.low, second.high)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "film_labels.tif"), labels[1])
    made = segment(str(tmp_path / "film.tif"), small_model, t=1, diameter=None)
    np.testing.assert_array_equal(made.labels, labels[1])
    assert main([*words, "--limits", "plane"]) == 0
    first, second = load_recipe(tmp_path / "film_recipe.json").planes
    assert first.high > second.high


@given(arrays(np.uint16, (3, 2, 9, 11)), st.booleans(), st.sampled_from([None, (0.0, 100.0), (5.0, 60.0)]))
def test_limits_are_those_of_the_percentiles_of_each_channel_or_of_all(stack, shared, percentiles) -> None:
    card = ModelCard("two", "unet", {"in_channels": 2}, inputs=(InputChannel("a"), InputChannel("b")))
    params = SegmentParams(channel_limits="shared" if shared else "each", percentiles=percentiles)
    planes = [ImagePlane(plane) for plane in stack]
    found = limits_of_stack(planes, params, card)
    rule = Normalization() if percentiles is None else Normalization(*percentiles, rule="percentiles")
    each = stack_limits(planes, rule)
    even = [low == high for low, high in zip(each.low, each.high, strict=True)]
    if shared and not all(even):
        kept = [place for place in (0, 1) if not even[place]]
        assert set(found.low) == {min(each.low[place] for place in kept)}
        assert set(found.high) == {max(each.high[place] for place in kept)}
    else:
        assert found == each
    if percentiles == (0.0, 100.0) and not shared:
        assert found.high == tuple(stack.max(axis=(0, 2, 3)))


def test_percentiles_are_two_numbers_in_order(capsys) -> None:
    for wrong in ((5.0,), (60.0, 5.0), (1.0, 101.0)):
        with pytest.raises(ValueError, match="percentiles"):
            SegmentParams(percentiles=wrong)
    with pytest.raises(SystemExit):
        main(["segment", "a.tif", "-o", "b", "--percentiles", "1;2"])
    assert "is not a list of numbers such as 1,99.8" in capsys.readouterr().err
    assert command_options(SegmentParams, SegmentParams(percentiles=(0.5, 99.0))) == [
        "--percentiles",
        "0.5,99.0",
    ]
