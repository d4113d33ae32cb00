"""Keep freed memory at hand while tiles of the same size come one after the other.

By default glibc gives every large block back to the system and fetches it again, page by page, for each layer of each
tile; on the CPU that costs a fifth to a third of the time of a U-Net (`benchmarks/inference.py`). Within
`kept_heap` freed blocks stay in the process; afterwards all but a little is given back. Elsewhere than on glibc it
does nothing. Threads keep their own heaps: sharing one (M_ARENA_MAX) could not be undone, and made no difference when
measured in a thread that had run before, as those of the docks have.
"""

import contextlib
import ctypes
import functools
import platform
import threading
from collections.abc import Iterator

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER = (1 << 31) - 1
_USUAL_MMAP_THRESHOLD = 32 << 20  # where glibc's own sliding threshold ends on 64-bit systems
KEPT_BYTES = 128 << 20
"""What stays with the process afterwards, so that the next small image need not fetch it again."""

_lock = threading.Lock()
_users = 0


class _Mallinfo2(ctypes.Structure):
    """The heap in bytes, as glibc tells it; `fordblks` is free."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    )


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    if not all(
        hasattr(library, name) for name in ("mallopt", "malloc_trim", "mallinfo2")
    ):  # before glibc 2.33
        return None
    library.mallinfo2.restype = _Mallinfo2
    return library


def give_back() -> None:
    """Give all freed memory back to the system, that of threads which have ended too, unless tiles are computed now."""
    library = _glibc()
    if library is not None:
        with _lock:
            if _users == 0:
                library.malloc_trim(0)


@contextlib.contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory in the process within the block, and give most of it back after the last block that runs."""
    global _users
    library = _glibc()
    if library is None:
        yield
        return
    with _lock:
        _users += 1
        if _users == 1:
            library.mallopt(_MMAP_THRESHOLD, _NEVER)
            library.mallopt(_TRIM_THRESHOLD, _NEVER)
            library.mallopt(_TOP_PAD, 64 << 20)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP_THRESHOLD)
                library.mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
                library.mallopt(_TOP_PAD, 0)
                if library.mallinfo2().fordblks > KEPT_BYTES:
                    library.malloc_trim(KEPT_BYTES)
