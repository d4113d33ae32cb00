"""Labels made block by block are those of the whole plane, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import napari_utile.engine.cells.blocks.decoder as decoder
import napari_utile.engine.cells.blocks.merge as merge
from napari_utile.engine.cells.blocks.basins import RING, find_basins
from napari_utile.engine.cells.blocks.decoder import label_blocks
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.relief import height_of, unsmoothed_height
from napari_utile.engine.cells.watershed import Landscape
from napari_utile.engine.windows import Window
from strategies import parameters, probability_maps

sides = st.tuples(st.integers(1, 40), st.integers(1, 40))
fields = st.one_of(
    probability_maps(largest=12, ties=True, gaps=True), probability_maps(largest=64, ties=True, gaps=True)
)


def not_too_many(side, shape):
    """Blocks of one pixel on small planes only."""
    return tuple(max(each, -(-size // 12)) for each, size in zip(side, shape, strict=True))


def in_one_piece(foreground, params, edge=None, centre=None):
    height = None if edge is None else height_of(edge, centre)
    return label_cells(cell_landscape(foreground, params, height), params)


def in_blocks(foreground, params, side, edge=None, centre=None):
    height = None if edge is None else unsmoothed_height(edge, centre)
    return label_blocks(foreground, params, side, height)


@settings(max_examples=80, deadline=None)
@given(fields, parameters, sides, st.sampled_from([8, 16, 64]))
def test_by_the_distance_to_the_background(foreground, params, side, limit) -> None:
    params = InstanceParams(**{**vars(params), "relief_limit": limit})
    side = not_too_many(side, foreground.shape)
    np.testing.assert_array_equal(in_blocks(foreground, params, side), in_one_piece(foreground, params))


@settings(max_examples=80, deadline=None)
@given(fields, parameters, sides, st.integers(0, 2**32 - 1), st.booleans())
def test_by_predicted_distances(foreground, params, side, seed, rough) -> None:
    rng, side = np.random.default_rng(seed), not_too_many(side, foreground.shape)
    edge, centre = (np.clip(rng.normal(0.5, 0.4, foreground.shape), 0, 1) for _ in range(2))
    if not rough:
        edge, centre = (np.round(ndimage.uniform_filter(each, 3) * 4) / 4 for each in (edge, centre))
    edge, centre = edge.astype(np.float32), centre.astype(np.float32)
    expected = in_one_piece(foreground, params, edge, centre)
    np.testing.assert_array_equal(in_blocks(foreground, params, side, edge, centre), expected)


def snake(height, width):
    """One component a pixel wide, and a relief that rises along all of it."""
    foreground = np.zeros((height, width), np.float32)
    place = []
    for y in range(0, height, 2):
        row = [(y, x) for x in range(width)]
        place += row if y // 2 % 2 == 0 else row[::-1]
        if y + 2 < height:
            place.append((y + 1, width - 1 if y // 2 % 2 == 0 else 0))
    for number, each in enumerate(place):
        foreground[each] = 0.55 + 0.4 * number / len(place)
    return foreground


@pytest.mark.parametrize(
    ("shape", "side"), [((9, 8), (1, 1)), ((27, 33), (6, 7)), ((41, 33), (8, 8)), ((41, 33), (40, 3))]
)
def test_a_snake_over_all_blocks_is_one_cell(shape, side) -> None:
    foreground = snake(*shape)
    params = InstanceParams(split=0.7)
    labels = in_blocks(foreground, params, side)
    assert labels.max() == 1
    np.testing.assert_array_equal(labels, in_one_piece(foreground, params))


@pytest.mark.parametrize("area", [15, 16])
def test_a_hole_over_a_corner_of_four_blocks_is_filled_as_a_whole(area) -> None:
    foreground = np.ones((16, 16), np.float32)
    foreground[6:10, 6:10] = 0
    labels = in_blocks(foreground, InstanceParams(fill_holes=area), (8, 8))
    assert bool(labels[7, 7]) == (area == 16)


def test_holes_that_touch_over_a_corner_only_are_one() -> None:
    foreground = np.ones((16, 16), np.float32)
    foreground[7, 7] = foreground[8, 8] = 0
    assert in_blocks(foreground, InstanceParams(fill_holes=1, grow=0), (8, 8))[7, 7] == 0
    assert in_blocks(foreground, InstanceParams(fill_holes=2, grow=0), (8, 8))[7, 7] == 1


def test_cells_larger_than_the_limit_of_the_distance() -> None:
    rows, columns = np.mgrid[:200, :260]
    foreground = np.zeros((200, 260), np.float32)
    for y, x in ((90, 70), (100, 180)):
        foreground = np.maximum(foreground, 0.95 * (np.hypot(rows - y, columns - x) < 62))
    params = InstanceParams(relief_limit=24)
    expected = in_one_piece(foreground, params)
    np.testing.assert_array_equal(in_blocks(foreground, params, (33, 64)), expected)


def rough_field(seed):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((60, 70)), 1 + seed % 3)
    likely = (smooth - smooth.min()) / np.ptp(smooth)
    return (np.round(likely * 4) / 4 if seed % 2 else likely).astype(np.float32)


def differs_somewhere(by_height: bool, fields: int) -> bool:
    params = InstanceParams(fill_holes=40, minimum_size=3, split=0.8, grow=2, threshold=0.4)
    for seed in range(fields):
        foreground = rough_field(seed)
        edge, centre = (foreground, 1 - foreground) if by_height else (None, None)
        side = ((7, 9), (16, 11))[seed % 2]
        try:
            labels = in_blocks(foreground, params, side, edge, centre)
        except (IndexError, ValueError):
            return True
        if not np.array_equal(labels, in_one_piece(foreground, params, edge, centre)):
            return True
    return False


def fault_no_corners(patch) -> None:
    joined = decoder.join_holes

    def without(holes, grid, largest):
        cut = {key: type(each)(**{**vars(each), "top": each.top * 0 - 1}) for key, each in holes.items()}
        return joined(cut, grid, largest)

    patch.setattr(decoder, "join_holes", without)


def fault_paths_stop_at_borders(patch) -> None:
    patch.setattr(merge, "where_they_end", lambda blocks, grid, offset, total: np.arange(total))


def fault_halo_short(patch) -> None:
    patch.setattr(decoder, "HEIGHT_REACH", 1)
    patch.setattr(decoder, "climbing_relief", _near_sighted(decoder.climbing_relief))


def _near_sighted(relief):
    def made(mask, likely, outside, height=None, limit=64):
        return relief(mask, likely, outside, height, 2 if height is None else limit)

    return made


def fault_gaps_without_halo(patch) -> None:
    around = decoder.Grid.around
    patch.setattr(decoder.Grid, "around", lambda grid, key, halo: around(grid, key, min(halo, 1)))


def fault_ties_unsorted(patch) -> None:
    patch.setattr(merge, "order_of_passes", lambda low, high, height, summit: np.argsort(height))


def fault_no_passes_over_borders(patch) -> None:
    joined = decoder.join_basins

    def apart(blocks, grid, params):
        low = {k: type(b)(**{**vars(b), "top_height": b.top_height * 0}) for k, b in blocks.items()}
        return joined(low, grid, params)

    patch.setattr(decoder, "join_basins", apart)


def fault_doubt_does_not_spread(patch) -> None:
    settled = Landscape.settled

    def sure_elsewhere(land, strength, minimum_size, unsure):
        return settled(land, strength, minimum_size, unsure)[0], unsure

    patch.setattr(Landscape, "settled", sure_elsewhere)


def test_touching_cells_that_no_border_reaches_are_done_in_their_block() -> None:
    """A web over the whole plane costs the merge no more than cells apart."""
    y, x = np.indices((64, 64))
    height = (2 - np.cos(y * np.pi / 4) - np.cos(x * np.pi / 4)).astype(np.float32)  # a hill every 8 pixels
    block, shape = Window(slice(0, 32), slice(0, 32)), (64, 64)
    lies = block.grown(RING).clipped(shape)
    _, told = find_basins(height[lies], lies, block, shape, InstanceParams(split=0.7, minimum_size=1))
    assert int(told.closed) == 9
    assert np.count_nonzero(told.side < 0) == 7


@pytest.mark.parametrize("by_height", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        None,
        fault_no_corners,
        fault_paths_stop_at_borders,
        fault_halo_short,
        fault_gaps_without_halo,
        fault_ties_unsorted,
        fault_no_passes_over_borders,
        fault_doubt_does_not_spread,
    ],
)
def test_faults_put_in_on_purpose_are_seen(monkeypatch, fault, by_height) -> None:
    if fault is None:
        assert not differs_somewhere(by_height, fields=3)
    else:
        fault(monkeypatch)
        assert differs_somewhere(by_height, fields=8)
