"""The command `utile`: the engine without a window."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

import napari_utile
from napari_utile.cli.streams import open_missing_streams, patient_streams
from napari_utile.engine.errors import UtileWarning, sentence_of

COMMANDS = (
    "segment",
    "fit",
    "click",
    "models",
    "weight_map",
    "train",
    "sets",
    "evaluate",
    "compare",
    "measure",
    "export",
    "replay",
    "verify",
    "doctor",
    "demo",
)
"""Modules of this package, one for each command, in the order in which `utile --help` lists them.

Each has `add_parser(subparsers)`, which sets the default `run`: a callable of the parsed arguments that
returns the exit status. It imports what is heavy (torch) only when it runs.
"""


class _Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong with a call."""

    def error(self, message: str) -> NoReturn:
        """End with the status 2."""
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = _Parser(
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

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``utile``; the command line of this process by default.

    Returns
    -------
    int
        0: done. 1: something failed, which one sentence on standard error says, or a check failed. 2, by
        ``SystemExit``: a wrong call. 130: interrupted; 143, 129: the same by SIGTERM, SIGHUP.
    """
    if arguments is None:
        open_missing_streams()
        _end_in_order()
        if not sys.warnoptions:  # what libraries say to developers
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UtileWarning)
            logging.getLogger().addHandler(logging.NullHandler())
    with patient_streams() as problems:
        status = _run(arguments)
    if problems:
        print(f"utile: {problems[0]}", file=sys.stderr)
    return status or len(problems)


def _end_in_order() -> None:
    """Let what ends the process from outside do it as Ctrl+C does: nothing half-written, no worker left behind."""

    def end(number: int, _: Any) -> NoReturn:
        raise KeyboardInterrupt(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, end)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return _run_command(make_parser().parse_args(arguments))
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        return 128 + (error.args[0] if error.args else signal.SIGINT)


def _run_command(parsed: argparse.Namespace) -> int:
    try:
        os.getcwd()
    except OSError:  # libraries end the process there
        print(
            "utile: The folder you are in does not exist any more: change to another one (cd).",
            file=sys.stderr,
        )
        return 1
    usual = warnings.formatwarning

    def one_line(message: Any, category: Any, *where: Any, **more: Any) -> str:
        if issubclass(category, UtileWarning):
            return f"utile {parsed.command}: {message}\n"
        return usual(message, category, *where, **more)

    warnings.formatwarning = one_line
    try:
        return int(parsed.run(parsed))
    except Exception as error:  # noqa: BLE001 - whatever it is, a user is told in one sentence
        print(f"utile {parsed.command}: {sentence_of(error)}", file=sys.stderr)
        return 1
    finally:
        warnings.formatwarning = usual
