"""Every benchmark has a quick form, and the ones that need neither a window nor MONAI print as they go."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NOT_BENCHMARKS = {"run.py", "heartbeat.py", "timing.py", "compat.py"}
"""The last one installs old and new versions, and measures nothing."""


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_knows_quick(path):
    if path.name not in NOT_BENCHMARKS:
        text = path.read_text()
        assert "from timing import" in text
        assert "options(__doc__)" in text


def test_run_names_the_benchmarks_and_passes_quick_on(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    run = importlib.import_module("run")
    called = []
    monkeypatch.setattr(
        run.subprocess,
        "run",
        lambda command: called.append(command) or subprocess.CompletedProcess(command, 0),
    )
    assert run.main(["--quick", "blocks", "inference"]) == 0
    assert [Path(command[-2]).name for command in called] == ["blocks.py", "inference.py"]
    assert all(command[-1] == "--quick" for command in called)
    assert run.main(["no_such_benchmark"]) == 2


def test_functions_are_timed_in_turns_and_printed_as_they_go(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    timing = importlib.import_module("timing")
    order = []
    found = timing.in_turns({name: lambda name=name: order.append(name) for name in "ab"}, rounds=2)
    assert order == list("ababab")
    assert list(found) == ["a", "b"]
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_nothing_is_compared_where_no_other_version_is_named():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "against.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("skipped: name another checkout")
