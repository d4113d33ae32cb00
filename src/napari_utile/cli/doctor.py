"""`utile doctor`: what works on this computer, what is missing, and the line that installs it."""

import argparse
import itertools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from napari_utile.cli.system_libraries import XVFB, find_missing, install_line
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import available_devices, choose_compute
from napari_utile.engine.inference.device_check import TOLERANCE, check_device
from napari_utile.engine.models.catalogue import list_models, user_model_folder

WORTHWHILE = 1.25
"""How many times as fast a runtime must be to be recommended."""


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    name : str
        What was looked at.
    detail : str
        What was found.
    remedy : str or None
        The line that fixes what is missing.
    fatal : bool
        Whether the program misses something that it needs.
    """

    name: str
    detail: str
    remedy: str | None = None
    fatal: bool = False

    def __str__(self) -> str:
        state = "missing" if self.fatal else "note" if self.remedy else "ok"
        line = f"{state:8} {self.name:18} {self.detail}"
        return f"{line}\n{'':27} -> {self.remedy}" if self.remedy else line


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what works on this computer, what is missing, and the line that installs it",
        description="Say what works on this computer, what is missing, and the line that installs it. "
        "The exit status is 1 if something is missing that segmentation or its window needs.",
    )
    parser.add_argument(
        "--packages", action="store_true", help="only name the Debian packages that are missing, for scripts"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 if something is missing."""
    if arguments.packages:
        print(" ".join(find_missing().debian_packages))
        return 0
    fatal = 0
    for finding in examine():
        print(finding, flush=True)
        fatal += finding.fatal
    print(f"\n{fatal} missing" if fatal else "\nNothing is missing.")
    return 1 if fatal else 0


def examine() -> Iterator[Check]:
    """Look at one thing after the other; an examination that fails is a finding itself."""
    examinations: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("Python", python),
        ("packages", packages),
        ("system libraries", system_libraries),
        ("Qt", qt),
        ("compute", compute),
        ("ONNX Runtime", onnx_runtime),
        ("models", models),
    )
    for name, examination in examinations:
        try:
            yield from examination()
        except Exception as error:  # noqa: BLE001 - a broken install fails in ways that cannot be foreseen
            yield Check(name, f"{type(error).__name__}: {error}", "pip install --upgrade napari-utile", True)


def python() -> Iterator[Check]:
    """Say which Python runs, and on what."""
    yield Check("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def packages() -> Iterator[Check]:
    """Say which versions of the main packages are installed."""
    for name in ("napari-utile", "napari", "torch"):
        try:
            yield Check(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(name, "not installed", f"pip install {name}", fatal=True)


def system_libraries() -> Iterator[Check]:
    """Say which libraries of the system are missing, and whether there is a display."""
    missing = find_missing()
    if missing.libraries:
        line = install_line(tuple(name for name in missing.debian_packages if name != XVFB))
        yield Check("system libraries", f"no {', '.join(missing.libraries)}", line, fatal=True)
    else:
        yield Check("system libraries", "all that Qt and OpenGL need")
    if not sys.platform.startswith("linux"):
        return
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if display:
        yield Check("display", display)
    elif missing.xvfb:
        line = f"{install_line((XVFB,))}, to test in real windows"
        yield Check("display", "none: no window can be shown, the command line works", line)
    else:
        yield Check("display", f"none, but Xvfb for tests and scripts: {shutil.which('Xvfb')}")


def qt() -> Iterator[Check]:
    """Start Qt in a process of its own: a binding whose libraries are missing fails only then. Then import all."""
    program = (
        "import qtpy, qtpy.QtWidgets, qtpy.QtOpenGLWidgets;"
        "print(qtpy.API_NAME, qtpy.PYQT_VERSION or qtpy.PYSIDE_VERSION, '/ Qt', qtpy.QT_VERSION)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        yield Check("Qt", done.stdout.strip())
        yield from modules()
        return
    reason = (done.stderr.strip().splitlines() or ["it does not start"])[-1]
    line = "the line above for system libraries" if ".so" in reason else 'pip install "napari[pyqt6]"'
    yield Check("Qt", reason, line, fatal=True)


def modules() -> Iterator[Check]:
    """Import all of the program in a process of its own: versions that do not go together fail only then."""
    command = [sys.executable, "-m", "napari_utile.cli.imports"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        yield Check("modules", "all can be imported")
        return
    for fault in done.stdout.strip().splitlines() or done.stderr.strip().splitlines()[-1:]:
        yield Check("modules", fault, "pip install --upgrade napari-utile napari", fatal=True)


def compute() -> Iterator[Check]:
    """Say which device and precision `auto` chooses, how fast each is, and whether it computes what the CPU does."""
    for device, precision in itertools.product(available_devices(), TOLERANCE):
        if device == "onnx" and precision != "float32":
            continue
        name = f"{device} {precision}"
        try:
            check = check_device(device, precision, anew=True)
        except UtileError as error:
            yield Check(name, str(error))
            continue
        detail = (
            f"{check.gflops:.0f} GFLOP/s, probabilities within {check.difference:.1g} of the CPU's in float32"
        )
        remedy = None if check.agrees else "update torch and the driver; until then, --device cpu"
        yield Check(name, detail, remedy)
    chosen = choose_compute()
    gigabytes = chosen.memory_bytes / 1e9
    yield Check("auto", f"{chosen.device}, {chosen.precision}, {gigabytes:.1f} GB for tiles")
    if chosen.device == "cpu" and shutil.which("nvidia-smi"):
        yield Check(
            "graphics card",
            "an NVIDIA card is here, but this torch cannot use it",
            "the line that https://pytorch.org/get-started/locally gives for CUDA",
        )


def onnx_runtime() -> Iterator[Check]:
    """Say whether models in ONNX can run, and how fast it runs U-Tile's own beside torch on the CPU."""
    if not find_spec("onnxruntime"):
        yield Check(
            "ONNX Runtime", 'not installed; models in ONNX need it: pip install "napari-utile[exchange]"'
        )
        return

    rates = {name: check_device(name, "float32", anew=True).gflops for name in ("cpu", "onnx")}
    ratio = rates["onnx"] / rates["cpu"]
    advice = (
        "--device onnx runs a U-Net faster" if ratio > WORTHWHILE else "the CPU with torch is the one to use"
    )
    yield Check(
        "ONNX Runtime",
        f"{metadata.version('onnxruntime')}, {ratio:.1f} x the speed of torch on a U-Net here: {advice}",
    )


def models() -> Iterator[Check]:
    """Say which models there are, and whether new ones can be kept."""
    listed = list_models()
    for model in listed:
        if model.problem:
            yield Check("model", model.problem, f"remove {model.path}")
    usable = [f"{each.name}{'' if each.bundled else ' (yours)'}" for each in listed if not each.problem]
    if usable:
        yield Check("models", ", ".join(usable))
    else:
        yield Check("models", "none", "pip install --force-reinstall --no-deps napari-utile", fatal=True)
    folder = user_model_folder()
    if is_writable(folder):
        yield Check("your models", str(folder))
    else:
        line = "set the environment variable UTILE_MODELS to a folder of yours"
        yield Check("your models", f"{folder} cannot be written to", line, fatal=True)


def is_writable(folder: Path) -> bool:
    """Return whether a file can be made in `folder`, or `folder` in its nearest existing ancestor."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
