"""The annotated images that may train a bundled model: who made them and under which licence.

A licence that forbids commercial use, or that nobody knows, has no place here: `tests/training` holds that.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

SIMULATED = "simulated_rods"
"""A data set that is no folder: it is made by `simulation.rods`."""
MANIFEST = Path(__file__).with_name("manifest.csv")
"""Every training image: data set, name, licence, and the models that it trains."""


@dataclass(frozen=True)
class DataSet:
    """A folder of annotated images.

    Attributes
    ----------
    title, licence, notice : str
        As they stand on the cards of the models trained on it.
    """

    title: str
    licence: str
    notice: str


DATA_SETS = {
    "dsb2018_stage1": DataSet(
        "BBBC038v1, stage 1 of the 2018 Data Science Bowl",
        "CC0-1.0",
        "Caicedo et al., Nature Methods 16:1247, 2019; Ljosa et al., Nature Methods 9:637, 2012",
    ),
    "bbbc039_fluo_nuclei": DataSet(
        "BBBC039v1", "CC0-1.0", "Caicedo et al. 2018; Ljosa et al., Nature Methods 9:637, 2012"
    ),
    "mnfinder_fluo_nuclei": DataSet("MNFinder", "MIT", "Copyright (c) 2023 Lucian DiPeso"),
    "ecoli_dapi_fluo": DataSet("E. coli, DAPI", "MIT", "Copyright (c) 2024 Torellium"),
    "cellbindb_demo": DataSet("CellBinDB, demo images", "MIT", "Copyright (c) 2024 BGI Research"),
    "usiigaci_phase": DataSet(
        "Usiigaci", "MIT", "Copyright (c) 2018 OIST; Tsai et al., SoftwareX 9:230, 2019"
    ),
    "bbbc030_dic_cho": DataSet(
        "BBBC030v1",
        "CC-BY-3.0",
        "Koos et al., Scientific Reports 6:30420, 2016; Ljosa et al., Nature Methods 9:637, 2012; cropped",
    ),
    "yeastvision_phase_yeast": DataSet(
        "YeastVision", "BSD-3-Clause", "Copyright (c) 2022 North Carolina State University"
    ),
    "baby_yeast_brightfield": DataSet("BABY", "MIT", "Pietsch et al., eLife 12:e79812, 2023"),
    "cellphe_qpi": DataSet(
        "CellPhe", "MIT", "Copyright (c) 2024 Wiggins, Wilson; Nature Communications 14:1854, 2023"
    ),
    "mdck_zo1_membrane": DataSet("MDCK, ZO-1", "MIT", "Copyright (c) 2025 JahnJ"),
    "codex_tissue_wholecell": DataSet(
        "CODEX, whole cells", "MIT", "Copyright (c) 2021 Haoran Chen, Robert F. Murphy, Ce Zhang"
    ),
    "corneal_endothelium_specular": DataSet("Corneal endothelium", "MIT", "Copyright (c) 2018 Chaitanya"),
    "epitools_wing_membrane": DataSet("EpiTools, wing disc", "BSD-3-Clause", "The EpiTools authors"),
    "flyem_em_bodies": DataSet(
        "FlyEM, training sample 2", "CC-BY-3.0-US", "FlyEM, Janelia; Parag et al., PLoS ONE 10:e0125825, 2015"
    ),
    SIMULATED: DataSet("simulated rods", "BSD-3-Clause", "made by training/simulation/rods.py"),
}


def names_of(data: Path, folder: str, split: str, start: str = "") -> list[str]:
    """List the images of one split of a data set whose names start like that."""
    with (data / folder / "index.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == split]
    return [name for name in names if name.startswith(start)]
