"""Edited labels kept on disk: the same comes back, only what changed is written, and nothing hostile gets in."""

import json
import os
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_utile.engine.errors import UtileError
from napari_utile.engine.steps import Run
from napari_utile.session.kept_edits import (
    EditedLabels,
    KeptEdits,
    keep_job,
    kept_job,
    new_folder,
    read_job,
    remove,
)


def done(job):
    run = Run(job)
    for _ in run:
        pass
    return run.result


def edited(data, **changes):
    whole = {"name": "cells", "space": {"scale": [0.5] * data.ndim}, "columns": {}, "own": {}}
    return EditedLabels(data=data, **{**whole, **changes})


@settings(deadline=None, max_examples=25)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int32, np.uint16, np.int64]),
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=4),
    )
)
def test_what_is_kept_comes_back(data):
    folder = new_folder()
    done(
        keep_job(
            folder, edited(data, columns={"index": [1, 2], "class": ["a", ""]}, own={"recipe": {"x": 1}})
        )
    )
    back = done(read_job(KeptEdits(folder, "cells", 0.0)))
    remove(folder)
    np.testing.assert_array_equal(back.data, data)
    assert back.data.dtype == data.dtype
    assert list(back.columns["class"]) == ["a", ""]
    assert back.own == {"recipe": {"x": 1}}


def test_only_blocks_that_changed_are_written_again():
    folder, data = new_folder(), np.ones((1500, 1500), np.uint8)
    done(keep_job(folder, edited(data)))
    before = {path.name for path in folder.glob("*.block")}
    data[1400, 1400] = 2
    done(keep_job(folder, edited(data)))
    after = {path.name for path in folder.glob("*.block")}
    assert len(before) == len(after) == 4
    assert len(before - after) == 1
    assert done(read_job(KeptEdits(folder, "cells", 0.0))).data[1400, 1400] == 2


def test_edits_of_a_program_that_still_runs_are_not_offered():
    folder = new_folder()
    done(keep_job(folder, edited(np.ones((4, 4), np.uint8))))
    assert done(kept_job()) == ()
    _change(folder, process=[os.getpid(), 1.0])  # another process had this number
    assert [kept.folder for kept in done(kept_job())] == [folder]


def _change(folder, **changes):
    path = folder / "edits.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"name": ""},
        {"name": 3},
        {"shape": [4]},
        {"shape": [4, -4]},
        {"shape": [4, 4.0]},
        {"shape": [4, True]},
        {"dtype": "object"},
        {"dtype": "float32"},
        {"blocks": {"0": "../../secret.block"}},
        {"blocks": {"0": "/etc/passwd"}},
        {"blocks": ["0"]},
        {"space": {"scale": [0, 1]}},
        {"space": {"scale": [1, float("inf")]}},
        {"space": {"scale": [1, 1], "name": "x"}},
        {"space": {"affine": [[1, 0], [0, 1]]}},
        {"columns": {"index": [1], "class": ["a", "b"]}},
        {"columns": {"index": [{}]}},
        {"own": []},
        {"process": [-1, 0.0]},
        {"changed": "now"},
    ],
)
def test_a_description_that_cannot_be_right_is_refused(changes):
    folder = new_folder()
    done(keep_job(folder, edited(np.ones((4, 4), np.uint8))))
    _change(folder, process=[os.getpid(), 1.0], **{k: v for k, v in changes.items() if k != "process"})
    if "process" in changes:
        _change(folder, **changes)
    assert done(kept_job()) == ()
    with pytest.raises(UtileError, match="damaged"):
        done(read_job(KeptEdits(folder, "cells", 0.0)))


@pytest.mark.parametrize("content", [b"", b"no zlib", zlib.compress(bytes(1 << 24)), zlib.compress(bytes(3))])
def test_a_block_of_another_size_is_refused_before_it_fills_the_memory(content):
    folder = new_folder()
    done(keep_job(folder, edited(np.ones((4, 4), np.uint8))))
    [block] = folder.glob("*.block")
    block.write_bytes(content)
    with pytest.raises(UtileError, match="damaged"):
        done(read_job(KeptEdits(folder, "cells", 0.0)))


def test_labels_that_would_not_fit_in_memory_are_refused():
    folder = new_folder()
    done(keep_job(folder, edited(np.ones((4, 4), np.uint8))))
    _change(folder, shape=[2**20, 2**20, 2**20], space={}, blocks={})
    with pytest.raises(UtileError, match="GiB of memory"):
        done(read_job(KeptEdits(folder, "cells", 0.0)))
