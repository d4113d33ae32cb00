"""A model that does not look right for an image is said on standard error, by every command that segments."""

import json

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from napari_utile.engine.fitting.ranking import NOT_KNOWN
from napari_utile.engine.models import catalogue
from napari_utile.engine.models.catalogue import user_model_folder

DOUBT = "one.tif: this does not look like what unsure was trained on (confidence 0."
TO_STORE = ("-o", "made.ome.zarr")
WITH_SEEDS = ("-o", "made", "--seeds", "seeds/one_labels.tif")


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bright_model):
    """Bright discs, seeds in them, markers on two, and models that ask for more and for less than they are sure of."""
    for name, confidence in {"unsure": 0.999, "sure": 0.1}.items():
        path = user_model_folder() / f"{name}.safetensors"
        make_bright_model(path, object_diameter=16.0, confidence=confidence)
    y, x = np.mgrid[:96, :120]
    discs = (y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 64
    tifffile.imwrite(tmp_path / "one.tif", (100 + 900 * discs).astype(np.uint16))
    tifffile.imwrite(tmp_path / "empty.tif", np.full((96, 120), 100, np.uint16))
    (tmp_path / "seeds").mkdir()
    seeds = ((y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 9) * (1 + y // 24 + 4 * (x // 24))
    tifffile.imwrite(tmp_path / "seeds" / "one_labels.tif", seeds.astype(np.uint16))
    rows = "".join(f"{n},{y},{x},cell,{n + 1},0,0.5\n" for n, (y, x) in enumerate(((12, 12), (36, 60))))
    (tmp_path / "markers.csv").write_text(f"index,axis-0,axis-1,kind,cell,order,threshold\n{rows}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def segment(*words: str, image: str = "one.tif", model: str = "unsure") -> int:
    return main(["segment", image, *words, "--model", model, "--quiet"])


@pytest.mark.parametrize("target", [("-o", "made"), TO_STORE, WITH_SEEDS])
@pytest.mark.parametrize("diameter", ["auto", "16"])
def test_a_doubt_is_said_and_fails_where_that_is_asked_for(folder, capsys, target, diameter):
    assert segment(*target, "--diameter", diameter) == 0
    said = capsys.readouterr()
    assert said.err.startswith(DOUBT)
    assert "utile models suggest" in said.err
    assert "cells" in said.out
    again = ("--overwrite",) if target is TO_STORE else ()
    assert segment(*target, "--diameter", diameter, "--strict", *again) == 3
    assert capsys.readouterr().err.startswith(DOUBT)


@pytest.mark.parametrize("target", [("-o", "made"), TO_STORE, WITH_SEEDS])
def test_nothing_is_said_where_the_model_looks_right(folder, capsys, target):
    assert segment(*target, "--strict", model="sure") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("target", [("-o", "made"), TO_STORE])
def test_of_an_empty_field_it_is_said_that_it_is_empty_and_nothing_else(folder, capsys, target):
    assert segment(*target, "--strict", image="empty.tif") == 0
    said = capsys.readouterr()
    assert said.out.startswith("empty.tif: no cells found")
    assert said.err == ""


def test_a_store_that_is_finished_already_is_doubted_again(folder, capsys):
    assert segment(*TO_STORE, "--strict") == 3
    capsys.readouterr()
    assert segment(*TO_STORE, "--strict", "--resume") == 3
    said = capsys.readouterr()
    assert "finished already" in said.out
    assert said.err.startswith(DOUBT)


def test_a_store_that_is_resumed_is_rated_as_when_it_was_measured(folder, capsys):
    y, x = np.mgrid[:160, :200]
    noisy = 100 + 900 * ((y % 60 - 30) ** 2 + (x % 60 - 30) ** 2 < 400)
    noisy = noisy + np.random.default_rng(0).normal(0, 60, noisy.shape)  # unsure at other magnifications
    tifffile.imwrite("large.tif", noisy.clip(0).astype(np.uint16))
    assert segment(*TO_STORE, "--strict", image="large.tif") == 3
    first = capsys.readouterr().err
    assert "(confidence 0." in first
    assert segment(*TO_STORE, "--strict", "--resume", image="large.tif") == 3
    assert capsys.readouterr().err == first


@pytest.mark.parametrize("size", [(), ("--diameter", "16"), ("--diameter", "none")])
def test_clicks_are_doubted(folder, capsys, size):
    words = [
        "click",
        "one.tif",
        "--points",
        "markers.csv",
        "-o",
        "cells_labels.tif",
        *size,
        "--model",
        "unsure",
    ]
    assert main(words) == 0
    assert capsys.readouterr().err.startswith(DOUBT)
    assert main([*words, "--strict"]) == 3
    capsys.readouterr()
    assert main([*words[:-1], "sure", "--strict"]) == 0
    assert capsys.readouterr().err == ""


def test_clicks_are_doubted_of_a_model_for_images_of_its_own_size(folder, capsys, make_bright_model):
    """Nothing is measured for it."""
    tuned = {"base": "unsure"}
    path = user_model_folder() / "unsure.safetensors"
    make_bright_model(path, object_diameter=16.0, confidence=0.999, training=tuned)
    words = ["click", "one.tif", "--points", "markers.csv", "-o", "cells_labels.tif", "--model", "unsure"]
    assert main([*words, "--strict"]) == 3
    assert capsys.readouterr().err.startswith(DOUBT)


def test_the_quality_sheet_names_the_specialist_that_was_chosen(folder, make_bright_model):
    path = user_model_folder() / "unsure.safetensors"
    make_bright_model(path, object_diameter=16.0, confidence=0.999, specialists=("sure",))
    (folder / "in").mkdir()
    for name in ("a", "b"):
        (folder / "in" / f"{name}.tif").write_bytes((folder / "one.tif").read_bytes())
    assert segment("-o", "made", image="in") == 0
    page = (folder / "made" / "quality.html").read_text()
    assert "2 images segmented with sure<" in page


def test_seeds_that_grow_in_grey_values_have_no_model_to_doubt(folder, capsys):
    assert main(["segment", "one.tif", *WITH_SEEDS, "--strict"]) == 2
    assert "--seeds does not take --strict without --model" in capsys.readouterr().err


def test_where_no_model_looks_right_it_says_what_to_do_and_what_none_knows(folder, capsys, monkeypatch):
    monkeypatch.setattr(catalogue, "BUNDLED_FOLDER", folder)
    (user_model_folder() / "sure.safetensors").unlink()
    assert main(["models", "suggest", "one.tif"]) == 1
    said = capsys.readouterr().out
    for what in ("No model looks right", "utile fit", "--seeds", "utile fine-tune", NOT_KNOWN):
        assert what in said
    assert "another model" not in said, "this command is what names others"


def test_the_help_of_suggest_names_its_exit_status(capsys):
    with pytest.raises(SystemExit):
        main(["models", "suggest", "--help"])
    assert "exit status is 1 where no model looks right" in " ".join(capsys.readouterr().out.split())


def test_a_model_that_does_not_say_how_large_its_cells_are_is_not_rated(
    folder, capsys, monkeypatch, make_bright_model
):
    monkeypatch.setattr(catalogue, "BUNDLED_FOLDER", folder)
    make_bright_model(user_model_folder() / "sizeless.safetensors")
    tifffile.imwrite("tiny.tif", np.zeros((4, 4), np.uint16))

    def suggested(image):
        main(["models", "suggest", image])
        lines = capsys.readouterr().out.splitlines()
        main(["models", "suggest", image, "--json"])
        rated = json.loads(capsys.readouterr().out)
        return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[: len(rated)]}, {
            each["model"]: each["cells"] for each in rated
        }

    said, cells = suggested("one.tif")
    assert said["sizeless"] == "not rated, as it does not say how large its cells are"
    assert cells["sizeless"] is None
    assert cells["sure"] > 0
    said, cells = suggested("tiny.tif")
    assert said["sure"] == "not rated, as the image has no room for its cells"
    assert set(cells.values()) == {None}
    said, cells = suggested("empty.tif")
    assert said["sure"].startswith("no cells found; ")
    assert cells["sure"] == 0
