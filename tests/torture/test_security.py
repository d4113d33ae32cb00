"""What docs/security.md promises: no code of a file is run, nothing outside the target is written or read."""

import ast
import contextlib
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr
from safetensors.torch import save_file

import napari_utile
from bright_model import save_bright_model
from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.archive import Archive
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.plates import plate_fields
from napari_utile.engine.provenance.recipe import load_recipe
from napari_utile.engine.training.state import KEY, read_checkpoint, steps_of
from torture import inputs, runs

SOURCE = Path(napari_utile.__file__).parent
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
BANNED_MODULES = {
    *("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"),  # run what a file says
    *("subprocess", "ctypes", "cffi", "pty", "code", "codeop", "runpy"),  # run programs
    *(
        "urllib",
        "urllib3",
        "http",
        "httpx",
        "aiohttp",
        "requests",
        "socket",
        "ssl",
        "asyncio",
        "ftplib",
        "smtplib",
    ),
    *("fsspec", "pooch", "huggingface_hub", "webbrowser", "distributed"),  # open addresses
}
BANNED_ATTRIBUTES = {
    "os": {name for name in dir(os) if re.match("system|popen|startfile|spawn|exec|posix_spawn", name)},
    "builtins": {"eval", "exec", "compile", "__import__"},
    "torch": {"load"},
    "torch.jit": {"load"},
    "yaml": {"load", "unsafe_load", "full_load", "load_all"},
    "shutil": {"unpack_archive"},
    "torch.hub": {"load", "download_url_to_file"},
}
BANNED_METHODS = {"extractall", "extract", "read_pickle", "register_custom_ops_library", "openUrl"}
"""Of archives, which write wherever the archive says; those that unpickle, load a library or open an address."""
PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def exceptions() -> set[tuple[str, str]]:
    """Read the exceptions where they stand by name: modules in the first column, what they do in the second."""
    rows = re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        (module, found)
        for modules, what in rows
        for module in re.findall("`(.+?)`", modules)
        for found in re.findall("`(.+?)`", what)
    }


