"""Keep freed memory at hand while tiles of the same size come one after the other.

By default glibc gives every large block back to the system and fetches it anew, page by page, for each layer of each
tile; on the CPU that costs a fifth to a third of the time of a U-Net (`benchmarks/inference.py`). Within
`kept_heap` freed blocks stay in the process; afterwards they are given back. Elsewhere than on glibc it does nothing.
"""

import contextlib
import ctypes
import functools
import platform
import threading
from collections.abc import Iterator

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_NEVER = (1 << 31) - 1
_USUAL_MMAP_THRESHOLD = 32 << 20  # where glibc's own sliding threshold ends on 64-bit systems
_USUAL_TRIM_THRESHOLD = 2 * _USUAL_MMAP_THRESHOLD

_lock = threading.Lock()
_users = 0


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


@contextlib.contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory in the process within the block, and give it back after the last block that runs."""
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
            # Heaps of threads other than the first end at 64 MB, less than a layer; new threads share the main one.
            library.mallopt(_ARENA_MAX, 1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP_THRESHOLD)
                library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD)
                library.mallopt(_TOP_PAD, 0)
                library.malloc_trim(0)
