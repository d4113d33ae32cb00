"""Cells keep their size however they are magnified: what has the size of the model at each is not there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.inference.confidence import fit_at, fit_of
from napari_utile.engine.models.library import load_model
from napari_utile.engine.segment import segment

MAGNIFICATIONS = (0.125, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0)


def measured(diameters, cells=None, scores=None):
    trials = [
        SizeTrial(
            zoom,
            10 if cells is None else cells[place],
            0.8 if scores is None else scores[place],
            diameter,
            0.7 if scores is None else scores[place],
        )
        for place, (zoom, diameter) in enumerate(zip(MAGNIFICATIONS, diameters, strict=True))
    ]
    return CellSize(20.0, tuple(trials))


@given(st.floats(3, 300))
def test_cells_of_one_size_do_not_drift_and_lose_nothing(diameter):
    size = measured([diameter] * len(MAGNIFICATIONS))
    assert (size.drift, size.unsteadiness, size.confidence) == (pytest.approx(0, abs=1e-9), 0, 0.7)


@given(st.floats(3, 300))
def test_cells_of_the_model_s_own_size_at_each_magnification_drift_wholly(diameter):
    size = measured([diameter / zoom for zoom in MAGNIFICATIONS])
    assert size.drift == pytest.approx(1)
    assert size.confidence == pytest.approx(0.7 - 0.3 * 0.6)


@given(
    st.lists(st.floats(3, 300), min_size=7, max_size=7), st.lists(st.integers(1, 99), min_size=7, max_size=7)
)
def test_the_drift_is_a_share_and_never_raises_confidence(diameters, cells):
    size = measured(diameters, cells)
    assert 0 <= size.drift <= 1
    assert size.confidence <= 0.7


def test_only_the_neighbourhood_of_the_best_counts():
    scores = [0.1, 0.1, 0.5, 0.6, 0.8, 0.6, 0.5]
    assert measured([900, 300, 20, 20, 20, 20, 20], scores=scores).drift == pytest.approx(0)


@pytest.mark.parametrize(
    "trials", [(), (SizeTrial(1.0, 0, 0.0, None, 0.0),), (SizeTrial(1.0, 3, 0.8, 20.0, 0.7),)]
)
def test_nothing_is_said_of_no_trial_no_cell_or_one_magnification(trials):
    assert CellSize(None, trials).drift == 0


def test_what_drifts_is_said_before_and_after_the_press():
    nuclei = load_model("nuclei")
    threshold = nuclei.card.confidence
    scores = [threshold + 0.02] * len(MAGNIFICATIONS)
    steady = measured([20.0] * len(MAGNIFICATIONS), scores=scores)
    drifting = measured([20 / zoom for zoom in MAGNIFICATIONS], scores=scores)
    assert fit_at(steady, nuclei.card).looks_right
    assert fit_at(drifting, nuclei.card).looks_right is False
    y, x = np.mgrid[:120, :160]
    image = np.clip(10 - np.hypot(y % 30 - 15, x % 30 - 15), 0, 6).astype(np.float32)
    made = segment(image, nuclei, diameter=None)
    assert fit_of(made).confidence == pytest.approx(fit_of(made, steady).confidence)
    assert fit_of(made, drifting).confidence == pytest.approx(fit_of(made).confidence - drifting.unsteadiness)


@pytest.mark.parametrize(
    ("seen", "diameter"),
    [
        (
            [
                (120, 84, 11, 0.65),
                (85, 79, 14, 0.68),
                (60, 71, 9, 0.69),
                (42, 44.5, 8, 0.68),
                (30, 32, 6, 0.73),
            ],
            68,
        ),
        (
            [
                (120, 75, 17, 0.57),
                (85, 77.5, 21, 0.66),
                (60, 56, 9, 0.7),
                (21, 27.5, 3, 0.71),
                (15, 15, 4, 0.69),
            ],
            60,
        ),
        (
            [
                (120, 87, 13, 0.57),
                (85, 72, 20, 0.64),
                (60, 59, 9, 0.71),
                (30, 25, 4, 0.71),
                (21, 31.5, 2, 0.81),
            ],
            63,
        ),
    ],
)
def test_a_few_surer_parts_of_cells_do_not_outdo_cells_of_the_model_s_size(seen, diameter):
    trials = [
        SizeTrial(30 / size, cells, sureness, found, sureness, octaves=abs(np.log2(found / size)))
        for size, found, cells, sureness in seen
    ]
    assert CellSize(None, tuple(trials)).best.diameter == pytest.approx(diameter, rel=0.3)
