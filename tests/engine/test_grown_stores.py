"""Seeds that grow into a store grow to the cells of one piece, to the bit, however they are cut, stopped or resumed."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bright_model import save_bright_model
from napari_utile import grow_seeds
from napari_utile.cli import main
from napari_utile.engine.cells.compartments import compartments
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import read_columns
from napari_utile.engine.steps import Run
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.run import store_steps
from napari_utile.engine.store.table import path_of_table
from napari_utile.engine.store.verify import replay_store, verify_store
from napari_utile.engine.store.versions import write_part
from napari_utile.engine.windows import Window
from sheets import rows_of
from stores import image_of, labels_in

SHAPE = (150, 230)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A noisy image, seeds of odd numbers in odd places on it, and a model."""
    folder = tmp_path_factory.mktemp("grown")
    image = image_of(SHAPE)
    tifffile.imwrite(folder / "image.tif", image)
    rng = np.random.default_rng(3)
    seeds = np.zeros(SHAPE, np.int32)
    for number in rng.permutation(40)[:25]:
        y, x = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
        seeds[y : y + rng.integers(1, 9), x : x + rng.integers(1, 9)] = 1 + number * 1000
    tifffile.imwrite(folder / "seeds.tif", seeds)
    save_bright_model(folder / "bright.safetensors")
    return folder


def by_model(folder):
    return ["--model", str(folder / "bright.safetensors"), "--diameter", "none", "--threshold", "0.4"]


def grow(folder, place, *words):
    words = [
        "segment",
        str(folder / "image.tif"),
        "--seeds",
        str(folder / "seeds.tif"),
        "-o",
        str(place),
        *words,
    ]
    return main([*words, "--quiet"])


