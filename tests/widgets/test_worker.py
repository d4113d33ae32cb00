import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest
from qtpy.QtWidgets import QWidget

from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.widgets.worker import LatestJob, as_job, cancel_all_jobs, run_job
from pages import jobs


class Heard:
    """Writes down which callback came, with what, and that it came on the GUI thread."""

    def __init__(self):
        self.calls = []

    def _note(self, kind, *args):
        assert threading.current_thread() is threading.main_thread()
        self.calls.append((kind, *args))

    def callbacks(self):
        return {
            f"on_{kind}": lambda *args, kind=kind: self._note(kind, *args)
            for kind in ("progress", "done", "error", "cancelled")
        }

    @property
    def kinds(self):
        return [call[0] for call in self.calls]


def count_to(n, pause=0.0):
    for i in range(n):
        time.sleep(pause)
        yield i
    return n * 10


def test_progress_comes_in_order_and_then_the_result(qtbot):
    heard = Heard()
    job = run_job(count_to(3), **heard.callbacks())
    qtbot.waitUntil(lambda: not job.running)
    assert heard.calls == [("progress", 0), ("progress", 1), ("progress", 2), ("done", 30)]


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory"), ValueError("no"), KeyError("x"), MemoryError()]
)
def test_any_exception_is_reported_once_and_ends_the_job(qtbot, error):
    def failing():
        yield 1
        raise error

    heard = Heard()
    job = run_job(failing(), **heard.callbacks())
    qtbot.waitUntil(lambda: not job.running)
    assert heard.kinds == ["progress", "error"]
    assert heard.calls[-1][1] is error


def test_an_exit_inside_a_job_is_reported_and_does_not_end_the_program(qtbot):
    def leaving():
        yield
        raise SystemExit(3)

    heard = Heard()
    job = run_job(leaving(), **heard.callbacks())
    qtbot.waitUntil(lambda: not job.running)
    assert isinstance(heard.calls[-1][1], UtileError)


def test_cancel_closes_the_generator_in_its_own_thread_and_says_so_once(qtbot):
    closed_in = []
    started = threading.Event()

    def endless():
        try:
            while True:
                started.set()
                time.sleep(0.001)
                yield "tick"
        finally:
            closed_in.append(threading.current_thread())

    heard = Heard()
    job = run_job(endless(), **heard.callbacks())
    assert started.wait(5)
    job.cancel()
    job.cancel()
    qtbot.waitUntil(lambda: not job.running)
    assert heard.kinds == ["cancelled"], "no progress may arrive after cancel"
    assert closed_in
    assert closed_in[0] is not threading.main_thread()


def test_a_result_that_is_on_its_way_when_cancel_is_pressed_is_not_delivered(qtbot):
    heard = Heard()
    job = run_job(count_to(2), **heard.callbacks())
    assert job.wait(5), "the thread must have posted its result"
    job.cancel()
    qtbot.waitUntil(lambda: not job.running)
    assert heard.kinds == ["cancelled"]


def test_the_answer_comes_though_nobody_kept_the_handle(qtbot):
    heard = Heard()
    may_end = threading.Event()

    def waiting():
        yield 0
        may_end.wait(5)
        return 7

    run_job(waiting(), **heard.callbacks())
    (thread,) = jobs()
    may_end.set()
    thread.join(5)  # the thread, which held the handle too, is gone before anything is delivered
    del thread
    gc.collect()
    qtbot.waitUntil(lambda: heard.kinds[-1:] == ["done"])
    assert heard.calls == [("progress", 0), ("done", 7)]


def test_a_dropped_job_calls_nothing(qtbot):
    heard = Heard()
    job = run_job(count_to(1000, pause=0.001), **heard.callbacks())
    job.drop()
    assert job.wait(5)
    qtbot.wait(30)
    assert heard.calls == []


def test_a_job_is_dropped_when_its_widget_is_deleted(qtbot):
    heard = Heard()
    widget = QWidget()
    job = run_job(count_to(100_000, pause=0.001), owner=widget, **heard.callbacks())
    widget.deleteLater()
    qtbot.waitUntil(lambda: job.cancelled)
    assert job.wait(5)
    qtbot.wait(20)
    assert "done" not in heard.kinds
    assert "cancelled" not in heard.kinds


def test_a_paused_job_stands_still_until_it_is_resumed(qtbot):
    heard = Heard()
    job = run_job(count_to(5, pause=0.002), **heard.callbacks())
    job.pause()
    qtbot.wait(60)
    assert "done" not in heard.kinds
    job.resume()
    qtbot.waitUntil(lambda: not job.running)
    assert heard.kinds == ["progress"] * 5 + ["done"]


def test_a_paused_job_can_be_cancelled(qtbot):
    heard = Heard()
    job = run_job(count_to(5, pause=0.002), **heard.callbacks())
    job.pause()
    qtbot.wait(30)
    job.cancel()
    qtbot.waitUntil(lambda: not job.running)
    assert heard.kinds[-1] == "cancelled"


