"""The weighted softmax cross-entropy."""

import math

import pytest
import torch

from napari_utile.engine.training.loss import IGNORE, weighted_cross_entropy


def case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    target = torch.randint(0, 3, (2, 4, 5), generator=generator)
    return logits, target, torch.rand(2, 4, 5, generator=generator) + 0.1


def test_it_is_the_formula_of_the_paper_over_the_sum_of_the_weights() -> None:
    logits, target, weight = case()
    probability = torch.softmax(logits, dim=1).gather(1, target[:, None])[:, 0]
    energy = -(weight * probability.log()).sum() / weight.sum()
    loss = weighted_cross_entropy(logits, target, weight)
    assert float(loss.weighted) == pytest.approx(float(energy), rel=1e-5)
    assert float(loss.plain) == pytest.approx(float(-probability.log().mean()), rel=1e-5)


def test_huge_logits_give_a_finite_loss() -> None:
    logits = torch.tensor([1e4, -1e4]).reshape(1, 2, 1, 1)
    loss = weighted_cross_entropy(logits, torch.ones(1, 1, 1, dtype=torch.uint8), torch.ones(1, 1, 1))
    assert float(loss.weighted) == pytest.approx(2e4)


def test_ignored_pixels_weigh_nothing_whatever_the_network_says_there() -> None:
    logits, target, weight = case()
    target[0, 0, 0] = IGNORE
    weight[1, 1, 1] = 0
    reference = logits.clone().requires_grad_()
    broken = logits.clone()
    broken[0, :, 0, 0] = math.nan
    broken[1, :, 1, 1] = math.inf
    broken.requires_grad_()
    losses = [weighted_cross_entropy(each, target, weight) for each in (reference, broken)]
    gradients = [
        torch.autograd.grad(loss.weighted, each)[0]
        for loss, each in zip(losses, (reference, broken), strict=True)
    ]
    assert torch.equal(losses[0].weighted, losses[1].weighted)
    assert float(losses[0].plain) == float(losses[1].plain)
    assert torch.equal(gradients[0], gradients[1])
    assert not gradients[0][0, :, 0, 0].any()
    assert gradients[0][0, :, 0, 1].any()


def test_a_batch_without_a_labelled_pixel_has_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss = weighted_cross_entropy(logits, torch.full((1, 3, 3), IGNORE), torch.ones(1, 3, 3))
    (gradient,) = torch.autograd.grad(loss.weighted, logits)
    assert not loss.weighted.any()
    assert not gradient.any()


def test_shapes_that_do_not_fit_are_named() -> None:
    logits, target, weight = case()
    with pytest.raises(ValueError, match=r"\(2, 4, 5\)"):
        weighted_cross_entropy(logits, target, weight[:, :3])
