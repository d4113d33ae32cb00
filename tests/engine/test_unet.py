"""The U-Net is the paper's."""

import copy

import pytest
import torch
from torch import nn

from napari_utile.engine.inference.fused import folded, rectify_at_once
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.networks.unet import UNet, UNetConfig


@pytest.fixture(scope="module")
def paper():
    with torch.device("meta"):
        return UNet()


def test_it_has_23_convolutional_layers_and_31_million_parameters(paper):
    convolutions = [m for m in paper.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    assert len(convolutions) == 23
    assert sum(p.numel() for p in paper.parameters()) == 31_030_658
    widths = sorted({m.out_channels for m in convolutions})
    assert widths == [2, 64, 128, 256, 512, 1024]
    assert all(m.padding == (0, 0) for m in convolutions)


def test_its_figure_1_holds(paper):
    image = torch.zeros(1, 1, 572, 572, device="meta")
    assert paper(image).shape == (1, 2, 388, 388)
    sizes = []
    for block in [*paper.down, *paper.merge]:
        block.register_forward_hook(lambda _, __, output: sizes.append(output.shape[-1]))
    paper(image)
    assert sizes == [568, 280, 136, 64, 28, 52, 100, 196, 388]


def test_the_skips_are_cropped_as_in_figure_1(paper):
    assert paper.crops == (88, 40, 16, 4)


def test_weights_have_the_standard_deviation_of_he_2015():
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=32, depth=2))
    convolution = network.down[2][0]
    fan_in = 9 * convolution.in_channels
    assert convolution.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)
    assert network.up[1].weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)
    assert not convolution.bias.any()


def test_dropout_acts_at_the_end_of_the_contracting_path_only_in_training():
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=4, depth=1))
    image = torch.rand(1, 1, 20, 20)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folding_batch_normalisation_leaves_the_output(depth):
    torch.manual_seed(depth)
    network = UNet(UNetConfig(width=4, depth=depth, batch_norm=True))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    network.eval()
    side = network.geometry.input_size(network.geometry.output_at_least(16))
    image = torch.rand(2, 1, side, side)
    with torch.inference_mode():
        without = folded(network)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in without.modules())
        torch.testing.assert_close(without(image), network(image), rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("family", ["unet", "fcn8s"])
def test_joining_convolutions_with_their_relu_leaves_the_output(family):
    torch.manual_seed(0)
    network = build_network(family, {"width": 4, **({"depth": 2} if family == "unet" else {})}).eval()
    side = network.geometry.input_size(network.geometry.output_at_least(16))
    image = torch.randn(1, 1, side, side).contiguous(memory_format=torch.channels_last)
    joined = copy.deepcopy(network)
    rectify_at_once(joined)
    assert not any(isinstance(module, nn.ReLU) for module in joined.modules())
    with torch.inference_mode():
        torch.testing.assert_close(joined(image), network(image), rtol=1e-4, atol=1e-4)


def test_the_cost_is_what_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    network = UNet(UNetConfig(width=4, depth=2, in_channels=3, classes=5)).eval()
    output = (network.geometry.output_at_least(20), network.geometry.output_at_least(30))
    image = torch.rand(1, 3, *(network.geometry.input_size(n) for n in output))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(image)
    assert network.flops(output) == counter.get_total_flops()


def test_configurations_out_of_bounds_and_unknown_families_are_refused():
    with pytest.raises(ValueError, match="depth must be at most 6"):
        UNetConfig(depth=9)
    with pytest.raises(ValueError, match="family 'resnet'"):
        build_network("resnet", {})
    with pytest.raises(ValueError, match="no parameter widht"):
        build_network("unet", {"widht": 3})
