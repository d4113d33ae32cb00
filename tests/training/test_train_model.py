"""Training a bundled model, in a form that takes seconds."""

import os
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import train_model
from bundled.models import PLANS
from bundled.widen import start_from
from napari_utile.engine.models.library import load_model
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.training.run import TrainingRun
from napari_utile.engine.training.stopping import stopped_by_signals

SMALL = {"width": 4, "depth": 1, "batch_norm": True, "dropout": 0.0}
TINY = {name: replace(plan, network=SMALL) for name, plan in PLANS.items() if plan.family == "unet"}


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_model, "PLANS", TINY)
    monkeypatch.setattr("bundled.images.SIMULATED_IMAGES", {"train": (0, 1), "val": (80,)})


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train_model.py", *arguments])
    train_model.main()


def test_a_model_is_trained_and_its_card_says_how(annotated_data, tmp_path, monkeypatch) -> None:
    output = tmp_path / "cells.safetensors"
    run(
        monkeypatch, "cells", "-o", str(output), "--data", str(annotated_data), "--steps", "3", "--tile", "20"
    )
    model = load_model(output)
    about = model.card.training
    assert (about["steps"], about["seed"], about["recipe"]["dice"]) == (3, 0, 0.5)
    assert about["versions"]["torch"] == torch.__version__
    assert model.card.relief == "distances"
    assert model.card.object_diameter == 30
    assert not output.with_suffix(".checkpoint").exists()


def test_a_model_starts_from_simulated_images_alone(annotated_data, tmp_path, monkeypatch, capsys) -> None:
    simulated, output = tmp_path / "simulated.safetensors", tmp_path / "nuclei.safetensors"
    nowhere = ["--data", str(tmp_path / "nowhere"), "--steps", "2", "--tile", "20"]
    run(monkeypatch, "nuclei", "-o", str(simulated), "--simulated", "3", *nowhere)
    assert load_model(simulated).card.training["images"] == 3
    more = ["--data", str(annotated_data), "--steps", "1", "--tile", "20", "--start", str(simulated)]
    run(monkeypatch, "nuclei", "-o", str(output), *more)
    about = load_model(output).card.training
    assert about["started from"]["fingerprint"] == load_model(simulated).fingerprint


def test_what_the_images_take_is_no_time_for_training(annotated_data, tmp_path, monkeypatch) -> None:
    budgets = []
    monkeypatch.setattr(train_model, "train_model", lambda *_, budget, **__: budgets.append(budget) or True)
    monkeypatch.setattr(train_model, "running_for", lambda: 60.0)
    given = ["nuclei", "-o", str(tmp_path / "n.safetensors"), "--data", str(annotated_data), "--within", "3"]
    run(monkeypatch, *given)
    assert budgets[0].minutes == pytest.approx(2)


def test_a_training_that_is_told_to_stop_goes_on_to_the_same_weights(
    annotated_data, tmp_path, monkeypatch
) -> None:
    common = ["nuclei", "--data", str(annotated_data), "--steps", "6", "--tile", "20"]
    run(monkeypatch, *common, "-o", str(tmp_path / "whole.safetensors"))
    output = tmp_path / "stopped.safetensors"
    real = TrainingRun.steps

    def killed(*arguments, **options):
        for step in real(*arguments, **options):
            if step.step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            yield step

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "steps", killed)
        with pytest.raises(SystemExit):
            run(patch, *common, "-o", str(output))
    assert output.with_suffix(".checkpoint").exists()
    assert not output.exists()
    run(monkeypatch, *common, "-o", str(output), "--resume")
    ours, whole = load_model(output), load_model(tmp_path / "whole.safetensors")
    assert ours.fingerprint == whole.fingerprint


def test_the_median_cell_has_the_models_diameter_and_shares_are_those_of_the_plan(annotated_data) -> None:
    plan = TINY["nuclei"]
    planes = train_model.planes_of(annotated_data, plan, plan.card(), train_model.recipe_of(plan))
    for plane in planes:
        areas = np.bincount(plane.objects.ravel())[1:]
        assert np.median(2 * np.sqrt(areas[areas > 0] / np.pi)) == pytest.approx(20, rel=0.1)
    fluorescence = [plane for plane in planes if plane.name.startswith("dsb2018")]
    assert sum(plane.share for plane in fluorescence) == pytest.approx(1.0)
    left = train_model.planes_of(annotated_data, plan, plan.card(), train_model.recipe_of(plan), ["dsb2018"])
    assert not any(plane.name.startswith("dsb2018") for plane in left)


def test_membrane_and_cytoplasm_are_each_trained_with_nuclei(annotated_data) -> None:
    plan = TINY["cells"]
    planes = train_model.planes_of(annotated_data, plan, plan.card(), train_model.recipe_of(plan))
    shown = [plane.name for plane in planes if plane.name.startswith("codex")]
    assert len(shown) == 2
    assert all(plane.image.shape[0] == 2 for plane in planes)


def test_a_wider_network_starts_with_the_features_of_a_narrower_one() -> None:
    torch.manual_seed(0)
    narrow = UNet(UNetConfig(width=4, depth=2, batch_norm=True, dropout=0.0)).eval()
    wide = build_network("unet", {**SMALL, "depth": 2, "width": 8, "in_channels": 2, "classes": 4}).eval()
    torch.nn.init.zeros_(wide.head.bias)
    start_from(wide, narrow.state_dict())
    side = narrow.geometry.input_size(narrow.geometry.output_at_least(20))
    image = torch.rand(1, 1, side, side)
    with torch.inference_mode():
        expected = narrow(image)
        found = wide(torch.cat([image, torch.zeros_like(image)], dim=1))[:, :2]
    assert np.corrcoef(found.numpy().ravel(), expected.numpy().ravel())[0, 1] > 0.8
    same = UNet(narrow.config).eval()
    start_from(same, narrow.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(same(image), expected, rtol=0, atol=0)


def test_signals_are_what_they_were_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stopped_by_signals() as stopped:
        assert not stopped()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped()
        assert signal.getsignal(signal.SIGTERM) == before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
