"""A few cases of each section of `make torture`, in the time that a suite has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bright_model import save_bright_model
from torture import faults, inputs


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    inputs.prepare(folder, save_bright_model)
    return folder


@pytest.mark.parametrize("kind", inputs.KINDS)
def test_hostile_files_are_read_or_refused_in_one_sentence(hostile: Path, kind) -> None:
    outcomes = {seed: inputs.attempt(kind, seed, hostile) for seed in range(12)}
    assert set(outcomes.values()) <= {"read", "refused"}, outcomes


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    return folder, faults.prepare(folder, save_bright_model)


@pytest.mark.parametrize("place", faults.PLACES)
def test_memory_that_runs_out_is_said_and_nothing_is_lost(prepared, place) -> None:
    folder, right = prepared
    assert faults.memory_fails(place, 0, folder, right, MemoryError) in ("said", "right all the same")


@pytest.mark.parametrize("section", ["kills", "disk", "concurrency", "any machine"])
def test_faults_that_need_processes_leave_nothing_broken(section, tmp_path) -> None:
    # In a process of its own with one thread: a fork of one whose thread pools have started hangs.
    command = [sys.executable, "-W", "ignore", Path(__file__).parent, "--scale", "0.05", "--only", section]
    made = subprocess.run(
        [*command, "--state", tmp_path / "state.jsonl"],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    assert f"| {section}" in made.stdout
