"""`utile segment --link`: one id for one cell in labels, tables and recipe."""

import json
import re

import numpy as np
import pytest
import tifffile
import zarr

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.links import link
from napari_utile.engine.segment import segment
from pictures import label_discs
from sheets import rows_of


@pytest.fixture
def model(bright_nuclei):
    return bright_nuclei


def discs(*cells):
    return np.where(label_discs((40, 60), *cells), 200, 0).astype(np.uint8)


STACK = np.array([discs((20, 20, r), (20, 45, 5)) for r in (5, 6, 7, 6)])
FRAMES = np.array(
    [
        discs((20, 20, 7), (10, 50, 5)),
        discs((14, 20, 5), (26, 20, 5), (12, 50, 5)),
        discs((12, 20, 5), (28, 20, 5), (14, 50, 5)),
    ]
)


def run(path, out, *words):
    options = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--measurements", "--quiet"]
    return main(["segment", str(path), "-o", str(out), *options, *words])


def write(path, stack, axes, **spacing):
    metadata = {"axes": axes, **spacing}
    tifffile.imwrite(path, stack, metadata=metadata, imagej=True, resolution=(2, 2))
    return path


def test_sections_become_objects_with_volumes_and_the_recipe_replays(model, tmp_path, capsys):
    image = write(tmp_path / "stack.tif", STACK, "ZYX", spacing=2.0, unit="um")
    assert run(image, tmp_path, "--link", "z") == 0
    assert "2 objects" in capsys.readouterr().out
    labels = tifffile.imread(tmp_path / "stack_labels.tif")
    assert [np.unique(plane).tolist() for plane in labels] == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    np.testing.assert_array_equal(labels, link(labels, "z").labels)
    cells = rows_of(tmp_path / "stack_cells.csv")
    assert all(row["object"] == row["index"] == row["label"] for row in cells)
    for row in rows_of(tmp_path / "stack_objects.csv"):
        voxels = np.count_nonzero(labels == int(row["object"]))
        assert int(row["volume_px"]) == voxels == sum(int(each["area_px"]) for each in cells
                                                     if each["object"] == row["object"])  # fmt: skip
        assert float(row["volume_um3"]) == pytest.approx(voxels * 0.5 * 0.5 * 2)
        assert (row["planes"], row["z_first"], row["z_last"]) == ("4", "0", "3")
        assert float(row["z_extent_um"]) == 8
    assert main(["replay", str(tmp_path / "stack_recipe.json"), "--quiet"]) == 0
    assert "linked to 2" in capsys.readouterr().out


def test_frames_become_tracks_and_divisions_are_reported(model, tmp_path, capsys):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX", finterval=30.0, unit="um")
    assert run(image, tmp_path, "--link", "t", "--link-gap", "0") == 0
    assert "4 tracks, 1 division" in capsys.readouterr().out
    tracks = {row["track_id"]: row for row in rows_of(tmp_path / "cells_tracks.csv")}
    mother = next(row for row in tracks.values() if row["divides"] == "1")
    assert [row["track_id"] for row in tracks.values() if row["parent"] == mother["track_id"]] == ["3", "4"]
    speed = next(name for name in mother if name.startswith("speed_um_per_"))
    still = next(row for row in tracks.values() if row["t_last"] == "2" and row["parent"] == "0")
    assert float(still["path_um"]) == pytest.approx(2, abs=0.01)  # 2 x 2 pixels of half a micrometre
    assert float(still[speed]) == pytest.approx(2 / 60, rel=0.01)
    recipe = json.loads((tmp_path / "cells_recipe.json").read_text())
    assert recipe["linking"]["parents"] == {"3": int(mother["track_id"]), "4": int(mother["track_id"])}
    assert "--link t --link-gap 0" in recipe["command"]


def test_a_replay_notices_other_links_and_labels_that_were_exchanged(model, tmp_path, capsys):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX")
    assert run(image, tmp_path, "--link", "t") == 0
    path = tmp_path / "cells_recipe.json"
    recipe = json.loads(path.read_text())
    recipe["linking"]["parameters"] |= {"link_distance": 0, "link_overlap": 1}
    path.write_text(json.dumps(recipe))
    assert main(["replay", str(path), "--quiet"]) == 1
    assert "link differently" in capsys.readouterr().out
    assert run(image, tmp_path) == 0
    linked = tifffile.imread(tmp_path / "cells_labels.tif")
    assert run(image, tmp_path, "--link", "t") == 0
    tifffile.imwrite(tmp_path / "cells_labels.tif", linked, photometric="minisblack")
    assert main(["replay", str(path), "--quiet"]) == 1
    assert "from another run" in capsys.readouterr().out


