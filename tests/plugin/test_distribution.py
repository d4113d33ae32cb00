import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import napari_utile

TOP = Path(__file__).parents[2]
METADATA = f"napari_utile-{napari_utile.__version__}.dist-info"


def build(source: Path, kind: str, place: Path) -> Path:
    """Build a wheel or an sdist of the project in `source` without asking the network for anything."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(place)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = place.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return build(TOP, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module", params=["from the checkout", "from the sdist"])
def wheel(request, sdist, tmp_path_factory) -> zipfile.ZipFile:
    source = TOP
    if request.param == "from the sdist":
        unpacked = tmp_path_factory.mktemp("unpacked")
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        (source,) = unpacked.iterdir()
    return zipfile.ZipFile(build(source, "wheel", tmp_path_factory.mktemp("wheel")))


def files_below(folder: str) -> dict[str, bytes]:
    """Return path below `folder` -> content, without caches."""
    paths = (path for path in (TOP / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(TOP / folder).as_posix(): path.read_bytes() for path in paths}


def test_a_wheel_holds_each_file_once(wheel):
    names = wheel.namelist()
    assert len(names) == len(set(names))


def test_a_wheel_holds_the_top_level_manifest(wheel):
    assert wheel.read("napari_utile/napari.yaml") == (TOP / "napari.yaml").read_bytes()
    assert "napari_utile:napari.yaml" in wheel.read(f"{METADATA}/entry_points.txt").decode()


def test_a_wheel_holds_all_samples_and_models(wheel):
    samples, models = files_below("sample_data"), files_below("src/napari_utile/models")
    assert samples
    for folder, files in (("sample_data", samples), ("models", models)):
        inside = {name for name in wheel.namelist() if name.startswith(f"napari_utile/{folder}/")}
        assert inside == {f"napari_utile/{folder}/{name}" for name in files}
        for name, content in files.items():
            assert wheel.read(f"napari_utile/{folder}/{name}") == content, name


def test_a_wheel_holds_all_pages_of_the_help_and_no_pictures(wheel):
    pages = {name: content for name, content in files_below("docs").items() if name.endswith(".md")}
    inside = {name for name in wheel.namelist() if name.startswith("napari_utile/docs/")}
    assert inside == {f"napari_utile/docs/{name}" for name in pages}
    for name, content in pages.items():
        assert wheel.read(f"napari_utile/docs/{name}") == content, name


def test_a_wheel_holds_nothing_but_the_package(wheel):
    assert {name.split("/")[0] for name in wheel.namelist()} == {
        "napari_utile",
        "napari_utile-0.1.0.dist-info",
    }


def test_a_wheel_asks_for_no_qt_binding(wheel):
    metadata = wheel.read(f"{METADATA}/METADATA").decode()
    required = [
        line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra" not in line
    ]
    assert any(line.startswith("Requires-Dist: napari>=") for line in required)
    assert not [line for line in required if "pyqt6" in line.lower() or "pyside" in line.lower()]


def test_an_sdist_holds_what_its_own_tests_need(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"napari.yaml", "hatch_build.py", "Makefile", "tests/conftest.py", "LICENSE"} <= names
    assert not {name for name in names if name.startswith(("shared", ".venv", "demo_output"))}


def test_an_editable_install_replaces_what_is_no_link(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOP))
    from hatch_build import link_or_copy

    source = tmp_path / "napari.yaml"
    source.write_text("name: here")
    folder = tmp_path / "sample_data"
    folder.mkdir()
    (folder / "cells.tif").write_bytes(b"II")
    package = tmp_path / "package"
    package.mkdir()
    (package / "napari.yaml").write_text("../napari.yaml")  # what git writes where it cannot make links

    link_or_copy(source, package / "napari.yaml")
    link_or_copy(folder, package / "sample_data")
    assert (package / "napari.yaml").is_symlink()
    assert (package / "napari.yaml").read_text() == "name: here"
    assert (package / "sample_data/cells.tif").read_bytes() == b"II"


def test_an_editable_install_copies_where_links_fail_and_refreshes_the_copies(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOP))
    from hatch_build import link_or_copy

    def fails(*_arguments, **_keywords):
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", fails)
    folder = tmp_path / "sample_data"
    folder.mkdir()
    for content in (b"old", b"new"):
        (folder / "cells.tif").write_bytes(content)
        link_or_copy(folder, tmp_path / "copy")
        assert not (tmp_path / "copy").is_symlink()
        assert (tmp_path / "copy/cells.tif").read_bytes() == content
