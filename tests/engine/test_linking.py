"""One id for one cell: what linking must not depend on, and how well it does on volumes and time-lapses."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.plane_file import planes_of
from napari_utile.engine.linking.links import Links, link, link_counts, link_planes
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import count, gathered
from napari_utile.engine.segment import segment
from napari_utile.engine.windows import Window
from pictures import label_discs
from simulation.film import SimulatedFilm, simulate_film
from simulation.simulate import PRESETS

AXES = st.sampled_from("zt")
some = settings(deadline=None, max_examples=25)


@st.composite
def stacks(draw, planes=4, side=20):
    """Labels (planes, Y, X) of blobs that go through several planes, numbered plane by plane."""
    shape = (draw(st.integers(1, planes)), draw(st.integers(1, side)), draw(st.integers(1, side)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (draw(st.sampled_from([0.3, 1])), 1.5, 1.5))
    level = np.quantile(smooth, draw(st.floats(0.3, 0.8)))
    return np.array([ndimage.label(plane > level)[0] for plane in smooth], np.int32)


def scrambled(stack, rng, lost=0.0):
    """Give each plane ids of its own, and leave some sections out."""
    planes = np.zeros_like(stack)
    for number, plane in enumerate(stack):
        ids = np.unique(plane[plane > 0])
        seen = ids[rng.random(ids.size) >= lost]
        new = np.zeros(stack.max() + 1, stack.dtype)
        new[seen] = rng.permutation(seen.size) + 1
        planes[number] = new[plane]
    return planes


def same_partition(one, other):
    pairs = np.unique(np.stack([one[one > 0], other[one > 0]]), axis=1)
    return np.array_equal(one > 0, other > 0) and pairs.shape[1] == one.max() == other.max()


@some
@given(stacks(), AXES, st.integers(1, 3), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.randoms())
def test_blocks_of_any_size_in_any_order_give_the_same_tables(stack, axis, reach, side, random):
    windows = [block.clipped(stack.shape[1:]) for block in Window.whole(stack.shape[1:]).blocks(side)]
    random.shuffle(windows)
    parts = [count(stack[:, *window], reach, window.start) for window in windows]
    whole, blocks = gathered([count(stack, reach)]), gathered(parts)
    for name in ("plane", "label", "area", "y", "x", "before", "after", "shared"):
        np.testing.assert_array_equal(getattr(blocks, name), getattr(whole, name))
    params = LinkParams(axis, link_gap=reach - 1)
    np.testing.assert_array_equal(link_counts(parts, params).ids, link(stack, axis, gap=reach - 1).links.ids)


@some
@given(stacks(), AXES, st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_the_ids_in_the_planes_do_not_matter(stack, axis, gap, seed):
    again = scrambled(stack, np.random.default_rng(seed))
    np.testing.assert_array_equal(link(again, axis, gap=gap).labels, link(stack, axis, gap=gap).labels)


@some
@given(stacks(), AXES, st.integers(0, 2))
def test_pixels_stay_and_no_plane_holds_an_object_twice(stack, axis, gap):
    linked = link(stack, axis, gap=gap)
    np.testing.assert_array_equal(linked.labels > 0, stack > 0)
    for before, after in zip(stack, linked.labels, strict=True):
        assert same_partition_of_plane(before, after)
    assert sorted(np.unique(linked.labels[stack > 0])) == list(range(1, linked.links.total + 1))


def same_partition_of_plane(before, after):
    pairs = np.unique(np.stack([before[before > 0], after[before > 0]]), axis=1)
    return pairs.shape[1] == np.unique(pairs[0]).size == np.unique(pairs[1]).size


@some
@given(stacks(), st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_where_in_the_image_the_cells_lie_does_not_matter(stack, by):
    # Only for z: distances along t tie to the last digits in few stacks, and then either answer is right.
    moved = np.pad(stack, [(0, 0), (by[0], 2), (by[1], 3)])
    there = link(moved, "z").labels[:, by[0] : by[0] + stack.shape[1], by[1] : by[1] + stack.shape[2]]
    assert same_partition(there, link(stack, "z").labels)


def volumes(shared_data):
    for folder, name in (
        ("plantseg_3d", "ovule_membrane"),
        ("plantseg_3d", "ovule_nuclei_1135"),
        ("plantseg_3d", "ovule_nuclei_1136"),
        ("stardist_3d_example", "stardist_img3d"),
    ):
        yield tifffile.imread(shared_data / folder / "labels" / f"{name}.tif").astype(np.int32)


def kept(truth, linked):
    """Count the objects all of whose sections have one id, which no other object has."""
    pairs = np.unique(np.stack([truth[truth > 0], linked[truth > 0]]), axis=1)
    ids, objects = np.bincount(pairs[0]), np.bincount(pairs[1])
    return sum(ids[true] == 1 and objects[found] == 1 for true, found in pairs.T), np.count_nonzero(ids)


@pytest.mark.shared_data
def test_true_sections_of_volumes_become_their_objects_also_upside_down(shared_data):
    rng = np.random.default_rng(0)
    found = []
    for truth in volumes(shared_data):
        sections = scrambled(truth, rng)
        linked = link(sections).labels
        assert same_partition(linked, link(sections[::-1]).labels[::-1])
        found.append(kept(truth, linked))
    right, objects = np.sum(found, axis=0)
    assert objects == 187
    assert right >= 0.95 * objects
    assert min(good / all_ for good, all_ in found) >= 0.9


def test_one_cell_above_another_is_cut_at_the_waist():
    radii = [3, 5, 6, 5, 3, 3, 5, 6, 5, 3]
    y, x = np.mgrid[:16, :16] - 7.5
    stack = np.array([np.hypot(y, x) <= radius for radius in radii], np.uint8)
    linked = link(stack).labels
    assert [int(plane.max()) for plane in linked] == [1] * 5 + [2] * 5
    assert link(stack[:5]).links.total == 1


def test_a_plane_without_the_cell_is_bridged_as_far_as_asked():
    stack = np.ones((4, 5, 5), int)
    stack[1:3] = 0
    assert [link(stack, axis, gap=gap).links.total for axis in "zt" for gap in (0, 1, 2)] == [2, 2, 1] * 2


def test_a_division_is_reported_and_a_cell_that_comes_in_is_none():
    frames = [
        label_discs((40, 60), (20, 20, 7)),
        label_discs((40, 60), (14, 20, 5), (26, 20, 5)),
        label_discs((40, 60), (12, 20, 5), (28, 20, 5), (20, 34, 7)),
    ]
    linked = link(np.array(frames), "t")
    assert linked.links.parents == {2: 1, 3: 1}
    (division,) = linked.links.divisions
    assert (division.mother, division.daughters) == (1, (2, 3))
    assert linked.links.summary() == "4 tracks, 1 division"


@pytest.mark.parametrize(
    ("mother", "first", "second", "divided"),
    [
        ((20, 20, 7), (14, 20, 5), (26, 20, 5), True),
        ((20, 20, 7), (20, 20, 6), (32, 20, 4.5), True),  # the smaller one counts less
        ((20, 20, 7), (28, 14, 5), (28, 26, 5), False),  # not between them
        ((20, 20, 7), (21, 20, 6), (11, 20, 2), False),  # too small to be a daughter
        ((20, 20, 6), (13, 20, 6), (27, 20, 6), False),  # no smaller than the mother
    ],
)
def test_a_mother_lies_between_two_daughters_alike_and_smaller_than_she_was(mother, first, second, divided):
    frames = [label_discs((40, 60), mother), label_discs((40, 60), first, second)]
    links = link(np.array(frames), "t", distance=30).links
    assert links.parents == ({2: 1, 3: 1} if divided else {})


def test_over_a_gap_a_cell_is_about_as_large_as_it_was():
    for radius, total in ((7, 1), (3, 2)):
        frames = [label_discs((40, 60), *each) for each in ([(20, 20, 8)], [], [(20, 20, radius)])]
        assert link(np.array(frames), "t", gap=1).links.total == total


def test_each_time_point_is_linked_through_z_by_itself_and_each_depth_through_time():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 2, (2, 3, 1, 1)) * 0 + np.ones((2, 3, 4, 4), int)
    planes = planes_of(stack, "TZYX")
    in_depth = link_planes(planes, LinkParams("z"))
    assert [int(plane.max()) for plane in in_depth.of_planes(planes).read()] == [1, 1, 1, 2, 2, 2]
    in_time = link_planes(planes, LinkParams("t"))
    assert [int(plane.max()) for plane in in_time.of_planes(planes).read()] == [1, 2, 3, 1, 2, 3]
    with pytest.raises(UtileError, match="no planes along Z"):
        link_planes(planes_of(stack[:, 0], "TYX"), LinkParams("z"))


def test_the_divisions_of_each_depth_are_those_of_its_own_tracks():
    frames = [label_discs((40, 60), (20, 20, 7)), label_discs((40, 60), (14, 20, 5), (26, 20, 5))]
    planes = planes_of(np.stack([frames, frames], axis=1), "TZYX")
    assert link_planes(planes, LinkParams("t")).parents == {2: 1, 3: 1, 5: 4, 6: 4}


@pytest.mark.parametrize("shape", [(40, 40, 6), (40, 40, 3), (40, 60, 4)])
def test_planes_that_seem_to_come_last_are_not_linked_as_rows(shape):
    with pytest.raises(UtileError, match=r"first, \(planes, Y, X\).*np\.moveaxis"):
        link(np.zeros(shape, int), "t")
    for options in ({"link": "t"}, {"link": "z"}, {"three_views": True, "plane_distance": 1}):
        with pytest.raises(UtileError, match="axes="):
            segment(np.zeros(shape, np.uint8), **options)


@pytest.mark.parametrize(
    "options", [{"link_gap": 2}, {"link_overlap": 0.7}, {"link_distance": 9}, {"plane_distance": 2}]
)
def test_parameters_that_would_do_nothing_are_refused(options) -> None:
    with pytest.raises(UtileError, match=f"^{next(iter(options))} .* too"):
        segment(np.zeros((20, 20), np.uint8), **options)


def test_what_is_not_a_stack_of_labels_is_one_sentence():
    for shape in ((3, 3), (0, 3, 3), (1, 1, 2, 2)):
        with pytest.raises(UtileError, match="stack of labels"):
            link(np.zeros(shape, int))
    with pytest.raises(UtileError, match="whole numbers"):
        link(np.full((2, 3, 3), 0.5))
    with pytest.raises(UtileError, match="along z or t"):
        link(np.zeros((2, 3, 3), int), "c")


def followed(film: SimulatedFilm, seed: int, lost: float) -> tuple[Links, list[int]]:
    """Link the nuclei of a simulated time-lapse; give the true id of each section as well."""
    planes = scrambled(film.nuclei, np.random.default_rng(seed), lost)
    links = link(planes, "t").links
    truth = [
        int(film.nuclei[frame][planes[frame] == label][0])
        for frame, label in zip(links.sections.plane, links.sections.label, strict=True)
    ]
    return links, truth


def steps_of(ids):
    """Pair each section with the next one of the same id."""
    last, pairs = {}, set()
    for place, each in enumerate(ids):
        if each in last:
            pairs.add((last[each], place))
        last[each] = place
    return pairs


def test_links_and_divisions_of_simulated_time_lapses():
    right = linked = true = 0
    hits = reported = divided = 0
    for seed in range(2):
        film = simulate_film(replace(PRESETS["nuclei"], seed=seed, cells=40), 8, speed=4, dividing=0.3)
        links, truth = followed(film, seed, lost=0.01)
        want, got = steps_of(truth), steps_of(links.ids.tolist())
        right, linked, true = right + len(want & got), linked + len(got), true + len(want)
        cells = {int(track): truth[np.flatnonzero(links.ids == track)[-1]] for track in np.unique(links.ids)}
        found = {(cells[daughter], cells[mother]) for daughter, mother in links.parents.items()}
        seen = {pair for pair in film.parents.items() if set(pair) <= set(truth)}
        hits, reported, divided = hits + len(found & seen), reported + len(found), divided + len(seen)
    assert right >= 0.95 * max(linked, true)
    assert hits >= 0.85 * divided > 0
    assert hits >= 0.95 * reported


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**16))
def test_a_division_needs_both_daughters_and_a_mother_that_ends(seed):
    film = simulate_film(replace(PRESETS["nuclei"], seed=seed, cells=20, height=160, width=160), 5, 3, 0.5)
    links = link(film.nuclei, "t").links
    planes = links.sections.plane
    for daughter, mother in links.parents.items():
        assert planes[links.ids == mother].max() < planes[links.ids == daughter].min()
        assert sum(parent == mother for parent in links.parents.values()) == 2


def test_the_planes_of_a_file_are_linked_along_the_axis_that_they_have(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "t.tif", np.ones((3, 8, 8), np.uint16), metadata={"axes": "TYX"}, imagej=True)
    with pytest.raises(UtileError, match="no planes along Z to link, but along T"):
        link(read_image(tmp_path / "t.tif"), "z")
