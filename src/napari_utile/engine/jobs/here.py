"""Work over many blocks in threads of this process."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

from napari_utile.engine.errors import is_out_of_memory

J = TypeVar("J")
T = TypeVar("T")


class Cancelled(Exception):
    """A piece of work was told to stop."""


class Jobs(Protocol):
    """Where work is done."""

    def run(self, work: Callable[..., T], todo: Iterable[J]) -> Iterator[tuple[J, T]]:
        """Do ``work(job)`` for each job and give the results as they come; closing the iterator ends the work."""


class Here:
    """Threads of this process.

    Parameters
    ----------
    threads : int
        How many jobs run at once. Where memory runs out it becomes one less, and the job is done again.
    stopped : threading.Event, optional
        Set it to end the work: what is under way raises `Cancelled`.
    """

    def __init__(self, threads: int = 1, stopped: threading.Event | None = None) -> None:
        self.threads = max(1, threads)
        self._stopped = stopped or threading.Event()

    def run(self, work: Callable[..., T], todo: Iterable[J]) -> Iterator[tuple[J, T]]:
        """Do ``work(job, stopped)`` for each job; `stopped` is an event to look at now and then.

        Raises
        ------
        MemoryError, RuntimeError
            Where there is not enough for one job at a time.
        """
        # Drawn one by one, so that which comes next is known when it begins.
        jobs, again, running = iter(todo), deque[J](), dict[Future[T], J]()
        stopped = _Either(self._stopped)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="utile-block") as pool:
            try:
                while True:
                    while len(running) < self.threads:
                        drawn = again.popleft() if again else next(jobs, None)
                        if drawn is None:
                            break
                        running[pool.submit(work, drawn, stopped)] = drawn
                    if not running:
                        break
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        job = running.pop(done)
                        try:
                            result = done.result()
                        except (MemoryError, RuntimeError) as error:
                            if self.threads == 1 or not is_out_of_memory(error):
                                raise
                            self.threads -= 1
                            again.append(job)
                            continue
                        yield job, result
            finally:
                stopped.set()


class _Either(threading.Event):
    """An event of one piece of work, which is also set where that of all work is."""

    def __init__(self, every: threading.Event) -> None:
        super().__init__()
        self._every = every

    def is_set(self) -> bool:
        return super().is_set() or self._every.is_set()


def is_stopped(stopped: Any) -> bool:
    """Say whether a job is told to stop; on other machines nobody tells."""
    return stopped is not None and bool(stopped.is_set())
