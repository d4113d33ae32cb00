"""`utile segment` and `utile models`, as a user types them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from memory import peak_of
from napari_utile.cli import main, make_parser, results
from napari_utile.cli import segment as segment_command_module
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.files import plane_file
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import save_model
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.parameters import from_json
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.command import segment_command
from napari_utile.engine.provenance.settings import load_settings, save_settings, settings_of
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import SegmentParams, suggested_instances


@pytest.fixture
def model():
    import torch

    torch.manual_seed(0)
    config = {"width": 2, "depth": 1, "dropout": 0.0}
    card = ModelCard("tiny", "unet", config, title="Tiny cells", object_diameter=12.0)
    return save_model(card, UNet(UNetConfig(**config)), user_model_folder() / "tiny.safetensors")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name, shape in {"one": (30, 40), "two": (3, 25, 25)}.items():
        axes = "YX" if len(shape) == 2 else "TYX"
        pixels = rng.integers(0, 999, shape, np.uint16)
        path = tmp_path / "in" / f"{name}.tif"
        tifffile.imwrite(path, pixels, metadata={"axes": axes}, imagej=True, resolution=(4, 4))
    return tmp_path


def test_every_image_of_a_folder_gets_its_labels_and_what_else_is_asked_for(model, folder, capsys):
    out = folder / "out"
    status = main(["segment", str(folder / "in"), "-o", str(out), "--model", "tiny", "--probability", "--mask",
                   "--measurements", "--quiet"])  # fmt: skip
    assert status == 0
    of_the_batch = {"cells.csv", "fields.csv", "quality.html"}
    assert {path.name for path in out.iterdir()} == of_the_batch | {
        f"{name}_{kind}" for name in ("one", "two")
        for kind in ("labels.tif", "probability.tif", "mask.tif", "cells.csv", "recipe.json")
    }  # fmt: skip
    labels = tifffile.imread(out / "one_labels.tif")
    expected = segment(tifffile.imread(folder / "in" / "one.tif"), "tiny")
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_allclose(tifffile.imread(out / "one_probability.tif"), expected.foreground)
    rows = (out / "one_cells.csv").read_text().splitlines()
    assert len(rows) == expected.labels.max() + 1
    assert f"one.tif: {expected.labels.max()} cells" in capsys.readouterr().out


def test_every_plane_of_a_time_series_is_segmented_by_itself(model, folder):
    main(["segment", str(folder / "in" / "two.tif"), "-o", str(folder), "--model", "tiny", "--quiet"])
    labels = tifffile.imread(folder / "two_labels.tif")
    for step, found in enumerate(labels):
        made = segment(folder / "in" / "two.tif", "tiny", t=step)  # with the grey limits of the whole series
        np.testing.assert_array_equal(found, made.labels)
    with tifffile.TiffFile(folder / "two_labels.tif") as file:
        assert file.series[0].axes == "TYX"
        assert file.pages[0].tags["XResolution"].value[0] / file.pages[0].tags["XResolution"].value[1] == 4


def test_a_failing_image_is_one_sentence_and_the_rest_go_on(model, folder, capsys):
    (folder / "in" / "broken.tif").write_bytes(b"II*\x00 nothing")
    status = main(["segment", str(folder / "in"), "-o", str(folder / "out"), "--model", "tiny", "--quiet"])
    assert status == 1
    assert (folder / "out" / "one_labels.tif").exists()
    error = capsys.readouterr().err
    assert "broken.tif" in error
    assert "1 of 3 images failed" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "absent"], "no model named 'absent'"),
        (["--threshold", "1.5"], "threshold must be at most 1"),
        (["--diameter", "0"], "diameter must be at least 1"),
        (["--tile", "1"], "tile must be at least 8"),
    ],
)
def test_what_a_user_can_put_right_is_one_sentence(model, folder, capsys, words, message):
    chosen = ["--model", "tiny", *words] if "--model" not in words else words
    try:
        status = main(["segment", str(folder / "in"), "-o", str(folder / "out"), *chosen])
    except SystemExit as end:
        status = end.code
    assert status == (1 if "--model" in words else 2)  # 2: what is wrong is the call
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_images_that_would_overwrite_each_others_results_are_refused(model, folder, capsys):
    (folder / "other").mkdir()
    (folder / "other" / "one.tif").write_bytes((folder / "in" / "one.tif").read_bytes())
    inputs = [str(folder / "in"), str(folder / "other")]
    assert main(["segment", *inputs, "-o", str(folder / "out"), "--model", "tiny"]) == 1
    assert "overwrite" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_the_estimate_writes_nothing(model, folder, capsys):
    assert (
        main(["segment", str(folder / "in"), "-o", str(folder / "out"), "--model", "tiny", "--estimate"]) == 0
    )
    assert "two.tif: 3 planes of 1 tile" in capsys.readouterr().out
    assert not (folder / "out").exists()


def test_the_estimate_is_that_of_the_region(model, folder, capsys):
    image, out = str(folder / "in" / "one.tif"), str(folder / "out")
    words = [
        "segment",
        image,
        "-o",
        out,
        "--model",
        "tiny",
        "--diameter",
        "none",
        "--tile",
        "24",
        "--estimate",
    ]
    assert main(words) == 0
    assert ": 1 tile," not in capsys.readouterr().out
    assert main([*words, "--region", "0:10,0:10"]) == 0
    assert ": 1 tile," in capsys.readouterr().out


def test_the_command_that_is_copied_is_the_command_that_parses_to_the_same(model, folder):
    params = SegmentParams(
        model="tiny", diameter=18.0, tile=24, instances=InstanceParams(threshold=0.4, grow=2)
    )
    image = folder / "in" / "one.tif"
    line = segment_command(image, params, InstanceParams(), folder / "copied")
    import shlex

    words = shlex.split(line)
    assert words[:2] == ["utile", "segment"]
    assert main([*words[1:], "--quiet"]) == 0
    expected = segment(tifffile.imread(image), "tiny", diameter=18.0, threshold=0.4, grow=2)
    np.testing.assert_array_equal(tifffile.imread(folder / "copied" / "one_labels.tif"), expected.labels)


def test_names_that_begin_with_a_dash_are_no_options(model, folder, monkeypatch):
    import shlex

    monkeypatch.chdir(folder)
    (folder / "in" / "one.tif").rename(folder / "-o.tif")
    (folder / "-mask.tif").write_bytes((folder / "-o.tif").read_bytes())
    model.path.rename(folder / "-tiny.safetensors")
    params = SegmentParams(model="-tiny.safetensors", diameter=18.0)
    selection = Selection(series="-1")
    line = segment_command("-o.tif", params, InstanceParams(), "-out", selection=selection, mask="-mask.tif")
    parsed = make_parser().parse_args(shlex.split(line)[1:])
    assert (parsed.images, parsed.series) == (["./-o.tif"], "-1")
    assert main([word for word in shlex.split(line)[1:] if "series" not in word]) == 0
    assert (folder / "-out" / "-o_labels.tif").is_file()


def test_models_are_listed_and_shown(model, capsys):
    assert main(["models", "list"]) == 0
    listing = capsys.readouterr().out
    assert "Tiny cells" in listing
    assert str(user_model_folder()) in listing
    assert main(["models", "show", "tiny"]) == 0
    assert "12 px" in capsys.readouterr().out
    assert main(["models", "show", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny"
    (user_model_folder() / "bad.safetensors").write_bytes(b"x")
    assert main(["models", "list"]) == 1
    assert "bad" in capsys.readouterr().out


def peak_of_a_film(frames, folder):
    """Segment a film in this process; return the most bytes that Python and NumPy held."""
    pixels = np.random.default_rng(0).integers(0, 999, (frames, 160, 160), np.uint16)
    film = folder / f"film{frames}.tif"
    tifffile.imwrite(film, pixels, metadata={"axes": "TYX"}, imagej=True)
    arguments = ["segment", str(film), "-o", str(folder), "--model", "tiny", "--quiet", "--probability"]
    statuses = []
    peak = peak_of(lambda: statuses.append(main(arguments)))
    assert not any(statuses), statuses
    return peak


def test_memory_does_not_grow_with_the_planes_of_a_film(model, tmp_path, monkeypatch):
    monkeypatch.setattr(plane_file, "IN_MEMORY", 1 << 16)
    plane = 160 * 160
    grown = peak_of_a_film(8, tmp_path) - peak_of_a_film(2, tmp_path)
    assert grown < 6 * plane * 5, grown  # the film itself takes 2 bytes a pixel, its results would take 27
    assert not [path.name for path in tmp_path.iterdir() if not path.name.startswith("film")]


def test_settings_of_another_result_are_used_and_single_options_win(model, folder, capsys):
    first, second, third = (folder / name for name in ("first", "second", "third"))
    image = str(folder / "in" / "one.tif")
    words = ["--model", "tiny", "--diameter", "none", "--threshold", "0.3", "--minimum-size", "2", "--quiet"]
    assert main(["segment", image, "-o", str(first), *words]) == 0
    recipe = first / "one_recipe.json"
    assert main(["segment", image, "-o", str(second), "--settings", str(recipe), "--quiet"]) == 0
    assert (second / "one_labels.tif").read_bytes() == (first / "one_labels.tif").read_bytes()
    more = ["--settings", str(recipe), "--threshold", "0.6", "--quiet"]
    assert main(["segment", image, "-o", str(third), *more]) == 0
    instances = json.loads((third / "one_recipe.json").read_text())["parameters"]["instances"]
    assert (instances["threshold"], instances["minimum_size"]) == (0.6, 2)


def test_settings_of_a_projection_say_how_to_project_as_well(model, folder, capsys):
    stack, recipe = folder / "stack.tif", str(folder / "one" / "stack_recipe.json")
    plane = tifffile.imread(folder / "in" / "one.tif")
    tifffile.imwrite(stack, np.stack([plane, plane // 2]), metadata={"axes": "ZYX"}, imagej=True)
    words = ["segment", str(stack), "--model", "tiny", "--quiet", "-o"]
    assert main([*words, str(folder / "one"), "--project", "z:focus"]) == 0
    capsys.readouterr()
    said = "stack_recipe.json projects Z by focus: add --project z:focus for the same\n"
    assert main([*words, str(folder / "two"), "--settings", recipe]) == 0
    assert capsys.readouterr().err.count(said) == 1
    assert main([*words, str(folder / "three"), "--settings", recipe, "--project", "z:max"]) == 0
    assert said not in capsys.readouterr().err


def recorded(folder):
    return json.loads((folder / "one_recipe.json").read_text())["parameters"]


def test_what_a_model_only_suggested_follows_another_size_or_model(model, folder):
    instances = {"minimum_size": 6, "grow": 1, "threshold": 0.3}
    other = replace(model.card, name="other", object_diameter=24.0, instances={"threshold": 0.25})
    save_model(other, model.network, user_model_folder() / "other.safetensors")
    model = save_model(replace(model.card, instances=instances), model.network, model.path)
    image, first = str(folder / "in" / "one.tif"), folder / "first"
    words = ["--model", "tiny", "--diameter", "24", "--split", "0.7", "--quiet"]
    assert main(["segment", image, "-o", str(first), *words]) == 0

    def with_settings(name, *options):
        command = ["--settings", str(first / "one_recipe.json"), "--quiet", *options]
        assert main(["segment", image, "-o", str(folder / name), *command]) == 0
        return from_json(InstanceParams, recorded(folder / name)["instances"])

    assert with_settings("same") == suggested_instances(model.card, 24, split=0.7)
    assert recorded(folder / "same") == recorded(first)
    assert with_settings("half", "--diameter", "12") == suggested_instances(model.card, 12, split=0.7)
    assert with_settings("other", "--model", "other") == suggested_instances(other, 24, split=0.7)

    newer = replace(model.card, instances={"minimum_size": 9, "grow": 1, "threshold": 0.3})
    save_model(newer, model.network, model.path)  # what it suggested then is not known any more
    assert with_settings("newer").minimum_size == suggested_instances(model.card, 24).minimum_size
    model.path.unlink()
    kept = load_settings(first / "one_recipe.json").instances
    assert kept == recorded(first)["instances"]


def test_settings_mean_the_same_file_of_a_model_in_another_folder(folder, monkeypatch, make_bright_model):
    for name in ("here", "there"):
        (folder / name).mkdir()
        make_bright_model(folder / name / "own.safetensors")
    image = str(folder / "in" / "one.tif")
    monkeypatch.chdir(folder / "here")
    words = ["--model", "own.safetensors", "--diameter", "none", "--quiet"]
    assert main(["segment", image, "-o", "out", *words]) == 0
    recipe = json.loads(Path("out/one_recipe.json").read_text())
    assert recipe["parameters"]["model"] == recipe["model"]["name"] == str(Path("own.safetensors").resolve())
    save_settings(settings_of(SegmentParams("own.safetensors")), "settings.json")
    recipe["parameters"]["model"] = "own.safetensors"  # as recipes named it that were written before
    Path("older.json").write_text(json.dumps(recipe))
    monkeypatch.chdir(folder / "there")
    for name in ("out/one_recipe.json", "older.json", "settings.json"):
        found = load_settings(folder / "here" / name).segment["model"]
        assert found == str(folder / "here" / "own.safetensors")
    assert settings_of(SegmentParams("nuclei")).segment["model"] == "nuclei"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not JSON"),
        ("{}", "not a recipe"),
        ('{"format": "napari-utile settings 1", "instances": {"flux": 1}}', "no setting flux"),
        (
            '{"format": "napari-utile settings 1", "instances": {"threshold": 7}}',
            "threshold must be at most 1",
        ),
        ('{"format": "napari-utile settings 1", "segment": []}', "no usable settings"),
    ],
)
def test_settings_that_are_none_are_one_sentence(folder, capsys, content, said):
    (folder / "settings.json").write_text(content)
    words = ["--settings", str(folder / "settings.json"), "--quiet"]
    assert main(["segment", str(folder / "in"), "-o", str(folder / "out"), *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_names_of_bytes_that_are_no_text_are_segmented(model, folder):
    name = os.fsdecode(b"caf\xe9")
    try:
        (folder / f"{name}.tif").write_bytes((folder / "in" / "one.tif").read_bytes())
    except OSError:
        pytest.skip("this disk takes no such names")
    out = folder / "out"
    words = ["--model", "tiny", "--measurements", "--probability", "--quiet"]
    assert main(["segment", str(folder / f"{name}.tif"), "-o", str(out), *words]) == 0
    assert {path.name.removeprefix(name) for path in out.iterdir()} == {
        "_labels.tif", "_recipe.json", "_cells.csv", "_probability.tif"}  # fmt: skip
    assert main(["replay", str(out / f"{name}_recipe.json"), "--quiet"]) == 0
    assert main(["measure", str(out / f"{name}_labels.tif"), "-o", str(folder / "again.csv")]) == 0


def test_a_name_too_long_for_its_results_is_said_before_the_work(model, folder, capsys):
    for length, status in ((255 - len("_labels.tif") - len("xx"), 0), (248, 1)):
        image = folder / f"{'ü' * (length // 2)}.tif"
        image.write_bytes((folder / "in" / "one.tif").read_bytes())
        words = ["--model", "tiny", "--quiet"]
        assert main(["segment", str(image), "-o", str(folder / "out"), *words]) == status
    error = capsys.readouterr().err
    assert "too long" in error
    assert "2 of" not in error


def test_labels_that_are_gone_or_of_another_run_are_named(model, folder, capsys):
    image, out = str(folder / "in" / "one.tif"), folder / "out"
    command = ["segment", image, "-o", str(out), "--model", "tiny", "--diameter", "none", "--quiet"]
    assert main(command) == 0
    good = (out / "one_labels.tif").read_bytes()
    replay = ["replay", str(out / "one_recipe.json"), "--quiet"]
    (out / "one_labels.tif").unlink()
    assert main(replay) == 1
    assert "no one_labels.tif beside this recipe" in capsys.readouterr().out
    assert main([*command, "--threshold", "0.3"]) == 0
    assert main(replay) == 0
    (out / "one_labels.tif").write_bytes(good)
    capsys.readouterr()
    assert main(replay) == 1
    assert "from another run" in capsys.readouterr().out


def test_a_second_run_leaves_nothing_of_the_first_and_all_that_is_the_users(model, folder, monkeypatch):
    out = folder / "out"
    out.mkdir()
    for name in ("two_classes.tif", "two_notes.csv", "one_mask.tif"):
        (out / name).write_text("of a user")
    users = {path.name for path in out.iterdir()}
    command = ["segment", str(folder / "in" / "two.tif"), "-o", str(out), "--model", "tiny", "--quiet"]

    def made():
        return {path.name for path in out.iterdir()} - users

    assert main([*command, "--measurements", "--probability", "--mask", "--link", "t"]) == 0
    beside = {f"two_{kind}" for kind in ("cells.csv", "tracks.csv", "mask.tif", "probability.tif")}
    assert made() == {"two_labels.tif", "two_recipe.json", *beside}
    table = (out / "two_cells.csv").read_bytes()

    def full(*_):
        raise OSError("the disk is full")

    recipe = (out / "two_recipe.json").read_bytes()
    for module, name in ((results, "write_labels"), (segment_command_module, "write_table")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, full)
            assert main([*command, "--diameter", "none", "--measurements"]) == 1
        assert made() == {"two_labels.tif", "two_recipe.json", *beside}, (
            "what cannot be written costs nothing"
        )
        assert [(out / each).read_bytes() for each in ("two_cells.csv", "two_recipe.json")] == [table, recipe]

    assert main([*command, "--mask"]) == 0
    assert made() == {"two_labels.tif", "two_recipe.json", "two_mask.tif"}
    assert main([*command, "--mask", str(out / "two_mask.tif")]) == 1, "what is read is not removed"
    assert made() == {"two_labels.tif", "two_recipe.json", "two_mask.tif"}
    assert main(command) == 0
    assert made() == {"two_labels.tif", "two_recipe.json"}
    assert {(out / name).read_text() for name in users} == {"of a user"}


def test_a_run_over_its_own_results_leaves_them_out(model, folder, capsys):
    here = folder / "in"
    command = ["segment", str(here), "-o", str(here), "--model", "tiny", "--mask", "--probability", "--quiet"]
    assert main(command) == 0
    first = {path.name for path in here.iterdir()}
    assert main(command) == 0
    assert {path.name for path in here.iterdir()} == first
    assert "left out, as results of another image" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["result.tif", "cells.csv", "x.png"])
def test_a_file_name_is_no_folder_for_results(model, folder, capsys, target):
    assert main(["segment", str(folder / "in"), "-o", str(folder / target), "--model", "tiny"]) == 1
    assert "give a folder for the results" in capsys.readouterr().err
    assert not (folder / target).exists()


@pytest.mark.parametrize(("option", "name"), [("--mask", "one_labels.tif"), ("--conditions", "fields.csv")])
def test_what_is_read_beside_the_images_is_not_overwritten(model, folder, capsys, option, name):
    out = folder / "out"
    out.mkdir()
    tifffile.imwrite(out / "one_labels.tif", np.ones((60, 70), np.uint16))
    if option == "--conditions":
        (out / name).write_text("pattern,dose\n*,3\n")
    before = (out / name).read_bytes()
    command = ["segment", str(folder / "in"), "-o", str(out), "--model", "tiny", "--quiet"]
    assert main([*command, option, str(out / name)]) == 1
    assert "it is what is read here" in capsys.readouterr().err
    assert (out / name).read_bytes() == before


def test_a_disk_without_room_is_said_before_the_work(model, folder, capsys, monkeypatch):
    import shutil

    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert main(["segment", str(folder / "in"), "-o", str(folder / "out"), "--model", "tiny", "--quiet"]) == 1
    assert "are free on the disk" in capsys.readouterr().err
    assert list((folder / "out").iterdir()) == []


def test_a_model_that_does_not_fit_is_named_and_strict_exits_with_3(model, folder, capsys):
    doubting = replace(model.card, name="doubting", confidence=0.99)
    save_model(doubting, model.network, user_model_folder() / "doubting.safetensors")
    command = ["segment", str(folder / "in" / "one.tif"), "-o", str(folder / "out"), "--model", "doubting",
               "--threshold", "0", "--quiet"]  # fmt: skip
    assert main(command) == 0
    assert "one.tif: this does not look like what doubting was trained on" in capsys.readouterr().err
    assert (folder / "out" / "one_labels.tif").exists()
    assert main([*command, "--strict"]) == 3


def test_an_empty_field_says_no_cells_found_and_nothing_else(folder, capsys):
    tifffile.imwrite(folder / "empty.tif", np.zeros((64, 64), np.uint8))
    assert main(["segment", str(folder / "empty.tif"), "-o", str(folder / "out"), "--quiet", "--strict"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("empty.tif: no cells found")
    assert "does not look" not in captured.err


def test_models_are_suggested_for_an_image_the_best_first(folder, capsys):
    status = main(["models", "suggest", str(folder / "in" / "one.tif"), "--json"])
    ranked = json.loads(capsys.readouterr().out)
    assert "nuclei" in [each["model"] for each in ranked]
    assert status == (0 if any(each["looks_right"] and not each["by_chance"] for each in ranked) else 1)


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
def test_a_fresh_result_is_that_of_its_recipe_whatever_the_order_of_the_planes(model, tmp_path, capsys, axes):
    pixels = np.random.default_rng(0).integers(0, 999, (2, 3, 25, 25), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", pixels, ome=True, metadata={"axes": axes})
    assert (
        main(["segment", str(tmp_path / "in.tif"), "-o", str(tmp_path / "out"), "--model", "tiny", "--quiet"])
        == 0
    )
    assert main(["replay", str(tmp_path / "out" / "in_recipe.json"), "--quiet"]) == 0
    assert "identical" in capsys.readouterr().out
