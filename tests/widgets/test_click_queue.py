import threading

import pytest

from napari_utile.widgets.pages.click.queue import ClickQueue


@pytest.fixture
def queue(qtbot):
    queue = ClickQueue()
    yield queue
    queue.drop()


def slow(value, gate=None, log=None):
    yield
    if log is not None:
        log.append(("begun", value))
    if gate is not None:
        gate.wait(5)
    yield
    return value


def quick(value):
    return value
    yield


def action(work):
    answer = yield work
    return answer


def test_actions_run_in_order_and_none_is_lost(queue, qtbot):
    done = []
    for number in range(6):
        work = slow(number) if number % 2 else quick(number)
        queue.add(lambda work=work: action(work), done.append)
    qtbot.waitUntil(lambda: len(done) == 6)
    assert done == list(range(6))
    assert queue.busy == 0


def test_work_whose_tiles_are_there_is_done_at_once(queue):
    done = []
    queue.add(lambda: action(quick("here")), done.append)
    assert done == ["here"]


def test_an_error_is_told_and_the_next_click_goes_on(queue, qtbot):
    def failing():
        yield
        raise ValueError("no such channel")

    errors, done = [], []
    queue.failed.connect(errors.append)
    queue.add(lambda: action(failing()), done.append)
    queue.add(lambda: action(slow(2)), done.append)
    qtbot.waitUntil(lambda: done == [2])
    assert str(errors[0]) == "no such channel"


def test_an_error_while_the_outcome_is_shown_does_not_stop_the_queue(queue, qtbot):
    errors, done = [], []
    queue.failed.connect(errors.append)
    queue.add(lambda: action(slow(1)), lambda _: 1 / 0)
    queue.add(lambda: action(slow(2)), done.append)
    qtbot.waitUntil(lambda: done == [2])
    assert isinstance(errors[0], ZeroDivisionError)


def test_of_previews_only_the_newest_counts(queue, qtbot):
    done = []
    gate = threading.Event()
    queue.preview(lambda: action(slow("first", gate)), done.append)
    for name in ("second", "third", "last"):
        queue.preview(lambda name=name: action(slow(name)), done.append)
    gate.set()
    qtbot.waitUntil(lambda: "last" in done)
    assert done == ["first", "last"]


def test_a_click_stops_a_preview_and_previews_wait_for_clicks(queue, qtbot):
    done, log = [], []
    gate = threading.Event()
    queue.preview(lambda: action(slow("preview", gate, log)), done.append)
    qtbot.waitUntil(lambda: log == [("begun", "preview")])
    queue.add(lambda: action(slow("click")), done.append)
    queue.preview(lambda: action(quick("too late")), done.append)
    gate.set()
    qtbot.waitUntil(lambda: queue.busy == 0)
    assert done == ["click"]


def test_a_dropped_queue_calls_nothing_any_more(queue, qtbot):
    done = []
    gate = threading.Event()
    queue.add(lambda: action(slow(1, gate)), done.append)
    queue.add(lambda: action(slow(2)), done.append)
    queue.drop()
    gate.set()
    qtbot.wait(100)
    assert done == []
    assert queue.busy == 0
