"""`utile segment` into stores."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.engine.files.pyramid import read_pyramid
from napari_utile.engine.models.library import load_model
from napari_utile.engine.store.begin import begin_store
from stores import labels_in, planned

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Bright squares of 9 pixels."""
    data = np.full((90, 120), 100, np.uint8)
    for y in range(5, 80, 20):
        for x in range(5, 110, 20):
            data[y : y + 9, x : x + 9] = 220
    path = tmp_path / "cells.tif"
    write_image(path, data, None, (0.5, 0.5), "µm")
    return path


def segment(image: Path, place: Path, *options: str) -> int:
    words = ["segment", str(image), "-o", str(place), "--diameter", "none", "--quiet", *options]
    return main(words)


def test_a_target_that_ends_in_zarr_is_a_store_with_the_same_labels(tmp_path: Path, image, capsys) -> None:
    place = tmp_path / "a.ome.zarr"
    assert segment(image, place, "--measurements") == 0
    assert "cells.tif: 24 cells" in capsys.readouterr().out
    assert segment(image, tmp_path) == 0
    np.testing.assert_array_equal(labels_in(place), read_image(tmp_path / "cells_labels.tif").data)
    assert (place / "tables" / "cells.csv").is_file()


def test_a_store_that_exists_is_not_replaced_unasked(tmp_path: Path, image, capsys) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place) == 0
    assert segment(image, place) == 1
    assert "--resume" in capsys.readouterr().err
    assert segment(image, place, "--resume") == 0
    assert "finished already" in capsys.readouterr().out
    assert segment(image, place, "--overwrite", "--threshold", "0.6") == 0
    write_image(image, 255 - read_image(image).data, None, (0.5, 0.5), "µm")
    assert segment(image, place, "--resume") == 1
    assert f"{image} has changed since a.zarr was started" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--threshold", "0.7"), "--threshold 0.5, not 0.7"),
        (("--percentiles", "1,99"), "started without --percentiles: leave the option out"),
        (("--channels", "0"), "started without --channels:"),
        (("--axes", "YX"), "started without --axes:"),
        (("--accept-missing",), "started without --accept-missing:"),
        (("--diameter", "9"), "started with --diameter none, not 9.0:"),
        (("--region", "0:50,0:50"), "--region"),
        (("--mask",), "another choice of --mask: leave the option out"),
    ],
)
def test_resuming_with_other_options_names_them(tmp_path: Path, image, capsys, options, named) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place, "--threshold", "0.5") == 0
    assert segment(image, place, "--resume", *options) == 1
    assert named in capsys.readouterr().err


def test_resuming_says_values_as_they_are_typed(tmp_path: Path, image, capsys) -> None:
    place, settings = tmp_path / "a.zarr", tmp_path / "settings.json"
    assert segment(image, place, "--percentiles", "1,99", "--preprocess", "invert", "--accept-missing") == 0
    assert segment(image, place, "--resume", "--no-accept-missing") == 1
    assert "a.zarr was started with --accept-missing, not without: leave" in capsys.readouterr().err
    assert segment(image, place, "--resume", "--percentiles", "2,99.5") == 1
    assert "a.zarr was started with --percentiles 1.0,99.0, not 2.0,99.5: leave" in capsys.readouterr().err
    settings.write_text(json.dumps({"format": "napari-utile settings 1", "segment": {"preprocess": ""}}))
    assert segment(image, place, "--resume", "--settings", str(settings)) == 1
    assert "a.zarr was started with --preprocess invert, not without: leave" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"instances": {"threshold": 0.7}}, "--threshold 0.5, not 0.7"),
        ({"segment": {"preprocess": "invert"}}, "started without --preprocess: leave the option out"),
        ({"segment": {"diameter": "none", "preprocess": ""}, "instances": {"threshold": 0.5}}, ""),
    ],
)
def test_resuming_with_other_settings_names_what_differs(
    tmp_path: Path, image, capsys, values, named
) -> None:
    place, settings = tmp_path / "a.zarr", tmp_path / "settings.json"
    assert segment(image, place, "--threshold", "0.5") == 0
    settings.write_text(json.dumps({"format": "napari-utile settings 1", **values}))
    assert segment(image, place, "--resume", "--settings", str(settings)) == bool(named)
    assert named in capsys.readouterr().err


