"""Fill a store in a process of its own, so that a window that waits for it is free: what it does is `store_steps`.

The two speak in lines of JSON. The process says how far it is, what came out, or why it failed; it is told where the
user looks, and ends when nobody speaks to it any more, also where the program that started it is gone.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.jobs.here import Cancelled, Here
from napari_utile.engine.jobs.priority import give_way
from napari_utile.engine.steps import Run
from napari_utile.engine.store.journal import Journal
from napari_utile.engine.store.memory import threads_for
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.run import StoreResult, store_steps
from napari_utile.engine.windows import Window

_EVERY, _TO_END = 0.3, 20.0
"""How often is looked for news, and how long the process may take to end when it is told to. Seconds."""


def steps_apart(
    place: Path, *, command: str = "", first: Callable[[], tuple[float, float]] | None = None
) -> Generator[Progress, None, StoreResult]:
    """Do what is left of a store whose image is a file, in a process of its own; see `store_steps`.

    Parameters
    ----------
    place : Path
        A store that was started.
    command, first
        As for `store_steps`.

    Yields
    ------
    Progress
        Without a window where nothing is new: a point to cancel at.

    Raises
    ------
    UtileError
        What the process says, or that it was ended.
    """
    plan = load_plan(place)
    last = Progress(
        len(Journal(place / HOME).facts), len(plan.planes) * len(plan.grid) * len(plan.stages), stage="cells"
    )
    with _process(place) as (say, heard):
        say({"command": command, "middle": first and first()})
        while True:
            for news in heard():
                if "result" in news:
                    return StoreResult(place, **{**news["result"], "cells": tuple(news["result"]["cells"])})
                if "error" in news:
                    raise UtileError(news["error"])
                last = _progress(news)
                yield last
            if first is not None:
                say({"middle": first()})
            yield replace(last, window=None)


def _progress(news: dict[str, Any]) -> Progress:
    window = Window(*(slice(start, stop) for start, stop in news["window"]))
    return Progress(news["done"], news["total"], window, None, news["left"], news["stage"])


@contextlib.contextmanager
def _process(place: Path) -> Iterator[tuple[Callable[[Any], None], Callable[[], Iterator[Any]]]]:
    """Start the process; give functions that tell it something, and that wait a little for what it says."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "napari_utile.engine.store.apart", str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        creationflags=flags,
        start_new_session=True,  # Ctrl+C in the terminal of napari is napari's
    )
    assert process.stdin is not None
    assert process.stdout is not None
    into, out_of = process.stdin, process.stdout
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        for line in out_of:
            lines.put(line)
        lines.put(None)

    def say(what: Any) -> None:
        with contextlib.suppress(OSError):  # it has ended; what it said last says why
            into.write(f"{json.dumps(what)}\n")
            into.flush()

    def heard() -> Iterator[Any]:
        wait = _EVERY
        while True:
            try:
                line = lines.get(timeout=wait)
            except queue.Empty:
                return
            if line is None:
                raise UtileError(
                    f"The process that filled {place.name} was ended from outside, perhaps for lack of memory; what "
                    "is done stays done: segment again to resume."
                )
            yield json.loads(line)
            wait = 0

    listener = threading.Thread(target=listen, name="utile-store", daemon=True)
    listener.start()
    try:
        yield say, heard
    finally:
        with contextlib.suppress(OSError):
            into.close()
        try:
            process.wait(_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join()
        out_of.close()


def main(place: Path) -> int:
    """Fill a store, as the process; return its exit status."""
    give_way(whole_process=True)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not taken for news

    def say(**what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    asked = json.loads(sys.stdin.readline() or "{}")
    stopped = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            asked.update(json.loads(line))
        stopped.set()

    threading.Thread(target=listen, daemon=True).start()

    def middle() -> tuple[float, float]:
        y, x = asked["middle"]
        return y, x

    jobs = Here(threads_for(load_plan(place)), stopped)
    first = middle if asked.get("middle") else None
    run = Run(store_steps(place, jobs=jobs, command=asked.get("command", ""), first=first))
    try:
        for step in run:
            assert step.window is not None
            place_in, left = step.window.bounds, step.seconds_left
            say(done=step.done, total=step.total, window=place_in, left=left, stage=step.stage)
        made = run.result
        say(result={name: getattr(made, name) for name in ("cells", "empty", "blocks", "linked", "covered")})
    except (Cancelled, BrokenPipeError):
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said where the user is
        say(error=sentence_of(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
