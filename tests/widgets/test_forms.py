from dataclasses import dataclass
from typing import Annotated

import pytest
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets.parts.forms import Form


@dataclass(frozen=True)
class Everything:
    share: Annotated[float, Bounds(0, 1, step=0.01, help="How much.")] = 0.5
    count: Annotated[int, Bounds(0, 1_000_000, step=5, unit="px")] = 20
    side: Annotated[int | None, Bounds(8, 1024)] = None
    balance: Annotated[bool, Bounds(label="Balance the classes")] = True
    device: Annotated[str, Bounds(choices=("auto", "cpu"))] = "auto"
    channels: Annotated[tuple[int, ...] | None, Bounds()] = None
    note: Annotated[str, Bounds(advanced=True)] = "x"

    def __post_init__(self):
        check_bounds(self)


def test_a_form_shows_and_returns_the_instance_it_was_made_of(qtbot):
    params = Everything(0.25, 40, 64, False, "cpu", (2, 0), "kept")
    form = Form(params)
    qtbot.addWidget(form)
    assert form.value() == params


def test_the_values_that_a_form_does_not_show_are_kept(qtbot):
    form = Form(Everything(count=7), ("share",))
    qtbot.addWidget(form)
    form.field("share").box.setValue(0.75)
    assert form.value() == Everything(share=0.75, count=7)


def test_setting_a_value_is_no_change_by_the_user(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form)
    with qtbot.assertNotEmitted(form.changed):
        form.set_value(Everything(0.1, 5, 16, False, "cpu", (1,)))
    assert form.value() == Everything(0.1, 5, 16, False, "cpu", (1,))


def test_dragging_a_slider_changes_the_box_and_says_so(qtbot):
    form = Form(Everything(), slide={"count": (0, 500)})
    qtbot.addWidget(form)
    field = form.field("count")
    with qtbot.waitSignal(form.changed):
        field.slider.setValue(field.slider.maximum())
    assert form.value().count == 500


def test_the_box_takes_more_than_the_slider_covers(qtbot):
    form = Form(Everything(), slide={"count": (0, 500)})
    qtbot.addWidget(form)
    form.field("count").box.setValue(12_345)
    assert form.value().count == 12_345
    assert form.field("count").slider.value() == form.field("count").slider.maximum()


def test_an_optional_number_can_be_left_open(qtbot):
    form = Form(Everything(side=64), none_text={"side": "as it is"})
    qtbot.addWidget(form)
    field = form.field("side")
    assert form.value().side == 64
    field.set_value(None)
    assert form.value().side is None
    assert field.box.text() == "as it is"


def test_ticks_choices_and_lists_are_read(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form)
    assert isinstance(form.field("balance"), QCheckBox)
    form.field("balance").click()
    combo = form.field("device")
    assert isinstance(combo, QComboBox)
    combo.setCurrentText("cpu")
    channels = form.field("channels")
    assert isinstance(channels, QLineEdit)
    channels.setText("2, 0")
    value = form.value()
    assert not value.balance
    assert value.device == "cpu"
    assert value.channels == (2, 0)


def test_nonsense_in_a_list_is_named(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form)
    form.field("channels").setText("1, two")
    with pytest.raises(ValueError, match="1, two"):
        form.value()


def test_advanced_fields_are_shown_on_request_only(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form)
    with pytest.raises(KeyError):
        form.field("note")


def test_help_and_unit_come_from_the_bounds(qtbot):
    form = Form(Everything())
    qtbot.addWidget(form)
    assert form.field("share").box.toolTip() == "How much."
    assert form.field("count").box.suffix() == " px"


@pytest.mark.parametrize("params", [InstanceParams(), SegmentParams()])
def test_the_forms_of_the_engine_return_their_defaults(qtbot, params):
    form = Form(params)
    qtbot.addWidget(form)
    assert form.value() == params


def test_a_box_shows_as_many_decimals_as_its_lowest_value_needs(qtbot):
    @dataclass(frozen=True)
    class Time:
        minutes: Annotated[float, Bounds(0.01, 1000)] = 5.0

    form = Form(Time())
    qtbot.addWidget(form)
    form.field("minutes").box.setValue(0.02)
    assert form.value() == Time(0.02)
