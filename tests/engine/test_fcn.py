"""FCN-32s, FCN-16s and FCN-8s: shapes, seams, bilinear start and staged initialisation."""

import pytest
import torch

from napari_utile.engine.networks.families import FAMILIES, build_network
from napari_utile.engine.networks.fcn import FCN, FCN8s, FCN16s, FCN32s, FCNConfig, bilinear_up

NETWORKS = [FCN32s, FCN16s, FCN8s]


def tiny(kind: type[FCN], *, skips_count: bool = True, **config: int) -> FCN:
    torch.manual_seed(0)
    network = kind(FCNConfig(**{"width": 1, "dropout": 0.0, **config}))
    if skips_count:  # they start at zero; a test of the seams must see them
        for score in network.skip_scores:
            torch.nn.init.normal_(score.weight)
        torch.nn.init.normal_(network.score.weight)
    return network.eval()


@pytest.mark.parametrize("kind", NETWORKS)
def test_output_sizes_are_those_of_the_geometry(kind: type[FCN]) -> None:
    network = tiny(kind, in_channels=2, classes=3)
    geometry = network.geometry
    for size in (geometry.smallest, geometry.smallest + geometry.grid):
        n = geometry.input_size(size)
        with torch.inference_mode():
            assert network(torch.zeros(1, 2, n, n)).shape == (1, 3, size, size)


@pytest.mark.parametrize("kind", NETWORKS)
def test_two_tiles_agree_with_one_large_tile(kind: type[FCN]) -> None:
    network = tiny(kind)
    geometry = network.geometry
    halo, small = geometry.halo, geometry.smallest + geometry.grid
    large = small + geometry.grid
    image = torch.randn(1, 1, geometry.input_size(small), geometry.input_size(large))
    with torch.inference_mode():
        whole = network(image)
        parts = [network(image[..., x : x + small + 2 * halo]) for x in (0, geometry.grid)]
    assert torch.allclose(whole[..., :small], parts[0], atol=1e-5)
    assert torch.allclose(whole[..., geometry.grid :], parts[1], atol=1e-5)
    assert float(whole.std()) > 1e-4  # a constant would agree with itself


@pytest.mark.parametrize("kind", NETWORKS)
def test_no_pixel_beyond_the_support_changes_an_output_pixel(kind: type[FCN]) -> None:
    network = tiny(kind)
    geometry = network.geometry
    size = geometry.smallest + geometry.grid
    image = torch.randn(1, 1, geometry.input_size(size), geometry.input_size(size), requires_grad=True)
    middle = size // 2
    (gradient,) = torch.autograd.grad(network(image)[0, 0, middle, middle], image)
    rows = torch.nonzero(gradient[0, 0].abs().sum(dim=1))
    before, after = geometry.support
    place = geometry.halo + middle
    assert place - before <= int(rows.min()) < place < int(rows.max()) <= place + after


def test_an_up_convolution_starts_as_bilinear_interpolation() -> None:
    up = bilinear_up(2, 4)
    ramp = torch.arange(5.0).repeat(2, 5, 1)[None]
    with torch.inference_mode():
        fine = up(ramp)[..., 4:-4, 4:-4]
    expected = 0.125 + torch.arange(16) / 4  # a coarse pixel is 4 fine ones, their centres 1/4 apart
    assert torch.allclose(fine[0, 0, 3], expected, atol=1e-6)
    assert torch.allclose(fine[0, 1], fine[0, 0])


@pytest.mark.parametrize(("fine", "coarse"), [(FCN16s, FCN32s), (FCN8s, FCN16s)])
def test_a_finer_network_starts_out_saying_what_the_coarser_one_says(
    fine: type[FCN], coarse: type[FCN]
) -> None:
    trained = tiny(coarse)
    network = tiny(fine, skips_count=False)
    network.initialise_from(trained)
    size = network.geometry.smallest + 3 * network.geometry.grid
    margin = trained.geometry.halo - network.geometry.halo
    image = torch.randn(1, 1, network.geometry.input_size(size), network.geometry.input_size(size))
    coarse_size = trained.geometry.output_at_least(size - 2 * 48)
    with torch.inference_mode():
        new = network(image)
        start = 32 + network.geometry.halo - trained.geometry.halo  # on the coarse network's grid
        n = trained.geometry.input_size(coarse_size)
        start = (image.shape[-1] - n) // 2 // 32 * 32
        old = trained(image[..., start : start + n, start : start + n])
    offset = start + margin
    found = new[..., offset : offset + coarse_size, offset : offset + coarse_size]
    # bilinear twice is nearly, not quite, bilinear once
    assert float((found - old).abs().mean()) < 0.12 * float(old.std())


def test_staged_initialisation_needs_the_next_coarser_stride() -> None:
    with pytest.raises(ValueError, match="stride 16"):
        tiny(FCN8s).initialise_from(tiny(FCN32s))
    with pytest.raises(ValueError, match="same configuration"):
        tiny(FCN16s).initialise_from(tiny(FCN32s, classes=3))


def test_the_network_of_the_paper_has_134_million_parameters() -> None:
    with torch.device("meta"):
        network = FCN32s(FCNConfig(in_channels=3))
    assert sum(each.numel() for each in network.parameters()) == pytest.approx(134.3e6, rel=0.001)


def test_every_fcn_is_a_family() -> None:
    for kind in NETWORKS:
        assert isinstance(build_network(kind.family, {"width": 1}), kind)
        assert FAMILIES[kind.family].config is FCNConfig


def test_the_cost_counts_every_multiplication() -> None:
    """The operations of a forward pass, measured by torch's own counter."""
    from torch.utils.flop_counter import FlopCounterMode

    network = tiny(FCN8s)
    size = network.geometry.smallest + network.geometry.grid
    n = network.geometry.input_size(size)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 1, n, n))
    assert network.flops((size, size)) == pytest.approx(counter.get_total_flops(), rel=0.02)
