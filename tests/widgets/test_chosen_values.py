"""What a user chose stays, the rest follows model and cells: through pages, models, images and closed docks."""

import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from qtpy.QtWidgets import QDockWidget

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.models.catalogue import card_of, user_model_folder
from napari_utile.engine.provenance.settings import load_settings
from napari_utile.engine.segment_params import suggested_instances
from napari_utile.widgets.batch.tab import BatchTab
from napari_utile.widgets.parts.chosen_values import ChosenValues
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of, result_on_screen
from pictures import CELLS, bright_discs

WAIT = 60_000
NATIVE = InstanceParams().minimum_size


class Sliders:
    """A form of two sliders."""

    def __init__(self):
        self.params = InstanceParams()

    def move(self, name, value):
        self.params = replace(self.params, **{name: value})

    def show(self, params):
        self.params = params


values = st.sampled_from((0.2, 0.5, 0.8))
events = st.one_of(
    st.tuples(st.just("threshold"), values),
    st.tuples(st.just("split"), values),
    st.tuples(st.just("suggest"), st.tuples(values, values)),
)


@given(st.lists(events, max_size=12))
def test_whatever_is_moved_and_suggested_the_sliders_show_the_suggestion_but_for_the_choice(steps):
    sliders, expected = Sliders(), {}
    chosen = ChosenValues(lambda: sliders.params, sliders.show)
    for name, value in steps:
        if name == "suggest":
            suggested = InstanceParams(threshold=value[0], split=value[1])
            chosen.show(suggested, chosen.values)
        else:
            if value != getattr(sliders.params, name):
                expected[name] = value
                if value == getattr(chosen.suggested, name):
                    del expected[name]
            sliders.move(name, value)
            chosen.moved()
        assert chosen.values == expected
        assert chosen.shown == replace(chosen.suggested, **expected)


@pytest.fixture
def viewer(bright_nuclei):
    viewer = ViewerModel()
    large = bright_discs((400, 500), [(90, 90), (90, 300), (280, 120), (280, 360)], radius=60)
    viewer.add_image(large, name="large")
    viewer.add_image(bright_discs(), name="discs")
    return viewer


def choose(viewer, name):
    session = session_of(viewer)
    session.image = replace(session.image, layer=viewer.layers[name], channel_axis=None)


def run(page, qtbot):
    page.run()
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)


def move(page, qtbot, **sliders):
    """Move sliders, and wait until the cells on screen have followed."""
    for name, value in sliders.items():
        page.form.instances[name].value = value
    qtbot.waitUntil(lambda: not page.adjusting, timeout=WAIT)


def instances_on_screen(page):
    return result_on_screen(page).segmentation.params.instances


def suggested(diameter, **chosen):
    return suggested_instances(card_of("nuclei"), diameter, **chosen)


def close(dock, qtbot):
    """Press the X that napari gives to a dock."""
    frame = QDockWidget()
    frame.setWidget(dock)
    dock.setParent(None)
    qtbot.wait(50)


def test_a_diameter_that_is_typed_counts_for_all_values_at_once(viewer, qtbot):
    page = page_of(viewer, "segment", qtbot)
    choose(viewer, "large")
    page.form.diameter.value = 120.0
    run(page, qtbot)
    move(page, qtbot, threshold=0.31)
    choose(viewer, "discs")
    page.form.diameter.value = 14.0
    run(page, qtbot)
    assert instances_on_screen(page) == suggested(14.0, threshold=0.31)
    assert np.unique(viewer.layers["discs instances"].data).size == 6


def test_the_copied_command_has_no_values_of_the_image_before(viewer, qtbot, monkeypatch):
    said = []
    page = page_of(viewer, "segment", qtbot)
    monkeypatch.setattr(page.form.status, "copied", lambda command, _: said.append(command))
    choose(viewer, "large")
    run(page, qtbot)
    move(page, qtbot, threshold=0.31)
    choose(viewer, "discs")
    page.copy_command()
    assert "--threshold 0.31" in said[0]
    assert not re.search("--(minimum-size|fill-holes|grow|relief-limit)", said[0])


