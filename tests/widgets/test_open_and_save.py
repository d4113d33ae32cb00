"""Files that napari opens and saves through this plugin."""

import json
from fnmatch import fnmatch
from pathlib import Path

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, write_image, write_labels
from napari_utile.engine.steps import Run
from napari_utile.widgets.files.reader import get_reader, open_result
from napari_utile.widgets.files.results import results_of, save_results
from napari_utile.widgets.files.writer import save_image, save_labels
from napari_utile.widgets.viewer.lengths import pixel_size_of

TOP = Path(__file__).parents[2]
AXES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
RECIPE = {"format": "napari-utile recipe 1", "parameters": {"instances": {"threshold": 0.4}}}


def make(
    path: Path,
    version: str = "0.4",
    axes: str = "czyx",
    levels: int = 2,
    labels: str | None = None,
    extra: dict | None = None,
) -> np.ndarray:
    """Write an OME-Zarr image, perhaps with labels, and return its pixels."""
    shape = tuple({"t": 2, "c": 2, "z": 3, "y": 32, "x": 48}[axis] for axis in axes)
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    group = zarr.open_group(path, mode="w", zarr_format=2 if version < "0.5" else 3)
    _write(group, pixels, version, axes, levels, extra)
    if labels:
        folder = group.require_group("labels")
        folder.attrs.update(_under(version, {"labels": [labels, "gone"]}))
        _write(folder.require_group(labels), pixels[0].astype(np.uint32), version, axes[1:], levels)
    return pixels


def _under(version: str, values: dict) -> dict:
    return values if version < "0.5" else {"ome": {"version": version, **values}}


def _write(group, pixels, version, axes, levels, extra=None):
    datasets = []
    for level in range(levels):
        step = 2**level
        part = pixels[(..., slice(None, None, step), slice(None, None, step))]
        group.create_array(str(level), data=part, chunks=tuple(min(16, size) for size in part.shape))
        scale = [{"t": 5.0, "c": 1.0, "z": 2.0}.get(axis, 0.25 * step) for axis in axes]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    entries = [{"name": axis, "type": AXES[axis]} for axis in axes]
    for entry in entries:
        if entry["type"] == "space":
            entry["unit"] = "micrometer"
    multiscale = {"version": version, "axes": entries, "datasets": datasets}
    group.attrs.update(_under(version, {"multiscales": [multiscale], **(extra or {})}))


def opened(path: Path) -> list[Layer]:
    reader = get_reader(str(path))
    assert reader is not None
    viewer = ViewerModel()
    for data, options, kind in reader(str(path)):
        viewer._add_layer_from_data(data, options, kind)
    return list(viewer.layers)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_pyramid_channels_scale_and_units_are_shown_lazily(tmp_path: Path, version: str) -> None:
    omero = {
        "omero": {
            "channels": [
                {"label": "DNA", "color": "0000FF", "window": {"start": 5, "end": 900}},
                {"label": "actin", "color": "00FF00", "window": {"start": 0, "end": 4000}},
            ]
        }
    }
    pixels = make(tmp_path / "a.ome.zarr", version, extra=omero)
    dna, actin = opened(tmp_path / "a.ome.zarr")
    assert (dna.name, actin.name) == ("DNA", "actin")
    assert dna.multiscale
    assert isinstance(dna.data[0], dask.array.Array)
    np.testing.assert_array_equal(np.asarray(actin.data[0]), pixels[1])
    np.testing.assert_array_equal(np.asarray(dna.data[1]), pixels[0, :, ::2, ::2])
    assert tuple(dna.scale) == (2.0, 0.25, 0.25)
    assert [str(unit) for unit in dna.units] == ["micrometer"] * 3
    assert dna.axis_labels == ("z", "y", "x")
    assert dna.contrast_limits == [5, 900]
    np.testing.assert_allclose(dna.colormap.map(np.array([1.0]))[0], [0, 0, 1, 1], atol=0.01)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_beside_an_image_are_labels(tmp_path: Path, version: str) -> None:
    pixels = make(tmp_path / "a.zarr", version, labels="cells")
    *_, cells = opened(tmp_path / "a.zarr")
    assert isinstance(cells, Labels)
    assert cells.name == "cells"
    np.testing.assert_array_equal(np.asarray(cells.data[0]), pixels[0])
    assert tuple(cells.scale) == (2.0, 0.25, 0.25)


