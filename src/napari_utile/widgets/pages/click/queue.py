"""Carries out clicks one after the other, with the slow part off the GUI thread; previews wait for them.

Clicks that come faster than the network answers queue up: none is lost and none is done twice. Of previews
only the newest counts. A preview that computes when a click comes stops at its next tile; the tile is kept.
"""

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_utile.engine.clicks.prompts import Steps
from napari_utile.engine.steps import Run
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.worker import NO_JOB, run_job

Make = Callable[[], Generator[Steps, Any, Any]]
Done = Callable[[Any], object]


class ClickQueue(QObject):
    """A queue of actions; see `napari_utile.session.clicks.actions`.

    Attributes
    ----------
    failed : Signal
        Emitted with the exception of an action; the queue goes on.
    busy_changed : Signal
        Emitted with the number of clicks that are waiting or under way.
    """

    failed = Signal(object)
    busy_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[tuple[Make, Done]] = deque()
        self._preview: tuple[Make, Done] | None = None
        self._action: Run[Steps, Any] | None = None
        self._done: Done | None = None
        self._job = NO_JOB
        self._previewing = False

    @property
    def busy(self) -> int:
        """How many clicks are waiting or under way."""
        return len(self._waiting) + (self._action is not None and not self._previewing)

    def add(self, make: Make, done: Done) -> None:
        """Carry out an action after those that wait; `done` gets its outcome."""
        self._waiting.append((make, done))
        self._preview = None
        if self._previewing:
            self._job.cancel()
        self.busy_changed.emit(self.busy)
        self._go_on()

    def preview(self, make: Make, done: Done) -> None:
        """Carry out an action when there is nothing else to do, unless a newer preview comes before."""
        if self.busy:
            return
        self._preview = (make, done)
        self._go_on()

    def drop(self) -> None:
        """Forget everything; what is under way stops at its next tile."""
        self._waiting.clear()
        self._preview = None
        self._job.drop()
        self._end()

    def _go_on(self) -> None:
        while self._action is None and (self._waiting or self._preview is not None):
            if self._waiting:
                make, self._done = self._waiting.popleft()
                self._previewing = False
            elif self._preview is not None:
                (make, self._done), self._preview = self._preview, None
                self._previewing = True
            with failures_to(self._fail):
                self._action = Run(make())
                self._advance(None)

    def _advance(self, answer: Any) -> None:
        """Send an answer to the action and start the work it asks for next; quick work is done at once."""
        action = self._action
        while action is not None and action is self._action:
            with failures_to(self._fail):
                action.answer = answer
                asked = next(action, None)
                if asked is None:
                    self._finish(action.result)
                    return
                work = Run(asked)
                next(work, None)
                if work.ended:  # all tiles were there
                    answer = work.result
                    continue
                self._job = run_job(
                    work,
                    on_done=self._answered,
                    on_error=self._failed,
                    on_cancelled=self._stopped,
                    owner=self,
                )
                return

    def _answered(self, answer: Any) -> None:
        self._job = NO_JOB
        self._advance(answer)
        self._go_on()

    def _failed(self, error: Exception) -> None:
        self._fail(error)
        self._go_on()

    def _stopped(self) -> None:
        self._end()
        self._go_on()

    def _finish(self, outcome: Any) -> None:
        done = self._done
        self._end()
        if done is not None:
            with failures_to(self.failed.emit):
                done(outcome)

    def _fail(self, error: Exception) -> None:
        quiet = self._previewing
        self._end()
        if not quiet:
            self.failed.emit(error)

    def _end(self) -> None:
        self._action, self._done, self._job, self._previewing = None, None, NO_JOB, False
        self.busy_changed.emit(self.busy)
