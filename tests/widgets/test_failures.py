"""What goes wrong in a dock is told in a sentence, and its traceback goes to the log."""

import ast
import logging
from pathlib import Path

import pytest

import napari_utile
from napari_utile.engine.errors import UtileError
from napari_utile.widgets.failures import failures_to, sentence_of


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (UtileError("No such model."), logging.DEBUG),
        (ValueError("Open an image first."), logging.DEBUG),
        (OSError("The disk is full."), logging.DEBUG),
        (KeyError("index"), logging.ERROR),
        (RuntimeError("wrapped object has been deleted"), logging.ERROR),
    ],
)
def test_a_failure_is_told_once_and_its_traceback_is_logged(error, level, caplog):
    told = []
    with caplog.at_level(logging.DEBUG, logger="napari_utile"), failures_to(told.append):
        raise error
    assert told == [error]
    (record,) = caplog.records
    assert record.levelno == level
    assert record.exc_info[1] is error
    assert record.exc_info[2] is not None


def test_the_rest_of_the_block_is_skipped_and_what_follows_it_runs():
    steps = []
    with failures_to(lambda error: steps.append("told")):
        steps.append("before")
        raise ValueError
        steps.append("skipped")
    steps.append("after")
    assert steps == ["before", "told", "after"]


def test_a_block_that_succeeds_tells_nothing(caplog):
    told = []
    with caplog.at_level(logging.DEBUG, logger="napari_utile"), failures_to(told.append):
        pass
    assert told == []
    assert not caplog.records


def test_without_a_listener_a_failure_only_goes_to_the_log(caplog):
    with caplog.at_level(logging.DEBUG, logger="napari_utile"), failures_to():
        raise ValueError("There is no image.")
    assert "There is no image." in caplog.text


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_let_through(leaving):
    def tell(error):
        raise AssertionError("it is not a failure of the dock")

    with pytest.raises(leaving), failures_to(tell):
        raise leaving


# Advice that only the command line gives.
ONLY_THERE = {"selection.py", "segmented.py", "into_image.py"}


def advice():
    """Find the errors of engine and session that name an option of the command line."""
    source = Path(napari_utile.__file__).parent
    for file in sorted([*source.glob("engine/**/*.py"), *source.glob("session/**/*.py")]):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UtileError":
                parts = getattr(node.args[0], "values", [node.args[0]])
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts)
                if "--" in text and file.name not in ONLY_THERE:
                    yield text


@pytest.mark.parametrize("text", list(advice()))
def test_the_dock_names_its_own_fields_and_no_option_of_the_command_line(text):
    assert "--" not in sentence_of(UtileError(text))


def test_what_was_asked_for_is_named_without_dashes():
    before = "a.ome.zarr was started with --threshold 0.5, not 0.6: "
    error = UtileError(f"{before}leave the option out to resume, or start again with --overwrite.")
    said = "a.ome.zarr was started with the threshold 0.5, not 0.6: choose it as before to resume, or press Delete."
    assert sentence_of(error) == said


def test_what_was_not_asked_for_is_named_without_dashes():
    error = UtileError("a.ome.zarr was started without --percentiles: leave the option out to resume, or start again "
                       "with --overwrite.")  # fmt: skip
    said = "a.ome.zarr was started without the percentiles: choose it as before to resume, or press Delete."
    assert sentence_of(error) == said
