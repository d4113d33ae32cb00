"""The tables of accuracy, made of simulated images by networks that took two steps."""

import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from simulation.simulate import simulate

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy")


@pytest.fixture
def simulated_data(tmp_path: Path) -> Path:
    """The layout of ../shared/data with small simulated fields."""
    sets = {
        "dsb2018_stage1": [("fl_a", "train"), ("fl_b", "train"), ("fl_c", "val"), ("fl_d", "val")],
        "bbbc039_fluo_nuclei": [("field", "val")],
    }
    for folder, images in sets.items():
        for kind in ("images", "labels"):
            (tmp_path / "data" / folder / kind).mkdir(parents=True)
        for seed, (name, _) in enumerate(images):
            field = simulate("nuclei", height=96, width=96, cells=8, diameter=18, touching=0.8, seed=seed)
            tifffile.imwrite(tmp_path / "data" / folder / "images" / f"{name}.tif", field.image)
            tifffile.imwrite(
                tmp_path / "data" / folder / "labels" / f"{name}.tif", field.labels.astype(np.uint16)
            )
        with (tmp_path / "data" / folder / "index.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("name", "split"), *images])
    return tmp_path / "data"


def test_all_tables_are_made_and_trained_networks_are_kept(
    accuracy, simulated_data: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    training = importlib.import_module("accuracy_runs.training")
    small = {family: {**config, "width": 2} for family, config in training.CONFIGURATIONS.items()}
    monkeypatch.setattr(training, "CONFIGURATIONS", small)
    monkeypatch.setattr(training, "DEFAULT", training.TrainingRecipe(tile=32, batch=1))
    work = tmp_path / "work"
    command = ["--data", str(simulated_data), "--work", str(work), "--steps", "2", "--seeds", "1"]
    accuracy.main(command)
    shown = capsys.readouterr().out
    found = json.loads((work / "accuracy.json").read_text())
    for title in ("U-Net", "FCN-32s", "FCN-16s", "FCN-8s"):
        assert f"| {title} |" in shown
    assert found["models"]["nuclei: BBBC039"]["images"] == 1
    assert 0 <= found["models"]["nuclei: BBBC038 all"]["ap50"]["low"] <= 1
    assert found["families"]["fcn8s"]["steps"] == 2
    assert "ap50 minus unet" in found["families"]["fcn32s"]
    assert found["borders"]["plain: counts"]["touching cells"] > 0
    assert found["borders"]["plain: touching cells: found at IoU 0.5"]["w0 10"]["value"] >= 0

    kept = sorted(work.glob("*.safetensors"))
    assert [path.name.split("-")[0] for path in kept] == ["fcn16s", "fcn32s", "fcn8s", "unet", "unet"]
    times = [path.stat().st_mtime_ns for path in kept]
    accuracy.main([*command, "--only", "borders"])
    assert [path.stat().st_mtime_ns for path in sorted(work.glob("*.safetensors"))] == times


def test_without_data_it_says_how_to_run_it(accuracy, capsys):
    accuracy.main([])
    assert "--data" in capsys.readouterr().out


def test_time_becomes_steps_by_the_measured_time_of_a_step(accuracy, simulated_data, tmp_path, monkeypatch):
    training = importlib.import_module("accuracy_runs.training")
    monkeypatch.setattr(training.Lane, "_seconds", lambda self, family: {"unet": 0.5, "fcn8s": 1.0}[family])
    lane = training.Lane([], tmp_path / "work", minutes=2, steps=None)
    assert lane._steps("unet") == 240
    assert lane._steps("fcn8s") == 120
    monkeypatch.setattr(training.Lane, "_seconds", lambda self, family: 99.0)
    again = training.Lane([], tmp_path / "work", minutes=4, steps=None)
    assert again._steps("unet") == 480, "measured once, so that a resumed run keeps its budget"


def test_cells_touch_within_two_rows_and_columns(accuracy):
    touching = importlib.import_module("accuracy_runs.touching")
    labels = np.zeros((12, 20), int)
    labels[1:4, 1:4] = 3
    labels[1:4, 5:8] = 7  # one column of background between
    labels[1:4, 10:13] = 8  # two columns of background: no pixel within two columns
    labels[8:11, 1:4] = 9
    assert touching.touching_ids(labels).tolist() == [3, 7]
    labels[5:8, 3:6] = 5  # one row below 3, and beside 9 and 7
    assert touching.touching_ids(labels).tolist() == [3, 5, 7, 9]


def test_what_became_of_touching_cells_is_counted(accuracy):
    touching = importlib.import_module("accuracy_runs.touching")
    truth = np.zeros((10, 30), int)
    truth[2:8, 2:8], truth[2:8, 9:15] = 1, 2  # touch
    truth[2:8, 20:26] = 4  # alone
    merged = np.where(truth > 0, 1, 0)
    merged[2:8, 8] = 1
    result = touching.touching_scores(merged, truth)
    assert (result.cells, result.found, result.merged, result.merges) == (2, 0, 2, 1)
    right = touching.touching_scores(truth * 10, truth)
    assert (right.found, right.found_well, right.jaccards, right.merged, right.splits) == (2, 2, 2.0, 0, 0)


def test_intervals_hold_the_value_and_pairing_takes_common_ups_and_downs_out(accuracy):
    intervals = importlib.import_module("accuracy_runs.intervals")
    random = np.random.default_rng(1)
    ups_and_downs = random.normal(0.5, 0.2, 40)
    better, worse = ups_and_downs + 0.05 + random.normal(0, 0.01, 40), ups_and_downs
    alone = intervals.interval(intervals.PerImage.mean(better))
    assert alone.low < alone.value < alone.high
    paired = intervals.interval(intervals.PerImage.mean(better), intervals.PerImage.mean(worse))
    assert paired.is_clear
    assert paired.high - paired.low < (alone.high - alone.low) / 5


def test_a_share_counts_cells_and_leaves_images_without_any_out(accuracy):
    intervals = importlib.import_module("accuracy_runs.intervals")
    share = intervals.PerImage.share([[1, 0, 3], [2, 0, 4]], [[2, 0, 4], [2, 0, 4]])
    assert share.value == pytest.approx(10 / 12)
    nothing = intervals.interval(intervals.PerImage.share([0, 0], [0, 0]))
    assert np.isnan(nothing.value)
