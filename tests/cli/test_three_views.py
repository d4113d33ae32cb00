"""`utile segment --three-views`, its tables and its replay."""

import json

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from sheets import rows_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")
USUAL = ("--diameter", "none", "--measurements", "--quiet", "--three-views")


@pytest.fixture
def stack(tmp_path):
    """Two balls of 7 pixels radius in planes that are 2 pixels apart, at two time points."""
    z, y, x = np.indices((10, 40, 40))
    near = [(z * 2 - 9) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= 49 for b, c in ((11, 12), (28, 27))]
    volume = np.where(np.any(near, 0), 200, 0).astype(np.uint8)
    return np.stack([volume, volume * near[0]])


def write(path, array, axes, **spacing):
    metadata = {"axes": axes, **spacing}
    tifffile.imwrite(path, array, imagej=True, resolution=(2, 2), metadata=metadata)
    return path


def run(path, out, *words):
    return main(["segment", str(path), "-o", str(out), *USUAL, *words])


def test_a_stack_becomes_objects_with_volumes_and_the_recipe_replays(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path, "--probability") == 0
    assert "2 objects, in three views" in capsys.readouterr().out
    labels = tifffile.imread(tmp_path / "balls_labels.tif")
    assert labels[4, 11, 12] == labels[6, 11, 12] == 1
    assert labels[4, 28, 27] == 2
    first, second = rows_of(tmp_path / "balls_objects.csv")
    assert float(first["volume_px"]) == np.count_nonzero(labels == 1)
    assert float(second["volume_um3"]) == np.count_nonzero(labels == 2) / 4
    assert float(first["z_extent_um"]) == pytest.approx(int(first["planes"]) * 1.0)
    assert {row["object"] for row in rows_of(tmp_path / "balls_cells.csv")} == {"1", "2"}
    assert tifffile.imread(tmp_path / "balls_probability.tif").shape == labels.shape
    recipe = json.loads((tmp_path / "balls_recipe.json").read_text())
    assert recipe["volume"] == {"three_views": True, "plane_distance": 2.0}
    assert "--three-views" in recipe["command"]
    assert main(["replay", str(tmp_path / "balls_recipe.json"), "--quiet"]) == 0
    assert "identical" in capsys.readouterr().out


def test_each_time_point_is_a_volume_and_ids_go_on(stack, tmp_path, capsys):
    path = write(tmp_path / "film.tif", stack, "TZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path) == 0
    assert "3 objects" in capsys.readouterr().out
    labels = tifffile.imread(tmp_path / "film_labels.tif")
    assert [np.unique(time).tolist() for time in labels] == [[0, 1, 2], [0, 3]]
    assert [row["t"] for row in rows_of(tmp_path / "film_objects.csv")] == ["0", "0", "1"]
    assert main(["replay", str(tmp_path / "film_recipe.json"), "--quiet"]) == 0


def test_a_changed_plane_is_noticed_by_the_replay(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path) == 0
    stack[0, 3, 0, 0] = 9
    write(path, stack[0], "ZYX", spacing=1.0, unit="um")
    capsys.readouterr()
    assert main(["replay", str(tmp_path / "balls_recipe.json"), "--quiet"]) == 1
    assert "pixels of balls.tif (Z 3)" in capsys.readouterr().out


def test_planes_of_unknown_distance_are_asked_for(stack, tmp_path, capsys):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, stack[0], metadata={"axes": "ZYX"})
    assert run(path, tmp_path) == 1
    assert "--plane-distance" in capsys.readouterr().err
    assert run(path, tmp_path, "--plane-distance", "2") == 0
    assert "2 objects" in capsys.readouterr().out


def test_what_three_views_cost_is_said(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path, "--estimate") == 0
    assert "three views, 90 tiles" in capsys.readouterr().out
    assert not (tmp_path / "balls_labels.tif").exists()


def test_what_does_not_go_together_is_one_sentence(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path, "--link", "t") == 1
    assert "not linked through time" in capsys.readouterr().err
    assert run(path, tmp_path / "x.zarr") == 1
    assert "it is not for stores" in capsys.readouterr().err


