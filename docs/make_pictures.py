"""Make the pictures of the documentation: `python docs/make_pictures.py [SCENE...]`.

Drives the real window with a mouse, under Xvfb where there is no display, and writes `docs/images`.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "training"))  # the simulator

from pictures.scenes import SCENES
from pictures.window import Window


def main(names: list[str]) -> None:
    """Play the scenes named, or all, each in a fresh window."""
    if unknown := set(names) - set(SCENES):
        sys.exit(f"There is no scene {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}.")
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        xvfb = shutil.which("xvfb-run")
        if xvfb is None:
            sys.exit("There is no display and no Xvfb: sudo apt-get install xvfb")
        screen = "-screen 0 1600x1000x24 +extension GLX"
        os.execv(xvfb, [xvfb, "-a", "-s", screen, sys.executable, __file__, *names])
    with tempfile.TemporaryDirectory() as library:
        os.environ["UTILE_MODELS"] = library  # not the user's
        for name in names or SCENES:
            window = Window()
            SCENES[name](window)
            window.close()


if __name__ == "__main__":
    main(sys.argv[1:])