@pytest.mark.parametrize("axes", ["yx", "tyx", "tczyx", "zyx"])
def test_any_axes_of_the_format(tmp_path: Path, axes: str) -> None:
    make(tmp_path / "a.zarr", axes=axes, levels=1)
    layers = opened(tmp_path / "a.zarr")
    assert len(layers) == (2 if "c" in axes else 1)
    assert layers[0].axis_labels == tuple(axes.replace("c", ""))
    assert not layers[0].multiscale


def test_what_is_something_else_is_declined(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    zarr.save_array(tmp_path / "bare.zarr", np.zeros((4, 4)))
    make(tmp_path / "old.zarr", "0.2")
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": []}
    (tmp_path / "odd.zarr").mkdir()
    (tmp_path / "odd.zarr" / ".zattrs").write_text("[" * 10_000)
    write_labels(tmp_path / "alone_labels.tif", np.eye(4, dtype=int))
    for name in ("empty", "bare", "old", "plate", "odd", "missing"):
        assert get_reader(str(tmp_path / f"{name}.zarr")) is None, name
    assert get_reader(str(tmp_path / "alone_labels.tif")) is None
    assert get_reader([str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr")]) is None


@pytest.mark.parametrize("kind", ["plate", "well", "collection"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_of_a_plate_a_well_or_a_collection_the_first_image_is_opened(
    tmp_path: Path, kind: str, version: str
) -> None:
    where = {"plate": ("B/3", "0"), "well": ("", "0"), "collection": ("", "0")}[kind]
    entries: dict[str, object] = {
        "plate": {"plate": {"wells": [{"path": "B/3"}]}},
        "well": {"well": {"images": [{"path": "0"}, {"path": "1"}]}},
        "collection": {"bioformats2raw.layout": 3},
    }
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)

    def describe(node, what) -> None:
        node.attrs.update(what if version == "0.4" else {"ome": {"version": version, **what}})

    describe(group, entries[kind])
    if kind == "plate":
        describe(group.create_group("B/3"), entries["well"])
    inside = tmp_path / "a.zarr" / where[0]
    first = make(inside / "0", version)
    make(inside / "1", version)
    layers = opened(tmp_path / "a.zarr")
    assert len(layers) == len(first)
    assert "a_B_3_0" in layers[0].name or kind != "plate"
    np.testing.assert_array_equal(np.asarray(layers[0].data[0]), first[0])


def labels_layer(**more) -> Labels:
    data = np.kron(np.arange(6).reshape(2, 3), np.ones((5, 5), int))
    return Labels(np.stack([data, data]), scale=(2, 0.5, 0.25), units=("um", "um", "um"),
                  axis_labels=("z", "y", "x"), **more)  # fmt: skip


def test_saved_labels_come_back_with_scale_unit_and_recipe(tmp_path: Path) -> None:
    layer = labels_layer(metadata={"napari-utile": {"recipe": RECIPE}})
    path = tmp_path / "cells_labels.tif"
    data, state, _ = layer.as_layer_data_tuple()
    assert save_labels(str(path), data, state) == [str(path), str(tmp_path / "cells_recipe.json")]
    assert json.loads((tmp_path / "cells_recipe.json").read_text()) == RECIPE
    file = read_image(path)
    assert (file.axes, file.pixel_size, file.unit) == ("ZYX", (0.5, 0.25), "µm")
    [again] = opened(path)
    assert isinstance(again, Labels)
    np.testing.assert_array_equal(again.data, layer.data)
    assert again.metadata["napari-utile"]["recipe"] == RECIPE
    assert tuple(again.scale) == (2, 0.5, 0.25)
    assert {str(unit) for unit in again.units} == {"micrometer"}


def test_labels_that_nobody_knows_the_recipe_of_come_back_with_their_table(tmp_path: Path) -> None:
    layer = labels_layer(features={"index": [2], "z": [1], "class": ["flat"]})
    viewer, path = ViewerModel(), tmp_path / "cells_labels.tif"
    viewer.add_layer(layer)
    written = Run(save_results(results_of(viewer, layer, None), path)).result
    assert [each.name for each in written] == ["cells_labels.tif", "cells_cells.csv"]
    [again] = opened(path)
    assert isinstance(again, Labels)
    np.testing.assert_array_equal(again.data, layer.data)
    assert tuple(again.scale) == (2, 0.5, 0.25)
    table = again.features
    assert table["area_um2"].tolist() == [25 / 8] * 10
    assert [*table[table["class"] == "flat"][["z", "index"]].iloc[0]] == [1, 2]
    assert "napari-utile" not in again.metadata, "nothing says that they are of this program"
    (tmp_path / "cells_cells.csv").unlink()
    assert get_reader(str(path)) is None


def test_saved_labels_come_back_with_their_table_where_it_is_theirs(tmp_path: Path) -> None:
    first = np.kron(np.arange(6).reshape(2, 3), np.ones((5, 5), int))
    data = np.stack([first, np.where(first > 0, first + 10, 0)])
    layer = Labels(data, axis_labels=("z", "y", "x"), metadata={"napari-utile": {"recipe": RECIPE}})
    layer.features = {"index": [1, 12], "class": ["round", "flat"], "note": [2.5, np.nan]}
    viewer = ViewerModel()
    viewer.add_layer(layer)
    path = tmp_path / "cells_labels.tif"
    assert path in Run(save_results(results_of(viewer, layer, None), path)).result
    [again] = opened(path)
    table = again.features
    assert table["index"].tolist() == table["label"].tolist() == [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]
    assert table["z"].tolist() == [0] * 5 + [1] * 5
    assert table["area_px"].tolist() == [25] * 10
    assert table["class"].tolist()[0] == "round"
    assert table["note"].tolist()[0] == 2.5
    assert np.isnan(table["note"][1])

    data[0, 7, 7] = 0  # another program wrote the labels since
    write_labels(path, data, "ZYX")
    [again] = opened(path)
    assert not len(again.features.columns)
    for other in ("index,area_px\n1\n", "", f'index,area_px\n"{"1" * 200_000}",1\n'):
        (tmp_path / "cells_cells.csv").write_text(other)
        [again] = opened(path)
        assert not len(again.features.columns)


def test_the_table_of_a_command_comes_back(tmp_path: Path, bright_nuclei) -> None:
    bright = (np.indices((40, 40)).sum(0) % 20 < 10).astype(np.uint8) * 200
    tifffile.imwrite(tmp_path / "image.tif", bright)
    words = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path), "--quiet", "--diameter", "none"]
    assert main([*words, "--measurements"]) == 0
    [again] = opened(tmp_path / "image_labels.tif")
    assert again.features["index"].tolist() == np.unique(again.data)[1:].tolist()
    table = tmp_path / "image_cells.csv"
    table.write_text(table.read_text(), encoding="utf-8-sig")  # as a spreadsheet saves it
    [same] = opened(tmp_path / "image_labels.tif")
    assert same.features.equals(again.features)


def test_saved_results_take_the_place_of_all_that_an_earlier_run_left(tmp_path: Path, bright_nuclei) -> None:
    bright = (np.indices((40, 40)).sum(0) % 20 < 10).astype(np.uint8) * 200
    tifffile.imwrite(tmp_path / "image.tif", bright)
    words = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path), "--quiet", "--diameter", "none"]
    assert main([*words, "--measurements", "--mask", "--probability"]) == 0
    path = tmp_path / "image_labels.tif"
    [layer] = opened(path)
    save_labels(str(tmp_path / "other_labels.tif"), *layer.as_layer_data_tuple()[:2])
    assert "beside" not in json.loads((tmp_path / "other_recipe.json").read_text())
    save_labels(str(path), *layer.as_layer_data_tuple()[:2])  # as napari saves it, alone
    layer.data[:20] = 0
    viewer = ViewerModel()
    viewer.add_layer(layer)
    (tmp_path / "image_classes.tif").write_text("of a user")
    assert path in Run(save_results(results_of(viewer, layer, None), path)).result
    beside = {"image_labels.tif", "image_recipe.json", "image_cells.csv"}
    assert {each.name for each in tmp_path.glob("image_*")} == {*beside, "image_classes.tif"}
    layer.metadata = {}  # nobody knows how they were made
    assert path in Run(save_results(results_of(viewer, layer, None), path)).result
    assert not (tmp_path / "image_recipe.json").exists()


