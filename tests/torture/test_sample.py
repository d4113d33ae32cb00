"""A few cases of each section of `make torture`, in the time that a suite has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bright_model import save_bright_model
from torture import inputs

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    inputs.prepare(folder, save_bright_model)
    return folder


@pytest.mark.parametrize("kind", inputs.KINDS)
def test_hostile_files_are_read_or_refused_in_one_sentence(hostile: Path, kind) -> None:
    outcomes = {seed: inputs.attempt(kind, seed, hostile) for seed in range(8)}
    assert set(outcomes.values()) <= {"read", "refused"}, outcomes


def test_kills_and_machines_that_fail_leave_nothing_broken(tmp_path) -> None:
    # In a process of its own with one thread: a fork of one whose thread pools have started hangs.
    sections = ("kills", "memory", "disk", "concurrency", "any machine", "threads")
    command = [sys.executable, "-W", "ignore", HERE, "--scale", "0.02", "--state", tmp_path / "state.jsonl"]
    made = subprocess.run(
        [*command, *(f"--only={each}" for each in sections)],
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    for each in sections:
        assert f"| {each}" in made.stdout


@pytest.mark.real_window
def test_a_cancel_and_a_closing_leave_nothing_behind(tmp_path) -> None:
    state = tmp_path / "state.jsonl"
    command = [sys.executable, "-W", "ignore", HERE / "cancels.py", "--cases", "2", "--state", state]
    made = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    outcomes = [json.loads(line)[2] for line in state.read_text().splitlines()]
    assert outcomes == ["right"] * len(outcomes)
    assert len(outcomes) > 2
