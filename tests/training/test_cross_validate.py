"""Cross-validation: which fields judge which network."""

import json
import sys
from dataclasses import replace

import pytest

import cross_validate
from bundled.images import read_part
from bundled.models import Part
from cross_validate import DataSet, folds_of
from train_model import recipe_of


def test_fields_of_one_place_are_in_one_fold_and_each_field_is_judged_once(annotated_data) -> None:
    fields = [
        each
        for folder in ("dsb2018_stage1", "codex_tissue_wholecell")
        for split in ("train", "val")
        for each in read_part(annotated_data, Part(folder), split)
    ]
    folds = folds_of(fields, DataSet("cells", 2, place=2))
    names = [{each.name for each in fold} for fold in folds]
    assert sorted(names, key=min) == [{"c", "fl_1", "fl_2", "fl_3"}, {"d", "he_1"}]


def test_a_finished_fold_is_not_trained_again(annotated_data, tmp_path, monkeypatch, capsys) -> None:
    words = [
        "codex_tissue_wholecell",
        "--data",
        str(annotated_data),
        "--steps",
        "1",
        "-o",
        str(tmp_path / "folds"),
    ]
    monkeypatch.setattr(cross_validate, "recipe_of", lambda plan: replace(recipe_of(plan), tile=20, batch=1))
    monkeypatch.setattr(sys, "argv", ["cross_validate.py", *words])
    cross_validate.main()
    first = capsys.readouterr().out.splitlines()[-2:]
    assert [json.loads(line)["images"] for line in first] == [2, 2]
    assert sorted(path.name for path in (tmp_path / "folds").iterdir()) == [
        f"codex_tissue_wholecell_{number}.safetensors" for number in (0, 1)
    ]
    monkeypatch.setattr(cross_validate, "train_fold", lambda *_: pytest.fail("trained again"))
    cross_validate.main()
    assert capsys.readouterr().out.splitlines()[-2:] == first
