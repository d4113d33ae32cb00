"""A viewer without a display: Qt's off-screen platform has windows but no OpenGL; napari wants both."""

import os
import sys
from typing import Any

from vispy.gloo.gl import GL_EXTENSIONS, _pyopengl2


def has_display() -> bool:
    """Return whether windows can be shown: on Linux, with an X or Wayland server."""
    if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def use_offscreen() -> None:
    """Let napari make viewers whose canvas stays empty; to be called before the first one.

    Layers, docks and the event loop work as in a window. `viewer.screenshot()` does not.
    """
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

    def parameter_without_context(name: int) -> Any:
        # napari asks for the extensions and the largest textures before it makes a layer visible, and
        # without an OpenGL context fails on the empty answers.
        return "" if name == GL_EXTENSIONS else 2048

    _pyopengl2.glGetParameter = parameter_without_context
