"""Whether napari's theme is a dark or a light one."""

from typing import Any, Literal

from napari.settings import get_settings
from napari.utils.theme import get_system_theme, get_theme

Lightness = Literal["dark", "light"]


def lightness() -> Lightness:
    """Say whether the background of napari's theme is dark or light."""
    name = str(get_settings().appearance.theme)
    background = get_theme(get_system_theme() if name == "system" else name).background
    return "light" if sum(background.as_rgb_tuple()[:3]) > 3 * 128 else "dark"


def theme_event() -> Any:
    """Return what napari emits when another theme is chosen."""
    return get_settings().appearance.events.theme
