"""Work over many blocks on Dask Distributed: processes of this computer, or a cluster that the user names."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from napari_utile.engine.errors import UtileError

J = TypeVar("J")
T = TypeVar("T")

_MISSING = "This needs Dask Distributed: pip install 'napari-utile[distributed]'."
_TRIES = 3
"""How often a block is given to a worker before it counts as failed."""
_SECONDS_TO_WAIT = 60


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
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": ":0"},  # its own port may be taken by another one
                )
            )
            client = distributed.Client(cluster)
        stack.enter_context(client)
        yield OnCluster(client)


class OnCluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._usable: list[str] | None = None

    def run(self, work: Callable[..., T], todo: Iterable[J]) -> Iterator[tuple[J, T]]:
        """Do ``work(job)`` for each job; blocks of lost workers are done by others.

        Raises
        ------
        UtileError
            If no worker can do the work, or the scheduler is gone.
        """
        import distributed as dask

        distributed: Any = dask
        jobs = list(todo)
        if not jobs:
            return
        if self._usable is None:
            self._usable = self._those_that_can(work)
        shared = self.client.scatter(work, broadcast=True, hash=False)
        futures: dict[Any, J] = {}
        try:
            for job in jobs:
                future = self.client.submit(
                    _call, shared, job, workers=self._usable, pure=False, retries=_TRIES - 1
                )
                futures[future] = job
            done = distributed.as_completed(list(futures))
            for future in done:
                yield futures.pop(future), future.result()
        except (distributed.comm.CommClosedError, distributed.scheduler.KilledWorker, OSError) as error:
            raise UtileError(
                "The Dask scheduler or its workers are gone; what is done stays done: finish it with --resume."
            ) from error
        finally:
            if futures:
                with contextlib.suppress(Exception):
                    self.client.cancel(list(futures))

    def _those_that_can(self, work: Callable[..., Any]) -> list[str]:
        """Let every worker look for the store and the image, and return those that find them."""
        self.client.wait_for_workers(1, timeout=_SECONDS_TO_WAIT)
        check = getattr(work, "check", None)
        if check is None:
            return list(self.client.scheduler_info(n_workers=-1)["workers"])
        found = self.client.run(check, on_error="return")
        usable = [worker for worker, reason in found.items() if reason is None]
        if not usable:
            reason = next(iter(found.values()), "there is none")
            raise UtileError(f"No worker can compute this: {reason}")
        return usable


def _call(work: Callable[..., T], job: Any) -> T:
    return work(job)
