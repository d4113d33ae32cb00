"""Augmentation: what is drawn is reproducible, and does what it is named after."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.training.augment import GreyChange, draw_deformation, draw_grey_change, warp
from napari_utile.engine.training.augment_params import NO_AUGMENTATION, AugmentParams

ONLY = {"rotation": 0, "flip": False, "scale": 1, "shift": 0, "elastic": 0, "contrast": 0, "brightness": 0}
ONLY |= {"gamma": 1, "noise": 0}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_augmentation_a_sample_is_a_crop() -> None:
    image = torch.arange(400.0).reshape(1, 20, 20)
    where = draw_deformation(rng(), (9.5, 11.5), NO_AUGMENTATION).coordinates(8)
    assert torch.allclose(warp(image, where, "bilinear"), image[:, 6:14, 8:16], atol=1e-3)
    assert torch.equal(warp(image, where, "nearest"), image[:, 6:14, 8:16])


def test_beyond_the_border_the_image_is_mirrored_without_repeating_its_edge() -> None:
    image = torch.arange(5.0).repeat(5, 1)[None]
    where = draw_deformation(rng(), (2.0, 0.0), NO_AUGMENTATION).coordinates(5)
    assert torch.equal(warp(image, where, "nearest")[0, 0], torch.tensor([2.0, 1, 0, 1, 2]))


def test_the_same_seed_gives_the_same_deformation() -> None:
    first, second, third = (
        draw_deformation(rng(s), (5, 5), AugmentParams()).coordinates(9) for s in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, third, atol=0.1)


def test_elastic_displacements_have_the_deviation_asked_for() -> None:
    params = AugmentParams(**{**ONLY, "elastic": 10})
    still = draw_deformation(rng(), (50, 50), NO_AUGMENTATION).coordinates(51)
    moved = torch.stack(
        [draw_deformation(rng(s), (50, 50), params).coordinates(51) - still for s in range(200)]
    )
    corners = moved[:, ::25, ::25]  # the coarse grid's points, where interpolation changes nothing
    assert float(corners.std()) == pytest.approx(10, rel=0.05)
    assert float(corners.mean()) == pytest.approx(0, abs=0.5)
    steps = (moved[:, 1:] - moved[:, :-1]).abs().max()
    assert float(steps) < 6  # smooth: neighbours move together


def test_a_rotation_keeps_distances_and_a_scale_changes_them() -> None:
    turned = draw_deformation(rng(3), (0, 0), AugmentParams(**{**ONLY, "rotation": 180})).coordinates(11)
    assert torch.allclose((turned[0, 0] - turned[0, 10]).norm(), torch.tensor(10.0), atol=1e-4)
    assert not torch.allclose(turned[0, 0], torch.tensor([-5.0, -5.0]), atol=0.1)
    scaled = draw_deformation(rng(3), (0, 0), AugmentParams(**{**ONLY, "scale": 2.0})).coordinates(11)
    distance = float((scaled[0, 0] - scaled[0, 10]).norm())
    assert 5 <= distance <= 20
    assert distance != pytest.approx(10, abs=0.1)


def test_half_of_the_samples_are_mirrored() -> None:
    params = AugmentParams(**{**ONLY, "flip": True})
    flips = [np.linalg.det(draw_deformation(rng(s), (0, 0), params).matrix) < 0 for s in range(400)]
    assert 0.4 < np.mean(flips) < 0.6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(1, 3), st.floats(0, 30))
def test_a_deformation_reads_no_pixel_outside_of_its_reach(
    seed: int, size: int, scale: float, elastic: float
) -> None:
    deformation = draw_deformation(rng(seed), (40.3, 17.8), AugmentParams(scale=scale, elastic=elastic))
    where = deformation.coordinates(size).numpy().reshape(-1, 2)
    first, last = deformation.reach(size)
    assert (where.min(axis=0) - 1 >= first).all()
    assert (where.max(axis=0) + 1 <= last - 1).all()


def test_grey_values_change_as_drawn() -> None:
    image = torch.tensor([[[0.0, 0.25, 1.0]]])
    params = AugmentParams(**{**ONLY, "contrast": 0.5, "brightness": 0.2, "gamma": 2})
    change = draw_grey_change(rng(5), params)
    expected = image**change.gamma * change.gain + change.offset
    assert torch.allclose(change.apply(image), expected)
    assert 0.5 <= change.gain <= 1.5
    assert -0.2 <= change.offset <= 0.2
    assert 0.5 <= change.gamma <= 2
    assert change.gain != 1


def test_inverted_bright_is_dark() -> None:
    change = GreyChange(1, 1, 0, 0, 0, invert=True)
    assert change.apply(torch.tensor([[[0.0, 0.25, 1.0]]])).tolist() == [[[1.0, 0.75, 0.0]]]


def test_uneven_light_changes_from_the_middle_to_the_border_along_y_and_x() -> None:
    lit = GreyChange(1, 1, 0, 0, 0, slope=(0.5, 0.25)).apply(torch.ones(1, 3, 5))
    assert lit[0, :, 2].tolist() == [0.5, 1.0, 1.5]
    assert lit[0, 1].tolist() == [0.75, 0.875, 1.0, 1.125, 1.25]


def test_each_channel_has_its_own_gain() -> None:
    change = GreyChange(1, 1, 0, 0, 0, colours=(0.5, 1.0, 2.0))
    assert change.apply(torch.ones(3, 1, 1)).flatten().tolist() == [0.5, 1.0, 2.0]


def test_negative_grey_values_survive_gamma() -> None:
    change = draw_grey_change(rng(5), AugmentParams(gamma=4))
    assert bool(torch.isfinite(change.apply(torch.full((1, 2, 2), -1.0))).all())


def test_noise_is_reproducible_and_of_the_deviation_drawn() -> None:
    change = draw_grey_change(rng(7), AugmentParams(**{**ONLY, "noise": 0.5}))
    image = torch.zeros(1, 100, 100)
    assert torch.equal(change.apply(image), change.apply(image))
    assert float(change.apply(image).std()) == pytest.approx(change.noise, rel=0.05)


def test_a_parameter_out_of_bounds_is_named() -> None:
    with pytest.raises(ValueError, match="scale must be at least 1"):
        AugmentParams(scale=0.5)
