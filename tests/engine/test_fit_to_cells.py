"""A few given cells choose the settings; the other cells of the image gain by it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_utile.cli import main
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.fitting.cells import Target, Trial, fit_to_cells, keeps_to_itself, proven
from napari_utile.engine.inference.cell_size import CellSize, SizeTrial
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.provenance.recipe import load_recipe
from napari_utile.engine.provenance.settings import load_settings, save_settings, settings_of
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.training.fine_tune import new_model
from napari_utile.engine.windows import Window

SAMPLES = Path(__file__).parents[2] / "sample_data"


def mean_best_iou(found, truth, ids):
    scores = []
    for number in ids:
        cell = truth == number
        near = [each for each in np.unique(found[cell]) if each]
        scores.append(max([0.0] + [(cell & (found == n)).sum() / (cell | (found == n)).sum() for n in near]))
    return float(np.mean(scores))


@pytest.fixture(scope="module")
def off():
    """Nuclei twice as large, dark on a bright ground and dim; their labels; three of them, and the others."""
    image, truth = (tifffile.imread(SAMPLES / f"nuclei{end}.tif")[:160, :160] for end in ("", "_truth"))
    image = ndimage.zoom(image.astype(np.float32), 2, order=1)
    truth = truth.repeat(2, 0).repeat(2, 1)
    areas = np.bincount(truth.ravel())
    ids = [number for number in np.unique(truth) if number and areas[number] > 400]
    image = ((image.max() - image) * 0.05).astype(np.float32)
    return image, truth, ids[:3], ids[3:]


def fit_by_command(folder, image, labels):
    """Write an image and a few cells, fit `nuclei` to them as a user does; return the file of settings."""
    for name, pixels in {"image": image, "labels": labels.astype(np.uint16)}.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels)
    settings = folder / "fitted.json"
    words = ["--labels", str(folder / "labels.tif"), "--sparse", "--model", "nuclei", "-o", str(settings)]
    assert main(["fit", str(folder / "image.tif"), *words]) == 0
    return settings


def test_a_model_that_was_trained_further_is_fitted_alone(tmp_path, monkeypatch, make_bright_model):
    monkeypatch.chdir(tmp_path)
    base = {"training": {"base": "cells"}, "specialists": ("gone",)}
    make_bright_model(Path("own.safetensors"), object_diameter=16.0, **base)
    y, x = np.mgrid[:96, :96]
    discs = (y % 24 - 12) ** 2 + (x % 24 - 12) ** 2 < 64
    tifffile.imwrite("image.tif", (100 + 900 * discs).astype(np.uint16))
    tifffile.imwrite("labels.tif", (discs * (1 + y // 24 + 4 * (x // 24))).astype(np.uint16))
    words = ["--labels", "labels.tif", "--model", "own.safetensors", "-o", "fitted.json"]
    assert main(["fit", "image.tif", *words]) == 0


@pytest.mark.filterwarnings("ignore:.*does not look like:napari_utile.engine.errors.UtileWarning")
def test_three_cells_raise_the_others(off, tmp_path, capsys):
    image, truth, few, others = off
    settings = fit_by_command(tmp_path, image, np.where(np.isin(truth, few), truth, 0))
    assert re.search(r"nuclei, .*invert.*; what nuclei suggests: 0\.\d\d", capsys.readouterr().out)
    before = mean_best_iou(segment(image).labels, truth, others)
    status = main(
        ["segment", str(tmp_path / "image.tif"), "--settings", str(settings), "-o", str(tmp_path), "--quiet"]
    )
    assert status == 0
    after = mean_best_iou(tifffile.imread(tmp_path / "image_labels.tif"), truth, others)
    assert before < 0.4 < 0.75 < after
    said = load_recipe(tmp_path / "image_recipe.json").fitted
    assert re.fullmatch(r"3 cells \(mean IoU 0\.\d\d\)", said)
    assert load_settings(settings).fitted == load_settings(tmp_path / "image_recipe.json").fitted == said


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ((), True),
        (("--device", "cpu"), True),
        (("--limits", "stack"), True),
        (("--threshold", "0.8"), False),
        (("--channels", "0"), False),
        (("--preprocess", "invert"), False),
    ],
)
def test_the_recipe_says_that_settings_were_fitted_unless_one_is_overridden(
    tmp_path, bright_nuclei, option, kept
):
    tifffile.imwrite(tmp_path / "image.tif", (np.indices((40, 40)).sum(0) % 20 < 10).astype(np.uint8) * 200)
    params = SegmentParams("nuclei", diameter=20.0, instances=InstanceParams(threshold=0.4))
    save_settings(settings_of(params, "5 cells (mean IoU 0.90)"), tmp_path / "fitted.json")
    words = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path), "--quiet", *option]
    assert main([*words, "--settings", str(tmp_path / "fitted.json")]) == 0
    recipe = load_recipe(tmp_path / "image_recipe.json")
    assert recipe.fitted == ("5 cells (mean IoU 0.90)" if kept else "")
    assert recipe.params.diameter == 20


@pytest.mark.parametrize(
    ("target", "options", "recipe"),
    [
        ("a.ome.zarr", (), "a.ome.zarr/recipe.json"),
        ("out", ("--seeds", "seeds.tif"), "out/image_recipe.json"),
        ("a.ome.zarr", ("--seeds", "seeds.tif"), "a.ome.zarr/recipe.json"),
    ],
    ids=["store", "seeds", "seeds into a store"],
)
def test_so_do_those_of_stores_and_of_cells_grown_by_a_model(
    tmp_path, bright_nuclei, monkeypatch, target, options, recipe
):
    monkeypatch.chdir(tmp_path)
    bright = np.indices((40, 40)).sum(0) % 20 < 10
    tifffile.imwrite("image.tif", bright.astype(np.uint8) * 200)
    tifffile.imwrite("seeds.tif", np.pad(np.eye(2, dtype=np.uint8), 19))
    params = SegmentParams("nuclei", diameter=20.0, instances=InstanceParams(threshold=0.4))
    save_settings(settings_of(params, "5 cells (mean IoU 0.90)"), "fitted.json")
    words = ["segment", "image.tif", "-o", target, "--quiet", "--settings", "fitted.json"]
    assert main([*words, *options]) == 0
    assert json.loads(Path(recipe).read_text())["fitted"] == "5 cells (mean IoU 0.90)"


def test_cells_that_are_found_already_change_nothing_much(off):
    image, _, _, _ = off
    bright = image.max() - image
    model = load_model("nuclei")
    suggested = segment(bright, model, diameter=40)
    given = np.where(np.isin(suggested.labels, np.unique(suggested.labels)[1:5]), suggested.labels, 0)
    found = fit_to_cells(plane_from_array(bright), given, [model]).result
    assert found.iou >= found.before
    assert found.iou > 0.9
    assert found.params.preprocess is None
    assert (found.measured, found.asked.diameter) == (True, "auto")


def test_where_nothing_fits_better_each_image_is_measured(tmp_path, off, capsys):
    bright = off[0].max() - off[0]
    suggested = segment(bright, load_model("nuclei")).labels
    given = np.where(np.isin(suggested, np.unique(suggested)[1:5]), suggested, 0)
    settings = fit_by_command(tmp_path, bright, given)
    assert "nothing fits" in capsys.readouterr().out
    kept = load_settings(settings)
    assert (kept.segment["model"], kept.segment["diameter"], dict(kept.instances)) == ("nuclei", "auto", {})
    assert (
        main(
            [
                "segment",
                str(tmp_path / "image.tif"),
                "--settings",
                str(settings),
                "-o",
                str(tmp_path),
                "--quiet",
            ]
        )
        == 0
    )
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "image_labels.tif"), suggested)


def test_under_three_cells_it_declines():
    labels = np.zeros((30, 30), int)
    labels[2:5, 2:5], labels[9:12, 9:12] = 1, 2
    with pytest.raises(UtileError, match=r"at least 3 cells, and 2 cells are labelled"):
        fit_to_cells(plane_from_array(np.zeros((30, 30))), labels, [])
    with pytest.raises(UtileError, match=r"at least 3 cells, and 1 cell is labelled"):
        fit_to_cells(plane_from_array(np.zeros((30, 30))), labels // 2, [])


@pytest.mark.usefixtures("bright_nuclei")
def test_cells_of_one_pixel_are_fitted_too():
    labels = np.zeros((60, 70), int)
    labels[4::9, 4::9] = np.arange(1, 57).reshape(7, 8)
    image = np.where(labels > 0, 200, 20).astype(np.uint8)
    found = fit_to_cells(plane_from_array(image), labels, [load_model("nuclei")]).result
    assert found.iou == 1
    assert found.params.diameter >= 1


def test_models_that_cannot_read_a_colour_image_are_left_out_and_one_alone_says_why(off):
    image, truth, few, _ = off
    bright = np.uint8(255 * (image.max() - image) / np.ptp(image))
    given = np.where(np.isin(truth, few), truth, 0)
    plane = plane_from_array(np.stack([bright] * 3, axis=-1), "YXS")
    two_stains = new_model("stains", "unet", width=4, depth=1, in_channels=2)
    found = fit_to_cells(plane, given, [two_stains, load_model("nuclei")]).result
    assert found.params.model == "nuclei"
    with pytest.raises(UtileError, match="choose them, red is 0"):
        list(fit_to_cells(plane, given, [two_stains]))


@pytest.mark.usefixtures("bright_nuclei")
def test_where_no_cell_is_found_nothing_is_chosen():
    labels = np.zeros((40, 40), int)
    labels[2:9, 2:9], labels[20:29, 2:9], labels[20:29, 20:29] = 1, 2, 3
    plane = plane_from_array(np.full((40, 40), 7, np.float32))
    with pytest.raises(UtileError, match=r"^None of 3 cells is found with any settings"):
        list(fit_to_cells(plane, labels, [load_model("nuclei")]))


BASE = SegmentParams("nuclei", diameter=20.0)


def gain(iou, *, measured=True, params=BASE, **values):
    chosen = replace(params, instances=InstanceParams(**values))
    trial = Trial(chosen, np.array([iou - 0.1, iou + 0.1]), InstanceParams(), measured)
    return float(trial.less_price(BASE).mean())


def test_what_differs_from_one_press_must_gain_the_more_the_more_it_is():
    assert gain(0.7) == pytest.approx(0.7)
    assert gain(0.7, threshold=0.4) == pytest.approx(0.68)
    assert gain(0.7, threshold=0.4, split=0.5, minimum_size=9) == pytest.approx(0.64)
    assert gain(0.7, measured=False) == pytest.approx(0.65)
    other = replace(BASE, model="cells", preprocess="invert")
    assert gain(0.7, params=other) == gain(0.7, params=replace(BASE, model="cells")) == pytest.approx(0.65)
    assert gain(0.7, params=other, measured=False, split=0.5) == pytest.approx(0.58)
    assert gain(0.7, fill_holes=7) == pytest.approx(0.7), "what is not fitted has no price"


def trial(*scores, **values):
    return Trial(replace(BASE, instances=InstanceParams(**values)), np.array(scores, float), InstanceParams())


def test_what_helps_one_cell_only_fails_when_it_is_left_out():
    press, lucky = trial(0.5, 0.5, 0.5), trial(1.0, 0.45, 0.45, threshold=0.4)
    assert proven([press, lucky], press) is press
    better = trial(0.6, 0.6, 0.6, threshold=0.4)
    assert proven([press, better], press) is better
    assert proven([better, press], press) is better


def test_what_gains_less_than_its_price_is_not_taken():
    press = trial(0.5, 0.5, 0.5)
    assert proven([trial(0.515, 0.515, 0.515, threshold=0.4)], press) is press
    little = trial(0.525, 0.525, 0.525, threshold=0.4)
    assert proven([little], press) is little
    assert proven([press], press) is press


def known_sizes(sureness, cells=30):
    """What models measured of an image, who see it so sure and deep: 20 px across."""
    return {
        name: CellSize(20.0, (SizeTrial(1.0, cells, value, 20.0, value, value),))
        for name, value in sureness.items()
    }


@pytest.mark.parametrize(
    ("sureness", "kept"),
    [
        ({"cells": 0.9, "phase": 0.7}, True),
        ({"cells": 0.7, "phase": 0.9}, False),
        ({"cells": 0.9}, True),
    ],
    ids=["surer than its specialist", "less sure", "alone"],
)
def test_one_press_may_take_a_specialist_instead(sureness, kept):
    asked = replace(BASE, model="cells")
    assert keeps_to_itself(load_model("cells"), asked, known_sizes(sureness)) is kept
    assert keeps_to_itself(load_model("nuclei"), BASE, {})


def test_cells_found_beside_count_only_where_the_annotation_is_dense():
    labels = np.zeros((6, 12), int)
    labels[1:5, 1:5] = 7
    found = np.zeros((6, 12), np.int32)
    found[1:5, 1:5], found[1:5, 7:10] = 1, 2
    target = Target(Window.whole((6, 12)), labels, 7, np.zeros((6, 12), bool))
    assert target.score(found, dense=False) == 1
    assert target.score(found, dense=True) == 0.5
    rim = np.zeros((6, 12), bool)
    rim[:, 9] = True
    assert replace(target, rim=rim).score(found, dense=True) == 1
    assert target.score(np.zeros_like(found), dense=False) == 0
