"""Every word of the dock can be read in the dark and the light theme: its contrast is at least 4.5."""

import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QListWidget, QPushButton, QTableWidget

from napari_utile.widgets.parts.plot import PLOT_COLOURS
from napari_utile.widgets.parts.status_line import COLOURS
from napari_utile.widgets.workbench.dock import PAGES
from simulation.simulate import simulate
from window import Window

LEAST = 4.5
WORDS = (QLabel, QPushButton, QCheckBox, QComboBox, QLineEdit, QListWidget, QTableWidget)


def luminance(colours):
    """Give the relative luminance of colours (..., 3) from 0 to 255, as WCAG 2 defines it."""
    parts = np.asarray(colours, float) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    low, high = np.sort(np.broadcast_arrays(luminance(one), luminance(other)), axis=0)
    return (high + 0.05) / (low + 0.05)


def of_hex(colour):
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", ["good", "problem"])
def test_sentences_can_be_read_in_both_themes(theme, kind):
    background = get_theme(theme).background.as_rgb_tuple()[:3]
    assert contrast(background, of_hex(COLOURS[theme][kind])) >= LEAST


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_plots_can_be_read_on_the_background_of_their_theme(theme):
    colours = PLOT_COLOURS[theme]
    background = of_hex(colours["background"])
    assert contrast(background, get_theme(theme).background.as_rgb_tuple()[:3]) < 1.3
    for name, colour in colours.items():
        least = {"background": 1, "words": LEAST, "strong": LEAST}.get(name, 3)  # WCAG 2: 3 for graphics
        assert contrast(background, of_hex(colour)) >= least, name


def pixels_of(widget, shown):
    """Return the pixels (y, x, 3) of a widget as they are shown in one around it."""
    corner = widget.mapTo(shown, widget.rect().topLeft())
    image = shown.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    data = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    rows = data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    whole = rows.reshape(image.height(), image.width(), 3)
    return whole[corner.y() : corner.y() + widget.height(), corner.x() : corner.x() + widget.width()]


def read_contrast(pixels):
    """Return the contrast of the clearest pixel to the commonest colour: text is thin, and its edges are blurred."""
    colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    return float(contrast(colours[counts.argmax()], colours).max())


def words_of(widget):
    """Return the words of a widget, and the part of it, from its left, that shows nothing else."""
    if isinstance(widget, QLabel | QPushButton | QLineEdit):
        return widget.text(), (4, -4)
    if isinstance(widget, QCheckBox):
        return widget.text(), (24, None)
    if isinstance(widget, QComboBox):
        return widget.currentText(), (4, -22)
    return " ", (4, -4)


@pytest.mark.real_window
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_word_on_every_page_can_be_read(make_napari_viewer, qtbot, bright_nuclei, theme):
    get_settings().appearance.theme = theme
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    window = Window(viewer, qtbot)
    field = simulate("nuclei", height=128, width=128, cells=10, seed=1)
    viewer.add_image(field.image, name="nuclei")
    viewer.add_labels(field.labels, name="truth")
    page = window.open("segment")
    window.run(page)
    faint = []
    for name in PAGES:
        page = window.page(name)
        for kind in ("info", "good", "problem"):
            page.form.status.say("What happened, in a sentence.", kind)
            QTest.qWait(50)
            window.shoot(f"{theme}_{name}_{kind}")
            for widget in window.dock.findChildren(WORDS):
                text, (left, right) = words_of(widget)
                if not (widget.isVisible() and widget.isEnabled() and text.strip()):
                    continue
                seen = pixels_of(widget, window.dock)[3:-3, left:right]
                if seen.size and (measured := read_contrast(seen)) < LEAST:
                    faint.append((name, type(widget).__name__, text[:40], round(measured, 2)))
    assert not faint
