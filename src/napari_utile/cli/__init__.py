"""The command `utile`: the engine without a window."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import napari_utile

COMMANDS = (
    "segment",
    "click",
    "models",
    "weight_map",
    "train",
    "evaluate",
    "compare",
    "measure",
    "replay",
    "doctor",
    "demo",
)
"""Modules of this package, one for each command, in the order in which `utile --help` lists them.

Each has `add_parser(subparsers)`, which sets the default `run`: a callable of the parsed arguments that
returns the exit status. It imports what is heavy (torch) only when it runs.
"""


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="utile", description="U-Tile: seamless tiled U-Net segmentation of microscope images."
    )
    parser.add_argument("--version", action="version", version=f"napari-utile {napari_utile.__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        if find_spec(f"{__name__}.{name}"):
            import_module(f"{__name__}.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    What a user can put right (:class:`~napari_utile.engine.errors.UtileError`, a bad value) ends in one
    sentence on standard error and the status 1, an interruption in 130.
    """
    from napari_utile.engine.errors import UtileError, UtileWarning

    parsed = make_parser().parse_args(arguments)
    usual = warnings.formatwarning

    def one_line(message: Any, category: Any, *where: Any, **more: Any) -> str:
        if issubclass(category, UtileWarning):
            return f"utile {parsed.command}: {message}\n"
        return usual(message, category, *where, **more)

    warnings.formatwarning = one_line
    try:
        return int(parsed.run(parsed))
    except (UtileError, ValueError) as error:
        print(f"utile {parsed.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        warnings.formatwarning = usual
