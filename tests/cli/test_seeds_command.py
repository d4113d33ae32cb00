"""`utile segment --seeds`, as a user types it."""

import json

import numpy as np
import pytest
import tifffile

from napari_utile import grow_seeds, segment
from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from sheets import rows_of


def discs(places, radius, shape=(96, 120)):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint16)
    for number, (y, x) in places.items():
        labels[np.hypot(yy - y, xx - x) < radius] = number
    return labels


PLACES = {7: (30, 30), 300: (30, 62), 12: (66, 88)}


@pytest.fixture
def folder(tmp_path):
    """A stain of whole cells of radius 13, and nuclei of radius 6 in them, beside something of no nucleus."""
    rng = np.random.default_rng(0)
    cells = discs({**PLACES, 5: (70, 24)}, 13)
    nuclei = discs(PLACES, 6)
    stain = 100 + 900 * (cells > 0) + 500 * (nuclei > 0) + rng.normal(0, 20, cells.shape)
    tifffile.imwrite(tmp_path / "one.tif", stain.astype(np.uint16), imagej=True, resolution=(2, 2))
    (tmp_path / "seeds").mkdir()
    tifffile.imwrite(tmp_path / "seeds" / "one_labels.tif", nuclei)
    return tmp_path


def call(folder, *words):
    return main(["segment", str(folder / "one.tif"), "--seeds", str(folder / "seeds"), "-o", str(folder / "out"),
                 "--quiet", *words])  # fmt: skip


def test_each_seed_grows_to_one_cell_with_its_id(folder, capsys):
    assert call(folder, "--seed-distance", "9", "--measurements") == 0
    assert "3 cells grown from seeds" in capsys.readouterr().out
    found = tifffile.imread(folder / "out" / "one_labels.tif")
    truth = discs(PLACES, 13)
    assert set(np.unique(found)) == set(np.unique(truth))
    for number in PLACES:
        both, either = (found == number) & (truth == number), (found == number) | (truth == number)
        assert both.sum() / either.sum() > 0.85
    image, seeds = (tifffile.imread(folder / name) for name in ("one.tif", "seeds/one_labels.tif"))
    np.testing.assert_array_equal(grow_seeds(image, seeds, distance=9), found)
    rows = rows_of(folder / "out" / "one_cells.csv")
    assert [(int(row["index"]), int(row["label"])) for row in rows] == [(each, each) for each in (7, 12, 300)]
    assert all(1.2 < float(row["intensity_nucleus_to_cytoplasm"]) < 1.6 for row in rows)
    assert {"area_nucleus_share", "intensity_mean_ring", "area_px"} <= set(rows[0])
    assert call(folder) == 0
    assert not (folder / "out" / "one_cells.csv").exists(), "it was of the cells before"


@pytest.mark.parametrize("words", [(), ("--model", "nuclei", "--diameter", "26", "--threshold", "0.4")])
def test_the_recipe_grows_the_same_cells_again_and_notices_other_seeds(folder, capsys, words):
    assert call(folder, *words) == 0
    recipe = folder / "out" / "one_recipe.json"
    assert main(["replay", str(recipe), "--quiet"]) == 0
    assert "identical: 3 cells" in capsys.readouterr().out
    values = json.loads(recipe.read_text())
    assert values["seeds"].endswith("one_labels.tif")
    assert (values["distance"] is None) == bool(words)
    seeds = tifffile.imread(folder / "seeds" / "one_labels.tif")
    tifffile.imwrite(folder / "seeds" / "one_labels.tif", np.roll(seeds, 1))
    assert main(["replay", str(recipe), "--quiet"]) == 1
    assert "different: The seeds of one are not those of the recipe." in capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("--model", "nuclei", "--diameter", "26")])
def test_a_replay_notices_that_grown_labels_were_changed_or_deleted(folder, capsys, words):
    assert call(folder, *words) == 0
    recipe, labels = folder / "out" / "one_recipe.json", folder / "out" / "one_labels.tif"
    tifffile.imwrite(labels, np.zeros_like(tifffile.imread(labels)))
    assert main(["replay", str(recipe), "--quiet"]) == 1
    assert "different: one_labels.tif comes from another run, or has changed" in capsys.readouterr().out
    labels.unlink()
    assert main(["replay", str(recipe), "--quiet"]) == 1
    assert "different: There is no one_labels.tif beside this recipe" in capsys.readouterr().out