@pytest.fixture(params=["intensity", "model", "model at a distance"])
def words(request, folder):
    distance = [] if request.param == "model" else ["--seed-distance", "11.5"]
    return [*([] if request.param == "intensity" else by_model(folder)), *distance]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 pixels."""
    from napari_utile.cli import stores

    plan = stores.plan_store
    monkeypatch.setattr(stores, "plan_store", lambda *args, **options: plan(*args, **{**options, "side": 64}))


def in_one_piece(folder, tmp_path, words):
    assert grow(folder, tmp_path / "one", *words) == 0
    return tifffile.imread(tmp_path / "one" / "image_labels.tif")


def test_a_store_has_the_cells_of_one_piece(folder, tmp_path, words, small_blocks, capsys) -> None:
    expected = in_one_piece(folder, tmp_path, words)
    assert "25 cells grown from seeds" in capsys.readouterr().out
    place = tmp_path / "a.ome.zarr"
    assert grow(folder, place, *words) == 0
    assert "25 cells grown from seeds" in capsys.readouterr().out
    assert len(load_plan(place).grid) == 12
    np.testing.assert_array_equal(labels_in(place), expected)
    assert Run(verify_store(place, 12)).result.holds
    proof = Run(replay_store(place)).result
    assert (proof.identical, proof.holds) == (12, True)


def test_measurements_are_those_of_one_piece(folder, tmp_path, words, small_blocks) -> None:
    in_one_piece(folder, tmp_path, [*words, "--measurements"])
    place = tmp_path / "a.ome.zarr"
    assert grow(folder, place, *words, "--measurements") == 0

    def table(path):
        return {int(row["index"]): row for row in rows_of(path)}

    one, blocks = table(tmp_path / "one" / "image_cells.csv"), table(place / "tables" / "cells.csv")
    assert one.keys() == blocks.keys()
    columns = set(next(iter(blocks.values())))
    assert {"area_nucleus_px2", "intensity_mean_ring", "intensity_nucleus_to_cytoplasm"} <= columns
    for label, row in blocks.items():
        for name in columns:
            np.testing.assert_allclose(float(row[name] or "nan"), float(one[label][name] or "nan"), rtol=1e-9)


def test_cells_that_are_edited_are_measured_with_their_nuclei_again(folder, tmp_path, small_blocks) -> None:
    for name in ("image.tif", "seeds.tif"):
        shutil.copy(folder / name, tmp_path / name)
    place = tmp_path / "a.ome.zarr"
    assert grow(tmp_path, place, "--seed-distance", "9", "--measurements") == 0
    labels = labels_in(place)
    seeds, image = (tifffile.imread(tmp_path / name) for name in ("seeds.tif", "image.tif"))
    label = int(labels[seeds > 0][len(labels[seeds > 0]) // 2])
    edited = labels.copy()
    y, x = np.nonzero((labels == label) & (seeds == 0))
    edited[y[::2], x[::2]] = 0
    window = Window.of_mask(labels == label)
    write_part(place, 0, window, labels[window], edited[window])
    table = read_columns(path_of_table(place, {}))
    expected = compartments(edited, seeds, image)
    for name, column in expected.items():
        np.testing.assert_allclose(np.asarray(table[name], float), column, rtol=1e-9)
    (tmp_path / "seeds.tif").unlink()
    write_part(place, 0, window, edited[window], labels[window])
    row = read_columns(path_of_table(place, {}))["index"].tolist().index(label)
    assert np.isnan(read_columns(path_of_table(place, {}))["intensity_mean_ring"][row])


def test_a_run_that_ends_at_any_step_is_resumed(folder, tmp_path, words, small_blocks) -> None:
    place = tmp_path / "a.ome.zarr"
    assert grow(folder, place, *words) == 0
    part = tmp_path / "part.ome.zarr"
    journal = (place / ".utile" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    import napari_utile.engine.store.begin as begin
    from napari_utile.engine.models.library import load_model

    plan = load_plan(place)
    model = load_model(folder / "bright.safetensors") if plan.fingerprint else None
    begin.begin_store(part, plan, model)
    for stop in (3, 14, 30):
        steps = store_steps(part)
        for done, _ in enumerate(steps):
            if done == stop % 9 + 2:
                steps.close()
                break
        with pytest.raises(UtileError, match="not finished"):
            list(Run(verify_store(part)))
    assert grow(folder, part, "--resume") == 0
    np.testing.assert_array_equal(labels_in(part), labels_in(place))
    for file in sorted(place.rglob("*")):
        if file.is_file() and file.name not in ("journal.jsonl", "recipe.json", "lock"):
            assert file.read_bytes() == (part / file.relative_to(place)).read_bytes(), file
    assert len(journal) == len((part / ".utile" / "journal.jsonl").read_bytes().splitlines())


def test_a_command_that_the_recipe_gives_makes_the_store_again(folder, tmp_path, words, small_blocks) -> None:
    import shlex

    place = tmp_path / "a.ome.zarr"
    assert grow(folder, place, *words) == 0
    before = labels_in(place)
    recipe = json.loads((place / "recipe.json").read_text())
    assert (recipe["model"] is None) == ("--model" not in words)
    shutil.rmtree(place)
    assert main([*shlex.split(recipe["command"])[1:], "--quiet"]) == 0
    np.testing.assert_array_equal(labels_in(place), before)


def test_a_stain_is_measured_on_some_of_a_large_plane(folder, tmp_path, small_blocks, monkeypatch) -> None:
    import napari_utile.engine.planes.normalize as normalize

    for name, value in (("EXACT_PIXELS", 1000), ("LATTICE", 2), ("BLOCK", 48)):
        monkeypatch.setattr(normalize, name, value)
    expected = in_one_piece(folder, tmp_path, ["--seed-distance", "9"])
    place = tmp_path / "a.ome.zarr"
    assert grow(folder, place, "--seed-distance", "9") == 0
    np.testing.assert_array_equal(labels_in(place), expected)
    monkeypatch.undo()
    whole = tmp_path / "whole.ome.zarr"
    assert grow(folder, whole, "--seed-distance", "9") == 0
    assert load_plan(whole).seeds.stains != load_plan(place).seeds.stains


def test_a_folder_of_images_pairs_with_a_folder_of_seeds(folder, tmp_path, capsys) -> None:
    for name in ("images", "seeds"):
        (tmp_path / name).mkdir()
    for name in ("one", "two", "three"):
        shutil.copy(folder / "image.tif", tmp_path / "images" / f"{name}.tif")
    for name in ("one", "two"):
        shutil.copy(folder / "seeds.tif", tmp_path / "seeds" / f"{name}_labels.tif")
    words = [
        "segment",
        str(tmp_path / "images"),
        "--seeds",
        str(tmp_path / "seeds"),
        "-o",
        str(tmp_path / "out"),
    ]
    assert main([*words, "--format", "ome-zarr", "--estimate"]) == 1
    said = capsys.readouterr()
    assert "three.tif: there are no seeds with this name" in said.err
    assert said.out.count("1 block") == 2
    assert not (tmp_path / "out").exists()
    assert main([*words, "--format", "ome-zarr", "--quiet"]) == 1
    assert "1 of 3 images failed" in capsys.readouterr().err
    one, two = (labels_in(tmp_path / "out" / f"{name}.ome.zarr") for name in ("one", "two"))
    np.testing.assert_array_equal(one, two)


def test_planes_of_a_stack_grow_from_their_own_seeds(folder, tmp_path, small_blocks) -> None:
    image, seeds = (tifffile.imread(folder / name) for name in ("image.tif", "seeds.tif"))
    for name, plane in (("image.tif", image), ("seeds.tif", seeds)):
        stack = np.stack([plane, plane[::-1], plane[:, ::-1]])
        tifffile.imwrite(tmp_path / name, stack, metadata={"axes": "TYX"}, ome=True)
    assert grow(tmp_path, tmp_path / "a.ome.zarr", "--seed-distance", "9", "--t", "1:3") == 0
    found = labels_in(tmp_path / "a.ome.zarr")
    for plane, turn in zip(found, (slice(None, None, -1), (slice(None), slice(None, None, -1))), strict=True):
        np.testing.assert_array_equal(plane, grow_seeds(image[turn], seeds[turn], distance=9))


def test_what_cannot_be_is_one_sentence(folder, tmp_path, small_blocks, capsys) -> None:
    place = tmp_path / "a.ome.zarr"
    for option in ("--probability", "--link=z", "--region=0:64,0:64", "--outputs=float32", "--mask"):
        assert grow(folder, place, option) == 2
        assert "--seeds does not take" in capsys.readouterr().err
    assert not place.exists()
    assert grow(folder, place) == 0
    image = folder / "image.tif"
    assert main(["segment", str(image), "-o", str(place), "--resume", "--quiet"]) == 1
    assert "resume with the same" in capsys.readouterr().err
    assert grow(folder, place, "--resume", "--seed-distance", "3") == 1
    assert "--seed-distance" in capsys.readouterr().err
    assert grow(folder, place, "--resume") == 0
    assert "finished already" in capsys.readouterr().out
    other = tmp_path / "other"
    other.mkdir()
    seeds = tifffile.imread(folder / "seeds.tif")
    shutil.copy(image, other / "image.tif")
    tifffile.imwrite(other / "seeds.tif", seeds[:-1])
    assert grow(other, tmp_path / "b.ome.zarr") == 1
    assert "The seeds have 149 x 230 pixels" in capsys.readouterr().err
    tifffile.imwrite(other / "seeds.tif", seeds.astype(np.int64) * 10**9)
    assert grow(other, tmp_path / "b.ome.zarr") == 1
    assert "renumber them" in capsys.readouterr().err


def test_seeds_that_changed_since_are_noticed(folder, tmp_path, small_blocks, capsys) -> None:
    for name in ("image.tif", "seeds.tif"):
        shutil.copy(folder / name, tmp_path / name)
    place = tmp_path / "a.ome.zarr"
    assert grow(tmp_path, place) == 0
    seeds = tifffile.imread(tmp_path / "seeds.tif")
    tifffile.imwrite(tmp_path / "seeds.tif", np.roll(seeds, 5))
    assert not Run(verify_store(place, 12)).result.holds
    (place / "labels" / "zarr.json").unlink()
    assert grow(tmp_path, place, "--resume") == 1
    assert "seeds.tif has changed since" in capsys.readouterr().err


def test_where_no_seed_is_near_no_network_runs(folder, tmp_path, small_blocks) -> None:
    seeds = np.zeros((200, 700), np.uint8)
    seeds[90:99, 40:49] = 3
    image = image_of(seeds.shape)
    tifffile.imwrite(tmp_path / "image.tif", image)
    tifffile.imwrite(tmp_path / "seeds.tif", seeds)
    place = tmp_path / "a.ome.zarr"
    words = [*by_model(folder), "--seed-distance", "20"]
    assert grow(tmp_path, place, *words) == 0
    facts = json.loads((place / "recipe.json").read_text())["planes"][0]["blocks"]
    assert 0 < sum(bool(each.get("empty")) for each in facts) < len(facts)
    np.testing.assert_array_equal(labels_in(place), in_one_piece(tmp_path, tmp_path, words))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.sampled_from([8, 16, 64]), st.floats(0, 30), st.booleans())
def test_any_seeds_on_any_blocks(
    folder, tmp_path_factory, monkeypatch, seed, side, distance, with_model
) -> None:
    from napari_utile.cli import stores

    rng = np.random.default_rng(seed)
    shape = tuple(int(size) for size in rng.integers(1, 90, 2))
    here = tmp_path_factory.mktemp("any")
    smooth = ndimage.gaussian_filter(rng.random(shape), rng.integers(0, 4))
    image = (np.round(smooth / (smooth.max() or 1) * 8) * 8000 if seed % 2 else smooth * 60000).astype(
        np.uint16
    )
    seeds = np.where(rng.random(shape) < rng.choice([0.001, 0.02]), rng.integers(1, 2**31, shape), 0)
    tifffile.imwrite(here / "image.tif", image)
    tifffile.imwrite(here / "seeds.tif", seeds.astype(np.int32))
    words = [*(by_model(folder) if with_model else []), "--seed-distance", str(distance)]
    plan = stores.plan_store
    with monkeypatch.context() as patch:
        patch.setattr(stores, "plan_store", lambda *args, **options: plan(*args, **{**options, "side": side}))
        assert grow(here, here / "a.ome.zarr", *words) == 0
    np.testing.assert_array_equal(labels_in(here / "a.ome.zarr"), in_one_piece(here, here, words))
