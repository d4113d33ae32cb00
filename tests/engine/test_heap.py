"""Memory is kept for tiles; what the process does otherwise with threads and memory stays as it was."""

import platform
import subprocess
import sys

import pytest

THREADS_AFTERWARDS = """
import ctypes, tempfile, threading
from napari_utile.engine.inference.heap import kept_heap

def allocate():
    blocks.append(bytearray(100_000))

def together(count):
    gate = threading.Barrier(count)
    threads = [threading.Thread(target=lambda: (gate.wait(), allocate(), gate.wait())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

blocks = []
with kept_heap():
    together(2)
together(4)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as report:
    file = ctypes.c_void_p(libc.fopen(report.name.encode(), b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(report.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap is kept on glibc alone")
def test_threads_that_start_later_have_heaps_of_their_own():
    done = subprocess.run(
        [sys.executable, "-c", THREADS_AFTERWARDS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 1


FREED_IN_THREADS = """
import threading
import psutil
from napari_utile.engine.inference.heap import give_back

def work():
    kept = [bytearray(100_000) for _ in range(1000)]
    del kept[::2]  # holes everywhere: the end of the heap stays in use
    gate.wait()
    gate.wait()
    del kept[:]

gate = threading.Barrier(5)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
gate.wait()
resident = psutil.Process().memory_info().rss
give_back()
print(resident - psutil.Process().memory_info().rss)
gate.wait()
for thread in threads:
    thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap is kept on glibc alone")
def test_what_threads_freed_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", FREED_IN_THREADS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 50 << 20