def test_labels_saved_over_a_result_are_not_taken_for_it(bright_nuclei, tmp_path: Path) -> None:
    write_image(tmp_path / "image.tif", np.kron(np.eye(4, dtype=np.uint8) * 200, np.ones((12, 12), np.uint8)))
    words = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path), "--diameter", "none", "--quiet"]
    path = tmp_path / "image_labels.tif"

    def beside() -> set[str]:
        assert main([*words, "--region", "4:40,4:40", "--measurements", "--mask", "--overwrite"]) == 0
        (tmp_path / "image_probability.tif").write_text("of a user")
        return {each.name for each in tmp_path.glob("image_*")}

    every = beside()
    [layer] = opened(path)
    assert main([*words, "--region", "4:40,4:40"]) == 0
    of_others = Labels(np.array(layer.data), metadata={"napari-utile": {"recipe": RECIPE}})
    for each, left in (
        (layer, every),
        (of_others, {"image_labels.tif", "image_recipe.json", "image_probability.tif"}),
        (Labels(np.eye(36, dtype=int)), {"image_labels.tif", "image_probability.tif"}),
    ):
        assert beside() == every
        assert saved(path, each)[0] == str(path)
        assert {each.name for each in tmp_path.glob("image_*")} == left
    # A file of another name leaves the result as it is.
    assert beside() == every
    saved(tmp_path / "image.ome.tif", Labels(np.eye(36, dtype=int)))
    assert {each.name for each in tmp_path.glob("image_*")} == every


