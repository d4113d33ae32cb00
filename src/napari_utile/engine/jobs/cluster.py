"""Work over many blocks on Dask Distributed: processes of this computer, or a cluster that the user names."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from napari_utile.engine.errors import UtileError

J = TypeVar("J")
T = TypeVar("T")

_MISSING = "This needs Dask Distributed: pip install 'napari-utile[distributed]'."
_TRIES = 3
"""How often a block is given to a worker before it counts as failed."""
_SECONDS_TO_WAIT, _PAUSE = 60, 0.2


@contextlib.contextmanager
def cluster_jobs(
    address: str | None = None, workers: int | None = None, timeout: float = _SECONDS_TO_WAIT
) -> "Iterator[OnCluster]":
    """Open a cluster: the one at an address, or so many processes of this computer, which end with the block.

    Raises
    ------
    UtileError
        If Dask Distributed is missing, or nothing answers at the address.
    """
    try:
        import distributed as dask
    except ImportError as error:
        raise UtileError(_MISSING) from error
    distributed: Any = dask
    with contextlib.ExitStack() as stack:
        if address is not None:
            try:
                client = distributed.Client(address, timeout=timeout)
            except (OSError, TimeoutError, ValueError) as error:
                raise UtileError(f"No Dask scheduler answers at {address}.") from error
        else:
            with _unheard_by_children():
                cluster = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address=None,
                        scheduler_kwargs={"dashboard_address": ":0"},  # its own port may be another one's
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = distributed.Client(cluster)
        stack.enter_context(client)
        yield OnCluster(client)


@contextlib.contextmanager
def _unheard_by_children() -> "Iterator[None]":
    """Keep Ctrl+C, which a terminal sends to every process, from the workers: whoever started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which new processes inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class OnCluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._there: set[str] = set()
        self._usable: list[str] = []

    def run(self, work: Callable[..., T], todo: Iterable[J]) -> Iterator[tuple[J, T]]:
        """Do ``work(job)`` for each job; blocks of lost workers are done by others.

        Raises
        ------
        UtileError
            If no worker can do the work, or the scheduler is gone.
        """
        import distributed as dask

        distributed: Any = dask
        left, lost = list(todo), 0
        try:
            while left:
                try:
                    for job, result in self._once(work, left):
                        left.remove(job)
                        lost = 0
                        yield job, result
                except CancelledError:  # all workers were lost at once, and the work with them
                    lost += 1
                    if lost == _TRIES or self.client.status != "running":
                        raise
        except (
            CancelledError,
            distributed.comm.CommClosedError,
            distributed.scheduler.KilledWorker,
            OSError,
        ) as error:
            raise UtileError(
                "The Dask scheduler or its workers are gone; what is done stays done: finish it with --resume."
            ) from error

    def _once(self, work: Callable[..., T], jobs: list[J]) -> Iterator[tuple[J, T]]:
        """Give jobs to the workers that there are now."""
        import distributed as dask

        distributed: Any = dask
        self._look_for_workers(work)
        shared = self.client.scatter(work, workers=self._usable, broadcast=True, hash=False)
        futures: dict[Any, J] = {}
        try:
            for job in jobs:
                future = self.client.submit(
                    _call, shared, job, workers=self._usable, pure=False, retries=_TRIES - 1
                )
                futures[future] = job
            for future in distributed.as_completed(list(futures)):
                yield futures.pop(future), future.result()
        finally:
            if futures:
                with contextlib.suppress(Exception):
                    self.client.cancel(list(futures))

    def _look_for_workers(self, work: Callable[..., Any]) -> None:
        """Let workers that came, or came back, look for the store and the image: those that find them are used."""
        until = time.monotonic() + _SECONDS_TO_WAIT
        while True:
            there = set(self.client.scheduler_info(n_workers=-1)["workers"])
            if there and there == self._there:
                return
            check = getattr(work, "check", _nothing)
            found = self.client.run(_call, check, on_error="return") if there else {}
            usable = [worker for worker, reason in found.items() if reason is None]
            if usable:
                self._there, self._usable = there, usable
                return
            # Of a worker that is lost while it looks comes an exception: another one may take its place.
            if reason := next((each for each in found.values() if isinstance(each, str)), ""):
                raise UtileError(f"No worker can compute this: {reason}")
            if time.monotonic() > until:
                raise UtileError(
                    f"The Dask scheduler has had no worker for {_SECONDS_TO_WAIT} s: start some with dask worker; what "
                    "is done stays done."
                )
            time.sleep(_PAUSE)


def _nothing() -> None:
    """Check nothing."""


def _call(work: Callable[..., T], *job: Any) -> T:
    """Do work in a worker; pixels of lazy images are read here, not by further tasks that wait behind all others."""
    import dask

    settings: Any = dask.config
    with settings.set(scheduler="synchronous"):
        return work(*job)
