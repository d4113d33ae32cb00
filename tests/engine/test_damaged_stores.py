"""Unfinished stores that disks and editors damaged: resumed to the right labels, or refused in one sentence."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bright_model import save_bright_model
from napari_utile.engine.errors import UtileError
from napari_utile.engine.store.journal import Journal
from napari_utile.engine.store.plan import load_plan
from torture import stores


@pytest.fixture(scope="module")
def valid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    save_bright_model(folder / "valid.safetensors")
    stores.begin_stores(folder)
    return folder


@pytest.fixture
def store(valid, tmp_path) -> Path:
    return shutil.copytree(valid / "valid0.ome.zarr", tmp_path / "a.ome.zarr")


@pytest.mark.parametrize(
    "line",
    ["[]", "7", "{}", '{"plane": 0, "stage": "outputs", "block": [1]}', '{"plane": {}}', "[" * 100_000],
)
def test_a_line_that_is_no_entry_ends_the_journal_and_the_rest_is_done_again(valid, store, line) -> None:
    path = store / ".utile" / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    assert len(Journal(store / ".utile").facts) == 1
    np.testing.assert_array_equal(stores.finish(store), np.load(valid / "valid_labels.npy"))


@pytest.mark.parametrize("field", [("side",), ("params", "instances"), ("space", "axes"), ("threads",)])
def test_a_plan_that_was_changed_is_refused(store, field) -> None:
    path = store / ".utile" / "plan.json"
    values = inside = json.loads(path.read_text())
    for name in field[:-1]:
        inside = inside[name]
    inside[field[-1]] = "x"
    path.write_text(json.dumps(values))
    with pytest.raises(UtileError, match=r"The plan of a\.ome\.zarr is damaged or gone: start again"):
        load_plan(store)


def test_a_plan_is_judged_by_what_was_written_not_by_how_it_would_be_written_now(store) -> None:
    """Earlier versions wrote whole numbers as they were given, and knew fewer parameters."""
    path = store / ".utile" / "plan.json"
    values = json.loads(path.read_text())
    values["params"]["instances"]["minimum_size"] = 20.0
    del values["params"]["limits"], values["sha256"]
    values["sha256"] = hashlib.sha256(json.dumps(values, indent=1).encode()).hexdigest()
    path.write_text(json.dumps(values, indent=1))
    assert load_plan(store).params.instances.minimum_size == 20


@pytest.mark.parametrize("name", ["model.safetensors", "plane0/holes/0.0.npz", "plane0/foreground/0.0.npy"])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not much of a file"])
def test_a_file_that_is_gone_or_damaged_is_said(store, name, content) -> None:
    path = store / ".utile" / name
    assert path.is_file()
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UtileError, match=r"start again|is not a"):
        stores.finish(store)
