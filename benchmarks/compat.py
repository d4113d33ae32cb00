"""Try the wheel beside old and new versions of napari, numpy, torch and Qt bindings, and print the table for the docs.

Run by hand (`make compat`): each row is a fresh environment of one to three gigabytes, which is removed after it.
"""

import itertools
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

TOP = Path(__file__).parents[1]
OLDEST = {"napari": "napari==0.7.*", "numpy": "numpy==1.26.*", "torch": "torch==2.6.*"}
NEWEST = {"napari": "napari", "numpy": "numpy", "torch": "torch"}
BINDINGS = ("PyQt6", "PySide6")
TRIED = """
import qtpy.QtWidgets, napari, numpy, torch
from napari_utile.cli import main
from importlib.resources import files
status = main(["segment", str(files("napari_utile") / "sample_data" / "nuclei.tif"), "-o", "out"])
print("versions", napari.__version__, numpy.__version__, torch.__version__.partition("+")[0], sep="|")
raise SystemExit(status)
"""


def row(wheel: Path, wanted: dict[str, str], binding: str) -> str:
    """Install into a fresh environment, segment the sample, and write a row of the table."""
    with tempfile.TemporaryDirectory(prefix="utile-compat-") as folder:
        python = Path(folder) / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        venv.create(Path(folder) / "env", with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", f"{wheel}", binding, *wanted.values()]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            done = subprocess.run(
                [python, "-W", "ignore", "-c", TRIED], cwd=folder, capture_output=True, text=True, check=False
            )
        versions = [line.split("|")[1:] for line in done.stdout.splitlines() if line.startswith("versions|")]
        said = "runs" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1][:80]
        named = versions[0] if versions else list(wanted.values())
        return f"| {' | '.join(named)} | {binding} | {said} |"


def main() -> None:
    """Print the table."""
    wheel = max((TOP / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    print("| napari | numpy | torch | Qt binding | result |\n|---|---|---|---|---|")
    for wanted, binding in itertools.product((OLDEST, NEWEST), BINDINGS):
        print(row(wheel, wanted, binding), flush=True)


if __name__ == "__main__":
    main()
