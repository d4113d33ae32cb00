"""Long work: progress, answers, result, and how it ends."""

from collections.abc import Generator

import pytest

from napari_utile.engine.steps import Run


def counting(n: int, ended: list[str]) -> Generator[int, int | None, int]:
    try:
        total = 0
        for number in range(n):
            total += (yield number) or 0
        return total
    finally:
        ended.append("ended")


def test_a_run_gives_its_progress_and_then_its_result() -> None:
    run = Run(counting(3, []))
    assert list(run) == [0, 1, 2]
    assert run.result == run.result == 0
    assert list(run) == []
    assert Run(counting(4, [])).result == 0


def test_a_run_is_told_what_it_asks_for() -> None:
    run = Run(counting(4, []))
    for number in run:
        run.answer = 10 * number
    assert run.result == 60


def test_what_is_left_is_done_when_the_result_is_asked_for() -> None:
    run = Run(counting(3, []))
    for _ in run:
        break
    assert run.result == 0


def test_others_can_delegate_to_a_run() -> None:
    def outer() -> Generator[int, None, int]:
        return 1 + (yield from Run(counting(2, [])))

    run = Run(outer())
    for number in run:
        run.answer = number
    assert run.result == 2


def test_a_run_that_was_stopped_has_no_result() -> None:
    ended: list[str] = []
    run = Run(counting(3, ended))
    next(run)
    run.close()
    assert ended == ["ended"]
    with pytest.raises(RuntimeError, match="stopped"):
        _ = run.result


def test_a_run_that_failed_has_no_result() -> None:
    def failing() -> Generator[None, None, int]:
        yield
        raise ValueError("no")

    run = Run(failing())
    with pytest.raises(ValueError, match="no"):
        list(run)
    with pytest.raises(RuntimeError, match="failed"):
        _ = run.result
