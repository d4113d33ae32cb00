"""The labels equal those of the description carried out literally, pixel by pixel and slowly."""

import numpy as np
from hypothesis import given, settings
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from strategies import parameters, probability_maps

ABOVE_TO_BELOW = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))  # raster order


def literal_labels(probability, params):
    mask = dropped(filled(probability > params.threshold, params.fill_holes), params.minimum_size)
    labels = joined(*basins(relief(mask, probability), mask), params.split, params.minimum_size)
    return raster_order(grown(labels, params.grow))


def filled(mask, largest):
    mask = mask.copy()
    holes, count = ndimage.label(np.pad(~mask, 1, constant_values=True), np.ones((3, 3)))
    outside = holes[0, 0]
    for hole in range(1, count + 1):
        pixels = (holes == hole)[1:-1, 1:-1]
        if hole != outside and pixels.sum() <= largest:
            mask |= pixels
    return mask


def dropped(mask, smallest):
    components, count = ndimage.label(mask)
    for component in range(1, count + 1):
        if (components == component).sum() < smallest:
            mask = mask & (components != component)
    return mask


def relief(mask, probability):
    """Distance to the background, at most 64, times the squared probability; what lies outside is unknown."""
    distance = np.full(mask.shape, np.float32(64))
    if not mask.all():
        distance = np.minimum(ndimage.distance_transform_edt(mask), 64).astype(np.float32)
    return distance * np.clip(np.nan_to_num(probability), 0, 1) ** 2


def basins(heights, mask):
    """Give each pixel the summit that it climbs to, and list all places where two pixels meet."""
    summit_of, meetings = {}, []

    def highest_around(y, x):
        best = (y, x)
        top = -1.0
        for dy, dx in ABOVE_TO_BELOW:
            neighbour = y + dy, x + dx
            if is_inside(mask, *neighbour) and heights[neighbour] >= top:
                best, top = neighbour, heights[neighbour]
        return best

    for y, x in np.argwhere(mask).tolist():
        at = y, x
        while highest_around(*at) != at:
            at = highest_around(*at)
        summit_of[y, x] = at
    for y, x in summit_of:
        meetings += [((y, x), there) for there in ((y, x + 1), (y + 1, x)) if there in summit_of]
    return heights, summit_of, meetings


def joined(heights, summit_of, meetings, strength, smallest):
    """Join basins over their passes, highest pass first, unless it lies too deep below the lower summit."""
    passes = {}
    for one, other in meetings:
        pair = tuple(sorted((summit_of[one], summit_of[other])))
        if pair[0] != pair[1]:
            passes[pair] = max(passes.get(pair, -1.0), min(heights[one], heights[other]))

    def rank(pair):
        tops = sorted(-heights[summit] for summit in pair)
        return -passes[pair], *tops, pair

    cell_of = {summit: summit for summit in summit_of.values()}  # a cell is called by its highest summit
    size = dict.fromkeys(cell_of, 0)
    for summit in summit_of.values():
        size[summit] += 1
    for pair in sorted(passes, key=rank):
        one, other = cell_of[pair[0]], cell_of[pair[1]]
        if one == other:
            continue
        lower = min(heights[one], heights[other])
        deep = float(passes[pair]) < strength * float(lower)
        if deep and min(size[one], size[other]) >= smallest:
            continue
        keep, gone = (one, other) if heights[one] >= heights[other] else (other, one)
        size[keep] += size[gone]
        cell_of = {summit: keep if cell == gone else cell for summit, cell in cell_of.items()}
    number = {cell: i for i, cell in enumerate(sorted(size), start=1)}
    labels = np.zeros(heights.shape, dtype=np.int32)
    for pixel, summit in summit_of.items():
        labels[pixel] = number[cell_of[summit]]
    return labels


def grown(labels, reach):
    between = np.zeros(labels.shape, dtype=bool)
    for y, x in np.argwhere(labels == 0).tolist():
        window = labels[max(y - 2 * reach, 0) : y + 2 * reach + 1, max(x - 2 * reach, 0) : x + 2 * reach + 1]
        between[y, x] = len(set(window[window > 0].tolist())) > 1
    for _ in range(reach):
        before = labels.copy()
        for y, x in np.argwhere(between & (labels == 0)).tolist():
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                if is_inside(before > 0, y + dy, x + dx):
                    labels[y, x] = before[y + dy, x + dx]
                    break
    return labels


def raster_order(labels):
    ordered, numbers = np.zeros_like(labels), {0: 0}
    for y, x in np.ndindex(labels.shape):
        ordered[y, x] = numbers.setdefault(int(labels[y, x]), len(numbers))
    return ordered


def is_inside(mask, y, x):
    return 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and bool(mask[y, x])


@settings(max_examples=60, deadline=None)
@given(probability_maps(28, ties=True, gaps=True), parameters)
def test_the_labels_equal_those_of_the_literal_description(probability, params):
    labels = label_cells(cell_landscape(probability, params), params)
    assert labels.dtype == np.int32
    assert labels.tolist() == literal_labels(probability, params).tolist()


def test_a_large_map_equals_the_literal_description_with_default_parameters():
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(130, 150)), 5)
    probability = (0.5 + 0.5 * smooth / np.abs(smooth).max()).astype(np.float32)
    params = InstanceParams()
    labels = label_cells(cell_landscape(probability, params), params)
    assert labels.max() > 5
    assert np.array_equal(labels, literal_labels(probability, params))
