"""Calls from Python with numbers, arrays and options of types that scripts have: the same result, or one sentence."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import xarray
import zarr

from napari_utile import (
    average_precision,
    cell_scores,
    evaluate,
    fine_tune,
    grow_seeds,
    import_model,
    link,
    load_model,
    measure,
    read_image,
    save_model,
    segment,
    weight_map,
)
from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.files.images import write_labels
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.training.fine_tune import new_model

Y, X = np.mgrid[:64, :64]
IMAGE = (200 * ((Y % 32 - 16) ** 2 + (X % 32 - 16) ** 2 < 81)).astype(np.uint8)
LABELS = np.zeros((64, 64), np.uint16)
LABELS[:32, :32][IMAGE[:32, :32] > 0] = 3
LABELS[32:, 32:][IMAGE[32:, 32:] > 0] = 70
FRAMES = xarray.DataArray(np.stack([LABELS] * 3), dims=("time", "y", "x"))


def small() -> tuple:
    model = new_model("small", width=4, depth=2)
    return model.card, model.network


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"channels": 0, "percentiles": [0, 100]}, {"percentiles": (0.0, 100.0)}),
        ({"channels": np.array([0]), "tile": np.int8(64), "minimum_size": np.int16(9)}, {"minimum_size": 9}),
        (
            {"percentiles": np.array([0, 99]), "threshold": np.float32(0.5)},
            {"percentiles": (0, 99), "threshold": 0.5},
        ),
    ],
    ids=str,
)
def test_numbers_of_any_type_are_numbers(given: dict, plain: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # overflow
        made = segment(IMAGE, diameter=None, region=[slice(None), slice(np.int8(0), np.int8(64))], **given)
    np.testing.assert_array_equal(made.labels, segment(IMAGE, diameter=None, **plain).labels)


def test_numbers_of_numpy_become_plain_ones() -> None:
    params = SegmentParams(tile=np.int8(64), diameter=np.float32(20))
    assert (type(params.tile), type(params.diameter)) == (int, float)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"diametr": 3}, "did you mean 'diameter'"),
        ({"Threshold": 0.4}, "did you mean 'threshold'"),
        ({"percentile": (1, 99)}, "did you mean 'percentiles'"),
        ({"percentiles": 99}, "two numbers"),
        ({"percentiles": "1,99"}, "several numbers"),
        ({"channels": "0"}, "several numbers"),
        ({"project": 1}, "project must be a text"),
        ({"preprocess": ["invert"]}, "preprocess must be a text"),
        ({"axes": ["Y", "X"]}, "axes must be a text"),
        ({"series": 3}, "has no series 3"),
        ({"region": slice(0, 9)}, "a slice of rows and one of columns"),
        ({"region": (slice(0.0, 9.0), slice(None))}, "whole numbers of pixels"),
        ({"region": (slice("a", None), slice(None))}, "whole numbers of pixels"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_named(options: dict, said: str) -> None:
    with pytest.raises((UtileError, ValueError), match=said):
        segment(IMAGE, diameter=None, **options)


@pytest.mark.parametrize(
    "image", [[[1, 2], [3]], xarray.Dataset({"a": (("y", "x"), IMAGE)})], ids=["ragged", "set"]
)
def test_what_is_no_array_is_one_sentence(image: object) -> None:
    with pytest.raises(UtileError, match="This is not an array of numbers"):
        segment(image)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: read_image(None), "a text such as 'cells.tif'; got NoneType"),
        (lambda: read_image(IMAGE), "a text such as 'cells.tif'; got ndarray"),
        (lambda: read_image(["a.tif"]), "a text such as 'cells.tif'; got list"),
        (lambda: read_image("a\0b.tif"), "cannot be a path"),
        (lambda: read_image("https://example.org/a.tif"), "nothing is downloaded here"),
        (lambda: segment("s3://bucket/a.zarr"), "nothing is downloaded here"),
        (lambda: segment(IMAGE, None), "model must be given"),
        (lambda: load_model(3), "a name or the path of a file; got int"),
        (lambda: save_model(None, None, 3), "a text such as 'cells.tif'; got int"),
        (
            lambda: save_model("nuclei", None, "a.safetensors"),
            "its card and its network; got str and NoneType",
        ),
        (lambda: segment(IMAGE, project=Path("a")), "project is z:max"),
        (lambda: import_model(None), "a text such as 'cells.tif'; got NoneType"),
        (lambda: measure("labels.tif"), "labels must be an array, not a path"),
        (lambda: average_precision(LABELS, Path("a.tif")), "truth must be an array, not a path"),
        (lambda: weight_map("labels.tif"), "labels must be an array, not a path"),
        (lambda: measure(LABELS, "image.tif"), "the intensity must be an array, not a path"),
        (lambda: link("labels.tif"), "labels must be an array, not a path"),
        (
            lambda: average_precision(LABELS, LABELS, ignore="mask.tif"),
            "the ignored region must be an array, not a path",
        ),
        (lambda: measure([[1, 2], [3]]), "labels must be an array of numbers"),
        (lambda: fine_tune(IMAGE, LABELS), "given as a list, also a single one"),
        (lambda: fine_tune("a.tif", "b.tif"), "given as a list, also a single one"),
        (lambda: fine_tune([IMAGE], [LABELS], minuts=3), "did you mean 'minutes'"),
        (lambda: fine_tune([IMAGE], [LABELS, LABELS]), "1 image and 2 label images"),
        (lambda: measure(LABELS, LABELS.astype(complex)), "real numbers, got complex128"),
        (lambda: measure(LABELS, pixel_size="0.5"), "two positive numbers, height and width; got '0.5'"),
        (lambda: measure(LABELS, pixel_size=(1, 1), unit=3), "must be a text such as 'µm', got int"),
        (lambda: weight_map(LABELS, balance="no"), "balance must be True or False; got 'no'"),
        (lambda: weight_map(LABELS, w0=LABELS), r"w0 must be a number; got array\(\[.{,60} \.\.\."),
        (lambda: segment(IMAGE, three_views="no"), "three_views must be True or False"),
        (lambda: evaluate(LABELS, LABELS, volume="x"), "volume must be True or False; got 'x'"),
        (lambda: save_model(*small(), "a.safetensors", dtype="x"), "one of torch.float16, .*; got 'x'"),
        (
            lambda: save_model(*small(), "a.safetensors", dtype=torch.int8),
            "one of torch.float16, .*; got torch.int8",
        ),
        (lambda: link(FRAMES, "z"), "The labels have no planes along Z to link, but along T"),
        (lambda: evaluate(LABELS[:0], LABELS[:0]), r"no pixels in the prediction, .* \(0, 64\)"),
        (
            lambda: evaluate(LABELS[None, :, :0], LABELS[None, :, :0], axes="ZYX"),
            r"no pixels in the reference",
        ),
        (lambda: evaluate(LABELS, LABELS, iou="x"), "iou must be a number; got 'x'"),
        (lambda: evaluate(LABELS, LABELS, max_displacement=-1), "max_displacement must be at least 0"),
        (lambda: evaluate(LABELS, LABELS, LABELS.astype(complex)), "an array of numbers, got complex128"),
        (lambda: grow_seeds(IMAGE, LABELS, distance=float("nan")), "distance must be a number; got nan"),
        (lambda: grow_seeds(IMAGE, LABELS, distance=-2), "distance must be at least 0; got -2"),
        (lambda: fine_tune([IMAGE], [LABELS / 2]), "must hold whole numbers"),
    ],
)
def test_what_is_given_in_place_of_something_else_is_named(call, said: str) -> None:
    with pytest.raises((UtileError, ValueError), match=said):
        call()


def test_a_result_is_measured_on_any_image_of_its_size_and_relabelled_by_parameters(tmp_path: Path) -> None:
    made = segment(IMAGE, diameter=None)
    write_labels(tmp_path / "other.tif", IMAGE // 2)
    for other in (IMAGE // 2, tmp_path / "other.tif", torch.from_numpy(IMAGE // 2)):
        assert (made.measure(other)["intensity_max"] == 100).all()
    with pytest.raises(UtileError, match="rows and columns"):
        made.measure(IMAGE[:9])
    with pytest.raises(UtileError, match="takes InstanceParams"):
        made.relabelled({"threshold": 0.7})


def test_a_result_is_measured_on_the_plane_of_a_stack_that_it_was_made_of(tmp_path: Path) -> None:
    film = np.stack([np.stack([IMAGE // (t + 1), IMAGE // 4]) for t in range(3)])
    tifffile.imwrite(tmp_path / "film.tif", film, metadata={"axes": "TCYX"}, imagej=True)
    file = read_image(tmp_path / "film.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UtileWarning)
        made = [
            segment(film, axes="TCYX", t=1, channels=0, diameter=18),
            segment(tmp_path / "film.tif", t=1, channels=0, diameter=18),
            segment(file, t=1, channels=0, diameter=18),
        ]
        for result in made:
            for image in (tmp_path / "film.tif", file, film, film[1]):
                if image is film and result is not made[0]:
                    continue  # nobody said what its axes are
                assert (result.measure(image)["intensity_max_0"] == 100).all()
            assert (result.measure(film, axes="TCYX", t=0)["intensity_max_0"] == 200).all()
            assert (result.measure(tmp_path / "film.tif", t=2)["intensity_max_0"] == 66).all()
        tifffile.imwrite(tmp_path / "other.tif", film, metadata={"axes": "ZCYX"}, imagej=True)
        with pytest.raises(UtileError, match="choose one with z= or t="):
            made[1].measure(tmp_path / "other.tif")
        assert (made[1].measure(tmp_path / "other.tif", z=2)["intensity_max_0"] == 66).all()
    with pytest.raises(UtileError, match="one plane already: leave out t="):
        made[0].measure(t=1)


def test_the_axes_of_a_stack_say_nothing_of_another_array() -> None:
    channels = np.stack([IMAGE, IMAGE // 2, IMAGE // 4])
    stack = channels.copy()
    of_stack = segment(stack, axes="ZYX", z=1, diameter=18)
    assert (of_stack.measure(stack)["intensity_max"] == 100).all()
    assert [of_stack.measure(channels)[f"intensity_max_{each}"][0] for each in range(3)] == [200, 100, 50]
    of_channels = segment(np.stack([IMAGE, IMAGE]), axes="CYX", channels=0, diameter=18)
    assert "intensity_max_2" in of_channels.measure(np.moveaxis(channels, 0, -1).astype(np.uint8))


def test_only_what_lies_above_0_is_ignored_as_in_files() -> None:
    other = np.where(LABELS == 3, 0, LABELS)
    unsure = np.where(LABELS == 3, np.nan, -1.0)
    assert (
        evaluate(other, LABELS, unsure).scores["ap50"]
        == average_precision(other, LABELS, ignore=unsure)
        == 0.5
    )
    assert average_precision(other, LABELS, ignore=np.where(LABELS == 3, 7, -1)) == 1


def test_measuring_pixels_that_are_no_numbers_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(measure(LABELS, np.full(LABELS.shape, np.nan))["intensity_max"]).all()


def test_masked_pixels_of_labels_are_background() -> None:
    assert measure(np.ma.masked_where(LABELS == 3, LABELS))["index"].tolist() == [70]


def test_paths_of_scripts_are_opened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_labels(tmp_path / "l.tif", LABELS)
    for path in (str(tmp_path / "l.tif"), str(tmp_path / "l.tif").encode(), "~/l.tif"):
        np.testing.assert_array_equal(read_image(path).data, LABELS)
        assert evaluate(path, path).scores["ap50"] == 1
        grown = grow_seeds(path, path, distance=0)
        np.testing.assert_array_equal(grown, grow_seeds(LABELS, LABELS, distance=0))
        made = segment(path, diameter=None)
        assert made.recipe.source == str(tmp_path / "l.tif")
        assert made.measure(path)["intensity_max"].tolist() == made.measure()["intensity_max"].tolist()


def test_images_and_labels_are_learnt_from_by_their_paths(tmp_path: Path) -> None:
    write_labels(tmp_path / "image.tif", IMAGE)
    write_labels(tmp_path / "labels.tif", LABELS)
    tuned = fine_tune(
        (tmp_path / "image.tif" for _ in range(1)),
        [tmp_path / "labels.tif"],
        new_model("small", width=4, depth=2),
        steps=1,
        held_out=0,
    )
    assert tuned.model.card.training["steps"] == 1


def test_tensors_of_bfloat16_are_arrays() -> None:
    array, names = as_array(torch.from_numpy(IMAGE).to(torch.bfloat16))
    np.testing.assert_array_equal(array, IMAGE)
    assert names is None


def test_ids_of_floating_point_are_ids() -> None:
    floats = LABELS.astype(np.float32)
    assert measure(floats)["index"].tolist() == [3, 70]
    assert average_precision(floats, LABELS, 0.5) == 1
    with pytest.raises(ValueError, match=r"whole numbers .* got nan"):
        measure(np.where(LABELS == 0, np.nan, floats))


def test_seeds_are_opened_by_their_path(tmp_path: Path) -> None:
    write_labels(tmp_path / "s.tif", LABELS)
    grown = grow_seeds(IMAGE, tmp_path / "s.tif", distance=2)
    np.testing.assert_array_equal(
        grown, grow_seeds(IMAGE, torch.from_numpy(LABELS.astype(np.int64)), distance=2)
    )
    assert set(np.unique(grown)) == {0, 3, 70}
    with pytest.raises(UtileError, match="3 planes"):
        grow_seeds(IMAGE, np.stack([LABELS] * 3))


def test_what_read_image_gives_is_an_image_and_labels(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.tif", IMAGE.astype(np.uint16), pixel_size=(0.5, 0.5), unit="µm")
    file = read_image(tmp_path / "a.tif")
    made = segment(file, diameter=18)
    np.testing.assert_array_equal(made.labels, segment(tmp_path / "a.tif", diameter=18).labels)
    assert made.plane.pixel_size == (0.5, 0.5)
    assert made.recipe.source == str(file.path)
    write_labels(tmp_path / "b.tif", LABELS)
    labels = read_image(tmp_path / "b.tif")
    assert evaluate(labels, LABELS).scores["ap50"] == 1


def test_what_was_read_of_a_file_is_found_again(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.ome.tif") as tif:
        for number in range(2):
            tif.write(np.roll(IMAGE, 5 * number, 1), metadata={"axes": "YX"})
    made = segment(read_image(tmp_path / "two.ome.tif", series=1), diameter=18)
    again = segment(tmp_path / "two.ome.tif", series=1, diameter=18)
    np.testing.assert_array_equal(made.labels, again.labels)
    assert made.recipe.selection.series == "1"
    assert "--series 1" in made.recipe.command
    tifffile.imwrite(tmp_path / "z.tif", np.stack([IMAGE] * 3), metadata={"axes": "ZYX"}, imagej=True)
    frames = read_image(tmp_path / "z.tif", axes="TYX")
    assert segment(frames, t=2, diameter=18).recipe.selection == Selection(axes="TYX", t="2")
    for option in ({"axes": "ZYX"}, {"series": 0}):
        with pytest.raises(UtileError, match=r"was read already: give .*= to read_image"):
            segment(frames, t=2, **option)


def test_an_array_of_several_planes_says_which_one_is_used() -> None:
    with pytest.warns(
        UtileWarning, match="Only the first of 3 planes along T is used: choose another with t="
    ):
        segment(np.stack([IMAGE] * 3), axes="TYX", diameter=18)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UtileWarning)
        segment(np.stack([IMAGE] * 3), axes="TYX", t=2, diameter=18)


def test_named_rows_and_columns_count_wherever_an_array_is_read() -> None:
    labels = np.zeros((9, 9), int)
    labels[1:3, 1:8], labels[5:7, 2:4] = 3, 70
    grey = np.arange(81.0).reshape(9, 9)
    turned = xarray.DataArray(labels.T, dims=("column", "row"))
    pixels = xarray.DataArray(np.stack([grey, -grey]).T, dims=("x", "y", "c"))
    assert average_precision(turned, labels) == cell_scores(labels, turned).seg == 1
    assert average_precision(labels, np.zeros_like(labels), ignore=turned > 0) == 1
    for column, values in measure(labels, np.stack([grey, -grey])).items():
        np.testing.assert_array_equal(measure(turned, pixels)[column], values, column)
    np.testing.assert_array_equal(weight_map(turned).total, weight_map(labels).total)
    stack = xarray.DataArray(np.stack([labels.T] * 2, -1), dims=("x", "y", "t"))
    for each in (stack, torch.from_numpy(np.stack([labels] * 2))):
        np.testing.assert_array_equal(link(each, "t").labels, link(np.stack([labels] * 2), "t").labels)


def test_labels_that_read_image_gives_are_labels_wherever_an_array_is(tmp_path: Path) -> None:
    stack = np.stack([LABELS, LABELS.T, LABELS])[..., :50]
    for axes, planes in {"yx": LABELS[:, :50], "xty": stack.transpose(2, 0, 1)}.items():
        root = zarr.create_group(tmp_path / f"{axes}.zarr", zarr_format=3)
        root.create_array("0", data=planes)
        named = [{"name": axis} for axis in axes]
        root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": named, "datasets": [{"path": "0"}]}]}
    tifffile.imwrite(tmp_path / "colours.tif", np.stack([LABELS[:, :50]] * 3, axis=-1), photometric="rgb")
    plane, colours = read_image(tmp_path / "yx.zarr"), read_image(tmp_path / "colours.tif")
    assert measure(plane, colours).keys() == measure(LABELS, np.stack([LABELS] * 3)).keys()
    np.testing.assert_array_equal(measure(plane, plane)["intensity_mean"], [3, 70])
    np.testing.assert_array_equal(weight_map(plane).total, weight_map(LABELS[:, :50]).total)
    assert average_precision(plane, LABELS[:, :50]) == average_precision(plane, plane) == 1
    assert cell_scores(plane, plane).seg == 1
    wanted = link(stack, "t").labels
    np.testing.assert_array_equal(link(read_image(tmp_path / "xty.zarr"), "t").labels, wanted)


@pytest.mark.parametrize(
    "options",
    [{"model": "nuclei", "diameter": 18, "limits": "plane"}, {"distance": 8}],
    ids=["model", "grey values"],
)
@pytest.mark.parametrize("selected", [{"t": 2}, {"t": "2"}, {"project": "t:max", "t": "1:3"}], ids=str)
def test_seeds_grow_on_the_plane_that_is_chosen(tmp_path: Path, options: dict, selected: dict) -> None:
    seeds = np.where((Y % 32 - 16) ** 2 + (X % 32 - 16) ** 2 < 9, LABELS, 0)
    stack = np.stack([np.roll(IMAGE, 6 * number, 1) for number in range(3)])
    plane = stack[1:].max(axis=0) if "project" in selected else stack[2]
    grown = grow_seeds(plane, seeds, **options)
    assert (grow_seeds(stack[0], seeds, **options) != grown).any()
    tifffile.imwrite(tmp_path / "a.tif", stack, metadata={"axes": "TYX"}, imagej=True)
    for image in (stack, tmp_path / "a.tif", read_image(tmp_path / "a.tif")):
        axes = {"axes": "TYX"} if image is stack else {}
        np.testing.assert_array_equal(grow_seeds(image, seeds, **axes, **selected, **options), grown)


@pytest.mark.parametrize(
    "option", [{"z": 9}, {"t": 0}, {"axes": "YX"}, {"series": 1}, {"project": "z:max"}], ids=str
)
def test_nothing_is_selected_of_a_plane(option: dict) -> None:
    for call in (segment, lambda plane, **given: grow_seeds(plane, LABELS, **given)):
        with pytest.raises(UtileError, match=f"image is one plane already: leave out {next(iter(option))}=."):
            call(plane_from_array(IMAGE, "YX"), **option)


def test_seeds_grow_on_whole_planes() -> None:
    for option in ({"region": (slice(0, 50), slice(0, 50))}, {"link": "z"}, {"three_views": True}):
        with pytest.raises(
            UtileError, match=f"The option '{next(iter(option))}' is not for cells from seeds."
        ):
            grow_seeds(IMAGE, LABELS, "nuclei", **option)


def test_masked_pixels_are_missing_and_masked_labels_are_background() -> None:
    grey = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    mask = LABELS == 70
    table = measure(LABELS, np.ma.masked_array(grey, mask))
    np.testing.assert_array_equal(table["intensity_mean"], [grey[LABELS == 3].mean(), np.nan])
    masked, plain = np.ma.masked_array(LABELS, mask), np.where(mask, 0, LABELS)
    assert measure(masked)["index"].tolist() == [3]
    np.testing.assert_array_equal(weight_map(masked).total, weight_map(plain).total)
    assert evaluate(masked, plain).scores["ap50"] == evaluate(masked, plain, axes="YX").scores["ap50"] == 1
    assert average_precision(plain, masked) == 1
    stacks = np.ma.stack([masked] * 2), np.stack([plain] * 2)
    np.testing.assert_array_equal(*(link(stack).labels for stack in stacks))
    np.testing.assert_array_equal(*(grow_seeds(IMAGE, seeds) for seeds in (masked, plain)))
