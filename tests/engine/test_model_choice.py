"""Which model segments an image: the one asked for, or a specialist that is surer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference import choice
from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.inference.choice import measured_and_chosen
from napari_utile.engine.models.card import ModelCard, card_from_json
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.engine.parameters import to_json
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run

ASKED = ModelCard("general", "unet", {}, confidence=0.5, specialists=("first", "second", "gone"))
CARDS = {
    "general": ASKED,
    "trained": replace(ASKED, name="trained", training={"base": {"name": "general"}}),
    "first": ModelCard("first", "unet", {}, confidence=0.6),
    "second": ModelCard("second", "unet", {}, confidence=0.7),
}


@pytest.fixture(autouse=True, scope="module")
def catalogue():
    def find(name):
        if name not in CARDS:
            raise UtileError(f"There is no model {name}.")
        return CARDS[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "card_of", find)
        yield


def chosen(
    scores: dict[str, float | None],
    channels: tuple[int, ...] | None = None,
    few: tuple[str, ...] = (),
    many: tuple[str, ...] = (),
    asked: str = "general",
) -> CellSize:
    """Choose by the scores that measuring would give; None: the model cannot be used; `few` find 4 cells, `many` 40."""

    def measure(params):
        yield params.model
        if scores[params.model] is None:
            raise UtileError("The model needs another channel.")
        cells = 4 if params.model in few else 40 if params.model in many else 9
        cells = cells if scores[params.model] else 0
        return CellSize(30.0, (SizeTrial(1.0, cells, 0.9, 30.0, scores[params.model]),))

    return Run(measured_and_chosen(SegmentParams(model=asked, channels=channels), measure)).result


scores = st.floats(0, 1)


@given(general=scores, first=scores, second=scores)
def test_the_surest_is_taken_of_those_to_which_the_image_looks_right_or_else_the_one_that_lacks_least(
    general, first, second
) -> None:
    seen = {"general": general, "first": first, "second": second}
    lacks = {name: CARDS[name].confidence - score for name, score in seen.items() if score}
    right = {name: seen[name] for name in lacks if lacks[name] <= 0}
    taken = chosen(seen).model
    if right:
        assert seen[taken] == max(right.values())
    elif lacks:
        assert lacks[taken] == min(lacks.values())
    else:
        assert taken == "general"


def test_the_model_asked_for_stays_where_another_is_no_surer() -> None:
    assert chosen({"general": 0.8, "first": 0.8, "second": 0.8}).model == "general"


def test_a_specialist_that_is_sure_of_few_of_the_cells_is_not_taken() -> None:
    assert chosen({"general": 0.3, "first": 0.9, "second": 0.8}, few=("first",)).model == "second"
    assert chosen({"general": 0.3, "first": 0.9, "second": 0.6}, few=("first", "general")).model == "first"
    sure_of_little = {"general": 0.3, "first": 0.9, "second": 0.6}
    assert chosen(sure_of_little, few=("first", "general"), many=("second",)).model == "second"


def test_a_specialist_that_cannot_be_used_is_passed_over() -> None:
    assert chosen({"general": 0.5, "first": None, "second": 0.9}).model == "second"


def test_the_model_asked_for_must_be_of_use() -> None:
    with pytest.raises(UtileError):
        chosen({"general": None, "first": 0.9, "second": 0.9})


def test_without_a_threshold_a_specialist_is_never_taken(monkeypatch) -> None:
    monkeypatch.setitem(CARDS, "first", replace(CARDS["first"], confidence=None))
    assert chosen({"general": 0.5, "first": 1.0, "second": 0.0}).model == "general"


@pytest.mark.parametrize(
    ("general", "first", "channels", "taken"),
    [
        (0.4, 0.1, (0, 2), "first"),  # nuclei were named, and the general model doubts
        (0.4, 0.1, (0,), "general"),
        (0.4, 0.1, None, "general"),  # two of three colours are not a cell and its nucleus
        (0.6, 0.1, (0, 2), "general"),
        (0.4, 0.0, (0, 2), "general"),  # it finds nothing
    ],
)
def test_a_specialist_for_the_channels_that_were_named_is_the_better_guess(
    monkeypatch, general, first, channels, taken
) -> None:
    both = (InputChannel("any"), InputChannel("nuclei"))
    either = (both[0], replace(both[1], optional=True))
    monkeypatch.setitem(CARDS, "general", replace(ASKED, config={"in_channels": 2}, inputs=either))
    monkeypatch.setitem(CARDS, "first", replace(CARDS["first"], config={"in_channels": 2}, inputs=both))
    assert chosen({"general": general, "first": first, "second": 0.0}, channels).model == taken


def test_a_model_that_was_trained_further_leaves_images_to_nobody() -> None:
    assert chosen({"general": 0.1, "first": 0.9, "second": 0.1, "gone": None}).model == "first"
    assert (
        chosen({"trained": 0.1, "first": 0.9, "second": 0.1, "gone": None}, asked="trained").model
        == "trained"
    )


def test_the_card_keeps_its_specialists() -> None:
    card = replace(ASKED, config={"in_channels": 1})
    assert card_from_json(to_json(card)).specialists == ("first", "second", "gone")
    with pytest.raises(ValueError, match="specialists"):
        card_from_json({**to_json(card), "specialists": "first"})
