"""The recipe of a result in Python: how it was made, kept and made again."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_utile import segment
from napari_utile.cli import main
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image, write_image
from napari_utile.engine.models.library import Model, save_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.provenance.recipe import Recipe, load_recipe, save_recipe
from napari_utile.engine.replay.segmented import replay_steps
from napari_utile.engine.steps import Run
from simulation.simulate import simulate

ASKED = {"device": "cpu", "precision": "float32", "diameter": None, "minimum_size": 5}


@pytest.fixture
def film(tmp_path: Path) -> ImageFile:
    frames = [
        simulate("nuclei", height=50, width=60, cells=6, seed=seed, diameter=16).image for seed in (1, 2, 3)
    ]
    write_image(tmp_path / "film.tif", np.stack(frames), "TYX")
    return read_image(tmp_path / "film.tif")


def comes_again(recipe: Recipe, image: ImageFile, model: Model) -> bool:
    """Keep a recipe in a file, and carry out what is read of it."""
    path = image.path.with_name("kept_recipe.json")
    save_recipe(recipe, path)
    read = load_recipe(path)
    assert read == recipe
    return Run(replay_steps(read, image, model)).result.identical


def test_a_frame_of_a_file(film, small_model) -> None:
    result = segment(film.path, small_model, t=1, **ASKED)
    recipe = result.recipe
    assert recipe.source == str(film.path)
    assert recipe.planes[0].index == {"T": 1}
    assert recipe.planes[0].cells == result.labels.max() > 0
    assert "--t 1" in recipe.command
    assert comes_again(recipe, film, small_model)
    assert result.recipe is recipe, "it is made once"


def test_a_region_and_other_thresholds(film, small_model) -> None:
    made = segment(film.path, small_model, t=2, region=(slice(5, 45), slice(0, 50)), **ASKED)
    assert "--region 5:45,0:50" in made.recipe.command
    assert comes_again(made.recipe, film, small_model)
    other = made.relabelled(replace(made.params.instances, threshold=0.6))
    assert other.recipe.params.instances.threshold == 0.6
    assert other.recipe.planes[0].labels != made.recipe.planes[0].labels
    assert comes_again(other.recipe, film, small_model)


def test_an_array_is_known_by_its_pixels(film, small_model) -> None:
    recipe = segment(film.data[0], small_model, **ASKED).recipe
    assert recipe.source == "image"
    assert shlex.split(recipe.command)[2] == "IMAGE.tif"
    assert comes_again(recipe, film, small_model), "the first frame"
    assert not comes_again(segment(film.data[1], small_model, **ASKED).recipe, film, small_model)
    plane = segment(ImagePlane(np.asarray(film.data[:1]), name="mine"), small_model, **ASKED)
    assert plane.recipe.source == "mine"
    assert plane.recipe.planes[0].pixels == recipe.planes[0].pixels


@pytest.mark.parametrize("link", ["z", "t"])
def test_linked_planes(film, small_model, link) -> None:
    result = segment(film.path, small_model, axes=f"{link.upper()}YX", link=link, **ASKED)
    recipe = result.recipe
    assert len(recipe.planes) == 3
    assert recipe.linking.total == result.links.total > 0
    assert f"--link {link}" in recipe.command
    assert comes_again(recipe, replace(film, axes=f"{link.upper()}YX"), small_model)


def test_three_views(film, small_model) -> None:
    result = segment(film.path, small_model, axes="ZYX", three_views=True, plane_distance=2, **ASKED)
    recipe = result.recipe
    assert recipe.views.plane_distance == 2
    assert "--three-views" in recipe.command
    assert comes_again(recipe, replace(film, axes="ZYX"), small_model)


def test_a_model_in_a_file_is_found_again(film, small_model, tmp_path, capsys) -> None:
    model = save_model(small_model.card, small_model.network, tmp_path / "mine.safetensors")
    recipe = segment(film.path, model, t=0, **ASKED).recipe
    assert recipe.model == str(tmp_path / "mine.safetensors")
    save_recipe(recipe, tmp_path / "film_recipe.json")
    assert main(["replay", str(tmp_path / "film_recipe.json"), "--quiet"]) == 0
    assert "identical" in capsys.readouterr().out
