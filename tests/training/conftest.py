"""Annotated images in the layout of the shared ones, simulated."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

from bundled.data_sets import DATA_SETS, SIMULATED
from simulation.simulate import simulate

NAMES = {
    "dsb2018_stage1": [("fl_1", "train"), ("fl_2", "val"), ("fl_3", "val"), ("he_1", "val")],
    "bbbc039_fluo_nuclei": [("a", "val")],
    "codex_tissue_wholecell": [("c", "train"), ("d", "val")],
}


@pytest.fixture
def annotated_data(tmp_path: Path) -> Path:
    """Small simulated nuclei under the names of some data sets; the other sets are empty."""
    root = tmp_path / "data"
    for folder in set(DATA_SETS) - {SIMULATED} | {"trpl_phase_ecoli"}:
        for kind in ("images", "labels"):
            (root / folder / kind).mkdir(parents=True)
        with (root / folder / "index.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["name", "split"])
            writer.writeheader()
            for number, (name, split) in enumerate(NAMES.get(folder, [])):
                writer.writerow({"name": name, "split": split})
                made = simulate("nuclei", height=60, width=72, cells=6, diameter=14, seed=number)
                image = np.stack([made.image] * 3) if folder.startswith("codex") else made.image
                where = root / folder / "images" / f"{name}.tif"
                tifffile.imwrite(where, image, photometric="minisblack")
                tifffile.imwrite(root / folder / "labels" / f"{name}.tif", made.labels.astype(np.uint16))
    return root
