"""The copied command and the recipe of a plane, a channel, a region make what the dock made, whatever the file."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel

from napari_utile.cli import main
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.jobs import segment_job
from napari_utile.session.results import command_of
from napari_utile.session.state import Session
from pages import page_of
from pictures import bright_discs

AXES = ("YX", "TYX", "ZYX", "CYX", "TZYX", "TCYX", "ZCYX", "TZCYX")
SIZES = {"T": 2, "Z": 3, "C": 2}


@pytest.fixture(autouse=True)
def _fast(bright_nuclei):
    """Segment with a model that takes no time."""


def some_file(folder: Path, rng: np.random.Generator) -> tuple[Path, np.ndarray, str]:
    """Write discs, each plane as bright as no other, in a file with or without names of its axes."""
    axes = str(rng.choice(AXES))
    sizes = [SIZES[axis] for axis in axes[:-2]]
    discs = bright_discs()
    stack = np.stack(
        [discs.astype(np.uint16) * int(scale) for scale in rng.integers(1, 60, int(np.prod(sizes)))]
    )
    pixels = stack.reshape(*sizes, *discs.shape)
    if len(axes) == 5 or rng.random() < 0.6:
        path = folder / "a.ome.tif"
        tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata={"axes": axes})
    else:
        path = folder / "a.tif"
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return path, pixels, axes


def some_layer(viewer: ViewerModel, rng: np.random.Generator, pixels: np.ndarray, axes: str, path: Path):
    """Show it all, or one of its channels, with or without axis labels, at some position of the sliders."""
    if "C" in axes and rng.random() < 0.4:
        pixels = pixels.take(int(rng.integers(2)), axis=axes.index("C"))
        axes = axes.replace("C", "")
    layer = viewer.add_image(pixels, name="a", rgb=False)
    layer.source.__dict__["path"] = str(path)
    if rng.random() < 0.5:
        layer.axis_labels = [axis.lower() for axis in axes]
    for axis, size in enumerate(pixels.shape[:-2]):
        viewer.dims.set_current_step(axis, int(rng.integers(size)))
    return layer


def some_projection(viewer: ViewerModel, rng: np.random.Generator, page) -> None:
    """Make one plane of a stack along one of the sliders, in one of the ways, if there is one."""
    layer, menu = viewer.layers[0], page.dock.header.source.reading
    sliders = [axis for axis in range(layer.ndim - 2) if layer.axis_labels[axis] not in ("c", "t")]
    if sliders:
        if layer.axis_labels[0].lstrip("-").isdigit():
            menu.name_axis(sliders[-1], "z")
        menu.project(sliders[-1], str(rng.choice(["max", "mean", "focus"])))


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_command_and_recipe_make_what_the_dock_made(qtbot, tmp_path, seed, projected) -> None:
    rng = np.random.default_rng(seed)
    path, pixels, axes = some_file(tmp_path, rng)
    viewer = ViewerModel()
    some_layer(viewer, rng, pixels, axes, path)
    page = page_of(viewer, "segment")
    qtbot.addWidget(page.dock)
    if projected:
        some_projection(viewer, rng, page)
    _, request = page.request()
    diameter = None if rng.random() < 0.5 else 20.0
    region = Window(slice(3, 71), slice(8, 90)) if rng.random() < 0.5 else None
    request = replace(request, params=replace(request.params, diameter=diameter), region=region)
    result = Run(segment_job(Session(), request)).result
    assert result.located is not None
    made = result.segmentation
    command = command_of(request, made.params, card_of("nuclei"), result.located)
    words = shlex.split(command)[1:]
    words[words.index("-o") + 1] = str(tmp_path / "out")
    assert main([*words, "--quiet"]) == 0
    found = tifffile.imread(tmp_path / "out" / "a_labels.tif")
    np.testing.assert_array_equal(found, made.labels, err_msg=command)
    (tmp_path / "layer_recipe.json").write_text(json.dumps(result.recipe.to_json()))
    assert ("--project" in command) == (len(viewer.layers) > 1)
    assert main(["replay", str(tmp_path / "layer_recipe.json"), "--quiet"]) == 0