def test_the_recipe_of_a_store_is_settings_and_is_replayed_in_its_store_alone(
    tmp_path: Path, image, capsys
) -> None:
    place, copied = tmp_path / "a.zarr", tmp_path / "copied.json"
    assert segment(image, place, "--threshold", "0.4") == 0
    copied.write_bytes((place / "recipe.json").read_bytes())
    assert segment(image, tmp_path / "again", "--settings", str(copied)) == 0
    [made] = (tmp_path / "again").glob("*_recipe.json")
    params = json.loads(made.read_text())["parameters"]
    assert (params["diameter"], params["instances"]["threshold"]) == (None, 0.4)
    assert main(["replay", str(copied)]) == 1
    assert "copied.json is the recipe of a store and belongs inside it." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            "napari-utile settings 1",
            "holds settings, which utile segment --settings takes, and is not a recipe.",
        ),
        ("napari-utile links 1", "says how labels were linked, and not what made them."),
        ("napari-utile recipe 9", "is of a version that this one does not read (napari-utile recipe 9)."),
        ("something", "is not a recipe."),
        (["napari-utile recipe 1"], "is not a recipe."),
    ],
)
def test_what_a_file_is_that_cannot_be_replayed_is_said(tmp_path: Path, capsys, said, what) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"format": said}))
    assert main(["replay", str(path)]) == 1
    assert capsys.readouterr().err.strip().endswith(f"a.json {what}")


def test_a_store_is_finished_where_its_model_is_not_in_the_library(tmp_path: Path, image) -> None:
    place = tmp_path / "a.zarr"
    model, data = load_model("nuclei"), np.asarray(read_image(image).data)
    plan = planned(model, data, image)[1]
    begin_store(place, replace(plan, model="mine", params=replace(plan.params, model="mine")), model)
    assert main(["segment", str(image), "-o", str(place), "--resume", "--quiet"]) == 0
    assert labels_in(place).max() == 24


@pytest.mark.parametrize("option", ["--overwrite", "--resume", "--quiet"])
def test_a_store_that_is_read_is_never_written(tmp_path: Path, image, capsys, option) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place) == 0
    before = {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}
    for read in (place, place / "labels/cells"):
        assert segment(read, place, option) == 1
        assert "it is what is read here" in capsys.readouterr().err
    assert {each: each.read_bytes() for each in place.rglob("*") if each.is_file()} == before


def test_what_is_no_store_is_never_overwritten(tmp_path: Path, image, capsys) -> None:
    place = tmp_path / "mine.zarr"
    place.mkdir()
    (place / "data").write_text("precious")
    assert segment(image, place, "--overwrite") == 1
    assert "not a store of this program" in capsys.readouterr().err
    assert (place / "data").read_text() == "precious"


@pytest.mark.parametrize(
    "options", [("--model", "nope"), ("--channels", "7"), ("--region", "0:999,0:999"), ("--link", "z")]
)
def test_a_store_is_deleted_only_when_a_new_one_can_begin(tmp_path: Path, image, options) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place) == 0
    before = {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}
    assert segment(image, place, "--overwrite", *options) == 1
    assert {each: each.read_bytes() for each in place.rglob("*") if each.is_file()} == before


def test_a_store_is_replaced_where_a_link_leads(tmp_path: Path, image) -> None:
    place, link = tmp_path / "a.ome.zarr", tmp_path / "link.ome.zarr"
    assert segment(image, place) == 0
    link.symlink_to(place)
    assert segment(image, link, "--overwrite", "--region", "0:50,0:60") == 0
    assert link.is_symlink()
    assert labels_in(place).shape == (50, 60)
    assert {each.name for each in tmp_path.iterdir()} == {"cells.tif", "a.ome.zarr", "link.ome.zarr"}


