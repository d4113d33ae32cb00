"""Run generators off the GUI thread: the only module that starts threads which outlive a call.

A job is a generator. Every value it yields is progress and every yield is a point where it can be
cancelled, paused or sent a message; what it returns is its result. Exactly one of `on_done`,
`on_error` and `on_cancelled` follows, always on the GUI thread. Qt's own generator workers lose
``RuntimeError``, which is what torch raises for a lack of memory; a job here reports any exception.
"""

import atexit
import collections
import functools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

from qtpy.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal

from napari_utile.engine.errors import UtileError
from napari_utile.engine.jobs.priority import give_way
from napari_utile.engine.steps import Run
from napari_utile.widgets.connections import when_deleted

_logger = logging.getLogger("napari_utile")
_Result = TypeVar("_Result")
_running: "set[JobHandle]" = set()
"""Jobs whose thread has not ended; with `_lock`, as each thread takes its own away."""
_lock = threading.Lock()
_awaited: "set[JobHandle]" = set()
"""Jobs whose last callback is still due: kept alive here, as callers need not keep their handles."""

# Callbacks run for at most this long before the event loop gets its turn, so that a job which
# reports faster than the window draws cannot freeze it. Seconds.
_DELIVERY_SLICE = 0.02


class _Mailbox(QObject):
    """Lives on the GUI thread; a signal emitted from any thread is delivered there."""

    mail = Signal()


class JobHandle:
    """A job under way.

    Attributes
    ----------
    running : bool
        True until `on_done`, `on_error` or `on_cancelled` has been called, or the job was dropped.
    cancelled : bool
        True once `cancel` or `drop` was called.
    """

    def __init__(
        self,
        generator: Generator[Any, Any, Any],
        on_progress: Callable[[Any], object] | None,
        on_done: Callable[[Any], object] | None,
        on_error: Callable[[Exception], object] | None,
        on_cancelled: Callable[[], object] | None,
    ) -> None:
        self._generator: Generator[Any, Any, Any] | None = generator
        self._callbacks: dict[str, Callable[..., object] | None] = {
            "progress": on_progress,
            "done": on_done,
            "error": on_error,
            "cancelled": on_cancelled,
        }
        self._letters: collections.deque[tuple[str, tuple[Any, ...]]] = collections.deque()
        self._messages: collections.deque[Any] = collections.deque()
        self._stop = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()
        self._wake_pending = False
        self._dropped = False
        self._finished = False
        self._mailbox = _Mailbox()
        app = QCoreApplication.instance()
        if app is not None:  # callbacks belong to the GUI thread even if another one started the job
            self._mailbox.moveToThread(app.thread())
        self._mailbox.mail.connect(self._deliver, Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]
        self._thread = threading.Thread(target=self._work, name="napari-utile-job", daemon=True)

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return not self._finished

    @property
    def cancelled(self) -> bool:
        """Whether the job was told to stop."""
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        """Whether the job waits at its next yield."""
        return not self._go_on.is_set()

    def cancel(self) -> None:
        """Stop at the next yield; from now on only `on_cancelled` is called, once it has stopped."""
        self._stop.set()
        self._go_on.set()

    def drop(self) -> None:
        """Stop at the next yield and call nothing any more: nobody waits for the answer."""
        self._dropped = True
        self._finished = True
        _awaited.discard(self)
        self._letters.clear()
        self._callbacks = dict.fromkeys(self._callbacks)
        self.cancel()

    def pause(self) -> None:
        """Wait at the next yield until `resume` or `cancel`."""
        self._go_on.clear()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._go_on.set()

    def send(self, message: object) -> None:
        """Make the generator's next ``yield`` evaluate to `message` (messages queue up in order)."""
        self._messages.append(message)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the thread has ended (its last callback may still be due).

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Returns
        -------
        bool
            True if the thread has ended.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        generator, self._generator = self._generator, None
        assert generator is not None
        give_way()
        try:
            letter = self._exhaust(generator)
        except BaseException as error:
            _logger.debug("a job failed", exc_info=True)
            letter = ("error", (_as_exception(error),))
        finally:
            del generator
        self._post("cancelled" if self.cancelled else letter[0], () if self.cancelled else letter[1])
        with _lock:
            _running.discard(self)

    def _exhaust(self, generator: Generator[Any, Any, Any]) -> tuple[str, tuple[Any, ...]]:
        run = Run(generator)
        for progress in run:
            self._post("progress", (progress,))
            self._go_on.wait()
            run.answer = self._messages.popleft() if self._messages else None
            if self.cancelled:
                run.close()
                return "cancelled", ()
        return "done", (run.result,)

    def _post(self, kind: str, args: tuple[Any, ...]) -> None:
        if self._dropped:
            return
        self._letters.append((kind, args))
        if not self._wake_pending:
            self._wake_pending = True
            with suppress(RuntimeError):  # the application is gone, and the mailbox with it
                self._mailbox.mail.emit()

    def _deliver(self) -> None:
        self._wake_pending = False  # before the letters are read: one that comes now wakes us again
        until = time.perf_counter() + _DELIVERY_SLICE
        try:
            while self._letters and time.perf_counter() < until:
                self._call(*self._letters.popleft())
        finally:
            if self._letters:  # by a timer: Qt serves posted events before it paints or takes a click
                QTimer.singleShot(1, self._deliver)

    def _call(self, kind: str, args: tuple[Any, ...]) -> None:
        if self._finished or (kind == "progress" and self.cancelled):
            return
        if self.cancelled and kind == "done":
            kind, args = "cancelled", ()
        callback = self._callbacks[kind]
        if kind != "progress":
            self._finished = True
            _awaited.discard(self)
            self._callbacks = dict.fromkeys(self._callbacks)
        if callback is not None:
            callback(*args)
        elif kind == "error":
            _logger.error("a job failed: %s", args[0], exc_info=args[0])


