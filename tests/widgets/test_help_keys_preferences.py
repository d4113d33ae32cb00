"""A chapter of help on every page, Ctrl+Enter, and what is set under napari's Preferences."""

import re
import runpy
from pathlib import Path

import napari.settings
import numpy as np
import pytest
from qtpy.QtCore import Qt, QUrl
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_utile.engine.segment_params import SegmentParams
from napari_utile.widgets import help, preferences
from napari_utile.widgets.help import CHAPTERS, chapter_text
from napari_utile.widgets.tabs import open_help
from napari_utile.widgets.workbench.dock import PAGES, Workbench

WAIT = 60_000
DOCS = Path(__file__).parents[2] / "docs"
PAGES_OF_HELP = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", PAGES_OF_HELP)
def test_every_page_is_there_without_its_pictures(name):
    text = chapter_text(name)
    assert text.startswith("# ")
    assert "![" not in text


def test_every_page_of_the_dock_has_a_chapter():
    assert set(CHAPTERS) == set(PAGES)
    assert set(CHAPTERS.values()) <= set(PAGES_OF_HELP)


@pytest.mark.parametrize("name", PAGES_OF_HELP)
def test_every_link_of_the_help_leads_somewhere(name, qtbot, monkeypatch):
    outside = []
    monkeypatch.setattr(help.QDesktopServices, "openUrl", lambda url: outside.append(url.toString()))
    tab = help.HelpTab()
    qtbot.addWidget(tab)
    tab.show_chapter(name)
    for link in links_of(tab):
        tab.show_chapter(name)
        outside.clear()
        tab.anchorClicked.emit(QUrl(link))
        if outside:
            assert outside == [link]
            continue
        shown, _, fragment = link.removeprefix("page:").partition("#")
        first = chapter_text(shown).partition("\n")[0]
        assert tab.toPlainText().startswith(first.removeprefix("# ")), link
        words = re.findall(r"\w+", tab.textCursor().block().text().lower())
        assert not fragment or words == re.findall(r"\w+", fragment), link


def links_of(tab) -> list[str]:
    """Return where the links of a shown page lead."""
    found = []
    block = tab.document().begin()
    while block.isValid():
        pieces = block.begin()
        while not pieces.atEnd():
            piece = pieces.fragment().charFormat()
            if piece.isAnchor():
                found.append(piece.anchorHref())
            pieces += 1
        block = block.next()
    return found


def test_a_link_to_a_heading_goes_there_and_back_again(qtbot):
    tab = help.HelpTab()
    qtbot.addWidget(tab)
    tab.resize(500, 300)
    tab.show()
    tab.show_chapter("training.md")
    [link] = [each for each in links_of(tab) if each.endswith("#from-one-annotated-image")]
    tab.anchorClicked.emit(QUrl(link))
    assert tab.textCursor().block().text() == "From one annotated image"
    assert 0 <= tab.cursorRect().top() < 30
    tab.show_chapter("tutorials/nuclei.md")
    assert tab.verticalScrollBar().value() == 0
    tab.backward()
    assert "From one annotated image" in tab.toPlainText()


def test_what_is_not_in_the_package_is_no_link_and_code_stays_as_it_is():
    text = chapter_text("index.md")
    assert "| see every option | every command |" in text
    assert "reference/" not in text
    assert "(page:tutorials/nuclei.md)" in text
    code = re.findall("```.*?```", (DOCS / "python_api.md").read_text(), re.DOTALL)
    assert code == re.findall("```.*?```", chapter_text("python_api.md"), re.DOTALL)


class Chosen:
    device, precision, results_folder = "cpu", "float32", ""


def test_preferences_are_read_where_napari_has_them(monkeypatch, tmp_path):
    monkeypatch.setattr(preferences, "settings", Chosen)
    params = preferences.preferred(SegmentParams())
    assert (params.device, params.precision) == ("cpu", "float32")
    assert preferences.results_folder() is None
    monkeypatch.setattr(Chosen, "results_folder", str(tmp_path))
    assert preferences.results_folder() == tmp_path
    monkeypatch.setattr(Chosen, "results_folder", str(tmp_path / "gone"))
    assert preferences.results_folder() is None


def test_without_preferences_and_with_nonsense_in_them_all_is_as_it_was(monkeypatch):
    monkeypatch.setattr(preferences, "settings", lambda: None)
    assert preferences.preferred(SegmentParams()) == SegmentParams()
    monkeypatch.setattr(Chosen, "device", "toaster")
    monkeypatch.setattr(preferences, "settings", Chosen)
    assert preferences.preferred(SegmentParams()).device == "auto"


def test_a_napari_that_keeps_no_settings_of_plugins_is_as_one_where_nothing_is_set(monkeypatch):
    monkeypatch.delattr(napari.settings, "get_plugin_settings")
    afresh = runpy.run_path(preferences.__file__)
    assert afresh["settings"]() is None
    assert afresh["preferred"](SegmentParams()) == SegmentParams()
    assert afresh["results_folder"]() is None


@pytest.mark.real_window
def test_control_enter_presses_the_main_button_and_the_question_mark_opens_the_chapter(
    make_napari_viewer, qtbot, bright_nuclei
):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    image = np.zeros((64, 64), np.uint8)
    image[20:40, 20:40] = 200
    viewer.add_image(image, name="nuclei")
    before = dict(viewer.keymap)
    dock = Workbench(viewer)
    frame = viewer.window.add_dock_widget(dock, name="U-Tile")
    canvas = viewer.window._qt_viewer.canvas.native
    page = dock.open_page("segment")
    QTest.qWait(50)
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "nuclei instances" in viewer.layers, timeout=WAIT)
    qtbot.waitUntil(lambda: not page.running, timeout=WAIT)
    page = dock.open_page("click")
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert page.on
    [ask] = [button for button in page.findChildren(QPushButton) if button.text() == "?"]
    QTest.mouseClick(ask, Qt.MouseButton.LeftButton)
    tab = viewer.window.dock_widgets["U-Tile help"]
    assert "Click to segment" in tab.toPlainText()
    assert open_help(viewer, "evaluate") is tab
    assert "Scores and measurements" in tab.toPlainText()
    frame.destroyOnClose()
    QTest.qWait(50)
    assert dict(viewer.keymap) == before
