"""One pair of grey limits for all planes of a stack."""

import numpy as np
import pytest

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import Normalization, measure_limits
from napari_utile.engine.planes.stack import stack_limits
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
    assert SegmentParams().limits == "plane"
    with pytest.raises(ValueError, match="limits must be one of"):
        SegmentParams(limits="film")


def test_the_planes_of_a_file_share_their_limits_where_asked(tmp_path, small_model) -> None:
    import tifffile

    from napari_utile.cli import main
    from napari_utile.engine.models.library import save_model
    from napari_utile.engine.provenance.recipe import load_recipe

    stack = np.random.default_rng(0).integers(0, 3000, (2, 40, 48)).astype(np.uint16)
    stack[1] //= 50
    tifffile.imwrite(tmp_path / "film.tif", stack, imagej=True, metadata={"axes": "TYX"})
    save_model(small_model.card, small_model.network, tmp_path / "m.safetensors")
    words = ["segment", str(tmp_path / "film.tif"), "-o", str(tmp_path), "--quiet", "--diameter", "none"]
    words += ["--model", str(tmp_path / "m.safetensors"), "--limits", "stack"]
    assert main(words) == 0
    recipe = load_recipe(tmp_path / "film_recipe.json")
    first, second = recipe.planes
    assert (first.low, first.high) == (second.low, second.high)
    assert recipe.params.limits == "stack"
    assert main(["replay", str(tmp_path / "film_recipe.json"), "--quiet"]) == 0