def test_settings_of_three_views_look_from_three_sides_and_single_options_win(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    assert run(path, tmp_path) == 0
    words = ["segment", str(path), "--settings", str(tmp_path / "balls_recipe.json"), "--quiet"]

    def recipe(name, *options):
        assert main([*words, "-o", str(tmp_path / name), *options]) == 0
        return json.loads((tmp_path / name / "balls_recipe.json").read_text())

    same = recipe("same")
    made = json.loads((tmp_path / "balls_recipe.json").read_text())
    assert (same["volume"], same["parameters"]) == (made["volume"], made["parameters"])
    assert (tmp_path / "same" / "balls_labels.tif").read_bytes() == (
        tmp_path / "balls_labels.tif"
    ).read_bytes()
    assert recipe("nearer", "--plane-distance", "1.5")["volume"]["plane_distance"] == 1.5
    for name, option in (("alone", "--link=none"), ("planes", "--no-three-views")):
        assert not {"volume", "linking"} & recipe(name, option).keys()
    assert recipe("linked", "--link", "z")["linking"]["parameters"]["link"] == "z"
    capsys.readouterr()
    assert main([*words, "-o", str(tmp_path / "balls.zarr")]) == 1
    assert "a volume is held in memory" in capsys.readouterr().err
    assert recipe("again", "--three-views", "--settings", str(tmp_path / "linked" / "balls_recipe.json"))[
        "volume"
    ]


def test_settings_of_three_views_segment_a_plane_as_if_they_were_of_planes(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    plane = write(tmp_path / "plane.tif", stack[0, 4], "YX")
    assert run(path, tmp_path) == 0
    assert main(["segment", str(plane), "-o", str(tmp_path), "--diameter", "none", "--quiet"]) == 0
    settings = ["--settings", str(tmp_path / "balls_recipe.json"), "--quiet"]
    capsys.readouterr()
    assert main(["segment", str(plane), "-o", str(tmp_path / "alone"), *settings]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "plane.tif: balls_recipe.json sees planes along Z in three views, and there is at most one here: nothing is "
        "linked"
    ]
    before, after = (
        json.loads((tmp_path / name / "plane_recipe.json").read_text()) for name in (".", "alone")
    )
    assert after["parameters"] == before["parameters"], "the threshold is that of one view"
    assert not {"volume", "linking"} & after.keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["-o", "balls.zarr"],
            "and a volume is held in memory, so it is not for stores: add --link z or --link none, or give a folder "
            "for TIFF.",
        ),
        (
            ["-o", "masked", "--mask", "mask.tif"],
            "and --mask with a file is of planes: add --link z or --link none, or leave out the file.",
        ),
    ],
)
def test_settings_of_three_views_are_named_where_they_do_not_go(
    stack, tmp_path, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    write(tmp_path / "mask.tif", np.ones((40, 40), np.uint8), "YX")
    assert run(path, tmp_path) == 0
    asked = ["segment", "balls.tif", "--settings", "balls_recipe.json", "--quiet", *words]
    capsys.readouterr()
    assert main(asked) == 1
    assert capsys.readouterr().err == f"utile segment: balls_recipe.json sees stacks in three views, {said}\n"
    assert main([*asked, "--three-views"]) == 1
    assert "--three-views" in capsys.readouterr().err
    for link in ("z", "none"):
        assert main([*asked, "--overwrite", "--link", link]) == 0


def test_settings_of_planes_with_limits_of_their_own_are_told_what_three_views_need(stack, tmp_path, capsys):
    path = write(tmp_path / "balls.tif", stack[0], "ZYX", spacing=1.0, unit="um")
    planes = ["segment", str(path), "--diameter", "none", "--quiet", "-o", str(tmp_path)]
    assert main([*planes, "--limits", "plane"]) == 0
    settings = ["--settings", str(tmp_path / "balls_recipe.json"), "--overwrite"]
    assert run(path, tmp_path, *settings) == 1
    assert "for the whole stack, not one for each plane: give --limits stack." in capsys.readouterr().err
    assert run(path, tmp_path, *settings, "--limits", "stack") == 0
