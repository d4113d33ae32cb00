"""What the Evaluate dock asks for: planes, errors with their places, differences, sweeps."""

import math

import numpy as np
import pytest

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.metrics.cell_kinds import CellKind
from napari_utile.engine.steps import Run
from napari_utile.session.evaluation import (
    EvaluationResult,
    PlaneLabels,
    SweepRequest,
    best_point,
    error_spec,
    evaluation_job,
    sweep_job,
)

TRUTH = np.zeros((30, 40), np.int32)
TRUTH[2:10, 2:12] = 1
TRUTH[2:10, 12:22] = 2
TRUTH[15:25, 5:15] = 3
TRUTH[15:25, 25:35] = 4
# 1 and 2 merged, 3 found, 4 missed, and a false cell in the corner.
PREDICTION = np.where((TRUTH == 1) | (TRUTH == 2), 7, np.where(TRUTH == 3, 3, 0)).astype(np.int32)
PREDICTION[26:29, 36:39] = 9


def evaluated(*predictions: np.ndarray, planes: int = 1) -> EvaluationResult:
    each = tuple(PlaneLabels((number,) if planes > 1 else (), predictions, TRUTH) for number in range(planes))
    names = tuple(f"prediction {number}" for number in range(len(predictions)))
    result = Run(evaluation_job(names, each)).result
    assert isinstance(result, EvaluationResult)
    return result


def test_errors_come_worst_first_with_their_place() -> None:
    found = evaluated(PREDICTION).errors
    assert [(one.error.kind.name, one.center) for one in found] == [
        ("MERGED", (5.5, 11.5)),
        ("MISSED", (19.5, 29.5)),
        ("FALSE", (27.0, 37.0)),
    ]
    assert found[1].extent == pytest.approx(2 * math.sqrt(100 / math.pi))


def test_cells_are_counted_by_kind() -> None:
    # The merged prediction covers exactly half more than cell 1, which is enough for a match.
    assert evaluated(PREDICTION).kinds == {
        CellKind.MATCHED: 2,
        CellKind.MISSED: 1,
        CellKind.FALSE: 1,
        CellKind.SPLIT: 0,
        CellKind.MERGED: 1,
    }


def test_planes_are_averaged_and_their_cells_summed() -> None:
    result = evaluated(PREDICTION, planes=3)
    assert result.scores(0)["truth_cells"] == 12
    assert result.scores(0)["ap50"] == pytest.approx(evaluated(PREDICTION).scores(0)["ap50"])
    assert [one.index for one in result.errors[:3]] == [(0,), (1,), (2,)]


def test_ignored_pixels_are_not_painted() -> None:
    ignore = TRUTH == 4
    plane = PlaneLabels((), (PREDICTION,), TRUTH, ignore)
    result = Run(evaluation_job(("p",), [plane])).result
    assert (result.planes[0].error_map[ignore] == 0).all()
    assert result.kinds[CellKind.MISSED] == 0


def test_the_error_layer_holds_kinds() -> None:
    spec = error_spec(evaluated(PREDICTION).planes[0], "p")
    assert spec.data[20, 30] == CellKind.MISSED
    assert spec.data[27, 37] == CellKind.FALSE
    assert spec.data[20, 10] == CellKind.MATCHED
    assert (spec.kind, spec.role, spec.name) == ("labels", "errors", "p errors")


def test_one_plane_is_compared_cell_by_cell_and_many_plane_by_plane() -> None:
    difference, over = evaluated(PREDICTION, TRUTH).differences[0]["seg"]
    assert over == "cells"
    assert difference.pairs == 4
    assert difference.mean > 0
    difference, over = evaluated(PREDICTION, TRUTH, planes=3).differences[0]["ap50"]
    assert over == "planes"
    assert difference.pairs == 3


def test_a_job_can_stop_between_planes() -> None:
    job = evaluation_job(("p",), [PlaneLabels((), (TRUTH,), TRUTH)] * 5)
    assert next(job) == (0, 5)
    assert next(job) == (1, 5)
    job.close()


def test_the_sweep_finds_the_threshold_that_parts_the_cells() -> None:
    probability = np.where(TRUTH > 0, 0.9, 0.05).astype(np.float32)
    probability[2:10, 11:13] = 0.6
    params = InstanceParams(split=0, grow=1)
    request = SweepRequest(probability, TRUTH, None, params, (0.3, 0.5, 0.7), (0, 90))
    points = Run(sweep_job(request)).result
    assert [point.done for point in points] == [1, 2, 3, 4, 5, 6]
    best = best_point(points)
    assert (best.params.threshold, best.params.minimum_size, best.score) == (0.7, 0, 1)
    assert points[-1].score < 1
    assert best.params.grow == 1
