"""What networks learn of distances, and how far a prediction is from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.outputs import DISTANCES, ModelClass, class_output
from napari_utile.engine.training.augment import GreyChange, blurred, draw_deformation, draw_grey_change
from napari_utile.engine.training.augment_params import NO_AUGMENTATION, AugmentParams
from napari_utile.engine.training.distances import distance_targets
from napari_utile.engine.training.loss import weighted_cross_entropy
from napari_utile.engine.training.objective import Objective, distance_loss, overlap_loss
from napari_utile.engine.training.recipes import TrainingRecipe
from napari_utile.engine.training.samples import HeldPlane, Sample, Sampler, cut_sample, training_plane
from napari_utile.engine.weights.annotation import Annotation

CARD = ModelCard("a", "unet", {"classes": 4}, outputs=(class_output(2), *DISTANCES))


def everywhere(labels: np.ndarray) -> np.ndarray:
    return np.ones(labels.shape, bool)


def test_a_bar_has_its_distances_from_edge_and_centre() -> None:
    labels = np.zeros((5, 9), int)
    labels[1:4, 2:7] = 40
    edge, centre, learnt = distance_targets(labels, everywhere(labels))
    np.testing.assert_allclose(edge[2], [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0])
    np.testing.assert_allclose(edge[1], [0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0])
    farthest = np.hypot(1, 2)
    np.testing.assert_allclose(
        centre[2], [1, 1, 2 / farthest, 1 / farthest, 0, 1 / farthest, 2 / farthest, 1, 1], rtol=1e-6
    )
    np.testing.assert_array_equal(learnt[2], 1)
    np.testing.assert_array_equal(learnt[:, 0], 1)  # two pixels from the cell


def test_beyond_the_rim_nothing_is_learnt() -> None:
    labels = np.zeros((9, 20), int)
    labels[3:6, 3:6] = 1
    learnt = distance_targets(labels, everywhere(labels))[2]
    np.testing.assert_array_equal(learnt[4], [0] + [1] * 7 + [0] * 12)


def test_one_pixel_is_its_own_centre() -> None:
    labels = np.zeros((5, 5), int)
    labels[2, 2] = 1
    edge, centre, _ = distance_targets(labels, everywhere(labels))
    assert (edge[2, 2], centre[2, 2]) == (1, 0)


def test_the_centre_of_a_ring_is_its_deepest_pixel() -> None:
    y, x = np.mgrid[:40, :40]
    labels = (np.hypot(y - 20, x - 20) < 16) & ~(np.hypot(y - 20, x - 20) < 9)
    edge, centre, _ = distance_targets(labels.astype(int), everywhere(labels))
    assert centre[labels].min() == 0
    assert edge[np.unravel_index(np.argmin(centre), centre.shape)] == 1


def test_cells_that_the_border_of_the_image_cuts_are_left_out_and_their_neighbours_are_not() -> None:
    labels = np.zeros((12, 20), int)
    labels[4:8, 0:6], labels[4:8, 6:12] = 1, 2
    learnt = distance_targets(labels, everywhere(labels))[2] > 0
    assert not learnt[labels == 1].any()
    assert learnt[labels == 2].all()


def test_cells_that_a_box_cuts_are_left_out_and_painted_ones_are_whole() -> None:
    labels = np.zeros((20, 30), np.uint16)
    labels[5:11, 5:11], labels[5:11, 16:24] = 1, 2
    image = np.zeros((1, 20, 30), np.float32)
    boxes = training_plane("a", image, labels, Annotation("boxes", boxes=[(2, 2, 18, 20)]), distances=True)
    assert (boxes.distances[2][labels == 1] == 1).all()
    assert not boxes.distances[2][labels == 2].any()
    sparse = training_plane("a", image, labels, Annotation("sparse"), distances=True)
    np.testing.assert_array_equal(sparse.distances[2] > 0, labels > 0)


def test_distances_move_with_the_image_and_are_those_of_the_whole_cell() -> None:
    labels = np.zeros((60, 60), np.uint16)
    labels[10:50, 10:50] = 1
    plane = training_plane("a", np.zeros((1, 60, 60), np.float32), labels, distances=True)
    sample = cut_sample(
        HeldPlane.of(plane), draw_deformation(np.random.default_rng(), (15.5, 29.5), NO_AUGMENTATION), 12, 6
    )
    np.testing.assert_allclose(sample.distances.numpy(), plane.distances[:, 10:22, 24:36], atol=1e-5)


def batch(size: int = 8, seed: int = 0) -> tuple[torch.Tensor, Sample]:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(2, 4, size, size, generator=generator)
    target = (torch.rand(2, size, size, generator=generator) > 0.5).to(torch.uint8)
    weight = torch.rand(2, size, size, generator=generator) + 0.5
    distances = torch.rand(2, 3, size, size, generator=generator)
    distances[:, 2] = (distances[:, 2] > 0.5).float()
    return raw, Sample(torch.zeros(2, 1, size, size), target, weight, distances)


def test_the_loss_is_entropy_overlap_and_distances() -> None:
    raw, given = batch()
    recipe = TrainingRecipe(dice=0.5, distances=4.0)
    whole = Objective(CARD, recipe)(raw, given)
    entropy = weighted_cross_entropy(raw[:, :2], given.target, given.weight)
    parts = [distance_loss(raw[:, 2 + i], given.distances[:, i], given.distances[:, 2]) for i in (0, 1)]
    expected = entropy.weighted + 0.5 * overlap_loss(raw[:, :2], given.target, given.weight) + 4 * sum(parts)
    torch.testing.assert_close(whole.weighted, expected)
    assert whole.plain == entropy.plain


def test_predicting_the_distances_exactly_costs_nothing_and_pixels_left_out_have_no_gradient() -> None:
    raw, given = batch()
    assert distance_loss(given.distances[:, 0], given.distances[:, 0], given.distances[:, 2]) == 0
    predicted = raw[:, 2].clone().requires_grad_()
    distance_loss(predicted, given.distances[:, 0], given.distances[:, 2]).backward()
    assert (predicted.grad[given.distances[:, 2] == 0] == 0).all()
    assert (predicted.grad[given.distances[:, 2] == 1] != 0).all()
    nowhere = torch.zeros_like(given.distances[:, 2])
    assert distance_loss(raw[:, 2], given.distances[:, 0], nowhere) == 0


def test_several_classes_of_a_role_count_as_one() -> None:
    classes = tuple(
        ModelClass(str(i), role) for i, role in enumerate(("background", "foreground", "foreground"))
    )
    card = ModelCard("a", "unet", {"classes": 3}, classes=classes)
    raw = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    two = Objective(card, TrainingRecipe()).classes(raw).softmax(dim=1)
    torch.testing.assert_close(two[:, 0], raw.softmax(dim=1)[:, 0])
    torch.testing.assert_close(two[:, 1], raw.softmax(dim=1)[:, 1:].sum(dim=1))


def test_a_perfect_overlap_costs_almost_nothing() -> None:
    target = torch.zeros(1, 20, 20, dtype=torch.uint8)
    target[:, 5:15, 5:15] = 1
    logits = torch.stack([1 - target.float(), target.float()], dim=1) * 40
    assert overlap_loss(logits, target, torch.ones(1, 20, 20)) < 1e-3
    assert overlap_loss(-logits, target, torch.ones(1, 20, 20)) > 0.98


def test_an_optional_channel_is_0_in_half_of_the_samples_and_never_gets_noise() -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[10:30, 10:30] = 1
    plane = training_plane("a", np.ones((2, 40, 40), np.float32), labels)
    sampler = Sampler([plane], 2, AugmentParams(noise=0.3), seed=0, optional=1)
    others = [sampler.sample(step, 0, 12).image[1] for step in range(60)]
    missing = [bool((each == 0).all()) for each in others]
    assert 15 < sum(missing) < 45
    for each, gone in zip(others, missing, strict=True):
        assert gone or float(each.std()) < 1e-6


@pytest.mark.parametrize(
    ("params", "attribute"),
    [
        ({"blur": 3.0}, "blur"),
        ({"gradient": 0.5}, "slope"),
        ({"invert": 1.0}, "invert"),
        ({"colour": 0.5}, "colours"),
        ({}, "blur"),
    ],
)
def test_each_change_of_grey_values_does_something_and_none_is_nothing(params, attribute) -> None:
    still = {"contrast": 0, "brightness": 0, "gamma": 1, "noise": 0}
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    nothing = GreyChange(1.0, 1.0, 0.0, 0.0, 0)
    changed = 0
    for seed in range(20):
        drawn = draw_grey_change(np.random.default_rng(seed), AugmentParams(**still, **params))
        drawn = replace(drawn, noise_seed=0)
        assert replace(drawn, **{attribute: getattr(nothing, attribute)}) == nothing, "the others stay"
        result = drawn.apply(image.clone())
        assert result.shape == image.shape
        assert torch.equal(result, image) == (drawn == nothing)
        changed += drawn != nothing
    assert bool(changed) == bool(params)


def test_a_blur_keeps_an_even_image_and_spreads_a_point() -> None:
    torch.testing.assert_close(blurred(torch.ones(2, 9, 7), 2.0), torch.ones(2, 9, 7))
    point = torch.zeros(1, 15, 15)
    point[0, 7, 7] = 1
    spread = blurred(point, 1.0)
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert spread[0, 7, 7] < 0.2
