"""A few cases of each section of `make torture`, in the time that a suite has."""

from pathlib import Path

import pytest

from conftest import save_bright_model
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


@pytest.mark.parametrize("kind", faults.SAVES)
def test_what_is_saved_is_whole_whenever_the_process_is_killed(prepared, kind) -> None:
    assert [faults.kill_during_save(kind, seed, prepared[0]) for seed in range(2)] == ["whole"] * 2


@pytest.mark.parametrize("place", faults.PLACES)
def test_memory_that_runs_out_is_said_and_nothing_is_lost(prepared, place) -> None:
    folder, right = prepared
    assert faults.memory_fails(place, 0, folder, right, MemoryError) in ("said", "right all the same")


@pytest.mark.parametrize("limit", [100, 4000])
def test_a_full_disk_is_said_and_nothing_broken_is_left(prepared, limit) -> None:
    assert faults.disk_is_full(limit, *prepared) in ("said", "right")


def test_two_writers_of_one_place_leave_one_whole_result(prepared, monkeypatch) -> None:
    monkeypatch.setenv("UTILE_MODELS", "")  # given back afterwards
    assert faults.two_writers(0, *prepared) == "right"


@pytest.mark.parametrize("where", faults.MACHINES)
def test_it_works_on_odd_machines(prepared, where) -> None:
    assert faults.odd_machine(where, *prepared) in ("right", "not installed here")