def test_a_store_stays_where_the_memory_does_not_hold_the_new_one(tmp_path: Path, image, monkeypatch) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place) == 0
    labels = labels_in(place)

    def refuse(plan):
        raise UtileError("not enough memory")

    monkeypatch.setattr("napari_utile.engine.store.begin.check_memory", refuse)
    assert segment(image, place, "--overwrite") == 1
    np.testing.assert_array_equal(labels_in(place), labels)
    assert {each.name for each in tmp_path.iterdir()} == {"cells.tif", "a.zarr"}


def test_where_labels_are_wanted_a_store_gives_its_cells(tmp_path: Path, image, capsys) -> None:
    place, out = tmp_path / "a.zarr", tmp_path / "out"
    assert segment(image, place) == segment(image, out) == 0
    capsys.readouterr()
    for labels, table in ((place, "a.csv"), (out / "cells_labels.tif", "b.csv")):
        assert main(["measure", str(labels), str(image), "-o", str(tmp_path / table)]) == 0
    assert capsys.readouterr().err == ""
    first, second = (
        [line.partition(",")[2] for line in (tmp_path / table).read_text().splitlines()]
        for table in ("a.csv", "b.csv")
    )
    assert first == second
    assert main(["evaluate", str(place), str(out / "cells_labels.tif"), "--minimum", "ap50=1"]) == 0


def test_a_folder_of_stores(tmp_path: Path, image) -> None:
    assert segment(image, tmp_path / "out", "--format", "ome-zarr") == 0
    assert labels_in(tmp_path / "out" / "cells.ome.zarr").max() > 0


def test_options_of_stores_are_refused_elsewhere(tmp_path: Path, image, capsys) -> None:
    assert segment(image, tmp_path / "out", "--resume") in (1, 2)
    assert "--resume is for stores" in capsys.readouterr().err


def test_an_estimate_writes_nothing(tmp_path: Path, image, capsys) -> None:
    assert segment(image, tmp_path / "a.zarr", "--estimate") == 0
    assert "1 block" in capsys.readouterr().out
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize("options", [(), ("--overwrite",), ("--resume",)])
def test_an_estimate_leaves_a_store_as_it_is(tmp_path: Path, image, capsys, options) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place) == 0
    before = {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}
    capsys.readouterr()
    assert segment(image, place, "--estimate", *options) == 0
    assert "1 block" in capsys.readouterr().out
    assert {each: each.read_bytes() for each in place.rglob("*") if each.is_file()} == before


def test_the_recipe_of_a_store_replays(tmp_path: Path, image, capsys) -> None:
    place = tmp_path / "a.ome.zarr"
    assert segment(image, place) == 0
    capsys.readouterr()
    assert main(["replay", str(place / "recipe.json"), "--quiet"]) == 0
    assert "identical: 1 of 1 blocks" in capsys.readouterr().out
    assert {each.name for each in tmp_path.iterdir()} == {"cells.tif", "a.ome.zarr"}
    stored = zarr.open_array(place / "labels/cells/0", mode="r+")
    before = stored[...]
    stored[...] = 0
    assert main(["replay", str(place / "recipe.json"), "--quiet"]) == 1
    assert (
        "different: 0 of 1 blocks identical to the last bit, labels/cells differs in 1 block"
        in capsys.readouterr().out
    )
    stored[...] = before
    journal = place / ".utile" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    changed = [re.sub(r'"labels": "..', '"labels": "00', line) for line in lines]
    journal.write_text("\n".join(changed) + "\n")
    assert main(["replay", str(place / "recipe.json"), "--quiet"]) == 1
    assert (
        "different: 0 of 1 blocks identical to the last bit, labels/cells differs in 1 block"
        in capsys.readouterr().out
    )


def test_a_mask_on_wish_with_the_levels_of_the_labels(tmp_path: Path, image) -> None:
    place = tmp_path / "a.ome.zarr"
    assert segment(image, place, "--mask") == 0
    mask = zarr.open_array(place / "labels/mask/0", mode="r")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask[...], labels_in(place) > 0)
    ome = zarr.open_group(place / "labels", mode="r").attrs["ome"]
    assert ome["labels"] == ["cells", "mask"]
    yaozarrs.validate_zarr_store(str(place / "labels" / "mask"))


