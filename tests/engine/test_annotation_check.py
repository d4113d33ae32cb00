import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_utile.engine.weights.annotation_check import AnnotationCheckParams, apply_fix, check_annotation


def kinds(labels, **params):
    return [finding.kind for finding in check_annotation(labels, AnnotationCheckParams(**params))]


def squares():
    labels = np.zeros((40, 40), np.uint16)
    labels[5:15, 5:15] = 3
    labels[5:15, 20:30] = 7
    labels[25:35, 5:15] = 500
    return labels


def test_a_clean_annotation_has_nothing_to_say():
    assert check_annotation(squares()) == ()
    assert check_annotation(np.zeros((5, 5), int)) == ()
    assert check_annotation(np.zeros((0, 5), int)) == ()


def test_cells_that_touch_are_named_and_parted_by_the_fix():
    labels = squares()
    labels[5:15, 15:20] = 3
    (finding,) = check_annotation(labels)
    assert finding.kind == "touching"
    assert finding.cells == (3, 7)
    assert finding.size == 10
    apply_fix(labels, finding)
    assert (labels[5:15, 19] == 0).all()
    assert check_annotation(labels) == ()


def test_cells_that_touch_at_a_corner_only_are_found():
    labels = np.zeros((20, 20), int)
    labels[2:8, 2:8] = 1
    labels[8:14, 8:14] = 2
    (finding,) = check_annotation(labels)
    assert finding.cells == (1, 2)
    assert finding.position in {(7.0, 7.0), (8.0, 8.0)}


def test_an_id_in_two_places_gets_another_id_for_the_smaller_piece():
    labels = squares()
    labels[25:30, 25:30] = 3
    (finding,) = check_annotation(labels)
    assert finding.kind == "pieces"
    assert finding.cells == (3,)
    apply_fix(labels, finding)
    assert (labels[25:30, 25:30] == 501).all()
    assert (labels[5:15, 5:15] == 3).all()


def test_a_hole_is_filled_with_its_cell():
    labels = squares()
    labels[8:10, 8:10] = 0
    (finding,) = check_annotation(labels)
    assert (finding.kind, finding.cells, finding.size) == ("hole", (3,), 4)
    apply_fix(labels, finding)
    np.testing.assert_array_equal(labels, squares())


def test_a_gap_enclosed_by_two_cells_or_the_image_border_is_no_hole():
    labels = np.zeros((20, 20), int)
    labels[4:12, 4:8] = 1
    labels[4:12, 9:13] = 2
    labels[3, 4:13] = 1
    labels[12, 4:13] = 2
    assert "hole" not in kinds(labels)
    at_border = np.ones((6, 6), int)
    at_border[0, 2] = 0
    assert "hole" not in kinds(at_border)


def test_a_speck_is_erased():
    labels = squares()
    labels[37, 37] = 7
    (finding,) = check_annotation(labels)
    assert (finding.kind, finding.position) == ("speck", (37.0, 37.0))
    apply_fix(labels, finding)
    np.testing.assert_array_equal(labels, squares())
    assert kinds(squares(), speck_size=100) == ["speck"] * 3


@settings(max_examples=60, deadline=None)
@given(
    labels=hnp.arrays(
        np.int32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
        elements=st.integers(0, 3),
        fill=st.just(0),
    )
)
def test_fixing_one_thing_after_the_other_ends(labels):
    for _ in range(100):
        found = check_annotation(labels, AnnotationCheckParams(speck_size=1))
        if not found:
            break
        before = labels.copy()
        apply_fix(labels, found[0])
        assert (labels != before).any()
    assert check_annotation(labels, AnnotationCheckParams(speck_size=1)) == ()


@settings(max_examples=40, deadline=None)
@given(
    labels=hnp.arrays(
        np.int32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
        elements=st.integers(0, 3),
        fill=st.just(0),
    )
)
def test_each_fix_does_away_with_what_it_is_for(labels):
    for finding in check_annotation(labels, AnnotationCheckParams(speck_size=2)):
        fixed = labels.copy()
        apply_fix(fixed, finding)
        again = check_annotation(fixed, AnnotationCheckParams(speck_size=2))
        same = [each for each in again if each.kind == finding.kind and each.cells == finding.cells]
        if finding.kind in {"touching", "pieces"}:
            assert same == []
        else:
            assert all(each.position != finding.position for each in same)


def test_a_negative_speck_size_is_refused():
    with pytest.raises(ValueError, match="speck_size"):
        AnnotationCheckParams(speck_size=-1)
