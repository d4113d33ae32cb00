"""`utile segment --diameter auto | same | none | N`."""

import copy
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_utile.cli import main
from napari_utile.engine.files.images import write_image, write_labels
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import save_model
from napari_utile.engine.models.outputs import InputChannel
from napari_utile.engine.provenance.settings import Settings, save_settings
from napari_utile.engine.store.plan import load_plan


def nuclei(diameter: int) -> np.ndarray:
    y, x = np.mgrid[:200, :200]
    step = round(1.6 * diameter)
    image = ((y % step - step / 2) ** 2 + (x % step - step / 2) ** 2 < diameter**2 / 4) * 500.0
    image = ndimage.gaussian_filter(image, diameter / 25)
    return (image + np.random.default_rng(0).normal(100, 8, image.shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    for name, diameter in (("small", 17), ("large", 40)):
        write_image(tmp_path / f"{name}.tif", nuclei(diameter), "YX")
    return tmp_path


def run(folder, capsys, *options: str) -> tuple[dict[str, str], dict[str, float | None]]:
    """Return what is said of each image, and the diameters that the recipes record."""
    names = ("small", "large")
    assert (
        main(
            [
                "segment",
                *(str(folder / f"{name}.tif") for name in names),
                "-o",
                str(folder / "out"),
                "--quiet",
                *options,
            ]
        )
        == 0
    )
    said = dict(line.split(".tif: ") for line in capsys.readouterr().out.splitlines())
    recipes = [json.loads((folder / "out" / f"{name}_recipe.json").read_text()) for name in names]
    return said, {name: recipe["parameters"]["diameter"] for name, recipe in zip(names, recipes, strict=True)}


def test_each_file_is_measured_and_its_number_recorded(folder, capsys) -> None:
    said, diameters = run(folder, capsys)
    assert diameters["small"] == pytest.approx(17, rel=0.2)
    assert diameters["large"] == pytest.approx(40, rel=0.2)
    assert f"cells about {diameters['large']:g} px across, measured" in said["large"]
    command = json.loads((folder / "out" / "large_recipe.json").read_text())["command"]
    assert f"--diameter {diameters['large']:g}" in command
    assert main(["replay", str(folder / "out" / "large_recipe.json"), "--quiet"]) == 0


def test_one_size_for_all_files_none_or_a_number(folder, capsys) -> None:
    said, diameters = run(folder, capsys, "--diameter", "same")
    assert diameters["small"] == diameters["large"]
    assert all("px across, measured" in each for each in said.values())
    said, diameters = run(folder, capsys, "--diameter", "none")
    assert set(diameters.values()) == {None}
    assert re.fullmatch(r"\d+ cells, \d+ % of the area", said["large"])
    _, diameters = run(folder, capsys, "--diameter", "38.5")
    assert set(diameters.values()) == {38.5}


def recorded(place) -> dict[str, float | None]:
    """Return the diameter that each recipe below a folder records."""
    recipes = sorted([*place.rglob("*_recipe.json"), *place.rglob("recipe.json")])
    return {
        str(each.relative_to(place)): json.loads(each.read_text())["parameters"]["diameter"]
        for each in recipes
    }


def test_one_size_for_all_images_of_a_file_whichever_shard_does_them(folder, capsys) -> None:
    with tifffile.TiffWriter(folder / "both.ome.tif", ome=True) as file:
        for diameter in (17, 40):
            file.write(nuclei(diameter), metadata={"axes": "YX"})
    words = ["segment", str(folder / "both.ome.tif"), "--series", "all", "--diameter", "same", "--quiet"]
    for shard in ("1/2", "2/2"):
        assert main([*words, "-o", str(folder / "apart"), "--shard", shard]) == 0
    found = recorded(folder / "apart")
    assert len(found) == 2
    capsys.readouterr()
    _, of_files = run(folder, capsys, "--diameter", "same")
    assert {*found.values()} == {*of_files.values()}, "measured on both"


@pytest.mark.parametrize("seeds", [(), ("--seeds",)])
def test_one_size_for_all_stores_whichever_shard_makes_them(folder, make_bright_model, seeds) -> None:
    make_bright_model(user_model_folder() / "bright.safetensors", object_diameter=20.0)
    images = [folder / f"{name}.tif" for name in ("small", "large")]
    words = ["segment", *map(str, images), "--model", "bright", "--diameter", "same", "--quiet"]
    words += ["-o", str(folder / "out"), "--format", "ome-zarr"]
    if seeds:
        (folder / "seeds").mkdir()
        for image in images:
            points = np.zeros((200, 200), np.uint16)
            points[30:32, 30:32] = 1
            write_labels(folder / "seeds" / f"{image.stem}_labels.tif", points)
        words += [*seeds, str(folder / "seeds")]
    for shard in ("1/2", "2/2"):
        assert main([*words, "--shard", shard]) == 0
    found = [load_plan(folder / "out" / f"{image.stem}.ome.zarr").params.diameter for image in images]
    assert isinstance(found[0], float)
    assert found[0] == found[1]


def test_an_image_that_the_model_does_not_read_keeps_no_other_from_one_size_for_all(
    folder, capsys, make_bright_model
) -> None:
    inputs = (InputChannel("cells"), InputChannel("nuclei"))
    make_bright_model(user_model_folder() / "two.safetensors", 2, object_diameter=20.0, inputs=inputs)
    for name in ("a", "b", "c"):
        write_image(folder / f"{name}.tif", np.stack([nuclei(20)] * 2), "CYX")
    images = [str(folder / f"{name}.tif") for name in ("small", "a", "b", "c")]
    words = ["--model", "two", "--diameter", "same", "--quiet", "-o", str(folder / "out")]
    assert main(["segment", *images, *words]) == 1
    said = capsys.readouterr()
    assert "1 channel of small is chosen" in said.err
    assert "1 of 4 images failed" in said.err
    found = recorded(folder / "out")
    assert len(found) == 3
    assert len({*found.values()}) == 1


@pytest.fixture
def general(make_bright_model) -> str:
    """A model that is less sure of bright cells than its specialist, which takes them over."""
    special = make_bright_model(
        user_model_folder() / "special.safetensors", object_diameter=20.0, confidence=0.1
    )
    network = copy.deepcopy(special.network)
    for values in (network.head.weight, network.head.bias):
        values.mul_(0.2)
    card = replace(special.card, name="general", confidence=0.99, specialists=("special",))
    save_model(card, network, user_model_folder() / "general.safetensors")
    return "general"


def test_a_store_that_a_specialist_makes_is_resumed_by_the_same_command(folder, capsys, general) -> None:
    place = folder / "a.zarr"
    words = ["segment", str(folder / "small.tif"), "-o", str(place), "--quiet"]
    assert main([*words, "--model", general]) == 0
    assert "general: chose special" in capsys.readouterr().out
    assert main([*words, "--model", general, "--resume"]) == 0
    for other in (["--model", general, "--diameter", "17"], ["--model", "nuclei"]):
        assert main([*words, *other, "--resume"]) == 1
        assert "was started with --" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["out", "a.zarr"])
@pytest.mark.parametrize("diameter", ["auto", "same"])
def test_what_was_fitted_keeps_to_its_model(folder, capsys, general, target, diameter) -> None:
    settings = Settings({"model": general, "diameter": diameter}, {"threshold": 0.4}, "3 cells of small.tif")
    save_settings(settings, folder / "fitted.json")
    words = ["segment", str(folder / "small.tif"), "-o", str(folder / target), "--quiet"]
    assert main([*words, "--settings", str(folder / "fitted.json")]) == 0
    said = capsys.readouterr().out
    assert "px across" in said
    assert "chose special" not in said
    assert main([*words, "--settings", str(folder / "fitted.json"), "--threshold", "0.3", "--estimate"]) == 0
    assert "chose special" not in capsys.readouterr().out, "one value is another, the model is not"
    [recipe] = [json.loads(path.read_text()) for path in (folder / target).glob("*recipe.json")]
    assert (recipe["model"]["name"], recipe["fitted"]) == (general, "3 cells of small.tif")


def test_the_estimate_names_the_size(folder, capsys) -> None:
    image = str(folder / "large.tif")
    assert main(["segment", image, "-o", str(folder / "out"), "--estimate"]) == 0
    assert "px across, measured" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["out", "out.ome.zarr"])
def test_the_estimate_says_of_how_many_pixels_the_image_is_for_the_network(folder, capsys, target) -> None:
    words = ["segment", str(folder / "large.tif"), "-o", str(folder / target), "--estimate", "--diameter"]
    said = {}
    for diameter in ("40", "none", "10"):
        assert main([*words, diameter]) == 0
        said[diameter] = capsys.readouterr().out
    assert "; the model sees 25 % of the pixels" in said["40"]
    assert "the model sees" not in said["none"]
    assert "; the model sees 4 times as many pixels" in said["10"]


def test_other_words_are_refused(folder, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["segment", str(folder / "large.tif"), "-o", str(folder / "out"), "--diameter", "large"])
    assert "'large' is not a number" in capsys.readouterr().err