def findings_in(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = (
                [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            found |= {f"import {each}" for each in modules if each.split(".")[0] in BANNED_MODULES}
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id in BANNED_CALLS:
            found.add(function.id)
        if isinstance(function, ast.Attribute):
            owner = ast.unparse(function.value)
            if function.attr in BANNED_ATTRIBUTES.get(owner, ()):
                found.add(f"{owner}.{function.attr}")
            if function.attr in BANNED_METHODS:
                found.add(function.attr)
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in {("shell", True), ("allow_pickle", True), ("weights_only", False)}:
                found.add(f"{keyword.arg}={value}")
    return found


def findings() -> set[tuple[str, str]]:
    return {
        (path.relative_to(SOURCE).as_posix(), found)
        for path in SOURCE.rglob("*.py")
        for found in findings_in(path.read_text(encoding="utf-8"))
    }


def test_nothing_runs_code_or_unpickles_but_for_exceptions_by_name() -> None:
    assert findings() == exceptions(), "what is done, and what docs/security.md lists, are not the same"


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_a_store_reads_nothing_outside_of_its_folder(tmp_path: Path, name) -> None:
    secret = zarr.create_array(tmp_path / "outside", shape=(4, 4), chunks=(4, 4), dtype="uint8")
    secret[...] = 7
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("a", shape=(4, 4), chunks=(4, 4), dtype="uint8")[...] = 1
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": name}]}]}
    with pytest.raises(UtileError):
        np.asarray(read_image(tmp_path / "a.zarr").data)


@pytest.mark.parametrize("name", ["../../../outside", "..", "a/../../b", "/outside", ""])
def test_a_plate_names_no_fields_outside_of_its_wells(tmp_path: Path, name: str) -> None:
    group = zarr.open_group(tmp_path / "p.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "A/1"}]}
    well = group.create_group("A/1")
    well.attrs["well"] = {"images": [{"path": name}]}
    with pytest.raises(UtileError, match="is not inside it"):
        plate_fields(tmp_path / "p.zarr")


def test_a_tiff_names_no_files_outside_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    tifffile.imwrite(
        tmp_path / "secret.ome.tif", np.full((2, 8, 8), 9, np.uint8), ome=True, metadata={"axes": "ZYX"}
    )
    secret = tifffile.TiffFile(tmp_path / "secret.ome.tif")
    xml = secret.ome_metadata
    secret.close()
    uuid = xml.split('UUID="', 1)[1].split('"', 1)[0]
    planes = "".join(
        f'<TiffData IFD="{number}" FirstZ="{number}" PlaneCount="1">'
        f'<UUID FileName="../secret.ome.tif">{uuid}</UUID></TiffData>'
        for number in range(2)
    )
    start, rest = xml.split("<TiffData", 1)
    hostile = start + planes + rest.split("/>", 1)[1] if "/>" in rest else xml
    hostile = hostile.replace(f'UUID="{uuid}"', 'UUID="urn:uuid:00000000-0000-0000-0000-000000000001"', 1)
    path = tmp_path / "in" / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), description=hostile.encode(), metadata=None)
    with pytest.raises(UtileError, match="outside its folder"):
        read_image(path)


def test_a_package_unpacks_nothing_outside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        file.writestr("rdf.yaml", "name: x")
        file.writestr("../outside.txt", "x")
    with pytest.raises(UtileError):
        Archive(tmp_path / "p.zip")
    assert not (tmp_path.parent / "outside.txt").exists()


def test_a_model_whose_name_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name is made of letters"):
        save_bright_model(tmp_path / "m.safetensors", title="x").card.__class__("../../x", "unet", {})


@pytest.mark.parametrize(
    ("words", "asked"),
    [((), []), (("--workers", "3"), [(None, 3)]), (("--scheduler", "tcp://a:1"), [("tcp://a:1", None)])],
)
def test_a_dask_address_is_only_one_that_the_user_named(tmp_path: Path, monkeypatch, words, asked) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    save_bright_model(tmp_path / "valid.safetensors")
    tifffile.imwrite(tmp_path / "cells.tif", runs.picture())
    connected: list[tuple[str | None, int | None]] = []
    monkeypatch.setattr(
        "napari_utile.cli.stores.cluster_jobs",
        lambda address, workers: connected.append((address, workers)) or contextlib.nullcontext(),
    )
    assert runs.segment(tmp_path, tmp_path / "a.ome.zarr", *words) == 0
    assert connected == asked
    kept = [each.read_text(errors="replace") for each in (tmp_path / "a.ome.zarr").rglob("*.json")]
    assert kept
    assert not any("tcp://" in each for each in kept)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("recipe")
    inputs.prepare_recipe(folder, save_bright_model)
    return (folder / "valid_recipe.json").read_text()


@pytest.mark.parametrize("place", ["low", "cells", "region", "index"])
def test_a_recipe_of_infinite_numbers_is_refused(recipe, tmp_path: Path, place) -> None:
    values = json.loads(recipe)
    infinite = float("inf")
    plane = values["planes"][0]
    plane[place] = {
        "low": infinite,
        "cells": infinite,
        "region": [[0, infinite], [0, 1]],
        "index": {"Z": infinite},
    }[place]
    (tmp_path / "a_recipe.json").write_text(json.dumps(values))
    with pytest.raises(UtileError, match="is not a usable recipe"):
        load_recipe(tmp_path / "a_recipe.json")


def test_a_file_that_announces_more_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        place = tif.pages.first.tags["ImageWidth"].valueoffset
    content = bytearray(path.read_bytes())
    content[place : place + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UtileError):
        read_image(path)


@pytest.mark.parametrize(
    "header", [[], {"progress": [], "identity": {}}, {"progress": {"step": None}, "identity": []}]
)
def test_a_checkpoint_with_a_strange_header_is_refused(tmp_path: Path, header) -> None:
    path = tmp_path / "a.checkpoint"
    save_file({"network/weight": torch.zeros(1)}, path, metadata={KEY: json.dumps(header)})
    with pytest.raises(UtileError, match="is not a readable checkpoint"):
        steps_of(path)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(UtileError, match=r"is not a readable checkpoint|belongs to a run"):
        read_checkpoint(path, {"seed": 1}, optimizer, torch.device("cpu"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("eval('1')", "eval"),
        ("import os\nos.system('x')", "os.system"),
        ("import urllib.request", "import urllib.request"),
        ("from pickle import loads", "import pickle"),
        ("yaml.load(text)", "yaml.load"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("subprocess.run('x', shell=True)", "shell=True"),
        ("torch.load(path, weights_only=False)", "weights_only=False"),
        ("zipfile.ZipFile(path).extractall(folder)", "extractall"),
        ("import os\nos.execvp('x', ['x'])", "os.execvp"),
        ("import distributed as dask", "import distributed"),
    ],
)
def test_the_lint_sees_what_it_is_for(text: str, found: str) -> None:
    assert found in findings_in(text)
