"""Images for another machine in one file, and the script that uses them there."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bundled.images import read_part
from bundled.models import PLANS, Part
from pack import LARGER, pack, packed
from sheets import rows_of

TRAINING = Path(__file__).parents[2] / "training"


def test_what_unpacks_is_read_like_the_original(annotated_data, tmp_path) -> None:
    pack(annotated_data, [PLANS["nuclei"], PLANS["cells"]], tmp_path / "images.zip")
    with zipfile.ZipFile(tmp_path / "images.zip") as file:
        file.extractall(tmp_path / "there")
    for part in (Part("dsb2018_stage1", "fl_"), Part("codex_tissue_wholecell")):
        for split in ("train", "val"):
            before = list(read_part(annotated_data, part, split))
            after = list(read_part(tmp_path / "there", part, split))
            assert [each.name for each in after] == [each.name for each in before]
            for one, other in zip(before, after, strict=True):
                np.testing.assert_array_equal(one.labels, other.labels)
                pixels = np.asarray(one.plane.data, float), np.asarray(other.plane.data, float)
                assert pixels[0].shape == pixels[1].shape
                assert np.corrcoef(pixels[0].ravel(), pixels[1].ravel())[0, 1] > 0.999
    assert "he_1" not in {row["name"] for row in rows_of(tmp_path / "there" / "dsb2018_stage1" / "index.csv")}


def test_large_cells_are_shrunk_to_a_little_more_than_the_model_shows() -> None:
    labels = np.zeros((120, 200), np.int32)
    labels[20:100, 40:120] = 7
    image, shrunk = packed(labels[None] * 10.0, labels, 90.0, 30.0)
    assert image.dtype == np.uint8
    assert image.shape == (1, *shrunk.shape)
    assert shrunk.shape == (round(120 * LARGER / 3), round(200 * LARGER / 3))
    assert set(np.unique(shrunk)) == {0, 7}
    assert image.max() == 255


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a script for Linux")
def test_without_a_card_the_script_runs_through_on_the_cpu(annotated_data, tmp_path) -> None:
    small = replace(PLANS["nuclei"], parts=(Part("dsb2018_stage1", "fl_"),))
    (tmp_path / "on_gpu").mkdir()
    pack(annotated_data, [small], tmp_path / "on_gpu" / "images.zip")
    done = subprocess.run(
        ["bash", TRAINING / "on_gpu.sh", tmp_path / "on_gpu", tmp_path / "results"],
        env={**os.environ, "PYTHON": "true", "SECONDS_IN_ALL": "12"},
        capture_output=True,
        text=True,
        check=True,
    )
    for words in (
        "== tests",
        "== measurements",
        "== training nuclei",
        "== training cells",
        "== scores of cells",
    ):
        assert words in done.stdout
    assert (tmp_path / "results" / "gpu.log").read_text() == done.stdout
