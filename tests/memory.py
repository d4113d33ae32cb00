"""How much memory work takes."""

import tracemalloc
from collections.abc import Callable


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes that Python and NumPy held (not torch) while `work` ran: the least of three times.

    Threads that earlier tests of this process have left can only add to what is held.
    """
    return min(one_peak(work) for _ in range(3))


def one_peak(work: Callable[[], object]) -> int:
    """Measure once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