def test_with_a_model_cells_end_where_its_foreground_ends(folder):
    assert call(folder, "--model", "nuclei", "--diameter", "26") == 0
    found = tifffile.imread(folder / "out" / "one_labels.tif")
    seeds = tifffile.imread(folder / "seeds" / "one_labels.tif")
    made = segment(tifffile.imread(folder / "one.tif"), "nuclei", diameter=26)
    foreground = made.foreground > made.params.instances.threshold
    assert set(np.unique(found)) == {0, *PLACES}
    assert not (found[~foreground & (seeds == 0)]).any()
    np.testing.assert_array_equal(
        grow_seeds(tifffile.imread(folder / "one.tif"), seeds, "nuclei", diameter=26), found
    )


def test_planes_of_a_stack_pair_with_those_of_the_seeds(folder):
    image, seeds = tifffile.imread(folder / "one.tif"), tifffile.imread(folder / "seeds" / "one_labels.tif")
    flipped = [np.stack([each, each[::-1], each[:, ::-1]]) for each in (image, seeds)]
    for path, stack in zip(("one.tif", "seeds/one_labels.tif"), flipped, strict=True):
        tifffile.imwrite(folder / path, stack, imagej=True, metadata={"axes": "TYX"})
    assert call(folder, "--seed-distance", "8", "--t", "1:3") == 0
    found = tifffile.imread(folder / "out" / "one_labels.tif")
    for plane, pixels, nuclei in zip(found, flipped[0][1:], flipped[1][1:], strict=True):
        np.testing.assert_array_equal(plane, grow_seeds(pixels, nuclei, distance=8))
    assert main(["replay", str(folder / "out" / "one_recipe.json")]) == 0


def test_wrong_calls_are_one_sentence(folder, capsys):
    for option in ("--probability", "--into-image", "--estimate", "--shard=1/2"):
        assert call(folder, option) == 2
        assert "--seeds does not take" in capsys.readouterr().err
    for option in ("--resume", "--workers=2"):
        assert call(folder, option) == 1
        assert f"{option.split('=')[0]} is for stores" in capsys.readouterr().err
    assert call(folder, "--seed-distance", "-1") == 2
    tifffile.imwrite(folder / "seeds" / "one_labels.tif", np.eye(5, dtype=np.uint8))
    capsys.readouterr()
    assert call(folder) == 1
    assert "The seeds have 5 x 5 pixels and one has 96 x 120" in capsys.readouterr().err
    tifffile.imwrite(folder / "two.tif", np.eye(5, dtype=np.uint8))
    words = ["--seeds", str(folder / "seeds" / "one_labels.tif"), "-o", str(folder / "out")]
    assert main(["segment", str(folder / "one.tif"), str(folder / "two.tif"), *words]) == 1
    assert "holds the seeds of one image" in capsys.readouterr().err
    for option in (
        "--threshold=0.4",
        "--diameter=20",
        "--settings=x --split=0.5",
        "--model=nuclei --minimum-size=9",
    ):
        for target in ("out", "out.zarr"):
            assert call(folder, *option.split(), "-o", str(folder / target)) == 2
            assert "--seeds does not take --" in capsys.readouterr().err
    with pytest.raises(UtileError, match="'split' is not for cells from seeds"):
        grow_seeds(np.ones((5, 5)), np.ones((5, 5), int), "nuclei", split=0.4)
    with pytest.raises(UtileError, match="needs a model"):
        grow_seeds(np.ones((5, 5)), np.ones((5, 5), int), threshold=0.4)


@pytest.mark.parametrize("target", ["out/one_recipe.json", "out.zarr/recipe.json"])
def test_seeds_without_a_model_are_not_settings_of_a_segmentation(folder, capsys, target):
    recipe = folder / target
    assert call(folder, "-o", str(recipe.parent)) == 0
    words = ["--settings", str(recipe), "-o", str(folder / "again")]
    assert main(["segment", str(folder / "one.tif"), *words]) == 1
    said = f"{recipe.name} is the recipe of cells that grew from seeds without a model: it has no settings."
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("target", ["out/one_recipe.json", "out.zarr/recipe.json"])
def test_what_a_model_saw_of_seeds_is_settings_of_a_segmentation(folder, bright_nuclei, target):
    recipe = folder / target
    words = ["--model", "nuclei", "--diameter", "21"]
    assert call(folder, *words, "-o", str(recipe.parent)) == 0
    again = [
        "segment",
        str(folder / "one.tif"),
        "--settings",
        str(recipe),
        "-o",
        str(folder / "again"),
        "--quiet",
    ]
    assert main(again) == 0
    made = json.loads((folder / "again" / "one_recipe.json").read_text())
    assert (made["parameters"]["model"], made["parameters"]["diameter"]) == ("nuclei", 21)
