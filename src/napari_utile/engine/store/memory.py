"""How many blocks the memory holds at once, and what is refused because it does not hold one."""

import os

import psutil

from napari_utile.engine.errors import UtileError
from napari_utile.engine.store.plan import StorePlan

MOST_BYTES = 900 << 20
"""What blocks that are done at once may take together in a process."""
LOADED_BYTES = 420 << 20
"""What a process that computes has loaded before its first block; measured on Linux, with a processor only."""


def check_memory(plan: StorePlan, *, apart: bool = False) -> None:
    """Check that the memory holds a block, and what joining and linking need.

    Parameters
    ----------
    plan : StorePlan
    apart : bool
        Whether a process is started for it.

    Raises
    ------
    UtileError
        With how much it takes.
    """
    free = psutil.virtual_memory().available
    loaded = LOADED_BYTES if apart else 0
    needed, linking = loaded + max(plan.block_bytes, plan.joining_bytes), loaded + plan.linking_bytes
    if needed > free:
        raise UtileError(
            f"This plan needs about {needed / 2**30:.2g} GB of memory, and {free / 2**30:.2g} GB are free: "
            "close other programs."
        )
    if linking > free:
        raise UtileError(
            f"Linking {len(plan.planes)} planes that are full of cells needs up to {linking / 2**30:.2g} GB "
            f"of memory, and {free / 2**30:.2g} GB are free: close other programs, or link fewer planes."
        )


def threads_for(plan: StorePlan) -> int:
    """Return how many blocks this process does at once: as many as cores, as far as the memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = min(MOST_BYTES, psutil.virtual_memory().available // 2)
    return max(1, min(cores, int(room // plan.block_bytes)))
