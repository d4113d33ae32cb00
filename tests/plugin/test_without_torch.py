"""Docks open, list models and copy commands while torch is out of reach."""

import os
import subprocess
import sys

import pytest

OPEN_EVERY_DOCK = """
import builtins, sys, threading, time

attempts = []
plain = builtins.__import__


def watching(name, *args, **kwargs):
    if name.partition(".")[0] == "torch":
        attempts.append(threading.current_thread() is threading.main_thread())
        raise ImportError("torch is out of reach")
    return plain(name, *args, **kwargs)


builtins.__import__ = watching
sys.modules["torch"] = None

import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

application = QApplication([])
from napari_utile.widgets.workbench.dock import PAGES, Workbench

viewer = ViewerModel()
viewer.add_image(np.random.default_rng(0).random((64, 64)).astype("float32"), name="cells")
for name in ("painted", "truth"):
    viewer.add_labels(np.pad(np.ones((20, 20), int), 22), name=name)
whole = Workbench(viewer)
whole.show()
for name in PAGES:
    dock = whole.open_page(name)
    combo, until = whole.header.model.combo, time.monotonic() + 0.3
    while time.monotonic() < until or not combo.count():
        application.processEvents()
        time.sleep(0.01)
    assert "nuclei" in [combo.itemData(row) for row in range(combo.count())]
    if name == "models":
        continue  # nothing to copy
    application.clipboard().setText("")
    dock.copy_command()
    assert application.clipboard().text().startswith("utile "), (name, dock.form.status.text())

# What is done at once, and not in a job: settings, painted classes, the end of a store that was not finished.
from pathlib import Path

from napari_utile.widgets.viewer.layers import session_of

folder = Path(sys.argv[1])
page = whole.open_page("segment")
page.settings.save(page.form.params(), str(folder / "settings.json"))
page.settings.load(str(folder / "settings.json"))
assert page.form.status.text() == "The settings of settings.json are used."
recipe = '{"format": "napari-utile recipe 1", "model": {"name": "cells"}, "parameters": {"model": "cells"}}'
(folder / "recipe.json").write_text(recipe)
page.settings.load(str(folder / "recipe.json"))
assert session_of(viewer).model == "cells"
page.settings.load(str(folder / "nothing.json"))
assert "nothing.json" in page.form.status.text()
rows = whole.open_page("train").form.classes
rows.combo.setCurrentIndex(2)
rows.names.setText("live, dead")
assert rows.read(np.array([[1, 0, 2]]), {}, None)[1] == {1: "live", 2: "dead"}
from napari_utile.session.store_jobs import delete_store, said_of

store = folder / "one.ome.zarr"
(store / ".utile").mkdir(parents=True)
(store / ".utile" / "plan.json").write_text("{}")
assert "Delete removes them" in said_of(store)
delete_store(store)
assert not store.exists()
whole.close()
assert not any(attempts), "the GUI thread asked for torch"
assert attempts, "no job asked for it either: this test has lost its object"
print("fine")
"""


def test_every_dock_opens_and_copies_its_command_without_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OPEN_EVERY_DOCK, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "UTILE_MODELS": str(tmp_path)},
    )
    assert done.stdout.strip().endswith("fine"), done.stderr[-3000:]


@pytest.mark.parametrize(
    "words", [["models", "list"], ["models", "show", "nuclei"], ["--help"], ["segment", "--help"]]
)
def test_the_command_line_lists_models_and_helps_without_torch(words, tmp_path):
    program = f"""
import sys
sys.modules["torch"] = None
from napari_utile.cli import main
try:
    sys.exit(main({words!r}))
except SystemExit as end:
    sys.exit(end.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "UTILE_MODELS": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "nuclei" in done.stdout or "usage" in done.stdout