def run_job(
    generator: Generator[Any, Any, _Result],
    *,
    on_progress: Callable[[Any], object] | None = None,
    on_done: Callable[[_Result], object] | None = None,
    on_error: Callable[[Exception], object] | None = None,
    on_cancelled: Callable[[], object] | None = None,
    owner: QObject | None = None,
) -> JobHandle:
    """Run a generator in a thread of its own and report on the GUI thread.

    Parameters
    ----------
    generator : generator
        Not started yet. It is run, and on cancel closed, in its thread only.
    on_progress : callable, optional
        Called with every value the generator yields, in order, until the job is cancelled.
    on_done, on_error, on_cancelled : callable, optional
        Exactly one of them is called at the end: with the generator's return value, with the
        exception that it raised, or without arguments.
    owner : QObject, optional
        When Qt deletes it the job is dropped: it stops and calls nothing any more.

    Returns
    -------
    JobHandle
        To cancel, pause or wait.
    """
    handle = JobHandle(generator, on_progress, on_done, on_error, on_cancelled)
    if owner is not None:
        reference = weakref.ref(handle)

        def drop_it() -> None:
            job = reference()
            if job is not None:
                job.drop()

        when_deleted(owner, drop_it)
    with _lock:
        _running.add(handle)
    _awaited.add(handle)
    _watch_the_program()
    handle._thread.start()
    return handle


def as_job(function: Callable[..., _Result], *args: Any, **kwargs: Any) -> Generator[None, None, _Result]:
    """Make a job out of a plain function: one cancel point before it, none within."""
    yield
    return function(*args, **kwargs)


class _NoJob(JobHandle):
    """Nothing that runs, in the place of a job."""

    def __init__(self) -> None:
        self._finished = True
        self._stop, self._go_on = threading.Event(), threading.Event()

    def cancel(self) -> None:
        """Do nothing."""

    def drop(self) -> None:
        """Do nothing."""

    def wait(self, timeout: float | None = None) -> bool:
        """There is no thread to wait for."""
        return True


NO_JOB: JobHandle = _NoJob()
"""Where a job may be under way and none is."""


class OneJob:
    """What runs one job at a time; to be mixed into an object or a widget.

    Attributes
    ----------
    job : JobHandle
        The newest.
    """

    job: JobHandle = NO_JOB

    @property
    def running(self) -> bool:
        """Whether the job is under way."""
        return self.job.running

    def cancel(self) -> None:
        """Stop at the next point where that can be; what is finished is kept."""
        if self.running:
            self.job.cancel()

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        self.job.drop()


class LatestJob:
    """Runs one job at a time and, of those asked for meanwhile, only the newest.

    Made for sliders and for the mouse: requests come faster than answers, and only the last one
    matters. The job under way is finished, not cancelled, so that the picture keeps following.
    """

    def __init__(self, owner: QObject | None = None) -> None:
        self._owner = owner
        self._job = NO_JOB
        self._next: tuple[Generator[Any, Any, Any], dict[str, Any]] | None = None

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._job.running

    def run(self, generator: Generator[Any, Any, Any], **callbacks: Any) -> None:
        """Run `generator` now, or next; callbacks as in `run_job`."""
        if self.running:
            self._next = (generator, callbacks)
            return
        then = {
            name: self._and_then(callbacks.pop(name, None))
            for name in ("on_done", "on_error", "on_cancelled")
        }
        self._job = run_job(generator, owner=self._owner, **then, **callbacks)

    def drop(self) -> None:
        """Forget the job under way and the one waiting."""
        self._next = None
        self._job.drop()
        self._job = NO_JOB

    def _and_then(self, callback: Callable[..., object] | None) -> Callable[..., None]:
        def call(*args: Any) -> None:
            try:
                if callback is not None:
                    callback(*args)
            finally:
                waiting, self._next = self._next, None
                if waiting is not None:
                    self.run(waiting[0], **waiting[1])

        return call


def cancel_all_jobs(timeout: float = 60.0) -> bool:
    """Drop every job and wait for the threads to end, at most `timeout` seconds in all.

    Returns
    -------
    bool
        True if all have ended.
    """
    with _lock:
        jobs = _running | _awaited  # those that only wait for the event loop hold what their callbacks hold
    for job in jobs:
        job.drop()
    return _have_ended(jobs, timeout)


def _have_ended(jobs: "set[JobHandle]", timeout: float) -> bool:
    until = time.monotonic() + timeout
    return all(job.wait(max(0.0, until - time.monotonic())) for job in jobs)


def _as_exception(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    return UtileError(f"The job was stopped by {type(error).__name__}.")


@functools.cache
def _watch_the_program() -> None:
    """See to it that no job is in torch when the program ends: the exit handlers of torch would crash it.

    They run once all threads but daemons have ended. This one drops nothing: callbacks hold widgets of the GUI thread.
    """
    threading.Thread(target=_end_with_the_program, name="napari-utile-end").start()


def _end_with_the_program() -> None:
    threading.main_thread().join()
    with _lock:
        jobs = set(_running)
    for job in jobs:
        job.cancel()
    _have_ended(jobs, 60.0)  # a step is over in a second, but not on a machine that is busy


atexit.register(cancel_all_jobs)
