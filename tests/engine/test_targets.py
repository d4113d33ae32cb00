"""Files to be written, checked before anything is computed."""

import os
from pathlib import Path

import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.targets import check_folder, check_space, check_target, identities


def refused(path: Path | str, *inputs: Path, suffixes: tuple[str, ...] = ()) -> str:
    with pytest.raises(UtileError) as caught:
        check_target(path, identities(inputs), suffixes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_file_and_an_older_one_may_be_written(tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    assert check_target(target) == target
    target.write_bytes(b"old")
    assert check_target(target, identities([tmp_path / "b.tif"]), (".tif",)) == target
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.tif"]


def test_an_input_is_never_a_target_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "a.tif"
    image.write_bytes(b"x")
    (tmp_path / "soft.tif").symlink_to(image)
    os.link(image, tmp_path / "hard.tif")
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "./a.tif", "soft.tif", "hard.tif", "folder/a.tif"):
        assert "what is read here" in refused(name, image)
        assert "what is read here" in refused(image, Path(name))


def test_nothing_is_written_into_a_store_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "image.zarr" / "0").mkdir(parents=True)
    for inside in ("image.zarr/labels.tif", "image.zarr/0/0.tif"):
        assert "what is read here" in refused(tmp_path / inside, tmp_path / "image.zarr")
    check_target(tmp_path / "image.tif", identities([tmp_path / "image.zarr"]))


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full"])
def test_devices_are_not_replaced(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"there is no {device} here")
    assert "device" in refused(device)
    with pytest.raises(UtileError), atomic_path(device):
        pytest.fail("a device was opened")


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "device" in refused(tmp_path / "pipe.csv")


def test_a_write_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("kept")
    allowed = os.access  # nothing is protected from root
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != path and allowed(place, mode))
    assert "write-protected" in refused(path)
    with pytest.raises(UtileError, match="write-protected"), atomic_path(path) as temporary:
        temporary.write_text("lost")
    assert path.read_text() == "kept"


def test_folders_and_missing_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "d.tif").mkdir()
    assert "is a folder" in refused(tmp_path / "d.tif")
    assert "does not exist" in refused(tmp_path / "no" / "such" / "a.csv")


@pytest.mark.parametrize("letter", ["a", "ü", "細", "\udce9"])
def test_a_name_that_is_too_long_is_refused_and_the_longest_is_written(tmp_path: Path, letter: str) -> None:
    count = (255 - len(".tif")) // len(os.fsencode(letter))
    assert "too long" in refused(tmp_path / f"{letter * (count + 1)}.tif")
    with atomic_path(tmp_path / f"{letter * count}.tif") as temporary:
        temporary.write_bytes(b"x")
    assert len(os.listdir(tmp_path)) == 1


def test_other_suffixes_than_what_is_written_are_refused(tmp_path: Path) -> None:
    assert ".tif or .tiff" in refused(tmp_path / "w.png", suffixes=(".tif", ".tiff"))
    assert "end in .json" in refused(tmp_path / "w", suffixes=(".json",))
    check_target(tmp_path / "W.TIF", suffixes=(".tif", ".tiff"))


def test_folders_for_results(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "deep")
    check_folder(tmp_path / "results 2024.06")
    (tmp_path / "old.zip").mkdir()
    check_folder(tmp_path / "old.zip")
    (tmp_path / "file").write_bytes(b"x")
    for name in ("result.tif", "x.png", "cells.csv", "x.zarr", "file", "file/deeper"):
        with pytest.raises(UtileError, match="folder"):
            check_folder(tmp_path / name)
        assert not (tmp_path / name).is_dir()


def test_a_full_disk_is_noticed_before_the_work(tmp_path: Path) -> None:
    check_space(tmp_path, 1)
    with pytest.raises(UtileError, match="need about 1,000,000,000 GB, and "):
        check_space(tmp_path, 1e18)
