"""What goes wrong in a dock is told in a sentence, and its traceback goes to the log."""

import logging

import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.widgets.failures import failures_to


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
