import argparse
import os
import re
import sys

import pytest

from napari_utile import cli
from napari_utile.cli import doctor, system_libraries
from napari_utile.cli.system_libraries import MissingFiles, find_missing, install_line


@pytest.fixture
def lacking(monkeypatch):
    """Pretend that libraries or Xvfb are missing."""

    def lack(*libraries: str, xvfb: bool = False) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(system_libraries, "loads", lambda library: library not in libraries)
        monkeypatch.setattr(
            system_libraries.shutil, "which", lambda name: None if xvfb else f"/usr/bin/{name}"
        )

    return lack


def test_what_the_loader_cannot_load_is_missing_by_its_debian_name(lacking):
    lacking("libEGL.so.1", "libxcb-cursor.so.0", xvfb=True)
    missing = find_missing()
    assert missing.libraries == ("libEGL.so.1", "libxcb-cursor.so.0")
    assert missing.debian_packages == ("libegl1", "libxcb-cursor0", "xvfb")


def test_a_library_that_does_not_exist_does_not_load():
    assert not system_libraries.loads("libno-such-library.so.0")


def test_other_systems_than_linux_need_no_system_libraries(lacking, monkeypatch):
    lacking("libEGL.so.1", xvfb=True)
    monkeypatch.setattr(sys, "platform", "win32")
    assert find_missing() == MissingFiles()


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("ID=debian\n", "sudo apt-get install libegl1 xvfb"),
        ("ID=ubuntu\nID_LIKE=debian\n", "sudo apt-get install libegl1 xvfb"),
        ("ID=fedora\n", "install what Debian calls libegl1 xvfb"),
    ],
)
def test_the_line_that_installs_fits_the_system(tmp_path, release, line):
    path = tmp_path / "os-release"
    path.write_text(release)
    assert install_line(("libegl1", "xvfb"), path) == line


def test_a_missing_library_is_named_with_its_line_and_is_fatal(lacking):
    lacking("libEGL.so.1")
    finding = next(doctor.system_libraries())
    assert finding.fatal
    assert "libEGL.so.1" in finding.detail
    assert finding.remedy is not None
    assert finding.remedy.endswith(" libegl1")


def test_missing_xvfb_is_only_a_note(lacking, monkeypatch):
    lacking(xvfb=True)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    *_, display = doctor.system_libraries()
    assert not display.fatal
    assert str(display).startswith("note")
    assert "xvfb" in str(display)


def test_scripts_get_the_packages_on_one_line(lacking, capsys):
    lacking("libGL.so.1", xvfb=True)
    assert cli.main(["doctor", "--packages"]) == 0
    assert capsys.readouterr().out == "libgl1 xvfb\n"


def test_an_examination_that_fails_is_reported_and_the_others_go_on(monkeypatch, capsys):
    def broken():
        raise OSError("libtorch_cpu.so is truncated")

    for name in ("packages", "system_libraries", "qt", "models"):
        monkeypatch.setattr(doctor, name, lambda: iter([doctor.Check("other", "fine")]))
    monkeypatch.setattr(doctor, "compute", broken)
    assert doctor.run(argparse.Namespace(packages=False)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.startswith("missing  compute") and "libtorch_cpu.so is truncated" in line for line in lines
    )
    assert sum("fine" in line for line in lines) == 4
    assert lines[-1] == "1 missing"


def test_a_complete_system_gives_the_status_zero(monkeypatch, capsys):
    for name in ("packages", "system_libraries", "qt", "compute", "models"):
        monkeypatch.setattr(doctor, name, lambda: iter([doctor.Check("other", "fine")]))
    assert doctor.run(argparse.Namespace(packages=False)) == 0
    assert capsys.readouterr().out.endswith("Nothing is missing.\n")


def test_a_binding_without_its_libraries_refers_to_them(monkeypatch):
    def fails(*_arguments, **_keywords):
        return argparse.Namespace(returncode=1, stdout="", stderr="ImportError: libEGL.so.1: cannot open\n")

    monkeypatch.setattr(doctor.subprocess, "run", fails)
    (finding,) = doctor.qt()
    assert finding.fatal
    assert "libEGL.so.1" in finding.detail
    assert "system libraries" in (finding.remedy or "")


def test_all_modules_can_be_imported_here():
    assert [str(finding) for finding in doctor.modules()] == [
        "ok       modules            all can be imported"
    ]


def test_a_package_that_lacks_a_name_is_said_with_the_module_that_wants_it(tmp_path, monkeypatch):
    (tmp_path / "superqt.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    findings = list(doctor.modules())
    assert findings
    assert all(finding.fatal and finding.remedy for finding in findings)
    assert all(re.match(r"napari_utile\.widgets\.[\w.]+: \w+Error: ", each.detail) for each in findings)
    assert any("superqt" in finding.detail for finding in findings)


def test_no_binding_names_the_extra_that_brings_one(monkeypatch):
    def fails(*_arguments, **_keywords):
        return argparse.Namespace(returncode=1, stdout="", stderr="QtBindingsNotFoundError: No Qt bindings\n")

    monkeypatch.setattr(doctor.subprocess, "run", fails)
    (finding,) = doctor.qt()
    assert finding.remedy == 'pip install "napari[pyqt6]"'


def test_a_folder_that_does_not_exist_yet_is_writable_if_its_parent_is(tmp_path):
    assert doctor.is_writable(tmp_path / "not" / "yet")


def test_a_file_in_the_place_of_a_folder_is_not_writable(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    assert not doctor.is_writable(blocked / "models")


def test_onnx_runtime_is_timed_beside_torch_or_its_extra_is_named(monkeypatch):
    (found,) = doctor.onnx_runtime()
    assert re.search(r"\d\.\d x the speed of torch", found.detail)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    (found,) = doctor.onnx_runtime()
    assert 'pip install "napari-utile[exchange]"' in found.detail
    assert not found.fatal
