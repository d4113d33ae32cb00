"""Parameters completed by the size of the cells."""

from dataclasses import replace

import pytest

from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.session.cell_size import sized_by_now, sized_steps
from napari_utile.session.measured import Stack
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from pictures import bright_discs


def complete(diameter, **values):
    return suggested_instances(card_of("nuclei"), diameter, **values)


@pytest.mark.usefixtures("bright_nuclei")
@pytest.mark.parametrize("values", [{}, {"threshold": 0.3}, {"minimum_size": 7, "split": 0.1}])
def test_what_was_chosen_stays_and_the_rest_follows_the_size_that_is_measured(values):
    session, stack = Session(), Stack((plane_from_array(bright_discs()),), "discs")
    asked = SegmentParams("nuclei")
    request = SegmentRequest(stack.planes[0], asked, stack=stack, values=values)
    assert sized_by_now(session, request).diameter == "auto", "its size is not known yet"
    session.cell_sizes.keep(asked, stack, CellSize(15.0))
    made, _ = Run(sized_steps(session, request)).result
    assert (made.diameter, made.instances) == (15.0, complete(15.0, **values) if values else None)
    assert sized_by_now(session, request) == made


@pytest.mark.usefixtures("bright_nuclei")
@pytest.mark.parametrize("diameter", [60.0, None, "auto"])
def test_they_stay_for_a_diameter_that_is_given_and_for_one_that_nobody_knows(diameter):
    session, stack = Session(), Stack((plane_from_array(bright_discs()),), "discs")
    asked, values = SegmentParams("nuclei", diameter=diameter), {"threshold": 0.3}
    request = SegmentRequest(stack.planes[0], asked, stack=stack, values=values)
    wanted = replace(asked, instances=complete(asked.known_diameter, **values))
    assert sized_by_now(session, request) == wanted
    if diameter != "auto":
        assert Run(sized_steps(session, request)).result == (wanted, None)


@pytest.mark.parametrize(("fitted", "model"), [("", "phase"), ("5 cells", "cells")])
def test_what_was_fitted_with_a_model_keeps_to_it(fitted, model):
    session, stack = Session(), Stack((plane_from_array(bright_discs()),), "discs")
    asked = SegmentParams("cells")
    for name, sureness in (("cells", 0.7), ("phase", 0.9), ("tissue-cells", 0.1)):
        trial = SizeTrial(1.0, 30, sureness, 20.0, sureness, sureness)
        session.cell_sizes.keep(replace(asked, model=name), stack, CellSize(20.0, (trial,)))
    request = SegmentRequest(stack.planes[0], asked, stack=stack, fitted=fitted)
    made, _ = Run(sized_steps(session, request)).result
    assert made.model == sized_by_now(session, request).model == model
    by_hand = replace(request, params=replace(asked, diameter=33.0))
    assert sized_by_now(session, by_hand).model == model
