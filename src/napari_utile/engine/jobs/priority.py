"""Computing gives way to what a user does meanwhile."""

import os
import sys
from contextlib import suppress

NICENESS = 10
"""As `nice` has it: a window has 0."""


def give_way(*, whole_process: bool = False) -> None:
    """Let others go first where they, and this thread or the threads that it starts, want the same processor.

    Parameters
    ----------
    whole_process : bool
        Whether the process does nothing else. Only Linux gives one thread of several a priority of its own.
    """
    if sys.platform == "linux" or (whole_process and hasattr(os, "setpriority")):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.nice(0)))