def test_an_image_without_such_planes_is_one_sentence_and_the_others_are_done(model, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.tif", STACK, "ZYX")
    tifffile.imwrite(tmp_path / "in" / "b.tif", STACK[0])
    write(tmp_path / "in" / "c.tif", STACK, "TYX")
    assert run(tmp_path / "in", tmp_path / "out", "--link", "z") == 1
    said, lacks = capsys.readouterr().err, "has no planes along Z, its axes are"
    assert f"b.tif {lacks} YX: leave out --link z." in said
    assert f"c.tif {lacks} TYX: leave out --link z, or say what they are, such as --axes ZYX." in said
    assert (tmp_path / "out" / "a_objects.csv").exists()
    assert not (tmp_path / "out" / "b_labels.tif").exists()


@pytest.mark.parametrize(
    ("axes", "chosen", "wish"),
    [
        ("ZYX", ("z", "1"), ("link", "z")),
        ("ZYX", ("z", "1"), ("three-views", "")),
        ("ZYX", ("project", "z:focus"), ("link", "z")),
        ("TZYX", ("project", "z:focus"), ("three-views", "")),
        ("TZYX", ("project", "z:focus"), ("link", "z")),
        ("TZYX", ("t", "1"), ("link", "t")),
        ("TZYX", ("project", "t:max"), ("link", "t")),
    ],
)
def test_what_leaves_one_plane_along_the_axis_is_named(model, tmp_path, capsys, axes, chosen, wish):
    image = write(tmp_path / "a.tif", {"ZYX": STACK, "TZYX": np.stack([STACK, STACK])}[axes], axes)
    said = "{} leaves one plane of a.tif along {}, and {} needs several: leave out one of the two."
    axis = "T" if chosen in (("t", "1"), ("project", "t:max")) else "Z"
    called = [" ".join(filter(None, (f"--{name}", value))) for name, value in (chosen, wish)]
    for more in ((), ("--estimate",)):
        assert run(image, tmp_path / "out", *" ".join(called).split(), *more) == 1
        assert said.format(called[0], axis, called[1]) in capsys.readouterr().err
    assert not (tmp_path / "out" / "a_labels.tif").exists()
    views = {"three_views": True} if wish[0] == "three-views" else dict([wish])
    called = [f"{name}={value!r}" for name, value in (chosen, *views.items())]
    with pytest.raises(UtileError, match=f"^{re.escape(said.format(called[0], axis, called[1]))}$"):
        segment(image, **dict([chosen]), **views)


def test_axes_are_advised_only_where_the_letter_is_free_and_planes_of_the_other_are_not_chosen(
    model, tmp_path, capsys
):
    with pytest.raises(
        UtileError, match=r"^image has one plane along Z, and link='z' needs several: leave it out\.$"
    ):
        segment(FRAMES[:, None], axes="TZYX", link="z")
    image = write(tmp_path / "film.tif", FRAMES, "TYX")
    assert run(image, tmp_path, "--link", "z", "--t", "0:2") == 1
    assert "its axes are TYX: leave out --link z.\n" in capsys.readouterr().err
    with pytest.raises(UtileError, match=r"leave out link='z', or say what they are, such as axes='ZYX'\.$"):
        segment(image, link="z")


def test_empty_planes_link_to_nothing(model, tmp_path, capsys):
    image = write(tmp_path / "empty.tif", np.zeros((3, 30, 30), np.uint8), "ZYX")
    assert run(image, tmp_path, "--link", "z") == 0
    assert rows_of(tmp_path / "empty_objects.csv") == []
    assert main(["replay", str(tmp_path / "empty_recipe.json"), "--quiet"]) == 0


def test_each_depth_of_a_time_series_has_its_own_tracks_whatever_the_order_of_the_axes(model, tmp_path):
    image = write(tmp_path / "both.tif", np.stack([FRAMES, FRAMES], axis=1), "TZYX")
    assert run(image, tmp_path, "--link", "t") == 0
    labels = tifffile.imread(tmp_path / "both_labels.tif")
    assert labels.shape == (3, 2, 40, 60)
    assert not set(np.unique(labels[:, 0])) & set(np.unique(labels[:, 1])) - {0}
    depths = {row["track_id"]: row["z"] for row in rows_of(tmp_path / "both_tracks.csv")}
    cells = rows_of(tmp_path / "both_cells.csv")
    assert cells
    assert all(depths[row["track_id"]] == row["z"] for row in cells)


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
def test_linked_labels_are_those_of_their_recipe_whatever_the_order_of_the_axes(
    model, tmp_path, capsys, axes
):
    stack = np.stack([FRAMES, np.roll(FRAMES, 5, axis=1)], axis=axes.index("Z"))
    tifffile.imwrite(tmp_path / "both.tif", stack, ome=True, metadata={"axes": axes})
    assert run(tmp_path / "both.tif", tmp_path, "--link", "t") == 0
    assert main(["replay", str(tmp_path / "both_recipe.json"), "--quiet"]) == 0
    assert "different" not in capsys.readouterr().out


def test_python_links_as_the_command_does(model, tmp_path):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX", finterval=30.0, unit="um")
    assert run(image, tmp_path, "--link", "t") == 0
    words = {"diameter": None, "minimum_size": 2, "split": 0}
    for source in (image, FRAMES):
        made = segment(source, link="t", **words)
        np.testing.assert_array_equal(made.labels, tifffile.imread(tmp_path / "cells_labels.tif"))
        assert made.links.parents == {3: 2, 4: 2}
    table = segment(image, link="t", **words).measure()
    assert {name: [str(each) for each in column] for name, column in table.items()}.items() <= {
        name: [row[name] for row in rows_of(tmp_path / "cells_tracks.csv")]
        for name in rows_of(tmp_path / "cells_tracks.csv")[0]
    }.items()
    with pytest.raises(UtileError, match="no planes along Z, its axes are YX: leave out link='z'"):
        segment(FRAMES[0], link="z", axes="YX")
    with pytest.raises(ValueError, match="link must be one of"):
        segment(FRAMES, link="c")


@pytest.mark.parametrize("how", ["z", "three views"])
def test_objects_of_a_region_lie_where_its_cells_do(model, tmp_path, how):
    image = write(tmp_path / "stack.tif", STACK, "ZYX", spacing=0.5, unit="um")
    views = how == "three views"
    words = [*(["--three-views"] if views else ["--link", "z"]), "--region", "8:36,10:58"]
    assert run(image, tmp_path, *words) == 0
    sums = {}
    for cell in rows_of(tmp_path / "stack_cells.csv"):
        y, area = float(cell["centroid_y"]), int(cell["area_px"])
        sums[cell["object"]] = np.add(sums.get(cell["object"], 0), (y * area, area))
    wanted = {each: total / area for each, (total, area) in sums.items()}
    objects = rows_of(tmp_path / "stack_objects.csv")
    assert {row["object"]: float(row["centroid_y"]) for row in objects} == pytest.approx(wanted)
    assert sorted(round(float(row["centroid_x"])) for row in objects) == [20, 45]
    options = {"three_views": True} if views else {"link": "z"}
    region = (slice(8, 36), slice(10, 58))
    table = segment(image, diameter=None, minimum_size=2, split=0, region=region, **options).measure()
    assert [str(each) for each in table["centroid_y"]] == [row["centroid_y"] for row in objects]
    assert main(["replay", str(tmp_path / "stack_recipe.json"), "--quiet"]) == 0
    if not views:
        store = tmp_path / "made.ome.zarr"
        assert run(image, store, *words) == 0
        of_store = rows_of(store / "tables" / "objects.csv")
        for name in ("centroid_y", "centroid_x"):
            assert [float(row[name]) for row in of_store] == pytest.approx(
                [float(row[name]) for row in objects]
            )


@pytest.mark.parametrize("store", [False, True], ids=["file", "store"])
def test_tracks_of_a_region_lie_in_the_image_and_its_masks_in_the_labels(model, tmp_path, capsys, store):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX", finterval=30.0, unit="um")
    out = tmp_path / "made.ome.zarr" if store else tmp_path
    assert run(image, out, "--link", "t", "--region", "5:38,8:58", "--t", "1:3") == 0
    labels = out if store else tmp_path / "cells_labels.tif"
    assert main(["measure", str(labels), "-o", str(tmp_path / "cells.csv")]) == 0
    capsys.readouterr()
    assert main(["export", str(labels), "-o", str(tmp_path / "tracks.geff")]) == 0
    assert "positions are those in the image" in capsys.readouterr().err
    props = zarr.open_group(tmp_path / "tracks.geff", mode="r")["nodes/props"]
    t, y, x = (np.asarray(props[f"{name}/values"]) for name in "tyx")
    cells = rows_of(tmp_path / "cells.csv")
    wanted = [(int(row["t"]), float(row["centroid_y"]), float(row["centroid_x"])) for row in cells]
    assert sorted(zip((t / 30).round().tolist(), y * 2, x * 2, strict=True)) == [
        pytest.approx(each, abs=1e-3) for each in sorted(wanted)
    ]
    assert main(["export", str(labels), "-o", str(tmp_path / "01_RES")]) == 0
    assert "masks and frames are those of the labels" in capsys.readouterr().err
    assert tifffile.imread(tmp_path / "01_RES" / "mask000.tif").shape == (33, 50)


@pytest.mark.parametrize("name", ["01_RES", "tracks.geff"])
def test_tracks_go_to_other_programs_with_their_divisions(model, tmp_path, capsys, name):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX", finterval=30.0, unit="um")
    labels = tmp_path / "cells_labels.tif"
    assert run(image, tmp_path) == 0
    assert main(["export", str(labels), "-o", str(tmp_path / name)]) == 1
    assert "segment with --link t" in capsys.readouterr().err
    assert run(image, tmp_path, "--link", "t") == 0
    assert main(["export", str(labels), "-o", str(tmp_path / name)]) == 0
    assert f"{name}: 4 tracks" in capsys.readouterr().out
    if name.endswith("_RES"):
        assert (tmp_path / name / "res_track.txt").read_text() == "1 0 2 0\n2 0 0 0\n3 1 2 2\n4 1 2 2\n"
    (tmp_path / "cells_recipe.json").unlink()
    assert main(["export", str(labels), "-o", str(tmp_path / f"other {name}")]) == 0
    assert "no division is known" in capsys.readouterr().err
    assert main(["export", str(image.with_name("none.tif")), "-o", str(tmp_path / "a.geff")]) == 1


@pytest.mark.parametrize("inside", ["", "labels/cells"])
def test_tracks_of_a_store_have_the_divisions_of_its_recipe(model, tmp_path, capsys, inside):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX", finterval=30.0, unit="um")
    linked, unlinked = tmp_path / "linked.ome.zarr", tmp_path / "unlinked.ome.zarr"
    assert run(image, linked, "--link", "t") == run(image, unlinked) == 0
    capsys.readouterr()
    assert main(["export", str(linked / inside), "-o", str(tmp_path / "01_RES")]) == 0
    assert "no division" not in capsys.readouterr().err
    assert (tmp_path / "01_RES" / "res_track.txt").read_text() == "1 0 2 0\n2 0 0 0\n3 1 2 2\n4 1 2 2\n"
    for name in ("02_RES", "tracks.geff"):
        assert main(["export", str(unlinked / inside), "-o", str(tmp_path / name)]) == 1
        assert "segment with --link t" in capsys.readouterr().err
        assert not (tmp_path / name).exists()


def test_settings_of_a_linked_result_link_and_single_options_win(model, tmp_path):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX")
    assert run(image, tmp_path, "--link", "t", "--link-gap", "0", "--link-overlap", "0.4") == 0
    settings = ["--settings", str(tmp_path / "cells_recipe.json")]

    def linking(name, *words):
        assert run(image, tmp_path / name, *settings, *words) == 0
        recipe = json.loads((tmp_path / name / "cells_recipe.json").read_text())
        params = recipe.get("linking", {"parameters": {}})["parameters"]
        return [params.get(each) for each in ("link", "link_gap", "link_overlap")]

    assert linking("same") == ["t", 0, 0.4]
    same, made = (tmp_path / name / "cells_labels.tif" for name in ("same", "."))
    assert same.read_bytes() == made.read_bytes()
    assert (tmp_path / "same" / "cells_tracks.csv").is_file()
    assert linking("wider", "--link-gap", "2") == ["t", 2, 0.4]
    assert linking("alone", "--link", "none") == [None, None, None]


UNLINKED = "cells_recipe.json links planes along T, and there is at most one here: nothing is linked"


@pytest.mark.parametrize("target", ["results", "plane.zarr"])
def test_settings_that_link_leave_an_image_of_one_plane_unlinked(model, tmp_path, capsys, target):
    film = write(tmp_path / "cells.tif", FRAMES, "TYX")
    plane = write(tmp_path / "plane.tif", FRAMES[0], "YX")
    assert run(film, tmp_path, "--link", "t") == 0
    settings = ["--settings", str(tmp_path / "cells_recipe.json")]
    capsys.readouterr()
    assert run(plane, tmp_path / target, *settings) == 0
    assert capsys.readouterr().err.splitlines() == [f"plane.tif: {UNLINKED}"]
    recipe = "recipe.json" if target.endswith(".zarr") else "plane_recipe.json"
    assert "linking" not in json.loads((tmp_path / target / recipe).read_text())
    assert not [*(tmp_path / target).rglob("*tracks.csv")]
    if target.endswith(".zarr"):
        assert run(plane, tmp_path / target, *settings, "--resume") == 0
    assert run(plane, tmp_path / "typed", *settings, "--link", "t") == 1
    assert "plane.tif has no planes along T, its axes are YX: leave out --link t" in capsys.readouterr().err
    assert run(plane, tmp_path / "none", *settings, "--link", "none") == 0
    assert "links planes" not in capsys.readouterr().err


def test_of_a_batch_with_settings_that_link_only_what_has_planes_there_is_linked(model, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    film = write(images / "cells.tif", FRAMES, "TYX")
    for name, pixels, axes in (("plane", FRAMES[0], "YX"), ("stack", STACK, "ZYX")):
        write(images / f"{name}.tif", pixels, axes)
    assert run(film, tmp_path, "--link", "t") == 0
    settings = ["--settings", str(tmp_path / "cells_recipe.json")]
    capsys.readouterr()
    assert run(images, tmp_path / "out", *settings, "--estimate") == 0
    assert run(images, tmp_path / "out", *settings) == 0
    said = capsys.readouterr().err
    assert [said.count(f"{name}.tif: {UNLINKED}") for name in ("cells", "plane", "stack")] == [0, 2, 2]
    assert [path.name for path in (tmp_path / "out").glob("*_tracks.csv")] == ["cells_tracks.csv"]
    fields = rows_of(tmp_path / "out" / "fields.csv")
    assert [(row["image"], row["tracks"]) for row in fields] == [
        ("cells.tif", "4"),
        ("plane.tif", ""),
        ("stack.tif", ""),
    ]
    assert run(film, tmp_path / "one", *settings, "--t", "1") == 0
    assert f"cells.tif: {UNLINKED}" in capsys.readouterr().err


def test_a_store_links_as_its_settings_say_and_is_resumed_with_them(model, tmp_path, capsys):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX")
    assert run(image, tmp_path, "--link", "t", "--link-gap", "0") == 0
    settings = ["--settings", str(tmp_path / "cells_recipe.json")]
    store = tmp_path / "cells.zarr"
    assert run(image, store, *settings) == 0
    assert json.loads((store / "recipe.json").read_text())["linking"]["parameters"]["link_gap"] == 0
    assert run(image, store, *settings, "--resume") == 0
    capsys.readouterr()
    assert run(image, store, *settings, "--link", "none", "--resume") == 1
    assert "--link t" in capsys.readouterr().err


def test_settings_that_link_nothing_are_as_those_that_say_nothing_of_it(model, tmp_path):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX")
    assert run(image, tmp_path) == 0
    settings = ["--settings", str(tmp_path / "cells_recipe.json")]
    store = tmp_path / "cells.zarr"
    assert run(image, store, *settings, "--link", "t") == 0
    assert run(image, store, *settings, "--resume") == 0


def test_cells_from_seeds_keep_their_ids_whatever_settings_link(model, tmp_path, capsys):
    image = write(tmp_path / "cells.tif", FRAMES, "TYX")
    assert run(image, tmp_path, "--link", "t") == 0
    settings, seeds = (str(tmp_path / f"cells_{name}") for name in ("recipe.json", "labels.tif"))
    words = ["--settings", settings, "--seeds", seeds, "--quiet"]
    for target in ("grown", "grown.zarr"):
        assert main(["segment", str(image), "-o", str(tmp_path / target), *words]) == 0
        said = "cells_recipe.json links planes: cells that grow from seeds keep the ids of these"
        assert said in capsys.readouterr().err
    assert "linking" not in json.loads((tmp_path / "grown.zarr" / "recipe.json").read_text())
