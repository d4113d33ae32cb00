"""Scores of a model on val images, and the settings that are chosen there."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

import score_model
from bundled.images import channel_choices, pieces, read_part
from bundled.models import PLANS, Part
from napari_utile.engine.models.card import read_card
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.networks.families import build_network
from simulation.rods import simulate_rods


@pytest.fixture
def model(tmp_path: Path) -> Model:
    plan = replace(PLANS["nuclei"], network={"width": 4, "depth": 1, "batch_norm": True, "dropout": 0.0})
    torch.manual_seed(0)
    return save_model(
        plan.card(), build_network("unet", plan.config), tmp_path / "n.safetensors", torch.float16
    )


def run(monkeypatch, capsys, *arguments: str) -> list[dict]:
    monkeypatch.setattr(sys, "argv", ["score_model.py", *arguments])
    score_model.main()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_data_set_of_a_model_gets_a_line_and_the_card_keeps_it(
    annotated_data, model, monkeypatch, capsys
) -> None:
    lines = run(monkeypatch, capsys, str(model.path), "--data", str(annotated_data), "--write")
    assert [(line["images of"], line["images"]) for line in lines] == [
        ("dsb2018_stage1", 2), ("bbbc039_fluo_nuclei", 1),
    ]  # fmt: skip
    mean, low, high = lines[0]["AP50"]
    assert 0 <= low <= mean <= high <= 1
    assert lines[1]["AP50"][1:] == [None, None]
    card = read_card(model.path)
    assert card.metrics["dsb2018_stage1, size given"]["AP50"] == lines[0]["AP50"]
    assert load_model(model.path).fingerprint == model.fingerprint


def test_settings_are_chosen_on_val_and_written_to_the_card(
    annotated_data, model, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(score_model, "THRESHOLDS", (0.4, 0.6))
    monkeypatch.setattr(score_model, "SPLITS", (0.7,))
    first, *_ = run(
        monkeypatch,
        capsys,
        str(model.path),
        "--data",
        str(annotated_data),
        "--choose",
        "--write",
        "--images",
        "1",
    )
    card = read_card(model.path)
    assert card.relief == first["chosen"]["relief"]
    assert card.instances == first["chosen"]["instances"]
    assert card.instances["threshold"] in (0.4, 0.6)


def test_what_is_chosen_is_never_worse_than_the_others(annotated_data, model, monkeypatch) -> None:
    monkeypatch.setattr(score_model, "THRESHOLDS", (0.5,))
    monkeypatch.setattr(score_model, "SPLITS", (0.5, 0.9))
    cases = list(score_model.cases_of(annotated_data, PLANS["nuclei"], PLANS["nuclei"].parts))
    _, _, both = score_model.choose(model, PLANS["nuclei"], cases)
    for split in (0.5, 0.9):
        monkeypatch.setattr(score_model, "SPLITS", (split,))
        assert score_model.choose(model, PLANS["nuclei"], cases)[2] <= both


def test_a_perfect_answer_scores_1_at_every_overlap() -> None:
    labels = np.kron(np.arange(4).reshape(2, 2), np.ones((5, 5), int))
    assert (score_model.precisions(labels, labels) == 1).all()
    assert (score_model.precisions(labels * 0, labels) == 0).all()


def test_membrane_and_cytoplasm_are_each_shown_with_the_nuclei(annotated_data) -> None:
    (image,) = read_part(annotated_data, Part("codex_tissue_wholecell"), "val")
    assert channel_choices(PLANS["cells"], image.plane) == ((0, 2), (1, 2))
    assert channel_choices(PLANS["nuclei"], image.plane) == (None,)


def test_most_simulated_rods_are_dark_in_a_bright_halo_and_the_seed_decides() -> None:
    image, labels = simulate_rods(3, 200)
    np.testing.assert_array_equal(image, simulate_rods(3, 200)[0])
    assert labels.max() >= 3
    dark = 0
    for seed in range(12):
        image, labels = simulate_rods(seed, 200)
        rods = labels > 0
        halo = ndimage.binary_dilation(rods, iterations=4) & ~ndimage.binary_dilation(rods)
        far = ~ndimage.binary_dilation(rods, iterations=40)
        if image[rods].mean() < image[halo].mean():
            dark += 1
            assert not far.any() or image[far].mean() < image[halo].mean()
    assert 6 <= dark < 12  # the others fluoresce


def test_regions_without_gaps_are_judged_by_v_rand_too() -> None:
    truth = np.repeat([[1, 1, 2, 2]], 4, axis=0)
    same, merged = (
        score_model.judged(PLANS["membranes"], each, truth) for each in (truth, np.ones_like(truth))
    )
    assert same[-1] == 1.0
    assert merged[-1] == pytest.approx(2 * 0.5 / (1 + 0.5))  # all in one; the truth in halves
    assert score_model.scores([same, merged])["V-Rand"][0] == pytest.approx(5 / 6, abs=1e-3)
    cells = score_model.scores([score_model.judged(PLANS["nuclei"], truth, truth)])
    assert "V-Rand" not in cells
    assert cells["mean AP"][0] == 1.0


def test_a_body_in_pieces_is_several_neurites_and_specks_are_none() -> None:
    body = np.zeros((8, 9), np.int32)
    body[:4, :4] = body[5:, :4] = 7
    body[:3, 6:] = 7  # 9 pixels
    body[5:, 5:] = 2
    made = pieces(body)
    assert np.unique(made).size == 4
    assert not made[:3, 6:].any()
    assert len({made[0, 0], made[6, 0], made[6, 6]} - {0}) == 3


def test_models_are_compared_with_the_settings_of_one(
    annotated_data, model, tmp_path, monkeypatch, capsys
) -> None:
    card = replace(model.card, relief="probability", instances={"threshold": 0.3})
    other = save_model(card, model.network, tmp_path / "other.safetensors")
    arguments = ("--data", str(annotated_data), "--write", "--settings-of", str(other.path))
    run(monkeypatch, capsys, str(model.path), *arguments)
    written = read_card(model.path)
    assert (written.relief, written.instances) == ("probability", {"threshold": 0.3})