@pytest.mark.parametrize("store", [True, False])
def test_cells_are_looked_for_only_where_labels_are(tmp_path: Path, image, store) -> None:
    labels = np.zeros((45, 60), np.uint16)  # half the resolution
    labels[:, :20], labels[:10] = 7, 3
    write_labels(tmp_path / "tissue.tif", labels)
    place = tmp_path / ("a.ome.zarr" if store else "out")
    assert segment(image, place, "--mask", str(tmp_path / "tissue.tif")) == 0
    made = labels_in(place) if store else read_image(place / "cells_labels.tif").data
    assert segment(image, tmp_path / "all") == 0
    every = np.asarray(read_image(tmp_path / "all" / "cells_labels.tif").data)
    inside = np.kron(labels > 0, np.ones((2, 2), bool))
    np.testing.assert_array_equal(np.asarray(made) > 0, (every > 0) & inside)
    if not store:
        assert not (place / "cells_mask.tif").exists()
        assert main(["replay", str(place / "cells_recipe.json"), "--quiet"]) == 0
        assert "--mask" in (place / "cells_recipe.json").read_text()


@pytest.mark.parametrize("to", ["a.zarr", "out"])
def test_a_mask_of_other_proportions_is_said(tmp_path: Path, image, capsys, to) -> None:
    for shape in ((9, 12), (12, 9)):
        write_labels(tmp_path / "m.tif", np.ones(shape, np.uint8))
        assert segment(image, tmp_path / to, "--mask", str(tmp_path / "m.tif"), "--estimate") == 0
        said = "cells.tif: the mask is stretched from 12 x 9 to 90 x 120 pixels: is it of this image?\n"
        assert capsys.readouterr().err == (said if shape == (12, 9) else "")


@pytest.mark.parametrize("to", ["a.zarr", "out"])
def test_a_mask_without_a_pixel_is_refused(tmp_path: Path, image, capsys, to) -> None:
    write_labels(tmp_path / "none.tif", np.zeros((9, 9), np.uint8))
    assert segment(image, tmp_path / to, "--mask", str(tmp_path / "none.tif")) == 1
    assert "is empty: no pixel is above 0" in capsys.readouterr().err
    assert not (tmp_path / to).exists()


def test_a_region_has_the_same_places_in_a_store_and_in_a_folder(tmp_path: Path, image) -> None:
    region = ("--region", "20:85,30:110", "--measurements")
    assert segment(image, tmp_path / "a.zarr", *region) == 0
    assert segment(image, tmp_path / "out", *region) == 0
    one, other = (
        list(csv.DictReader(path.read_text().splitlines()))
        for path in (tmp_path / "a.zarr/tables/cells.csv", tmp_path / "out/cells_cells.csv")
    )
    assert len(one) > 6
    for name in ("area_px", "centroid_y", "centroid_x", "intensity_mean"):
        assert [float(row[name]) for row in one] == pytest.approx([float(row[name]) for row in other])
    assert min(float(row["centroid_y"]) for row in one) > 20, "in pixels of the whole image"
    assert min(float(row["centroid_x"]) for row in one) > 30


def test_stores_of_version_0_4_hold_the_same_and_are_read_everywhere(tmp_path: Path, stack) -> None:
    options = ("--link", "z", "--measurements", "--mask", "--outputs", "uint16")
    for name, version in (("a", "0.5"), ("b", "0.4")):
        assert segment(stack, tmp_path / f"{name}.ome.zarr", *options, "--ome-zarr", version) == 0
    new, old = tmp_path / "a.ome.zarr", tmp_path / "b.ome.zarr"
    np.testing.assert_array_equal(labels_in(old), labels_in(new))
    for path in ("0", "1", "labels/cells/1", "labels/mask/0", "outputs/classes/0"):
        if not (new / path).exists():
            continue
        one, other = (zarr.open_array(place / path, mode="r") for place in (new, old))
        assert (other.metadata.zarr_format, other.shards) == (2, None)
        np.testing.assert_array_equal(one[...], other[...])
    for name in ("objects", "cells_Z0"):
        one, other = ((place / "tables" / f"{name}.csv").read_bytes() for place in (new, old))
        assert one == other
    pyramid = read_pyramid(old)
    assert [labels.name for labels in pyramid.labels] == ["cells", "mask"]
    assert (pyramid.scale, pyramid.units) == (read_pyramid(new).scale, read_pyramid(new).units)
    assert main(["verify", str(old), "--quiet"]) == 0
    assert main(["replay", str(old / "recipe.json"), "--quiet"]) == 0
    assert not [each.name for each in old.rglob("zarr.json") if ".utile" not in each.parts]
    yaozarrs.validate_zarr_store(str(old))