def test_cells_that_were_edited_are_saved_without_the_table_of_those_before(
    bright_nuclei, tmp_path: Path
) -> None:
    write_image(tmp_path / "image.tif", np.kron(np.eye(4, dtype=np.uint8) * 200, np.ones((12, 12), np.uint8)))
    words = ["segment", str(tmp_path / "image.tif"), "-o", str(tmp_path), "--diameter", "none", "--quiet"]
    assert main([*words, "--measurements", "--mask", "--probability"]) == 0
    path = tmp_path / "image_labels.tif"
    before = {each.name for each in tmp_path.glob("image_*")}
    gone = {"image_cells.csv", "image_mask.tif"}
    assert gone < before
    [layer] = opened(path)
    saved(path, layer)
    assert {each.name for each in tmp_path.glob("image_*")} == before
    layer.data[layer.data == 2] = 0
    with notification_manager:
        saved(path, layer)
        said = notification_manager.records[-1].message
    assert said == "image_mask.tif, image_cells.csv: removed, as of the cells before. " + (
        "Save results… measures these again."
    )
    assert {each.name for each in tmp_path.glob("image_*")} == before - gone
    assert json.loads((tmp_path / "image_recipe.json").read_text())["beside"] == ["_probability.tif"]


def test_labels_of_a_user_have_no_recipe(tmp_path: Path) -> None:
    data, state, _ = labels_layer().as_layer_data_tuple()
    assert save_labels(str(tmp_path / "mine.tif"), data, state) == [str(tmp_path / "mine.tif")]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tif"]


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (Image(np.zeros((4, 5), np.uint8)), "YX"),
        (Image(np.zeros((4, 5, 3), np.uint8), rgb=True), "YXS"),
        (Image(np.zeros((2, 3, 4, 5), np.float32), axis_labels=("time", "channel", "y", "x")), "TCYX"),
        (Image(np.zeros((2, 3, 4, 5), np.float32)), "TZYX"),
        (Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True), "YX"),
    ],
)
def test_images_are_saved_with_their_axes(tmp_path: Path, layer: Image, axes: str) -> None:
    data, state, _ = layer.as_layer_data_tuple()
    path = tmp_path / "image.tif"
    save_image(str(path), data, state)
    assert read_image(path).axes == axes


def saved(path: Path, layer: Layer) -> list[str]:
    data, state, kind = layer.as_layer_data_tuple()
    return (save_labels if kind == "labels" else save_image)(str(path), data, state)


@pytest.mark.parametrize(
    ("axes", "order"), [("xy", (1, 0)), ("yxz", (2, 0, 1)), ("ztyx", (1, 0, 2, 3)), ("xty", (1, 2, 0))]
)
def test_a_file_has_rows_and_columns_where_the_axes_of_the_layer_say(tmp_path: Path, axes, order) -> None:
    size = {"t": 2, "z": 3, "y": 9, "x": 12}
    step = {"t": 5.0, "z": 2.0, "y": 0.5, "x": 0.25}
    data = np.arange(np.prod([size[axis] for axis in axes])).reshape([size[axis] for axis in axes])
    units = ["second" if axis == "t" else "micrometer" for axis in axes]
    scale = [step[axis] for axis in axes]
    saved(tmp_path / "a.tif", Labels(data, axis_labels=tuple(axes), scale=scale, units=units))
    file = read_image(tmp_path / "a.tif")
    assert file.axes == "".join(axes[place] for place in order).upper()
    np.testing.assert_array_equal(file.data, data.transpose(order))
    assert (file.pixel_size, file.unit) == ((0.5, 0.25), "µm")
    assert dict(file.steps) == {
        axis: {"T": (5.0, "s"), "Z": (2.0, "µm")}[axis] for axis in file.axes if axis in "TZ"
    }


