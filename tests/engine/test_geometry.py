"""The geometry of networks is computed; here it is held against sizes and gradients of real ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_utile.engine.networks.geometry import Geometry, Step, geometry_of
from napari_utile.engine.networks.unet import UNet, UNetConfig


def test_the_network_of_2015_turns_572_into_388():
    geometry = UNet(UNetConfig(width=1)).geometry
    assert (geometry.halo, geometry.grid) == (92, 16)
    assert geometry.input_size(388) == 572
    with pytest.raises(ValueError, match="389"):
        geometry.input_size(389)


@given(st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_legal_sizes_are_the_ones_the_network_takes(depth, steps):
    network = UNet(UNetConfig(width=1, depth=depth)).eval()
    output = network.geometry.smallest + steps * network.geometry.grid
    size = network.geometry.input_size(output)
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, size, size)).shape == (1, 2, output, output)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_halo_and_support_agree_with_the_gradient(depth):
    torch.manual_seed(depth)
    network = UNet(UNetConfig(width=1, depth=depth)).double().eval()
    for module in network.modules():  # positive weights: nothing cancels, no ReLU is shut
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.uniform_(module.weight, 0.1, 1.0)
    geometry = network.geometry
    output = geometry.output_at_least(geometry.grid)
    size = geometry.input_size(output)
    before = after = 0
    for pixel in range(geometry.grid):
        # Max pooling passes one of its inputs only; the largest reach over several images is the support.
        for _ in range(6):
            image = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
            network(image)[0, 0, pixel, pixel].backward()
            reached = image.grad[0, 0].abs().sum(0).nonzero().ravel()
            centre = geometry.halo + pixel
            before = max(before, centre - int(reached[0]))
            after = max(after, int(reached[-1]) - centre)
    assert before <= geometry.support[0] <= before + geometry.grid
    assert after <= geometry.support[1] <= after + geometry.grid


def test_up_convolutions_that_are_not_cropped_are_refused():
    with pytest.raises(ValueError, match="cropped"):
        geometry_of([[Step(2, 2), Step(4, 2, up=True)]])
    assert geometry_of([[Step(2, 2), Step(4, 2, up=True, crop=2)]]) == Geometry(1, 2, 2, (2, 2))


@given(st.integers(1, 5000))
def test_the_next_legal_output_is_legal_and_not_smaller(n):
    geometry = Geometry(92, 16, 4, (107, 107))
    output = geometry.output_at_least(n)
    assert geometry.fits(output)
    assert n <= output < n + 16 + 4
