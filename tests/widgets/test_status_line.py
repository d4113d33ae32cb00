import pytest
from napari.utils.theme import get_theme

from napari_utile.widgets.parts.status_line import COLOURS


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", ["good", "problem"])
def test_sentences_can_be_read_in_both_themes(theme, kind):
    red, green, blue = get_theme(theme).background.as_rgb_tuple()[:3]
    shades = sorted(map(luminance, (f"#{red:02x}{green:02x}{blue:02x}", COLOURS[theme][kind])))
    assert (shades[1] + 0.05) / (shades[0] + 0.05) >= 4.5
