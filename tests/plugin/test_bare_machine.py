"""The tests for graphics cards run where torch, scikit-image and pytest are installed, and nothing else of ours."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

BARE = """
import importlib.abc
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

installed = set()

def install(requirement):
    name = re.split(r"[ ;<>=!~\\[(]", requirement)[0].lower().replace("_", "-")
    try:
        needs = distribution(name).requires or [] if name not in installed else []
    except PackageNotFoundError:
        return
    installed.add(name)
    for need in needs:
        if "extra ==" not in need:
            install(need)

for name in ("torch", "scikit-image", "pytest"):
    install(name)
missing = {
    module
    for module, owners in packages_distributions().items()
    if not any(owner.lower().replace("_", "-") in installed for owner in owners)
} - {"napari_utile"}
assert {"napari", "vispy", "qtpy", "dask", "safetensors"} <= missing

class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""


def on_a_bare_machine(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE + program],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_are_collected_and_skipped_for_the_stated_reason_or_pass():
    report = on_a_bare_machine(
        "import pytest; "
        "sys.exit(pytest.main(['-c', 'training/gpu.ini', '--confcutdir', 'tests/gpu', 'tests/gpu']))"
    )
    assert " error" not in report
    assert "passed" in report or "there is no graphics card that torch can use" in report
