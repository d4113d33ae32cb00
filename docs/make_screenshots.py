"""Make the pictures of the documentation: `python docs/make_screenshots.py [SCENE...]`.

Drives the real window, under Xvfb where there is no display, and writes docs/images/<scene>.png.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_utile.widgets.workbench.commands import open_page

IMAGES = Path(__file__).parent / "images"
WINDOW = (1400, 860)


def settle(seconds: float = 0.5, until: Callable[[], bool] = lambda: True, limit: float = 300) -> None:
    """Let the window work for some seconds, and on until a condition holds."""
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds or not until():
        if passed > limit:
            raise TimeoutError("The window did not get there.")
        QApplication.processEvents()
        time.sleep(0.01)


def segment(viewer: napari.Viewer) -> None:
    """Show nuclei segmented by one press."""
    viewer.open_sample("napari-utile", "nuclei")
    dock = open_page(viewer, "segment").page("segment")
    settle(2)
    dock.form.run_bar.run_button.click()
    settle(until=lambda: not dock.running)
    settle(1)
    labels = next(layer for layer in viewer.layers if layer.name.endswith("instances"))
    labels.contour = 1
    labels.opacity = 0.9
    viewer.reset_view()
    settle(1)


SCENES: dict[str, Callable[[napari.Viewer], None]] = {"segment": segment}


def shoot(name: str) -> Path:
    """Play a scene in a fresh viewer and save its window."""
    viewer = napari.Viewer()
    settle()
    viewer.window.resize(*WINDOW)
    settle()
    SCENES[name](viewer)
    pixels = viewer.window.screenshot(flash=False, canvas_only=False)
    viewer.close()
    settle(0.2)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    # A palette is enough for a window, and makes the file a third as large.
    Image.fromarray(pixels[..., :3]).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main(names: list[str]) -> None:
    """Shoot the scenes named, or all."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        xvfb = shutil.which("xvfb-run")
        if xvfb is None:
            sys.exit("There is no display and no Xvfb: sudo apt-get install xvfb")
        screen = "-screen 0 1600x1000x24 +extension GLX"
        os.execv(xvfb, [xvfb, "-a", "-s", screen, sys.executable, __file__, *names])
    for name in names or SCENES:
        path = shoot(name)
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main(sys.argv[1:])