@pytest.mark.parametrize("axes", [("t", "x"), ("z", "x"), ("z", "y")])
def test_kymographs_and_reslices_are_saved_as_planes_which_is_said(tmp_path: Path, axes) -> None:
    data = np.arange(12).reshape(3, 4)
    with notification_manager:
        saved(tmp_path / "a.tif", Labels(data, axis_labels=axes))
    file = read_image(tmp_path / "a.tif")
    assert file.axes == "YX"
    np.testing.assert_array_equal(file.data, data)
    assert "are saved as Y and X" in notification_manager.records[-1].message


@pytest.mark.parametrize("text", ['{"damaged', "[]"])
def test_labels_with_a_damaged_recipe_are_opened_without_it(tmp_path: Path, text) -> None:
    saved(tmp_path / "a_labels.tif", Labels(np.eye(4, dtype=int)))
    (tmp_path / "a_recipe.json").write_text(text)
    with notification_manager:
        [(data, options, kind)] = open_result(str(tmp_path / "a_labels.tif"))
    assert kind == "labels"
    assert "metadata" not in options
    np.testing.assert_array_equal(data, np.eye(4))
    assert "a_recipe.json is damaged" in notification_manager.records[-1].message


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(("axes", "shown"), [("xy", "yx"), ("yxz", "zyx"), ("cxy", "yx")])
def test_images_are_opened_with_rows_and_columns_last_as_commands_read_them(
    tmp_path: Path, version: str, axes: str, shown: str
) -> None:
    make(tmp_path / "a.zarr", version, axes=axes)
    layer = opened(tmp_path / "a.zarr")[0]
    assert layer.axis_labels == tuple(shown)
    assert tuple(layer.scale) == tuple({"z": 2.0}.get(axis, 0.25) for axis in shown)
    file = read_image(tmp_path / "a.zarr")
    pixels = np.asarray(file.data).transpose([axes.index(axis) for axis in axes if axis == "c"] + [
        axes.index(axis) for axis in shown])  # fmt: skip
    np.testing.assert_array_equal(np.asarray(layer.data[0]), pixels[0] if "c" in axes else pixels)
    np.testing.assert_array_equal(np.asarray(layer.data[1]), np.asarray(layer.data[0])[_halved(axes, shown)])


def _halved(axes: str, shown: str) -> tuple[slice, ...]:
    """Every second pixel of the last two axes of the file, by the axes that are shown."""
    return tuple(slice(None, None, 2 if axis in axes[-2:] else None) for axis in shown)


def test_a_recipe_is_not_replaced_where_the_labels_cannot_be_written(tmp_path: Path) -> None:
    layer = labels_layer(metadata={"napari-utile": {"recipe": RECIPE}})
    path = tmp_path / "cells_labels.tif"
    saved(path, layer)
    before = path.read_bytes()
    other = {"napari-utile": {"recipe": {**RECIPE, "other": True}}}
    for data in (np.full((4, 4), 2**32), np.full((4, 4), -1)):
        with pytest.raises(ValueError, match="between 0 and"):
            saved(path, Labels(data, metadata=other))
    assert json.loads((tmp_path / "cells_recipe.json").read_text()) == RECIPE
    assert path.read_bytes() == before
    with pytest.raises(UtileError, match=r"ends in|\.tif"):
        saved(tmp_path / "cells_labels.txt", labels_layer(metadata=other))
    assert json.loads((tmp_path / "cells_recipe.json").read_text()) == RECIPE


def test_a_table_is_not_replaced_where_the_labels_cannot_be_written(tmp_path: Path, viewer) -> None:
    table = tmp_path / "cells_cells.csv"
    table.write_text("index\n")
    layer = viewer.add_labels(np.full((4, 4), 2**32))
    with pytest.raises(ValueError, match="between 0 and"):
        _ = Run(save_results(results_of(viewer, layer, None), tmp_path / "cells_labels.tif")).result
    assert table.read_text() == "index\n"


