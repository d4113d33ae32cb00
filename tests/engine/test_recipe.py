"""Recipes and their replay."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from napari_utile.cli import main
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import ImageFile, read_image, write_image, write_labels
from napari_utile.engine.models.library import Model, save_model, weights_fingerprint_of
from napari_utile.engine.planes.axes import ImagePlane, plane_from_array
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.pixel_runs import mask_of, run_lengths_of
from napari_utile.engine.provenance.recipe import Recipe, load_recipe, recipe_of, save_recipe
from napari_utile.engine.replay.segmented import Replay, find_source, replay_steps
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.segmentation import Segmentation
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from simulation.simulate import simulate

INSTANCES = InstanceParams(minimum_size=5)


def segmented(image: ImageFile, model: Model, params: SegmentParams, **index: int) -> Segmentation:
    plane = plane_from_array(image.data, image.axes, index=index, name=image.name)
    return Run(segment_steps(plane, params, model=model)).result


@pytest.fixture
def film(tmp_path: Path) -> ImageFile:
    frames = [
        simulate("nuclei", height=50, width=60, cells=6, seed=seed, diameter=16).image for seed in (1, 2)
    ]
    write_image(tmp_path / "film.tif", np.stack(frames), "TYX")
    return read_image(tmp_path / "film.tif")


@pytest.fixture
def recipe(film: ImageFile, small_model: Model) -> Recipe:
    params = SegmentParams(precision="float32", device="cpu", instances=INSTANCES)
    made = {(("T", t),): segmented(film, small_model, params, T=t) for t in (0, 1)}
    return recipe_of(made, film.path, "utile segment film.tif -o results")


def replayed(recipe: Recipe, image: ImageFile, model: Model) -> Replay:
    return Run(replay_steps(recipe, image, model)).result


def test_a_replay_of_the_same_image_is_identical(recipe, film, small_model) -> None:
    result = replayed(recipe, film, small_model)
    assert result.identical
    assert result.changed == ()
    assert [int(each.labels.max()) for each in result.segmentations] == [each.cells for each in recipe.planes]
    assert sum(each.cells for each in recipe.planes) > 0


def test_a_recipe_survives_its_file(recipe, tmp_path) -> None:
    save_recipe(recipe, tmp_path / "film_recipe.json")
    assert load_recipe(tmp_path / "film_recipe.json") == recipe


def test_one_other_pixel_is_noticed(recipe, film, small_model) -> None:
    changed = np.array(film.data)
    changed[1, 3, 4] += 1
    result = replayed(recipe, replace(film, data=changed), small_model)
    assert result.difference == "The pixels of film.tif (T 1) are not those of the recipe."
    assert len(result.segmentations) == 1  # the frame before was identical


def test_other_weights_are_noticed_before_anything_runs(recipe, film, small_model) -> None:
    other = dataclasses.replace(small_model, fingerprint="0" * 64)
    result = replayed(recipe, film, other)
    assert "The model trained-like is not that of the recipe" in result.difference
    assert result.segmentations == ()


def test_an_older_recipe_which_has_the_fingerprint_of_the_weights_alone_is_replayed(
    recipe, film, small_model
) -> None:
    older = replace(recipe, fingerprint=weights_fingerprint_of(small_model.card, small_model.network))
    assert older.fingerprint != recipe.fingerprint
    assert replayed(older, film, small_model).identical


def test_other_parameters_show_as_other_labels(recipe, film, small_model) -> None:
    params = replace(recipe.params, instances=replace(INSTANCES, threshold=0.7))
    result = replayed(replace(recipe, params=params), film, small_model)
    assert "The labels of film.tif (T 0) differ" in result.difference


def test_rounding_of_probabilities_is_told_apart_from_other_labels(recipe, film, small_model) -> None:
    planes = (recipe.planes[0], replace(recipe.planes[1], probabilities="0" * 64))
    result = replayed(replace(recipe, planes=planes), film, small_model)
    assert result.difference is None
    assert result.rounding == ("film.tif (T 1)",)
    assert not result.identical


def test_a_region_is_replayed_as_a_region(film, small_model) -> None:
    params = SegmentParams(precision="float32", device="cpu", instances=INSTANCES)
    plane = plane_from_array(film.data, film.axes)
    steps = segment_steps(plane, params, model=small_model, region=(slice(7, 40), slice(3, 51)))
    recipe = recipe_of(Run(steps).result, film.path)
    assert recipe.planes[0].region == ((7, 40), (3, 51))
    assert replayed(recipe, film, small_model).identical
    outside = replace(recipe, planes=(replace(recipe.planes[0], region=((0, 99), (0, 9))),))
    with pytest.raises(UtileError, match="outside"):
        replayed(outside, film, small_model)


def test_what_was_cut_to_drawn_shapes_is_replayed_as_it_was_cut(film, small_model, tmp_path) -> None:
    params = SegmentParams(precision="float32", device="cpu", instances=INSTANCES)
    plane = plane_from_array(film.data, film.axes)
    whole = Run(segment_steps(plane, params, model=small_model, region=(slice(7, 40), slice(3, 51)))).result
    y, x = np.mgrid[:33, :48]
    cut = whole.only_inside(np.hypot(y - 12, x - 20) < 11).relabelled(replace(INSTANCES, threshold=0.6))
    save_recipe(recipe_of(cut, film.path), tmp_path / "film_recipe.json")
    recipe = load_recipe(tmp_path / "film_recipe.json")
    assert recipe.planes[0].labels != sha256_of(whole.labels)
    result = replayed(recipe, film, small_model)
    assert result.identical
    assert (result.segmentations[0].labels == cut.labels).all()
    lacking = replace(recipe, planes=(replace(recipe.planes[0], inside=(1, 2)),))
    with pytest.raises(UtileError, match="runs of 3 pixels do not cover 33 x 48"):
        replayed(lacking, film, small_model)


def test_recipes_from_before_shapes_were_recorded_are_read(recipe, tmp_path) -> None:
    values = recipe.to_json()
    for plane in values["planes"]:
        del plane["inside"]
    (tmp_path / "old.json").write_text(json.dumps(values))
    assert load_recipe(tmp_path / "old.json") == recipe


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_a_mask_comes_back_from_its_runs(mask: np.ndarray) -> None:
    runs = run_lengths_of(mask)
    assert (mask_of(runs, mask.shape) == mask).all()
    assert min(runs[1:], default=1) > 0, "only the first run may be empty"


def test_chosen_channels_are_replayed(tmp_path, small_model) -> None:
    field = simulate("nuclei", height=40, width=40, cells=4, diameter=16).image
    write_image(tmp_path / "two.tif", np.stack([field[::-1], field]), "CYX")
    image = read_image(tmp_path / "two.tif")
    params = SegmentParams(channels=(1,), precision="float32", device="cpu", instances=INSTANCES)
    recipe = recipe_of(segmented(image, small_model, params), image.path)
    assert recipe.planes[0].pixels == sha256_of(field[None])
    assert replayed(recipe, image, small_model).identical


@pytest.mark.parametrize("channels", [(1,), (1, 0), None])
def test_optional_channels_are_replayed(tmp_path, two_inputs_model, channels) -> None:
    field = simulate("nuclei", height=40, width=40, cells=4, diameter=16).image
    write_image(tmp_path / "two.tif", np.stack([field[::-1], field]), "CYX")
    image = read_image(tmp_path / "two.tif")
    params = SegmentParams(channels=channels, precision="float32", device="cpu", instances=INSTANCES)
    recipe = recipe_of(segmented(image, two_inputs_model, params), image.path)
    assert replayed(recipe, image, two_inputs_model).identical


def test_an_image_without_the_recipes_plane_is_named(recipe, film, small_model) -> None:
    with pytest.raises(UtileError, match=r"no plane T = 1"):
        replayed(recipe, replace(film, data=film.data[0], axes="YX"), small_model)


def test_an_axis_of_one_entry_may_be_missing_in_the_file(film, small_model) -> None:
    frame = replace(film, data=film.data[0], axes="YX")
    params = SegmentParams(precision="float32", device="cpu", instances=INSTANCES)
    recipe = recipe_of({(("Z", 0),): segmented(frame, small_model, params)}, film.path)
    assert replayed(recipe, frame, small_model).identical


def test_versions_that_changed_are_listed(recipe, film, small_model) -> None:
    older = replace(recipe, versions={**recipe.versions, "torch": "1.0", "gone": "3"})
    changed = replayed(older, film, small_model).changed
    assert any("torch" in each and each.endswith("was 1.0") for each in changed)
    assert "gone missing, was 3" in changed


def test_a_recipe_without_a_segmentation_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        recipe_of({}, "image")


def test_the_image_is_found_where_it_was_or_beside_the_recipe(recipe, tmp_path) -> None:
    assert find_source(recipe, tmp_path / "elsewhere" / "r.json") == tmp_path / "film.tif"
    moved = replace(recipe, source="/nowhere/film.tif")
    assert find_source(moved, tmp_path / "r.json") == tmp_path / "film.tif"
    with pytest.raises(UtileError, match="--image"):
        find_source(moved, tmp_path / "elsewhere" / "r.json")


# Hashes


def test_hashes_do_not_depend_on_memory_layout_byte_order_or_laziness() -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (2, 31, 17)).astype("<u2")
    expected = sha256_of(pixels)
    assert sha256_of(np.asfortranarray(pixels)) == expected
    assert sha256_of(pixels.astype(">u2")) == expected
    assert sha256_of(dask.array.from_array(pixels, chunks=(1, 7, 5))) == expected


def test_hashes_depend_on_values_shape_and_type() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    others = [pixels.reshape(4, 3), pixels.astype(np.int16), pixels[None], pixels[::-1]]
    assert len({sha256_of(each) for each in [pixels, *others]}) == 5


def test_hashes_of_large_images_are_those_of_their_strips_together(monkeypatch) -> None:
    pixels = np.random.default_rng(0).random((2, 40, 30))
    expected = sha256_of(pixels)
    monkeypatch.setattr("napari_utile.engine.planes.pixels._STRIP_BYTES", 1000)
    assert sha256_of(pixels) == expected


# Files that are no recipes


def test_files_that_are_no_recipes_give_one_sentence(recipe, tmp_path) -> None:
    good = json.loads(json.dumps(recipe.to_json()))
    bad = {
        "text": "not json",
        "list": "[]",
        "other": "{}",
        "nested": "[" * 100_000,
        "newer": json.dumps({**good, "format": "napari-utile recipe 2"}),
        "without planes": json.dumps({key: value for key, value in good.items() if key != "planes"}),
        "out of bounds": json.dumps({**good, "parameters": {**good["parameters"], "tile": -1}}),
        "unknown parameter": json.dumps({**good, "parameters": {"flux": 1}}),
        "wrong plane": json.dumps({**good, "planes": [{"index": {}, "region": [1, 2]}]}),
        "wrong compute": json.dumps({**good, "compute": {"device": "cpu"}}),
    }
    for name, text in bad.items():
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        with pytest.raises(UtileError, match=name) as caught:
            load_recipe(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UtileError, match="No such file"):
        load_recipe(tmp_path / "missing.json")


# The command


@pytest.fixture
def results(film: ImageFile, small_model: Model, tmp_path: Path, capsys) -> Path:
    model = tmp_path / "small.safetensors"
    save_model(small_model.card, small_model.network, model)
    folder = tmp_path / "results"
    options = [
        "--model",
        str(model),
        "--device",
        "cpu",
        "--precision",
        "float32",
        "--minimum-size",
        "5",
        "--quiet",
    ]
    assert main(["segment", str(film.path), "-o", str(folder), *options]) == 0
    capsys.readouterr()
    return folder


def test_the_command_says_identical(results: Path, capsys) -> None:
    assert main(["replay", str(results / "film_recipe.json"), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("identical: ")
    assert "2 planes" in out


def test_the_recorded_command_gives_the_same_file(results: Path, tmp_path: Path, monkeypatch) -> None:
    import shlex

    command = shlex.split(load_recipe(results / "film_recipe.json").command)
    assert command[:2] == ["utile", "segment"]
    before = (results / "film_labels.tif").read_bytes()
    (results / "film_labels.tif").unlink()
    assert main(command[1:]) == 0
    assert (results / "film_labels.tif").read_bytes() == before


def test_the_command_names_the_first_pixel_that_differs(results: Path, capsys) -> None:
    path = results / "film_recipe.json"
    values = json.loads(path.read_text())
    values["parameters"]["instances"]["threshold"] = 0.7
    path.write_text(json.dumps(values))
    assert main(["replay", str(path), "--quiet"]) == 1
    out = capsys.readouterr().out
    assert "different: The labels of film.tif (T 0) differ" in out
    assert "First at row" in out


def test_the_command_names_a_later_plane_of_which_pixels_changed(results: Path, film, capsys) -> None:
    pixels = np.array(film.data)
    pixels[1, 3, 4] += 1
    write_image(film.path, pixels, "TYX")
    assert main(["replay", str(results / "film_recipe.json"), "--quiet"]) == 1
    said = capsys.readouterr()
    assert said.out == "different: The pixels of film.tif (T 1) are not those of the recipe.\n"
    assert said.err == ""


def test_the_command_notices_that_the_label_file_was_changed(results: Path, capsys) -> None:
    path = results / "film_recipe.json"
    values = json.loads(path.read_text())
    values["parameters"]["instances"]["threshold"] = 0.7
    path.write_text(json.dumps(values))
    labels = np.asarray(read_image(results / "film_labels.tif").data).copy()
    labels[0, 0, 0] += 1
    write_labels(results / "film_labels.tif", labels, "TYX")
    assert main(["replay", str(path), "--quiet"]) == 1
    assert "film_labels.tif comes from another run, or has changed" in capsys.readouterr().out


def test_the_command_fails_in_one_sentence(tmp_path: Path, capsys) -> None:
    assert main(["replay", str(tmp_path / "missing.json")]) == 1
    assert capsys.readouterr().err.startswith("utile replay: Cannot read")


def test_a_region_of_a_large_plane_is_read_and_hashed_alone(monkeypatch, small_model) -> None:
    from napari_utile.engine.provenance import recipe as recipes

    class Lazy:
        """Says which rows are read."""

        def __init__(self, data) -> None:
            self._data, self.rows = data, set()
            self.shape, self.dtype, self.ndim = data.shape, data.dtype, 3

        def __getitem__(self, index):
            self.rows |= set(range(*index[1].indices(self.shape[1])))
            return self._data[index]

    monkeypatch.setattr(recipes, "EXACT_PIXELS", 1000)
    data = np.random.default_rng(0).integers(0, 60000, (1, 600, 40)).astype(np.uint16)
    lazy, region = Lazy(data), Window(slice(100, 150), slice(0, 40))
    plane = ImagePlane(lazy)
    params = SegmentParams(diameter=None, device="cpu", precision="float32")
    limits = IntensityLimits((0.0,), (60000.0,))
    made = Run(segment_steps(plane, params, model=small_model, region=region, limits=limits)).result
    record = recipes.record_plane(made, {})
    assert max(lazy.rows) < 300
    assert record.hashed == ((100, 150), (0, 40))
    assert record.pixels == recipes.sha256_of(data[:, 100:150, 0:40])
    assert recipes.hash_of(ImagePlane(data), None) == recipes.sha256_of(data)
