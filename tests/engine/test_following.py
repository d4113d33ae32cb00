"""A cell followed from plane to plane: while the model sees it there, is sure of it, and it is one cell."""

import numpy as np
import pytest

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.clicks.following import first_section, next_section
from napari_utile.engine.clicks.prompts import cell_at
from napari_utile.engine.steps import Run

PARAMS = InstanceParams(minimum_size=1, split=0.0)
POINT = (20, 20)


class Plane:
    """A probability that is there already."""

    def __init__(self, probability):
        self.probability = probability.astype(np.float32)
        self.shape = probability.shape

    def read_steps(self, window):
        yield
        return self.probability[window]

    def height_steps(self, window):
        yield from ()
        return None


def discs(*cells):
    """Discs of (row, column, radius, probability)."""
    y, x = np.mgrid[:40, :60]
    plane = np.zeros((40, 60))
    for row, column, radius, likely in cells:
        plane[np.hypot(y - row, x - column) <= radius] = likely
    return Plane(plane)


def followed(*planes):
    """Return the areas of the sections that are found from the first plane on."""
    first, *others = planes
    section = Run(first_section(first, Run(cell_at(first, POINT, PARAMS)).result)).result
    areas = [section.cell.area]
    for plane in others:
        section = Run(next_section(plane, section, PARAMS, 48)).result
        if section is None:
            break
        areas.append(section.cell.area)
    return areas


def area(radius):
    return int((discs((20, 20, radius, 1.0)).probability > 0).sum())


def test_a_cell_is_followed_to_its_end() -> None:
    planes = [discs((20, 20 + n, radius, 0.9), (20, 50, 6, 0.9)) for n, radius in enumerate((8, 9, 7, 4))]
    assert followed(*planes, discs((20, 50, 6, 0.9))) == [area(8), area(9), area(7), area(4)]


@pytest.mark.parametrize(
    "last",
    [
        discs((20, 20, 8, 0.6)),  # less sure
        discs((20, 34, 8, 0.9)),  # elsewhere
        discs((20, 20, 8, 0.3)),  # below the threshold
        discs(),
    ],
)
def test_it_ends_where_the_model_is_not_sure_of_it(last) -> None:
    assert followed(discs((20, 20, 8, 0.95)), discs((20, 20, 8, 0.9)), last) == [area(8)] * 2


def test_another_cell_below_a_waist_is_not_taken() -> None:
    planes = [discs((20, 20, radius, 0.9)) for radius in (8, 7, 5, 8, 8)]
    assert followed(*planes) == [area(8), area(7), area(5)]


def test_a_cap_grows_to_its_cell_however_quickly() -> None:
    assert followed(*[discs((20, 20, radius, 0.9)) for radius in (5, 8, 11)]) == [area(5), area(8), area(11)]


@pytest.mark.parametrize("radii", [(8, 9, 9), (9, 8, 8)])
def test_each_section_is_as_sure_as_the_one_that_was_clicked(radii) -> None:
    planes = [
        discs((20, 20, radius, likely)) for radius, likely in zip(radii, (0.95, 0.8, 0.65), strict=True)
    ]
    assert followed(*planes) == [area(radius) for radius in radii[:2]]


def test_a_waist_is_remembered_while_the_cell_becomes_thicker_in_small_steps() -> None:
    planes = [discs((20, 20, radius, 0.9)) for radius in (10, 6, 6.5, 7.2)]
    assert followed(*planes) == [area(10), area(6), area(6.5)]
