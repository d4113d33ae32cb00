"""`utile train` and `utile fine-tune`."""

import contextlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main, train
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models import catalogue
from napari_utile.engine.models.card import read_card
from napari_utile.engine.models.library import load_model
from napari_utile.engine.training.recipes import RECIPES
from napari_utile.engine.training.sets import find_set


@pytest.fixture(autouse=True)
def _small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on samples as small as the images of these tests."""
    for name in ("default", "fine-tune"):
        monkeypatch.setitem(RECIPES, name, replace(RECIPES[name], tile=60))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two images of discs, their labels, an image without labels and labels without an image."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    y, x = np.mgrid[:64, :64]
    for number in range(3):
        rng = np.random.default_rng(number)
        labels = ((y // 16) * 4 + x // 16 + 1) * ((y % 16 - 8) ** 2 + (x % 16 - 8) ** 2 < 25)
        image = (labels > 0) * 200.0 + rng.normal(30, 5, labels.shape)
        tifffile.imwrite(tmp_path / "images" / f"field{number}.tif", image.astype(np.uint8))
        name = f"field{number}_labels.tif" if number < 2 else "other.tif"
        tifffile.imwrite(tmp_path / "labels" / name, labels.astype(np.uint16))
    return tmp_path


def utile(command: str, folder: Path, *more: str) -> int:
    given = [
        "--images",
        str(folder / "images"),
        "--labels",
        str(folder / "labels"),
        "--quiet",
        "--device",
        "cpu",
    ]
    return main([command, *given, *more])


def small(folder: Path, *more: str) -> list[str]:
    return ["-o", str(folder / "discs.safetensors"), "--width", "4", "--depth", "1", "--steps", "6", *more]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of a process")
@pytest.mark.parametrize("log", [[], ["--log", "log.jsonl"]])
def test_a_disk_that_is_full_while_it_trains_is_one_sentence(pairs: Path, capsys, monkeypatch, log) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        return False

    monkeypatch.setattr(
        train, "stopped_by_signals", lambda: contextlib.nullcontext(full)
    )  # asked at each step
    monkeypatch.chdir(pairs)
    try:
        assert utile("train", pairs, *small(pairs, *log)) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"utile train: Cannot write .*discs\.checkpoint: File too large\.", said[-1])
    assert not any("Traceback" in each for each in said)
    assert not list(pairs.glob("*.safetensors"))


def test_a_network_is_trained_from_scratch_and_then_tuned_further(pairs: Path, capsys) -> None:
    assert utile("train", pairs, *small(pairs, "--log", str(pairs / "log.jsonl"))) == 0
    written = capsys.readouterr()
    assert "field2.tif: there are no labels with this name" in written.err
    assert "other.tif: there is no image with this name" in written.err
    assert "Held-out tiles" in written.out
    lines = [json.loads(line) for line in (pairs / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    card = read_card(pairs / "discs.safetensors")
    assert (card.name, card.family, card.config["width"]) == ("discs", "unet", 4)
    assert card.training["recipe"]["name"] == "default"
    assert not list(pairs.glob("*.checkpoint"))

    model = str(pairs / "discs.safetensors")
    tuned = pairs / "tuned.safetensors"
    status = utile("fine-tune", pairs, "--model", model, "-o", str(tuned), "--steps", "3", "--keep-worse")
    assert status == 0
    assert read_card(tuned).training["base"]["fingerprint"] == load_model(model).fingerprint


def test_an_interrupted_training_is_neither_lost_nor_begun_again_unsaid(
    pairs: Path, capsys, monkeypatch
) -> None:
    checkpoint = pairs / "discs.checkpoint"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(train, "stopped_by_signals", lambda: contextlib.nullcontext(lambda: True))
        assert utile("train", pairs, *small(pairs, "--resume")) == 130
    said = capsys.readouterr().err
    assert f"There is no {checkpoint} to continue: training begins." in said
    assert f"{checkpoint} holds 1 step of an interrupted training; --resume continues it." in said
    kept = checkpoint.read_bytes()
    assert utile("train", pairs, *small(pairs)) == 1
    assert "holds 1 step of an interrupted training: continue it with --resume" in capsys.readouterr().err
    assert checkpoint.read_bytes() == kept
    assert utile("train", pairs, *small(pairs, "--resume")) == 0
    assert "training begins" not in capsys.readouterr().err
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("where", "error", "status"),
    [
        ("napari_utile.engine.training.fine_tune.keep_some", KeyboardInterrupt(), 130),
        ("napari_utile.engine.training.reference.reference_steps", KeyboardInterrupt(15), 143),
        ("napari_utile.cli.train.save_model", UtileError("Cannot write discs.safetensors: disk full."), 1),
    ],
)
def test_a_training_that_ended_is_kept_until_its_model_is_written(
    pairs: Path, capsys, monkeypatch, where: str, error: BaseException, status: int
) -> None:
    def fail(*_, **__):
        raise error

    log = pairs / "log.jsonl"
    checkpoint, model = pairs / "discs.checkpoint", pairs / "discs.safetensors"
    with monkeypatch.context() as failing:
        failing.setattr(where, fail)
        assert utile("train", pairs, *small(pairs, "--log", str(log))) == status
    assert not model.exists()
    said = capsys.readouterr().err
    assert f"{checkpoint} holds 6 steps of an interrupted training; --resume continues it." in said
    assert utile("train", pairs, *small(pairs, "--log", str(log), "--resume")) == 0
    assert len(log.read_text().splitlines()) == 6
    assert not checkpoint.exists()
    kept = load_model(model).fingerprint
    assert utile("train", pairs, *small(pairs)) == 0
    assert load_model(model).fingerprint == kept


def test_who_stops_a_training_while_it_is_judged_is_obeyed(pairs: Path, capsys, monkeypatch) -> None:
    from napari_utile.engine.training import fine_tune

    asked = []
    keep_some = fine_tune.keep_some

    def judged(*given, **more):
        asked.append(True)
        return keep_some(*given, **more)

    monkeypatch.setattr(fine_tune, "keep_some", judged)
    monkeypatch.setattr(train, "stopped_by_signals", lambda: contextlib.nullcontext(lambda: bool(asked)))
    assert utile("train", pairs, *small(pairs)) == 130
    assert "discs.checkpoint holds 6 steps" in capsys.readouterr().err
    assert not (pairs / "discs.safetensors").exists()


def test_a_refused_checkpoint_is_not_called_that_of_this_training(pairs: Path, capsys, monkeypatch) -> None:
    with monkeypatch.context() as interrupted:
        interrupted.setattr(train, "stopped_by_signals", lambda: contextlib.nullcontext(lambda: True))
        utile("train", pairs, *small(pairs))
    capsys.readouterr()
    assert utile("train", pairs, *small(pairs, "--resume", "--seed", "5")) == 1
    said = capsys.readouterr().err
    assert "seed: it cannot be continued" in said
    assert "continues it" not in said


def test_a_model_that_is_not_better_is_written_where_that_is_asked_for_afterwards(
    pairs: Path, capsys, monkeypatch
) -> None:
    utile("train", pairs, *small(pairs))
    from napari_utile.engine.training.fine_tune import FineTuned

    monkeypatch.setattr(FineTuned, "improved", False)
    tuned = pairs / "tuned.safetensors"
    given = ["--model", str(pairs / "discs.safetensors"), "-o", str(tuned), "--steps", "1"]
    assert utile("fine-tune", pairs, *given) == 1
    assert "not better than the one it started from" in capsys.readouterr().err
    assert not tuned.exists()
    assert utile("fine-tune", pairs, *given, "--resume", "--keep-worse") == 0
    assert tuned.exists()
    assert not tuned.with_suffix(".checkpoint").exists()


def test_no_bundled_model_is_replaced_by_one_that_is_trained(pairs: Path, capsys) -> None:
    place = catalogue.user_model_folder() / "phase.safetensors"
    given = ["--model", "nuclei", "-o", str(place), "--steps", "1", "--keep-worse"]
    assert utile("fine-tune", pairs, *given) == 1
    assert "There is a model named phase already" in capsys.readouterr().err
    assert not place.exists()


def test_the_model_that_finds_the_cells_best_is_started_from(pairs: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "BUNDLED_FOLDER", pairs / "none")
    library = catalogue.user_model_folder()
    for name, steps in (("blind", "1"), ("good", "40")):
        wanted = [
            "-o",
            str(library / f"{name}.safetensors"),
            "--width",
            "4",
            "--depth",
            "1",
            "--steps",
            steps,
        ]
        assert utile("train", pairs, *wanted) == 0
    capsys.readouterr()
    assert (
        utile("fine-tune", pairs, "--model", "auto", "-o", str(pairs / "mine.safetensors"), "--dry-run") == 0
    )
    assert capsys.readouterr().out.startswith("Starts from good: AP at IoU 0.5 ")


def test_the_same_seed_writes_the_same_model(pairs: Path) -> None:
    prints = []
    for seed in ("3", "3", "4"):
        utile("train", pairs, *small(pairs, "--seed", seed))
        prints.append(load_model(pairs / "discs.safetensors").fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(pairs: Path, capsys) -> None:
    before = sorted(path.name for path in pairs.rglob("*"))
    assert utile("train", pairs, *small(pairs, "--dry-run")) == 0
    written = capsys.readouterr().out
    for part in (
        "field0: 64 x 64 pixels, 16 cells, 100% annotated",
        "Cells of 9 px",
        "Recipe default",
        "6 steps take",
    ):
        assert part in written
    assert sorted(path.name for path in pairs.rglob("*")) == before


@pytest.mark.parametrize(
    ("budget", "said"),
    [(["--minutes", "0.01"], "1 step takes"), (["--minutes", "1000", "--steps", "6"], "6 steps take")],
)
def test_a_dry_run_says_what_ends_first(pairs: Path, capsys, monkeypatch, budget, said) -> None:
    from napari_utile.engine.training.run import TrainingRun

    step = TrainingRun.step

    def slow(run: TrainingRun):
        taken = step(run)
        return replace(taken, seconds=float(taken.step))

    monkeypatch.setattr(TrainingRun, "step", slow)
    assert utile("train", pairs, *small(pairs, "--dry-run"), *budget) == 0
    assert re.search(rf"A step takes 1\.00 s .*: {said}", capsys.readouterr().out)


@pytest.mark.parametrize("few", [False, True])
def test_validation_images_are_not_called_held_out_tiles(pairs: Path, capsys, few: bool) -> None:
    judge = pairs / "judge.tif"
    labels = tifffile.imread(pairs / "labels" / "other.tif")
    tifffile.imwrite(judge, np.where(labels < 3, labels, 0) if few else labels)
    options = ["--validation-images", str(pairs / "images" / "field2.tif"), "--validation-labels", str(judge)]
    assert utile("train", pairs, *small(pairs), *options, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert utile("train", pairs, *small(pairs), *options) == 0
    said = capsys.readouterr()
    assert f"Validation images ({2 if few else 16} cells): AP at IoU 0.5 " in said.out
    assert ("Too few cells in the validation images to say which is better: add images." in said.err) == few
    assert "Judged on 1 validation image." in planned
    assert "held" not in (planned + said.out + said.err).lower()
    assert list(read_card(pairs / "discs.safetensors").metrics) == ["validation images"]


def test_one_cell_is_one_cell(pairs: Path, capsys) -> None:
    path = pairs / "labels" / "field1_labels.tif"
    labels = tifffile.imread(path)
    tifffile.imwrite(path, np.where(labels == 6, labels, 0))
    given = ["--set", "few", *small(pairs), "--steps", "1", "--held-out", "0"]
    assert utile("train", pairs, *given, "--dry-run") == 0
    assert "field1: 64 x 64 pixels, 1 cell, 100% annotated" in capsys.readouterr().out
    assert utile("train", pairs, *given) == 0
    assert "discs.safetensors: 1 step in" in capsys.readouterr().out
    assert main(["sets", "show", "few"]) == 0
    assert "64 x 64 pixels, 1 cell, 100% annotated" in capsys.readouterr().out


def test_folders_of_the_cell_tracking_challenge_are_paired_as_they_are_downloaded(
    pairs: Path, capsys
) -> None:
    for kind in ("01", "01_GT/SEG"):
        (pairs / kind).mkdir(parents=True)
    for frame in (0, 1, 2):
        (pairs / "images" / f"field{frame}.tif").rename(pairs / "01" / f"t{frame:03d}.tif")
    for frame in (0, 1):
        (pairs / "labels" / f"field{frame}_labels.tif").rename(
            pairs / "01_GT" / "SEG" / f"man_seg{frame:03d}.tif"
        )
    given = ["--images", str(pairs / "01"), "--labels", str(pairs / "01_GT" / "SEG"), "--device", "cpu"]
    assert main(["train", *given, *small(pairs, "--dry-run")]) == 0
    written = capsys.readouterr()
    assert written.out.count("16 cells") == 2
    assert "t002.tif: there are no labels with this name" in written.err
    for frame in (0, 1):
        assert f"t{frame:03d}: 64 x 64 pixels, 16 cells" in written.out
    assert main(["train", *given, *small(pairs, "--set", "nuclei", "--steps", "1")]) == 0
    data = read_card(pairs / "discs.safetensors").training["data"]
    assert [each["name"] for each in data] == ["t000", "t001"]
    assert [each.plane.name for each in find_set("nuclei").read()] == ["t000", "t001"]


def test_an_image_is_called_as_its_file_where_labels_do_not_fit_it(pairs: Path, capsys) -> None:
    tifffile.imwrite(pairs / "mine.tif", np.eye(5, 6, dtype=np.uint8))
    given = ["--images", str(pairs / "images" / "field0.tif"), "--labels", str(pairs / "mine.tif")]
    assert main(["train", *given, *small(pairs)]) == 1
    assert "field0 has 64 x 64 pixels, its labels 5 x 6" in capsys.readouterr().err


def test_annotation_counts_only_inside_the_boxes_of_each_image(pairs: Path, capsys) -> None:
    (pairs / "boxes").mkdir()
    corners = [(0, 0), (0, 31), (31, 31), (31, 0)]
    rows = [f"0,rectangle,{number},{y},{x}" for number, (y, x) in enumerate(corners)]
    header = "index,shape-type,vertex-index,axis-0,axis-1"
    (pairs / "boxes" / "field1.csv").write_text("\n".join([header, *rows]))
    given = small(pairs, "--boxes", str(pairs / "boxes"), "--dry-run")
    assert utile("train", pairs, *given) == 0
    written = capsys.readouterr()
    assert "field1: 64 x 64 pixels, 4 cells, 25% annotated in 1 box" in written.out
    assert "field0.tif: there are no boxes with this name; left out" in written.err
    (pairs / "boxes" / "field1.csv").rename(pairs / "boxes" / "unknown.csv")
    assert utile("train", pairs, *given) == 1
    assert "has the name of a file of boxes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "model.pt"], "ends with .safetensors"),
        (["-o", "m.safetensors", "--labels", "nowhere"], "nowhere"),
        (["-o", "m.safetensors", "--validation-images", "somewhere"], "needs both"),
        (["-o", "m.safetensors", "--family", "fcn8s", "--depth", "3"], "Only a U-Net"),
        (["-o", "m.safetensors", "--annotation", "boxes"], "belong together"),
        (["-o", "m.safetensors", "--annotation", "sparse", "--boxes", "x"], "belong together"),
        (["-o", "m.safetensors", "--background", "3"], "belong to --annotation sparse"),
        (["-o", "m.safetensors", "--boxes", "x", "--rim", "3"], "belong to --annotation sparse"),
        (["-o", "m.safetensors", "--annotation", "sparse", "--rim", "-3"], "0 pixels or more; got -3"),
        (["-o", "m.safetensors", "--annotation", "sparse", "--background", "0"], "1 or more; got 0"),
        (["-o", "m.safetensors", "--boxes", "nowhere"], "no file or folder nowhere"),
        (["-o", "m.safetensors", "--width", "0"], "width must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    pairs: Path, capsys, monkeypatch, more: list[str], message: str
) -> None:
    monkeypatch.chdir(pairs)
    assert utile("train", pairs, *more) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert "Traceback" not in error


def test_an_fcn_can_be_trained(pairs: Path) -> None:
    output = pairs / "coarse.safetensors"
    given = ["--family", "fcn32s", "--width", "1", "--steps", "1", "-o", str(output)]
    assert utile("train", pairs, *given) == 0
    finer = pairs / "fine.safetensors"
    given = [
        "--family",
        "fcn16s",
        "--width",
        "1",
        "--steps",
        "1",
        "--from-coarser",
        str(output),
        "-o",
        str(finer),
    ]
    assert utile("train", pairs, *given) == 0
    assert read_card(finer).family == "fcn16s"


def test_annotated_images_collect_in_a_set_and_all_of_it_is_trained_on(pairs: Path, capsys) -> None:
    first, second = (
        [
            "--images",
            str(pairs / "images" / f"field{n}.tif"),
            "--labels",
            str(pairs / "labels" / f"field{n}_labels.tif"),
        ]
        for n in range(2)
    )
    common = ["--set", "My discs", "--quiet", "--device", "cpu", *small(pairs)]
    assert main(["train", *common, *first]) == 0
    assert "Training set My discs: 1 image, 1 added now." in capsys.readouterr().out
    assert main(["train", *common, *second, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "Training set My discs: 2 images with those given now." in planned
    assert re.findall(r"^field\d", planned, re.MULTILINE) == ["field0", "field1"]
    assert main(["train", *common, *first, "--dry-run"]) == 0
    assert "Training set My discs: 1 image with those given now." in capsys.readouterr().out
    assert main(["train", *common, *second]) == 0
    assert len(read_card(pairs / "discs.safetensors").training["data"]) == 2
    assert main(["train", *common]) == 0, "the set alone"
    assert main(["train", *common, "--annotation", "sparse", "--rim", "3", "--z", "1"]) == 1
    assert "--annotation, --rim, --z belong to --images and --labels" in capsys.readouterr().err
    card = read_card(pairs / "discs.safetensors")
    assert card.training["set"] == "My discs"
    assert [each["name"] for each in card.training["data"]] == ["field0", "field1"]
    capsys.readouterr()

    assert main(["sets", "show", "My discs"]) == 0
    assert capsys.readouterr().out.count("64 x 64 pixels, 16 cells, 100% annotated") == 2
    assert main(["sets", "remove", "My discs", "field0"]) == 0
    assert main(["sets", "list"]) == 0
    assert "My discs: 1 image\n" in capsys.readouterr().out
    assert main(["sets", "delete", "My-discs"]) == 0
    assert main(["train", *common]) == 1
    assert "There is no training set named 'My discs'" in capsys.readouterr().err


def test_a_training_needs_images_or_a_set(pairs: Path, capsys) -> None:
    assert main(["train", *small(pairs)]) == 1
    assert "or a training set with --set" in capsys.readouterr().err
    assert main(["train", "--images", str(pairs), *small(pairs)]) == 1
    assert "belong together" in capsys.readouterr().err


def test_the_channel_that_is_read_of_several_is_named(pairs: Path, capsys) -> None:
    path = pairs / "images" / "field0.tif"
    two = np.stack([np.zeros((64, 64), np.uint8), tifffile.imread(path)])
    tifffile.imwrite(path, two, metadata={"axes": "CYX"}, imagej=True)
    assert utile("train", pairs, *small(pairs, "--dry-run")) == 0
    assert "Reads of 1 image: channel 0 of 2.\n" in capsys.readouterr().out
    (pairs / "images" / "field1.tif").unlink()
    assert utile("train", pairs, *small(pairs, "--dry-run", "--channels", "1")) == 0
    assert "Reads of 1 image: channel 1 of 2.\n" in capsys.readouterr().out


def test_classes_may_be_painted_beside_background(pairs: Path, capsys) -> None:
    for number in range(2):
        path = pairs / "labels" / f"field{number}_labels.tif"
        labels = tifffile.imread(path)
        tifffile.imwrite(
            path, np.where(labels > 12, 3, np.where(labels > 0, 1 + (labels > 8), 0)).astype(np.uint8)
        )
    given = ["--classes", "upper,lower", "--annotation", "sparse", "--background", "3", "--dry-run"]
    assert utile("train", pairs, *small(pairs, *given)) == 0
    assert "field0: 64 x 64 pixels, 12 cells" in capsys.readouterr().out


def test_a_label_of_background_that_no_pixel_has_is_said(pairs: Path, capsys) -> None:
    given = ["--annotation", "sparse", "--background", "16", "--dry-run"]
    path = pairs / "labels" / "field1_labels.tif"
    labels = tifffile.imread(path)
    tifffile.imwrite(path, np.where(labels == 16, 0, labels))
    assert utile("train", pairs, *small(pairs, *given)) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "no pixel" in line]
    assert said == ["field1: no pixel has the label 16 that marks background."]


def test_painted_class_numbers_train_a_model_with_as_many_classes(pairs: Path, capsys) -> None:
    for number in range(2):
        path = pairs / "labels" / f"field{number}_labels.tif"
        labels = tifffile.imread(path)
        tifffile.imwrite(path, np.where(labels > 0, 1 + (labels > 8), 0).astype(np.uint8))
    assert utile("train", pairs, *small(pairs, "--classes", "upper, lower")) == 0
    assert "of these cells get the right one" in capsys.readouterr().out
    card = read_card(pairs / "discs.safetensors")
    assert [each.name for each in card.classes] == ["background", "lower", "upper"]
    image = str(pairs / "images" / "field0.tif")
    given = [
        image,
        "-o",
        str(pairs / "out"),
        "--model",
        str(pairs / "discs.safetensors"),
        "--diameter",
        "none",
    ]
    assert (
        main(["segment", *given, "--measurements", "--quiet", "--threshold", "0.01", "--minimum-size", "1"])
        == 0
    )
    assert " % of the area: lower " in capsys.readouterr().out
    assert "class" in (pairs / "out" / "field0_cells.csv").read_text().splitlines()[0].split(",")
    layer = tifffile.imread(pairs / "out" / "field0_classes.tif")
    cells = tifffile.imread(pairs / "out" / "field0_labels.tif")
    assert ((layer > 0) == (cells > 0)).all()
    assert main(["segment", str(pairs / "out"), "-o", str(pairs / "again")]) == 1, "all of them are results"
