"""Try the wheel beside old and new versions of what it needs, and print the table for docs/release.md.

Run by hand (`make compat`): each row is a fresh environment of one to eight gigabytes, which is removed after it.
Oldest means the lower bounds of all dependencies, newest what the index serves. `--torch 2.13.0+cpu` takes one build
of torch for all rows, where the others are too large to fetch. `uv` installs where it is there: it is quicker than pip.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from run import window_server

TOP = Path(__file__).parents[1]
BINDINGS = ("PyQt6", "PySide6")
TRIED = """
import time
from importlib.resources import files
import qtpy, napari, numpy, torch
from napari_utile.cli import main
from napari_utile.cli.imports import import_all
assert not import_all(), import_all()
sample = str(files("napari_utile") / "sample_data" / "nuclei.tif")
assert main(["segment", sample, "-o", "out", "--quiet"]) == 0
viewer = napari.Viewer()
viewer.open_sample("napari-utile", "nuclei")
_, dock = viewer.window.add_plugin_dock_widget("napari-utile", "U-Tile")
for name in ("segment", "click", "train", "weights", "evaluate", "models", "segment"):
    page = dock.open_page(name)
    napari.qt.get_qapp().processEvents()
page.form.run_bar.run_button.click()
start = time.monotonic()
while "nuclei instances" not in viewer.layers or page.running:
    napari.qt.get_qapp().processEvents()
    assert time.monotonic() - start < 300, "the dock did not segment"
cells = int(viewer.layers["nuclei instances"].data.max())
assert cells > 50, cells
viewer.close()
print("tried", napari.__version__, numpy.__version__, torch.__version__, f"{qtpy.API_NAME} {qtpy.QT_VERSION}", sep="|")
"""


def lower_bounds(wheel: Path) -> list[str]:
    """Read the oldest versions that the wheel accepts, as requirements."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    needed = [Requirement(line.partition(":")[2]) for line in lines if line.startswith("Requires-Dist:")]
    return [f"{each.name}=={next(iter(each.specifier)).version}" for each in needed if not each.marker]


def row(wheel: Path, age: str, torch: str | None, binding: str) -> str:
    """Install into a fresh environment, segment the sample by command and in the dock, and write a row of the table."""
    wanted = lower_bounds(wheel) if age == "oldest" else []
    if torch:
        wanted = [each for each in wanted if not each.startswith("torch=")] + [f"torch=={torch}"]
    with tempfile.TemporaryDirectory(prefix="utile-compat-") as folder:
        python = Path(folder) / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        venv.create(Path(folder) / "env", with_pip=True)
        uv = shutil.which("uv")
        pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        install = [*pip, "--quiet", f"{wheel}", binding, *wanted]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            done = subprocess.run(
                [*window_server(), python, "-W", "ignore", "-c", TRIED],
                cwd=folder,
                env=os.environ | {"HOME": folder, "UTILE_MODELS": folder},
                capture_output=True,
                text=True,
                check=False,
            )
        versions = [line.split("|")[1:] for line in done.stdout.splitlines() if line.startswith("tried|")]
        said = "runs" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1][:120]
        named = versions[0] if versions else ["?", "?", torch or "?", binding]
        return f"| {age} | {' | '.join(named)} | {said} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", help="this version of torch in all rows")
    parser.add_argument("--ages", nargs="+", default=["oldest", "newest"], choices=["oldest", "newest"])
    parser.add_argument("--bindings", nargs="+", default=BINDINGS, choices=BINDINGS)
    parser.add_argument("--wheel", type=Path, help="by default the newest of dist/")
    args = parser.parse_args()
    wheel = args.wheel or max((TOP / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    print("| dependencies | napari | numpy | torch | Qt binding | result |\n|---|---|---|---|---|---|")
    for age, binding in itertools.product(args.ages, args.bindings):
        print(row(wheel.resolve(), age, args.torch, binding), flush=True)


if __name__ == "__main__":
    main()
