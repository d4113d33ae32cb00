"""What is printed never costs a result: terminals without letters, closed pipes, full and closed standard outputs."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError, log_file, sentence_of
from napari_utile.engine.files.images import write_labels

ENCODINGS = ("ascii", "cp1252", "cp932", "utf-16")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "Zellen µm – 細胞.tif"
    write_labels(path, np.kron(np.arange(6).reshape(2, 3), np.ones((5, 5), int)))
    return path


def utile(*words: object, shell: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_utile.cli", *map(str, words)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=env, check=False, timeout=120
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_encoding_shows_a_table(labels: Path, tmp_path: Path, encoding: str, monkeypatch) -> None:
    shown = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(shown, encoding=encoding, write_through=True))
    table = tmp_path / "cells.csv"
    assert main(["measure", str(labels), "-o", str(table)]) == 0
    assert "Zellen µm – 細胞" in table.read_text(encoding="utf-8")
    assert main(["evaluate", str(labels), str(labels)]) == 0
    assert "Zellen" in shown.getvalue().decode(encoding, errors="replace")


WAITING = """
import signal, sys, tempfile, time
from napari_utile import cli
from napari_utile.cli import models

def wait(_):
    with tempfile.NamedTemporaryFile(dir=".", suffix=".tif"):
        print("ready", flush=True)
        time.sleep(100)

models._list = wait
for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # as in a terminal, also where the tests run in the background
    if hasattr(signal, name):
        signal.signal(signal.Signals[name], signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
sys.exit(cli.main())
"""


LOGGING = """
import logging, sys, warnings
from napari_utile import cli
from napari_utile.cli import models
from napari_utile.engine.errors import warn

def say(_):
    logging.getLogger("a.library").error("for developers")
    logging.error("for developers")
    warnings.warn("for developers")
    warn("This is for users.")
    return 0

models._list = say
sys.exit(cli.main())
"""


def test_what_libraries_say_to_developers_is_not_shown(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOGGING, "models", "list"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert (made.returncode, made.stdout) == (0, "")
    assert made.stderr == "utile models: This is for users.\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_command_in_order(tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-c", WAITING, "models", "list"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=env, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[name])
        assert process.communicate(timeout=60)[1] == "interrupted\n"
    assert process.returncode == 128 + signal.Signals[name]
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_enough_is_quiet(labels: Path, tmp_path: Path) -> None:
    done = utile("measure", labels, "-o", tmp_path / "cells.csv", shell="| true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "cells.csv").exists()


def test_a_closed_standard_output_is_no_file(labels: Path, tmp_path: Path) -> None:
    done = utile("measure", labels, "-o", tmp_path / "cells.csv", shell=">&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "cells.csv").read_text(encoding="utf-8").startswith("image,index")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_standard_output_loses_no_file(labels: Path, tmp_path: Path) -> None:
    done = utile("measure", labels, "-o", tmp_path / "cells.csv", shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["utile: cannot write to the standard output: No space left on device"]
    assert (tmp_path / "cells.csv").exists()


# Sentences


def test_what_nobody_foresaw_is_one_sentence_and_its_traceback_in_a_log() -> None:
    try:
        np.zeros(2) + np.zeros(3)
    except ValueError as error:
        sentence = sentence_of(error)
    assert "ValueError" in sentence
    assert str(log_file()) in sentence
    assert "\n" not in sentence
    assert "np.zeros(2) + np.zeros(3)" in log_file().read_text()


@pytest.mark.parametrize(
    "error",
    [UtileError("This is so."), FileNotFoundError(2, "No such file", "x"), ValueError("split must be 1")],
)
def test_what_is_meant_for_people_is_not_logged(error: Exception) -> None:
    assert "Something went wrong" not in sentence_of(error)
    assert not log_file().exists()


def test_a_log_that_cannot_be_written_is_somewhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UTILE_LOG", "/dev/null/utile.log")
    assert "utile.log" in sentence_of(KeyError("x"))
    assert "/dev/null" not in sentence_of(KeyError("x"))


def test_a_defect_in_one_file_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_utile.cli import measure

    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        write_labels(folder / f"{number}.tif", np.pad(np.full((4, 4), number + 1), 1))
    original = measure.measure

    def breaks(labels, *rest, **options):
        if labels.max() == 2:
            raise KeyError("gone")
        return original(labels, *rest, **options)

    monkeypatch.setattr(measure, "measure", breaks)
    assert main(["measure", str(folder), "-o", str(tmp_path / "cells.csv")]) == 1
    said = capsys.readouterr()
    assert "2 cells of 2 images" in said.out
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"{folder / '1.tif'}: Something went wrong (KeyError)")


# Numbers


@pytest.mark.parametrize("typed", ["0,4", "1.000,5", "1_0", "nan", "inf", "four", "", "٠٫٤", "1 000"])
def test_numbers_have_a_point(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["segment", "x.tif", "-o", "out", "--threshold", typed])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--threshold" in said
    assert "not a number" in said
    assert ("with a point, 0.4" in said) == (typed == "0,4")


@pytest.mark.parametrize("typed", ["1.5", "2", "0x3", "--5", "1e1"])
def test_whole_numbers_are_whole(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["segment", "x.tif", "-o", "out", "--tile", typed])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
