"""Blocks in threads of this process."""

import threading

import pytest

from napari_utile.engine.errors import sentence_of
from napari_utile.engine.jobs.here import Here

LACKS = [
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to ..."
    ),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
]


@pytest.mark.parametrize("error", LACKS, ids=["NumPy", "torch on the CPU", "a graphics card"])
def test_where_memory_runs_out_one_job_less_runs_at_once_and_none_is_lost(error) -> None:
    lock, at_once = threading.Lock(), []

    def work(job, stopped):
        with lock:
            at_once.append(job)
            if len(at_once) == 1:
                raise error
        return job * 2

    here = Here(3)
    assert dict(here.run(work, range(8))) == {job: job * 2 for job in range(8)}
    assert here.threads == 2


@pytest.mark.parametrize("error", LACKS, ids=["NumPy", "torch on the CPU", "a graphics card"])
def test_where_one_job_is_too_much_it_is_said(error) -> None:
    def work(job, stopped):
        raise error

    with pytest.raises(type(error)) as raised:
        list(Here(1).run(work, [0]))
    assert "not enough memory" in sentence_of(raised.value)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def work(job, stopped):
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes"):
        list(Here(2).run(work, [0, 1]))
