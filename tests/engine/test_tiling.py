"""Plans cover what they should once, on the grid, at the least cost; the mirror is the paper's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.inference.tiling import LARGE_TILE, TileBudget, halve, plan_tiles
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.planes.mirror import mirror_indices, mirror_window

networks = {depth: UNet(UNetConfig(width=1, depth=depth)) for depth in (1, 2, 3)}
sizes = st.integers(1, 150)


@st.composite
def regions(draw):
    shape = draw(sizes), draw(sizes)
    starts = [draw(st.integers(0, n - 1)) for n in shape]
    stops = [draw(st.integers(start + 1, n)) for start, n in zip(starts, shape, strict=True)]
    region = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    return shape, region


@given(regions(), st.sampled_from([1, 2, 3]), st.sampled_from([2e3, 2e4, 2e5, 1e9]))
@settings(max_examples=80, deadline=None)
def test_planned_tiles_cover_the_region_exactly_once_and_lie_on_the_grid(shape_region, depth, memory):
    shape, region = shape_region
    network = networks[depth]
    plan = plan_tiles(shape, network, TileBudget(int(memory)), region=region)
    count = np.zeros(shape, int)
    for tile in plan:
        count[tile.inner] += 1
        for outer, local, inner, output in zip(tile.outer, tile.local, tile.inner, plan.output, strict=True):
            assert (outer.start + network.geometry.halo) % network.geometry.grid == 0
            assert outer.stop - outer.start == network.geometry.input_size(output)
            assert 0 <= local.start < local.stop <= output
            assert outer.start + network.geometry.halo + local.start == inner.start
            assert local.stop - local.start == inner.stop - inner.start
    assert (count[region] == 1).all()
    assert count.sum() == count[region].sum()


@given(regions(), st.sampled_from([1, 2, 3]), st.integers(8, 90))
@settings(max_examples=60, deadline=None)
def test_tiles_of_a_given_size_are_shared_by_all_regions(shape_region, depth, side):
    shape, region = shape_region
    network = networks[depth]
    whole = {tile.key: tile for tile in plan_tiles(shape, network, TileBudget(1 << 40), tile=side)}
    part = plan_tiles(shape, network, TileBudget(1 << 40), region=region, tile=side)
    assert all(whole[tile.key] == tile for tile in part)
    count = np.zeros(shape, int)
    for tile in part:
        count[tile.inner] += 1
    assert (count[region] == 1).all()
    assert count.max() == 1


@given(sizes, sizes)
@settings(max_examples=40, deadline=None)
def test_enough_memory_means_one_tile_and_less_memory_never_less_arithmetic(height, width):
    network = networks[2]
    generous = plan_tiles((height, width), network, TileBudget(1 << 40))
    assert len(generous) == 1
    tight = plan_tiles((height, width), network, TileBudget(40_000))
    assert tight.gflop >= generous.gflop
    assert tight.bytes <= max(40_000, plan_tiles((1, 1), network, TileBudget(1)).bytes * 4)


def test_the_plan_keeps_the_bounds_it_is_given():
    network = UNet(UNetConfig(width=8, depth=3))
    for megabytes in (8, 32, 128):
        plan = plan_tiles((3000, 2000), network, TileBudget(megabytes << 20, most_gflop=5.0))
        assert plan.bytes <= megabytes << 20
        assert plan.gflop / len(plan) <= 5.0
    assert plan_tiles((300, 200), network, TileBudget(1)).output == (
        8 + 4,
        8 + 4,
    )  # nothing fits: the smallest tile


@pytest.mark.parametrize(
    ("shape", "memory"), [((333, 210), 400_000), ((90, 700), 200_000), ((511, 513), 800_000)]
)
def test_no_grid_of_tiles_within_the_memory_is_cheaper(shape, memory):
    network = networks[3]
    plan = plan_tiles(shape, network, TileBudget(memory))
    geometry = network.geometry
    legal = [geometry.smallest + n * geometry.grid for n in range(1, 60)]

    def count(length, output):
        step = output // geometry.grid * geometry.grid
        return 1 + max(0, -(-(length - output) // step))

    cheapest = min(
        count(shape[0], y) * count(shape[1], x) * network.flops((y, x)) / 1e9
        for y in legal
        for x in legal
        if network.largest_features((y, x)) * 4 <= memory
    )
    assert plan.gflop == pytest.approx(cheapest, rel=0.01)


@pytest.mark.parametrize("fetch", [0.02, 0.1, 1.0])
def test_where_fresh_memory_costs_time_tiles_are_smaller_and_the_whole_is_done_sooner(fetch):
    network = UNet(UNetConfig(width=8, depth=3))

    def cost(plan):
        return plan.gflop + fetch * max(0, plan.bytes - LARGE_TILE) / 1e6

    least = plan_tiles((1000, 900), network, TileBudget(1 << 30))
    plan = plan_tiles((1000, 900), network, TileBudget(1 << 30, fetch_gflop_per_mb=fetch))
    assert plan.bytes < least.bytes
    others = [plan_tiles((1000, 900), network, TileBudget(megabytes << 20)) for megabytes in range(4, 200, 4)]
    assert cost(plan) <= 1.01 * min(cost(each) for each in others)


def test_a_halved_tile_covers_the_same_pixels_until_it_cannot_be_halved():
    network = networks[2]
    plan = plan_tiles((100, 120), network, TileBudget(1 << 40))
    tile = plan.tiles[0]
    halvings = []

    def halve_without_end():
        nonlocal plan, tile
        while True:
            smaller = halve(plan, network, tile)
            count = np.zeros(plan.shape, int)
            for each in smaller:
                count[each.inner] += 1
            halvings.append((count[tile.inner] == 1).all() and count.sum() == count[tile.inner].sum())
            plan, tile = smaller, smaller.tiles[0]

    with pytest.raises(MemoryError, match="smallest tile"):
        halve_without_end()
    assert len(halvings) >= 3
    assert all(halvings)
    assert max(plan.output) <= network.geometry.grid + network.geometry.smallest


@pytest.mark.parametrize(
    "region", [(slice(0, 0), slice(0, 5)), (slice(-1, 5), slice(0, 5)), (slice(0, 5), slice(0, 11))]
)
def test_regions_outside_of_the_plane_are_refused(region):
    with pytest.raises(ValueError, match="region"):
        plan_tiles((10, 10), networks[1], TileBudget(1 << 20), region=region)


def test_an_empty_plane_is_refused():
    with pytest.raises(ValueError, match="empty"):
        plan_tiles((0, 10), networks[1], TileBudget(1 << 20))


@given(sizes, st.integers(-400, 400), st.integers(0, 300))
def test_the_mirror_is_numpys_reflection_without_end(size, start, length):
    row = np.arange(size)
    pad = 1000
    expected = np.pad(row, pad, mode="reflect")[start + pad : start + length + pad]
    assert mirror_indices(start, start + length, size).tolist() == expected.tolist()


def test_a_window_over_the_corner_is_mirrored_on_both_axes():
    plane = np.arange(6).reshape(1, 2, 3)
    assert mirror_window(plane, (slice(-1, 3), slice(-2, 4)))[0].tolist() == [
        [5, 4, 3, 4, 5, 4],
        [2, 1, 0, 1, 2, 1],
        [5, 4, 3, 4, 5, 4],
        [2, 1, 0, 1, 2, 1],
    ]


def test_only_the_window_is_read():
    class Watched:
        shape = (1, 1000, 1000)

        def __getitem__(self, index):
            self.index = index
            return np.zeros((1, *(part.stop - part.start for part in index[1:])))

    watched = Watched()
    assert mirror_window(watched, (slice(-5, 20), slice(300, 330))).shape == (1, 25, 30)
    assert watched.index == (slice(None), slice(0, 20), slice(300, 330))
