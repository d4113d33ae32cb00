"""A store that is filled in a process of its own, so that a window beside it stays free."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import write_image
from napari_utile.engine.files.unfinished import HOME, is_complete
from napari_utile.engine.models.library import load_model
from napari_utile.engine.steps import Run
from napari_utile.engine.store.apart import steps_apart
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.cost import cost_of
from napari_utile.engine.store.journal import Journal, only_run
from napari_utile.engine.store.memory import threads_for
from napari_utile.engine.store.plan import load_plan
from stores import fill, image_of, labels_in, planned

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A store that was started, of an image that is a file."""
    write_image(tmp_path / "image.tif", image_of())
    model = load_model("nuclei")
    _, plan = planned(model, image_of(), tmp_path / "image.tif", measured=True)
    for name in ("here", "apart"):
        begin_store(tmp_path / name, plan, model)
    return tmp_path / "apart"


def processes() -> list[psutil.Process]:
    return [
        each for each in psutil.Process().children() if "napari_utile.engine.store.apart" in each.cmdline()
    ]


def test_labels_tables_and_what_is_said_are_those_of_this_process(begun: Path) -> None:
    here = fill(begun.with_name("here"))
    run = Run(steps_apart(begun, command="utile segment image.tif", first=lambda: (100.0, 10.0)))
    steps = [step for step in run if step.window is not None]
    assert run.result.cells == here.cells
    assert (run.result.blocks, run.result.empty, run.result.place) == (here.blocks, here.empty, begun)
    assert steps[-1].done == steps[-1].total
    first = [step.window.start for step in steps[: threads_for(load_plan(begun))]]
    assert (64, 0) in first, "what the user looks at is done first"
    np.testing.assert_array_equal(labels_in(begun), labels_in(begun.with_name("here")))
    for name in ("tables/cells.csv",):
        assert (begun / name).read_bytes() == (begun.with_name("here") / name).read_bytes()
    assert '"command": "utile segment image.tif"' in (begun / "recipe.json").read_text()
    assert not processes()


def test_closing_it_ends_the_process_and_what_is_done_stays_done(begun: Path) -> None:
    run = Run(steps_apart(begun))
    next(step for step in run if step.window is not None)
    [process] = processes()
    run.close()
    assert not process.is_running()
    assert not is_complete(begun)
    assert Journal(begun / HOME).facts
    assert not list(begun.rglob("*.part*"))
    fill(begun)
    fill(begun.with_name("here"))
    np.testing.assert_array_equal(labels_in(begun), labels_in(begun.with_name("here")))


def test_a_process_that_is_killed_is_said_and_what_is_done_stays_done(begun: Path) -> None:
    run = Run(steps_apart(begun))
    next(step for step in run if step.window is not None)
    [process] = processes()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(UtileError, match=r"ended from outside.*; what is done stays done"):
        list(run)
    with only_run(begun / HOME, "apart"):
        assert Journal(begun / HOME).facts


PARENT = """
import sys
from pathlib import Path
import psutil
from napari_utile.engine.store.apart import steps_apart
for step in steps_apart(Path(sys.argv[1])):
    if step.window is not None:
        print(psutil.Process().children()[0].pid, flush=True)
        sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_it_ends_where_the_program_that_started_it_is_killed(begun: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(begun)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    process.wait(timeout=60)
    fill(begun)
    assert is_complete(begun)


def test_why_it_fails_is_said_here(begun: Path) -> None:
    write_image(begun.with_name("image.tif"), image_of(seed=1))
    with pytest.raises(UtileError, match="has changed since apart was started"):
        list(steps_apart(begun))


@pytest.mark.skipif(
    sys.platform != "linux", reason="the most memory that a process had is read as Linux says it"
)
def test_the_memory_of_the_process_is_estimated_within_a_quarter(tmp_path: Path) -> None:
    data, model = np.tile(image_of((256, 256)), (8, 8)), load_model("nuclei")
    write_image(tmp_path / "image.tif", data)
    plane, plan = planned(model, data, tmp_path / "image.tif", side=1024, measured=True)
    begin_store(tmp_path / "apart", plan, model)
    cost = cost_of(plan, [plane], model, where="apart")
    assert "MB of memory in a process of its own" in str(cost)
    most = 0
    for _ in steps_apart(tmp_path / "apart"):
        for process in processes():
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, int(status.split("VmHWM:")[1].split()[0]) << 10)
    assert most / 1.25 < cost.memory_bytes < most * 1.25
