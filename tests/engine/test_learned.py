"""Instance parameters are chosen by what suits the annotated planes."""

import tracemalloc
from dataclasses import replace

import numpy as np
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.data import typical_diameter
from napari_utile.engine.training.learned import Learned, best_instances, least_confidence, score
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.samples import training_plane
from pictures import label_discs

START = InstanceParams(threshold=0.5, minimum_size=20, split=0.7, grow=0)


def discs(centres, radius):
    return label_discs((120, 120), *((*centre, radius) for centre in centres))


CENTRES = [(20, 20), (20, 60), (20, 100), (60, 20), (60, 60), (60, 100), (100, 20)]
CELLS = discs(CENTRES, 10)  # of 317 pixels each
PLANE = training_plane("plane", np.zeros((1, 120, 120), np.float32), CELLS)


def test_specks_larger_than_the_given_smallest_size_are_dropped():
    places = [(100, 50), (100, 75), (100, 100), (80, 80), (80, 40), (40, 40), (40, 80), (10, 110)]
    specks = discs(places, 7) * (discs(CENTRES, 12) == 0)  # of up to 149 pixels
    foreground = ((CELLS > 0) | (specks > 0)).astype(np.float32)
    chosen = best_instances([Learned(foreground)], [PLANE], START)
    assert 149 < chosen.minimum_size <= 317
    assert score([Learned(foreground)], [PLANE], chosen).ap50 == 1


def test_a_threshold_that_parts_cells_is_found():
    foreground = np.where(discs(CENTRES, 19) > 0, 0.75, 0).astype(np.float32)
    foreground[CELLS > 0] = 1
    chosen = best_instances([Learned(foreground)], [PLANE], START)
    assert chosen.threshold > 0.75
    assert score([Learned(foreground)], [PLANE], START).ap50 == 0
    assert score([Learned(foreground)], [PLANE], chosen).ap50 == 1


def test_the_split_that_leaves_long_cells_whole_is_found():
    labels = discs([(112, 10 + 15 * number) for number in range(7)], 5)  # small cells, so that no size helps
    for number, top in enumerate(range(5, 100, 20), 8):
        labels[top : top + 10, 10:110] = number
        labels[top : top + 2, 50:70] = labels[top + 8 : top + 10, 50:70] = 0  # a waist of six rows of ten
    plane = training_plane("bars", np.zeros((1, 120, 120), np.float32), labels)
    foreground = (labels > 0).astype(np.float32)
    assert score([Learned(foreground)], [plane], START).ap50 < 1
    chosen = best_instances([Learned(foreground)], [plane], START)
    assert chosen.split < START.split
    assert score([Learned(foreground)], [plane], chosen).ap50 == 1


def test_what_finds_every_cell_stays():
    foreground = (CELLS > 0).astype(np.float32)
    assert best_instances([Learned(foreground)], [PLANE], START) == START


def test_few_cells_more_are_no_reason_for_other_settings():
    foreground = (CELLS > 0).astype(np.float32)
    foreground[CELLS >= 6] = 0.45
    assert best_instances([Learned(foreground)], [PLANE], START) == START
    foreground[CELLS >= 4] = 0.45
    chosen = best_instances([Learned(foreground)], [PLANE], START)
    assert chosen.threshold < START.threshold
    assert score([Learned(foreground)], [PLANE], chosen).ap50 == 1


def test_objects_that_nobody_annotated_say_nothing_of_the_smallest_size():
    small = [(40, 20), (40, 60), (40, 100), (80, 20)]
    labels = label_discs((120, 120), *((*each, 10) for each in CENTRES), *((*each, 2) for each in small))
    plane = training_plane("plane", np.zeros((1, 120, 120), np.float32), labels)
    plane = replace(plane, target=np.where(labels > len(CENTRES), np.uint8(IGNORE), plane.target))
    specks = discs([(100, 50), (100, 75), (100, 100), (80, 80), (80, 40), (40, 40), (40, 80)], 5)
    foreground = ((CELLS > 0) | (specks > 0)).astype(np.float32)
    assert best_instances([Learned(foreground)], [plane], START).minimum_size > 81


def test_the_overlap_is_that_of_what_lies_above_the_threshold():
    faint = [Learned(np.where(CELLS > 0, 0.6, 0).astype(np.float32))]
    assert score(faint, [PLANE], START).overlap == 1
    assert score(faint, [PLANE], replace(START, threshold=0.7)).overlap == 0


def test_a_held_out_plane_in_which_no_cell_is_found_says_nothing_of_the_confidence():
    sure, nothing = Learned((CELLS > 0).astype(np.float32)), Learned(np.zeros(CELLS.shape, np.float32))
    known = least_confidence([sure, sure], [PLANE] * 2, START, 20.0)
    assert known is not None
    assert least_confidence([sure, nothing, sure], [PLANE] * 3, START, 20.0) == known


def test_the_confidence_of_held_out_planes_is_the_threshold_less_a_margin():
    y, x = np.mgrid[:96, :96]
    cells = ((y % 24) - 12) ** 2 + ((x % 24) - 12) ** 2 < 49
    objects, _ = ndimage.label(cells)
    plane = training_plane("a", np.zeros((1, 96, 96), np.float32), objects)
    params = InstanceParams(minimum_size=10)
    sure = Learned(np.where(cells, 0.99, 0.01).astype(np.float32))
    unsure = Learned(np.where(cells, 0.7, 0.3).astype(np.float32))
    high, low = (least_confidence([each], [plane], params, 14.0) for each in (sure, unsure))
    assert 0.7 < high < 0.95
    assert low < high
    assert least_confidence([sure, unsure], [plane, plane], params, 14.0) == low
    assert least_confidence([], [], params, 14.0) is None
    few = replace(plane, target=np.where(objects == 1, plane.target, IGNORE))
    assert least_confidence([sure], [few], params, 14.0) is None


def test_large_ids_take_no_more_memory_than_small_ones():
    large = np.where(CELLS > 0, CELLS + 10**9, 0)
    image = np.zeros((1, 120, 120), np.float32)
    given = AnnotatedImage(plane_from_array(image[0]), large)
    classes = np.where(CELLS > 0, 2 + CELLS % 2, 0).astype(np.uint8)
    plane, small = (
        training_plane("a", image, each, distances=True, targets=classes) for each in (large, CELLS)
    )
    foreground = (CELLS > 0).astype(np.float32)
    learned = Learned(foreground, classes=np.stack([foreground * (CELLS % 2 == 0), foreground * (CELLS < 5)]))
    tracemalloc.start()
    try:
        assert typical_diameter([given]) == typical_diameter([replace(given, labels=CELLS)])
        for params in (START, replace(START, minimum_size=400)):
            assert best_instances([learned], [plane], params) == best_instances([learned], [small], params)
        assert score([learned], [plane], START) == score([learned], [small], START)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
