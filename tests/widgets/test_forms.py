from dataclasses import dataclass
from typing import Annotated

import pytest
from magicgui.widgets import CheckBox, ComboBox
from qtpy.QtWidgets import QLabel

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.weight_map import WeightMapParams
from napari_utile.widgets.parts.forms import Form
from napari_utile.widgets.parts.run_bar import RunBar


@dataclass(frozen=True)
class Everything:
    share: Annotated[float, Bounds(0, 1, step=0.01, help="How much.")] = 0.5
    count: Annotated[int, Bounds(0, 1_000_000, step=5, unit="px")] = 20
    side: Annotated[int | None, Bounds(8, 1024)] = None
    balance: Annotated[bool, Bounds(label="Balance the classes")] = True
    device: Annotated[str, Bounds(choices=("auto", "cpu"))] = "auto"
    note: Annotated[str, Bounds(advanced=True)] = "x"

    def __post_init__(self):
        check_bounds(self)


def test_a_form_shows_and_returns_the_instance_it_was_made_of(qtbot):
    params = Everything(0.25, 40, 64, False, "cpu", "kept")
    form = Form(params)
    qtbot.addWidget(form.native)
    assert form.value() == params


def test_the_values_that_a_form_does_not_show_are_kept(qtbot):
    form = Form(Everything(count=7), ("share",))
    qtbot.addWidget(form.native)
    form["share"].value = 0.75
    assert form.value() == Everything(share=0.75, count=7)


def test_setting_a_value_is_no_change_by_the_user(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form.native)
    heard = []
    form.changed.connect(lambda: heard.append(form.value()))
    form.set_value(Everything(0.1, 5, 16, False, "cpu"))
    assert form.value() == Everything(0.1, 5, 16, False, "cpu")
    assert not heard
    form["share"].box.setValue(0.2)
    assert [params.share for params in heard] == [0.2]


def test_dragging_a_slider_changes_the_box_and_says_so(qtbot):
    form = Form(Everything(), slide={"count": (0, 500)})
    qtbot.addWidget(form.native)
    heard = []
    form.changed.connect(lambda: heard.append(form.value().count))
    form["count"].slider.setValue(form["count"].slider.maximum())
    assert form.value().count == 500
    assert heard == [500]


def test_the_box_takes_more_than_the_slider_covers(qtbot):
    form = Form(Everything(), slide={"count": (0, 500)})
    qtbot.addWidget(form.native)
    form["count"].value = 12_345
    assert form.value().count == 12_345
    slider = form["count"].slider
    assert slider.value() == pytest.approx(slider.maximum() / 3, abs=1), "it can be made larger and smaller"
    slider.setValue(slider.value() // 2)
    assert form.value().count == pytest.approx(12_345 / 2, rel=0.01)
    form["count"].value = 250
    assert slider.value() == slider.maximum() / 2


def test_a_share_is_shown_in_per_cent(qtbot):
    form = Form(FineTuneParams(), ("held_out",))
    qtbot.addWidget(form.native)
    field = form["held_out"]
    assert field.box.text() == "15 % of the tiles"
    assert form.value().held_out == 0.15
    field.slider.setValue(field.slider.maximum())
    assert form.value().held_out == 0.9
    field.box.lineEdit().setText("25 % of the tiles")
    field.box.interpretText()
    assert form.value().held_out == 0.25


def test_an_optional_number_can_be_left_open(qtbot):
    form = Form(Everything(side=64))
    qtbot.addWidget(form.native)
    assert form.value().side == 64
    form["side"].value = None
    assert form.value().side is None
    assert form["side"].box.text() == "automatic"


def test_ticks_and_choices_are_read(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form.native)
    assert isinstance(form["balance"], CheckBox)
    form["balance"].native.click()
    assert isinstance(form["device"], ComboBox)
    form["device"].native.setCurrentText("cpu")
    assert form.value() == Everything(balance=False, device="cpu")


def test_labels_stand_before_what_has_none_of_its_own(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form.native)
    assert [label.text() for label in form.native.findChildren(QLabel)] == [
        "Share",
        "Count",
        "Side",
        "Device",
    ]
    assert form["balance"].text == "Balance the classes"


def test_advanced_fields_are_shown_on_request_only(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form.native)
    with pytest.raises(AttributeError):
        form["note"]


def test_help_and_unit_come_from_the_bounds(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form.native)
    assert form["share"].box.toolTip() == form["share"].slider.toolTip() == "How much."
    assert form["count"].box.text() == "20 px"


@pytest.mark.parametrize("params", [InstanceParams(), WeightMapParams()])
def test_the_forms_of_the_engine_return_their_defaults(qtbot, params):
    form = Form(params)
    qtbot.addWidget(form.native)
    assert form.value() == params


def test_a_box_shows_as_many_decimals_as_its_lowest_value_needs(qtbot):
    @dataclass(frozen=True)
    class Time:
        minutes: Annotated[float, Bounds(0.01, 1000)] = 5.0

    form = Form(Time())
    qtbot.addWidget(form.native)
    form["minutes"].value = 0.02
    assert form.value() == Time(0.02)


def test_a_bar_stands_still_until_it_is_known_how_far_the_job_is(qtbot):
    """A bar of Qt that moves draws all of napari's window sixty times a second."""
    bar = RunBar("Segment", "Find the cells.")
    qtbot.addWidget(bar)
    bar.set_busy("reading the image…")
    assert bar.busy
    assert bar.bar.minimum() < bar.bar.maximum()
    bar.set_progress(2, 5, "2 of 5 tiles")
    assert (bar.bar.value(), bar.bar.maximum(), bar.bar.format()) == (2, 5, "2 of 5 tiles")
