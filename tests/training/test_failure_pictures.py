"""Pictures of where a model is worst: the right place, and small."""

from pathlib import Path

import numpy as np

import failure_pictures
from bundled.images import Annotated
from failure_pictures import GREEN, MAGENTA, SIDE, WHITE, WORDS, Failure, picture, where_it_is_worst
from napari_utile.engine.planes.axes import plane_from_array
from score_model import Case


def failure(truth: np.ndarray, found: np.ndarray) -> Failure:
    image = plane_from_array((truth > 0) * 200.0, "YX", name="a")
    return Failure(Case(Annotated(image, truth, folder="usiigaci_phase"), None), found, 0.25)


def field() -> tuple[np.ndarray, np.ndarray]:
    """One cell that is found, and far from it one that is missed."""
    truth = np.zeros((400, 600), np.int32)
    truth[40:80, 40:80], truth[300:340, 500:540] = 1, 2
    return truth, np.where(truth == 1, 5, 0)


def test_the_place_with_most_mistakes_is_shown() -> None:
    rows, columns = where_it_is_worst(failure(*field()), 200)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (200, 200)
    truth, _ = field()
    assert (truth[rows, columns] == 2).sum() == 1600
    assert not (truth[rows, columns] == 1).any()


def test_a_small_image_is_shown_whole() -> None:
    truth = np.zeros((50, 90), np.int32)
    truth[5:20, 5:20] = 1
    rows, columns = where_it_is_worst(failure(truth, truth * 0), 200)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (50, 50)
    assert truth[rows, columns].any()
    assert picture(failure(truth, truth * 0)).size == (SIDE, SIDE + WORDS)


def test_outlines_are_green_where_missed_magenta_where_false_and_white_where_right() -> None:
    truth, found = field()
    truth[250:290, 500:540] = 3
    found = np.where(truth == 3, 3, found)
    found[345:375, 500:530] = 9
    colours = {tuple(each) for each in np.asarray(picture(failure(truth, found), "nuclei")).reshape(-1, 3)}
    assert {GREEN, MAGENTA, WHITE} <= colours


def test_the_worst_image_of_each_data_set_is_found(
    annotated_data: Path, make_bright_model, monkeypatch
) -> None:
    model = make_bright_model(annotated_data / "nuclei.safetensors", object_diameter=14.0)
    monkeypatch.setattr(failure_pictures, "load_model", lambda name: model)
    found = failure_pictures.worst("nuclei", annotated_data, None)
    assert [each.case.image.folder for each in found].count("dsb2018_stage1") == 1
    assert [each.precision for each in found] == sorted(each.precision for each in found)
