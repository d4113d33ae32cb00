"""`utile demo`: a sample image, or yours, segmented in napari."""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from napari_utile.cli.options import add_output, file_path
from napari_utile.engine.errors import UtileError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="open napari with the Segment page and segment a sample",
        description="Open napari on a sample image with the Segment page and segment it. Without a display the same "
        "dock runs in an off-screen viewer, and labels, measurements and a figure are written.",
    )
    parser.add_argument(
        "image", nargs="?", type=file_path, metavar="IMAGE", help="your image instead of the sample"
    )
    text = "folder for the results where there is no display (default: demo_output)"
    add_output(parser, "DIR", text, default=Path("demo_output"))
    parser.add_argument("--offscreen", action="store_true", help="work as if there were no display")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo in a process of its own, for the command line knows no windows."""
    if not find_spec("qtpy") or not find_spec("napari"):
        raise UtileError('napari is not installed here: pip install "napari-utile[all]"')
    command = [sys.executable, "-m", "napari_utile.widgets.demo", "--output", str(arguments.output)]
    if arguments.offscreen:
        command.append("--offscreen")
    if arguments.image is not None:
        command += ["--", str(arguments.image)]
    status = subprocess.run(command, check=False).returncode
    if status < 0:  # a signal: Qt aborts where it cannot open a window
        raise UtileError(
            "The window could not be opened; utile doctor says why, --offscreen works without one."
        )
    return status