def test_a_store_of_version_0_4_is_resumed_as_such(tmp_path: Path, image, capsys) -> None:
    place = tmp_path / "a.zarr"
    assert segment(image, place, "--ome-zarr", "0.4") == 0
    assert segment(image, place, "--resume", "--ome-zarr", "0.5") == 1
    assert "was started with --ome-zarr 0.4, not 0.5" in capsys.readouterr().err
    (place / "labels" / ".zattrs").unlink()
    assert main(["measure", str(place / "labels/cells"), "-o", str(tmp_path / "c.csv")]) != 0
    assert segment(image, place, "--resume") == 0
    assert (place / "labels" / ".zattrs").is_file()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Squares in four planes, each a little to the right of the one before."""
    data = np.full((4, 90, 120), 100, np.uint8)
    for plane in range(4):
        for y in range(5, 80, 20):
            for x in range(5, 100, 20):
                data[plane, y : y + 9, x + plane : x + plane + 9] = 220
    path = tmp_path / "stack.tif"
    write_image(path, data, "ZYX", (0.5, 0.5), "µm", {"Z": (2.0, "µm")})
    return path


@pytest.mark.parametrize(("link", "table"), [("z", "objects"), ("t", "tracks")])
def test_linked_stores_have_the_ids_and_tables_of_linked_files(
    tmp_path: Path, stack, capsys, link, table
) -> None:
    place, words = tmp_path / "a.ome.zarr", ["--link", link, "--measurements", "--axes", f"{link.upper()}YX"]
    assert segment(stack, place, *words) == 0
    assert f"20 {table}" in (said := capsys.readouterr().out)
    assert "from 80 cells" in said
    assert segment(stack, tmp_path, *words) == 0
    np.testing.assert_array_equal(labels_in(place), read_image(tmp_path / "stack_labels.tif").data)
    assert labels_in(place).max() == 20
    ours, theirs = place / "tables" / f"{table}.csv", tmp_path / f"stack_{table}.csv"
    assert ours.read_text() == theirs.read_text()
    assert f"--link {link}" in (place / "recipe.json").read_text()
    capsys.readouterr()
    assert segment(stack, place, "--resume", "--link", "none", "--axes", f"{link.upper()}YX") == 1
    assert f"started with --link {link}, not none" in capsys.readouterr().err
    assert main(["replay", str(place / "recipe.json"), "--quiet"]) == 0


def test_what_stores_cannot_do_is_said_with_what_to_do(tmp_path: Path, stack, image, capsys) -> None:
    assert segment(stack, tmp_path / "a.zarr", "--three-views") == 1
    assert "--link z" in capsys.readouterr().err
    assert segment(image, tmp_path / "a.zarr", "--link", "z") == 1
    assert "has no planes along Z, its axes are YX: leave out --link z." in capsys.readouterr().err
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_outputs_on_wish(tmp_path: Path, image, capsys, dtype) -> None:
    place = tmp_path / "a.ome.zarr"
    assert segment(image, place, "--outputs", dtype) == 0
    kept = zarr.open_array(place / "outputs/classes/0", mode="r")
    assert kept.dtype == dtype
    assert kept.shape == (2, 90, 120)
    assert segment(image, place, "--resume", "--outputs", "none") == 1
    assert f"started with --outputs {dtype}, not none" in capsys.readouterr().err
    assert segment(image, tmp_path / "out", "--outputs", dtype) == 1
    assert "--outputs is for stores" in capsys.readouterr().err
    yaozarrs.validate_zarr_store(str(place))
    yaozarrs.validate_zarr_store(str(place / "outputs" / "classes"))
