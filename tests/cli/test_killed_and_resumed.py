"""A run into a store that is killed, and finished by more than one process: the bits of an undisturbed run."""

import functools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy import ndimage

from napari_utile.cli import main, stores
from napari_utile.engine.files.unfinished import HOME, is_complete

pytestmark = pytest.mark.usefixtures("bright_nuclei")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An OME-Zarr of ten blocks of `SIDE` pixels and two levels, cells over all borders."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).random((140, 560)), 4)
    root = zarr.create_group(tmp_path / "slide.zarr")
    pixels = ((smooth - smooth.min()) / np.ptp(smooth) * 60000).astype(np.uint16)
    root.create_array("0", data=pixels, chunks=(64, 64), dimension_names=["y", "x"])
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return tmp_path / "slide.zarr"


SIDE = 128
KILLED = """
import functools, os, signal, sys
from napari_utile.cli import main
from napari_utile.cli import stores
from napari_utile.engine.store.journal import Journal

side, entries, *command = sys.argv[1:]
stores.plan_store = functools.partial(stores.plan_store, side=int(side))
add, added = Journal.add, []

def counted(*what):
    add(*what)
    added.append(what)
    if len(added) == int(entries):
        os.kill(os.getpid(), signal.SIGKILL)

Journal.add = counted
main(command)
"""
"""Makes a store of small blocks, and is killed without a word when so many entries are in its journal."""


def words(image: Path, place: Path, *more: str) -> list[str]:
    usual = ["--diameter", "none", "--quiet", "--measurements", "--device", "cpu"]
    return ["segment", str(image), "-o", str(place), *usual, *more]


def killed_after(entries: int, command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(SIDE), str(entries), *command], check=False)
    assert done.returncode == -signal.SIGKILL


def test_killed_half_way_and_finished_by_two_workers_it_has_the_same_bits(
    tmp_path, image, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(stores, "plan_store", functools.partial(stores.plan_store, side=SIDE))
    whole, place = tmp_path / "whole.zarr", tmp_path / "place.zarr"
    assert main(words(image, whole)) == 0
    killed_after(14, words(image, place))
    assert (place / HOME / "journal.jsonl").read_bytes().count(b"\n") == 14
    assert not is_complete(place)
    assert main(["measure", str(place), str(image), "-o", str(tmp_path / "m.csv")]) == 1
    assert "--resume" in capsys.readouterr().err
    assert main(words(image, place, "--resume", "--workers", "2")) == 0
    for name in ("0", "1", "labels/cells/0", "labels/cells/1"):
        once, twice = (zarr.open_array(each / name, mode="r")[...] for each in (whole, place))
        np.testing.assert_array_equal(once, twice)
    assert (whole / "tables/cells.csv").read_bytes() == (place / "tables/cells.csv").read_bytes()
    assert main(["verify", str(place)]) == 0
    assert "identical" in capsys.readouterr().out