@pytest.mark.parametrize("way", ["a file", "a new dock", "the page Click"])
def test_a_value_that_suits_cells_of_another_size_stays_chosen(viewer, qtbot, tmp_path, way):
    page = page_of(viewer, "segment", None if way == "a new dock" else qtbot)
    choose(viewer, "discs")
    run(page, qtbot)
    move(page, qtbot, minimum_size=NATIVE)
    assert page.request()[1].values == {"minimum_size": NATIVE}
    if way == "a file":
        page.settings.save(page.request()[1].params, str(tmp_path / "mine.json"))
        assert dict(load_settings(tmp_path / "mine.json").instances) == {"minimum_size": NATIVE}
        page.settings.load(str(tmp_path / "mine.json"))
    elif way == "a new dock":
        close(page.dock, qtbot)
        page = page_of(viewer, "segment", qtbot)
    else:
        click = page.dock.open_page("click")
        click.form.compute["diameter"].value = 15.0
    assert page.request()[1].values == {"minimum_size": NATIVE}
    assert page.form.instances["minimum_size"].value == NATIVE


def test_sliders_of_the_page_click_follow_the_next_image_too(viewer, qtbot):
    page = page_of(viewer, "click", qtbot)
    for name in ("large", "discs"):
        choose(viewer, name)
        session_of(viewer).cells = None
        page.set_on(True)
        qtbot.waitUntil(lambda: page.tool.queue.busy == 0, timeout=WAIT)
        if name == "large":
            page.form.instances["threshold"].value = 0.4
            page.set_on(False)
    aim = page.aims.aim(make=True)
    page.mouse.clicked.emit(CELLS[0], "click")
    qtbot.waitUntil(lambda: "Cell 1" in page.form.status.text(), timeout=WAIT)
    found = suggested(15.0)
    assert aim.settings.instances_for(found) == replace(found, threshold=0.4)


def test_the_best_threshold_is_used_where_the_page_segment_was_never_open(viewer, qtbot):
    page = page_of(viewer, "evaluate", qtbot)
    choose(viewer, "discs")
    page.form.sweep.offered.emit(InstanceParams(threshold=0.2, minimum_size=7, fill_holes=9))
    assert "Threshold 0.2 and minimum size 7 px" in page.form.status.text()
    segment = page.dock.open_page("segment")
    assert segment.request()[1].values == {"threshold": 0.2, "minimum_size": 7}
    assert segment.form.instances["threshold"].value == 0.2


@pytest.fixture
def other(make_bright_model):
    instances = {"threshold": 0.8, "minimum_size": 500}
    make_bright_model(user_model_folder() / "other.safetensors", object_diameter=20.0, instances=instances)


@pytest.mark.usefixtures("other")
def test_what_was_chosen_for_one_model_is_not_for_another(viewer, qtbot, tmp_path):
    page = page_of(viewer, "segment", qtbot)
    choose(viewer, "discs")
    run(page, qtbot)
    move(page, qtbot, threshold=0.31)
    session, before = session_of(viewer), instances_on_screen(page)
    session.page = "click"
    session.model = "other"
    assert page.request()[1].values == {}
    tab = BatchTab(viewer)
    qtbot.addWidget(tab)
    tab.add(tmp_path)
    tab.target.setText(str(tmp_path / "results"))
    assert "--threshold" not in tab.request().options
    move(page, qtbot, split=0.6)
    assert instances_on_screen(page) == before, "the cells on screen are of the model before"
    assert page.request()[1].values == {"split": 0.6}
    session.model = "nuclei"
    assert page.form.instances["threshold"].value == 0.31
    move(page, qtbot, minimum_size=16)
    assert instances_on_screen(page) == replace(before, minimum_size=16)


@pytest.mark.usefixtures("other")
def test_results_that_a_specialist_made_show_their_values_too(viewer, qtbot, monkeypatch):
    from napari_utile.session import cell_size

    measured = cell_size.measured_and_chosen

    def chosen(params, measure):
        return replace((yield from measured(params, measure)), model="other")

    monkeypatch.setattr(cell_size, "measured_and_chosen", chosen)
    page = page_of(viewer, "segment", qtbot)
    for name, threshold in (("discs", 0.31), ("large", 0.7)):
        choose(viewer, name)
        run(page, qtbot)
        move(page, qtbot, threshold=threshold)
    choose(viewer, "discs")
    assert page.form.instances["threshold"].value == 0.31
    move(page, qtbot, minimum_size=16)
    found = asdict(instances_on_screen(page))
    assert (found["threshold"], found["minimum_size"]) == (0.31, 16)