def test_a_mirrored_layer_is_saved_with_its_pixel_size_and_that_is_said(tmp_path: Path) -> None:
    layer = Labels(np.eye(4, dtype=int), scale=(-0.5, 0.25), units=("um", "nm"))
    with notification_manager:
        saved(tmp_path / "a.tif", layer)
    file = read_image(tmp_path / "a.tif")
    assert file.pixel_size == pytest.approx((0.5, 0.00025))
    assert file.unit == "µm"
    np.testing.assert_array_equal(file.data, layer.data)
    assert "mirrored" in notification_manager.records[-1].message


SPREAD = np.diag([1, 2, 2, 1])
SHIFTED = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [3, 0, 1, 0], [0, 0, 0, 1]])
SLANTED = np.array([[1, 0, 0, 0], [0, 1, 0.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"scale": (2, 0.5, 0.25)}, False),
        ({"affine": np.diag([2, 0.5, 0.25, 1])}, False),
        ({"scale": (2, 0.25, 0.125), "affine": SPREAD}, False),
        ({"scale": (2, 0.5, 0.25), "rotate": (0, 0, 30)}, True),
        ({"scale": (2, 0.5, 0.25), "affine": SHIFTED}, True),
        ({"scale": (2, 0.5, 0.25), "shear": (0, 0, 0.5)}, True),
        ({"scale": (2, 0.5, 0.25), "affine": SLANTED}, True),
    ],
)
def test_a_file_has_the_pixel_size_that_tables_have_and_of_what_it_cannot_hold_one_reads(
    tmp_path: Path, lies, said
) -> None:
    layer = Labels(np.ones((3, 4, 5), int), units=("um",) * 3, axis_labels="zyx", **lies)
    with notification_manager:
        before = len(notification_manager.records)
        saved(tmp_path / "a.tif", layer)
        messages = [record.message for record in notification_manager.records[before:]]
    file, (size, unit) = read_image(tmp_path / "a.tif"), pixel_size_of(layer)
    assert (file.pixel_size, file.unit) == (None if size is None else pytest.approx(size), unit)
    assert file.steps["Z"] == (pytest.approx(2), "µm")
    assert [message for message in messages if "turned" in message] == messages
    assert bool(messages) == said


def test_axes_without_names_are_those_of_the_sliders_else_asked_for_there(
    tmp_path: Path, make_napari_viewer
) -> None:
    viewer = make_napari_viewer()
    layer = viewer.add_labels(np.zeros((2, 3, 2, 9, 12), int))
    with pytest.raises(UtileError, match="beside each slider") as refused:
        saved(tmp_path / "a.tif", layer)
    assert "--" not in str(refused.value)
    assert not [*tmp_path.iterdir()]
    viewer.dims.axis_labels = ("t", "z", "c", "-2", "-1")
    saved(tmp_path / "a.tif", layer)
    assert read_image(tmp_path / "a.tif").axes == "TZCYX"


def test_what_cannot_be_opened_is_refused_without_options_of_the_command_line(tmp_path: Path) -> None:
    make(tmp_path / "a.zarr", "0.5")
    (tmp_path / "a.zarr" / ".utile").mkdir()
    (tmp_path / "a.zarr" / ".utile" / "plan.json").write_text("{}")
    with pytest.raises(UtileError, match="press Segment on its image to finish it") as refused:
        opened(tmp_path / "a.zarr")
    assert "--" not in str(refused.value)
    (tmp_path / "cells_recipe.json").write_text("{}")
    tifffile.imwrite(tmp_path / "cells_labels.tif", np.zeros((60, 3, 5), np.uint8))
    with pytest.raises(UtileError, match="⋯ beside Image"):
        opened(tmp_path / "cells_labels.tif")


def test_napari_finds_reader_and_writer_by_the_manifest() -> None:
    contributions = PluginManifest.from_file(TOP / "napari.yaml").contributions
    (reader,) = contributions.readers or ()
    assert reader.accepts_directories
    assert "*.zarr" in reader.filename_patterns
    for ending in (".tif", ".tiff", ".ome.tif"):  # as labels are saved with their recipe
        for of in ("labels", "classes", "mask", "probability"):
            assert any(fnmatch(f"cells_{of}{ending}", each) for each in reader.filename_patterns)
    kinds = [
        (tuple(map(str, w.layer_types)), tuple(w.filename_extensions)) for w in contributions.writers or ()
    ]
    assert (("labels",), (".tif", ".tiff")) in kinds