def test_a_message_becomes_the_value_of_the_next_yield(qtbot):
    def listening():
        while True:
            message = yield
            if message is not None:
                return message

    heard = Heard()
    job = run_job(listening(), **heard.callbacks())
    job.send("stop and keep the best")
    qtbot.waitUntil(lambda: not job.running)
    assert heard.calls[-1] == ("done", "stop and keep the best")


def test_many_reports_leave_the_event_loop_its_turn(qtbot):
    ticks = []
    heard = []
    from qtpy.QtCore import QTimer

    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(len(heard)))
    timer.start(1)
    job = run_job(count_to(300), on_progress=lambda _: (heard.append(1), time.sleep(0.001)))
    qtbot.waitUntil(lambda: not job.running, timeout=10_000)
    timer.stop()
    assert len(heard) == 300
    assert len([seen for seen in ticks if 0 < seen < 300]) >= 3


def test_an_exception_nobody_asked_for_is_logged(qtbot, caplog):
    def failing():
        yield
        raise RuntimeError("unheard")

    job = run_job(failing())
    qtbot.waitUntil(lambda: not job.running)
    assert "unheard" in caplog.text


def test_of_many_requests_the_first_and_the_newest_are_answered(qtbot):
    answers = []
    latest = LatestJob()

    def slow(value):
        time.sleep(0.02)
        return value

    for value in range(10):
        latest.run(as_job(slow, value), on_done=answers.append)
    qtbot.waitUntil(lambda: not latest.running)
    assert answers == [0, 9]


def test_the_newest_request_is_answered_even_if_the_one_before_fails(qtbot):
    answers = []
    latest = LatestJob()
    latest.run(as_job(lambda: 1 / 0), on_done=answers.append, on_error=lambda error: None)
    latest.run(as_job(lambda: "second"), on_done=answers.append)
    qtbot.waitUntil(lambda: not latest.running)
    assert answers == ["second"]


def test_all_jobs_end_within_the_time_given_when_the_program_ends(qtbot):
    jobs = [run_job(count_to(100_000, pause=0.001)) for _ in range(3)]
    assert cancel_all_jobs(timeout=5)
    assert all(job.wait(0) for job in jobs)


def test_widgets_that_an_answer_was_for_are_let_go_when_the_program_ends(qapp):
    widget = QWidget()
    gone = weakref.ref(widget)
    job = run_job(as_job(lambda: 1), on_done=lambda _, widget=widget: widget.show())
    assert job.wait(60), "it is done, and no event loop takes its answer"
    del widget
    assert gone() is not None
    assert cancel_all_jobs(timeout=5)
    assert not job.running
    assert gone() is None, "it goes while there is a program that it can go from"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UtileError("This file holds no model."), "This file holds no model."),
        (ValueError("split must be\n at most 1"), "split must be at most 1"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: out of memory"),
            "not enough memory",
        ),
        (MemoryError(), "not enough memory"),
        (TypeError("bad operand"), "TypeError"),
    ],
)
def test_errors_are_one_sentence(error, words):
    sentence = sentence_of(error)
    assert words in sentence
    assert "\n" not in sentence


def test_a_program_that_ends_waits_for_the_step_under_way(tmp_path):
    program = """if True:
        import sys, time
        from pathlib import Path
        from qtpy.QtCore import QCoreApplication
        from napari_utile.widgets.worker import run_job

        begun = []

        def job():
            yield
            begun.append(True)
            time.sleep(6)
            Path(sys.argv[1]).touch()
            yield

        application = QCoreApplication([])
        run_job(job())
        while not begun:
            time.sleep(0.01)
        """
    subprocess.run([sys.executable, "-c", program, tmp_path / "over"], check=True, timeout=200)
    assert (tmp_path / "over").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a thread a priority of its own")
def test_a_job_and_the_threads_that_it_starts_give_way_to_the_window(qtbot):
    def priorities():
        found = [os.nice(0)]
        started = threading.Thread(target=lambda: found.append(os.nice(0)))
        started.start()
        started.join()
        yield
        return found

    heard = Heard()
    job = run_job(priorities(), **heard.callbacks())
    qtbot.waitUntil(lambda: not job.running)
    window = os.nice(0)
    assert all(priority > window for priority in heard.calls[-1][1])


def test_jobs_have_ended_before_the_exit_handlers_of_other_libraries_run(tmp_path):
    program = tmp_path / "ends.py"
    program.write_text(
        "import atexit, itertools, time\n"
        "from qtpy.QtWidgets import QApplication\n"
        "from napari_utile.widgets.worker import run_job\n"
        "app = QApplication([])\n"
        "def endless():\n"
        "    for number in itertools.count():\n"
        "        time.sleep(0.05)\n"
        "        yield number\n"
        "job = run_job(endless())\n"
        "atexit.register(lambda: print('ended' if job.wait(0) else 'under way', flush=True))\n"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    made = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (made.stdout.strip(), made.returncode) == ("ended", 0), made.stderr[-1000:]
