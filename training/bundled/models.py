"""What each bundled model is: its images, size of cells, channels, network and words."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bundled.data_sets import DATA_SETS, MANIFEST, SIMULATED, names_of
from napari_utile.engine.models.card import DataSource, ModelCard
from napari_utile.engine.models.outputs import DISTANCES, InputChannel, ModelClass, Output, class_output
from napari_utile.engine.planes.normalize import Normalization

SIMULATED_IMAGES = {"train": range(80), "val": range(80, 88)}
"""Seeds of the simulated images."""


@dataclass(frozen=True)
class Part:
    """Images of one data set: those whose names start like that, and how often samples come from them.

    Of `other` kinds of images a model learns that they hold none of its cells: it is then unsure of them, which is
    what *Which model fits?* goes by.
    """

    folder: str
    start: str = ""
    share: float = 1.0
    other: bool = False


@dataclass(frozen=True)
class Plan:
    """What a bundled model is.

    Attributes
    ----------
    name, title, description, cell : str
        Words of the card; `cell` is what its foreground is called.
    parts : tuple of Part
    diameter : float
        Of the cells that the network sees (pixels).
    inputs : tuple of InputChannel
    needs_all : bool
        Whether the finished model insists on the channels that were optional while it was trained.
    invert : bool
        Whether samples are inverted now and then: cells may be dark or bright.
    specialists : tuple of str
        Models that are asked, too, where cells are measured, and segment the image where they are surer.
    failures : str
        What it is known to get wrong, and what it is not for.
    distances : bool
        Whether it predicts B and C.
    regions : bool
        Whether its cells fill the image: then V-Rand judges it.
    teaching : bool
        Whether it is there to be compared with others, and never suggested.
    before : tuple of Part
        Images that taught the network whose weights it starts from.
    family : str
    network : dict
        Configuration, but for its channels.
    """

    name: str
    title: str
    description: str
    cell: str
    parts: tuple[Part, ...]
    diameter: float
    inputs: tuple[InputChannel, ...]
    needs_all: bool = False
    invert: bool = False
    failures: str = ""
    specialists: tuple[str, ...] = ()
    distances: bool = True
    regions: bool = False
    teaching: bool = False
    before: tuple[Part, ...] = ()
    family: str = "unet"
    network: dict[str, Any] = field(
        default_factory=lambda: {"width": 32, "depth": 3, "batch_norm": True, "dropout": 0.0}
    )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the network puts out."""
        return (class_output(2), *(DISTANCES if self.distances else ()))

    @property
    def config(self) -> dict[str, Any]:
        """The network's configuration."""
        channels = sum(each.channels for each in self.outputs)
        return {"in_channels": len(self.inputs), "classes": channels, **self.network}

    def card(self, **about: Any) -> ModelCard:
        """Make the card; `about` says what training and scoring found."""
        sources = data_sources(self.name)
        optional = [each.optional and not self.needs_all for each in self.inputs]
        return ModelCard(
            **{
                "name": self.name,
                "family": self.family,
                "config": self.config,
                "classes": (ModelClass("background", "background"), ModelClass(self.cell, "foreground")),
                "outputs": self.outputs,
                "relief": "distances" if self.distances else "probability",
                "failures": self.failures,
                "specialists": self.specialists,
                "teaching": self.teaching,
                "inputs": tuple(
                    replace(each, optional=may) for each, may in zip(self.inputs, optional, strict=True)
                ),
                "title": self.title,
                "description": self.description,
                "object_diameter": self.diameter,
                "normalization": Normalization(1.0, 99.8),
                "data": sources,
                "licence": licence_of(sources),
            }
            | about
        )


_CELLS = (
    Part("usiigaci_phase", share=1.2),
    Part("bbbc030_dic_cho", share=0.7),
    Part("yeastvision_phase_yeast", share=0.5),
    Part("baby_yeast_brightfield", share=0.4),
    Part("cellphe_qpi", share=0.5),
    Part("mdck_zo1_membrane", share=0.7),
    Part("codex_tissue_wholecell", share=0.9),
    Part("corneal_endothelium_specular", share=0.3),
    Part("epitools_wing_membrane", share=0.1),
    Part("cellbindb_demo", "mIF", 0.06),
    Part(SIMULATED, share=0.4),
)
_NUCLEI = (
    Part("dsb2018_stage1", "fl_", 1.0),
    Part("bbbc039_fluo_nuclei", share=0.12),
    Part("mnfinder_fluo_nuclei", share=0.4),
    Part("ecoli_dapi_fluo", share=0.04),
    Part("cellbindb_demo", "DAPI", 0.03),
    Part("cellbindb_demo", "ssDNA", 0.04),
)
_FIRST_NUCLEI = (  # what the first bundled model learnt from; its weights are where the others start
    Part("dsb2018_stage1"),
    Part("bbbc039_fluo_nuclei"),
    Part("ecoli_dapi_fluo"),
)


_NUCLEI_PLAN = Plan(
    "nuclei",
    "Nuclei in fluorescence",
    "Nuclei in fluorescence images of a nuclear stain, of any size once the diameter is known.",
    "nucleus",
    _NUCLEI,
    20.0,
    (InputChannel("nuclear stain"),),
    failures="Misses dim nuclei beside bright ones and merges crowded ones; where nuclei of two sizes share a field, "
    "the rarer ones suffer; crowded sections of tissue are half right. Micronuclei are background. Not for H&E, "
    "brightfield, phase contrast, electron micrographs or whole cells.",
    before=_FIRST_NUCLEI,
)
_CELLS_PLAN = Plan(
    "cells",
    "Whole cells",
    "Whole cells in phase contrast, DIC, brightfield and quantitative phase; in fluorescence with stained junctions, "
    "membranes or cytoplasm, and nuclei as a second channel where there are any; yeast; rods.",
    "cell",
    _CELLS,
    30.0,
    (InputChannel("any"), InputChannel("nuclei", optional=True)),
    invert=True,
    specialists=("phase", "tissue-cells"),
    failures="Thin cells in phase contrast are found in part, dense tissue hardly; corneas and bacteria are found but "
    "doubted: fit the model to a few cells or train it further. It may take stained sections and smears for its own. "
    "Not for nuclei alone, H&E or electron micrographs.",
    before=(*_FIRST_NUCLEI, Part("flyem_em_bodies")),
)


def _specialist(name: str, title: str, description: str, *folders: str) -> Plan:
    parts = tuple(part for part in _CELLS if part.folder.startswith(folders))
    before = (*_FIRST_NUCLEI, *_CELLS)  # it starts from the weights of `cells`
    return replace(
        _CELLS_PLAN,
        name=name,
        title=title,
        description=description,
        parts=parts,
        before=before,
        specialists=(),
        failures="It knows this kind of image alone: take cells or nuclei for others.",
    )


def _fcn(family: str, stride: int) -> Plan:
    return replace(
        _NUCLEI_PLAN,
        name=family,
        title=f"FCN-{stride}s, for teaching",
        description="Nuclei in fluorescence by the network of Long, Shelhamer and Darrell (2015) with stride "
        f"{stride}, to compare with U-Nets.",
        failures="Outlines are coarse and nuclei that touch become one, the more the larger the stride. Use nuclei.",
        distances=False,
        teaching=True,
        before=(),
        family=family,
        network={"width": 3, "batch_norm": True, "dropout": 0.0},
    )


_PHASE = _specialist(
    "phase",
    "Adherent cells in transmitted light",
    "Whole cells that spread or round up on a dish, in phase contrast, DIC and quantitative phase.",
    "usiigaci",
    "bbbc030",
    "cellphe",
)


_PLANS = (
    _NUCLEI_PLAN,
    _CELLS_PLAN,
    replace(
        _PHASE,
        failures="Thin cells that crowd are found in part, and doubted. It knows cells on a dish in transmitted light "
        "alone: take cells or nuclei for others.",
        parts=(
            *(replace(part, share=0.8) if part.folder == "cellphe_qpi" else part for part in _PHASE.parts),
            Part("corneal_endothelium_specular", share=0.3, other=True),
            Part("mdck_zo1_membrane", share=0.2, other=True),
            Part("codex_tissue_wholecell", share=0.2, other=True),
            Part("epitools_wing_membrane", share=0.05, other=True),
            Part("flyem_em_bodies", share=0.1, other=True),
            Part("dsb2018_stage1", "fl_", 0.1, other=True),
            Part("dsb2018_stage1", "he_", 0.1, other=True),
            Part("dsb2018_stage1", "bf_", 0.15, other=True),
            Part("yeastvision_phase_yeast", share=0.1, other=True),
            Part("baby_yeast_brightfield", share=0.05, other=True),
            Part(SIMULATED, share=0.1, other=True),
        ),
    ),
    replace(
        _specialist(
            "tissue-cells",
            "Cells in fluorescent tissue sections",
            "Whole cells in tissue sections with a stain of cytoplasm or membranes, and nuclei as a second channel: "
            "give both, as in --channels 0,2.",
        ),
        parts=(
            Part("codex_tissue_wholecell", share=1.5),
            Part("mdck_zo1_membrane", share=0.4),
            Part("cellbindb_demo", "mIF", 0.15),
            Part("dsb2018_stage1", share=0.35, other=True),
            Part("corneal_endothelium_specular", share=0.15, other=True),
            Part("usiigaci_phase", share=0.15, other=True),
            Part("bbbc030_dic_cho", share=0.1, other=True),
            Part("cellphe_qpi", share=0.1, other=True),
            Part("yeastvision_phase_yeast", share=0.1, other=True),
            Part("baby_yeast_brightfield", share=0.05, other=True),
            Part("flyem_em_bodies", share=0.15, other=True),
        ),
        diameter=24.0,
        needs_all=True,
        invert=False,
        failures="Of crowded cells about two in five have the right outline. It is sure of few of its cells, also in "
        "sections like those that taught it, so the doubt that is said of a result is meant.",
    ),
    _specialist(
        "junctions",
        "Cells with stained borders",
        "Whole cells in fluorescence with stained junctions, membranes or cytoplasm.",
        "mdck",
        "codex",
        "corneal",
        "epitools",
        "cellbindb",
    ),
    _specialist(
        "yeast",
        "Yeast",
        "Yeast in phase contrast and brightfield.",
        "yeastvision",
        "baby",
    ),
    replace(
        _CELLS_PLAN,
        name="bacteria",
        title="Rod-shaped bacteria",
        description="Rod-shaped bacteria in microcolonies, in phase contrast and fluorescence.",
        parts=(
            Part(SIMULATED, share=1.5),
            Part("ecoli_dapi_fluo", share=0.15),
            Part("dsb2018_stage1", share=0.3, other=True),
            Part("corneal_endothelium_specular", share=0.15, other=True),
            Part("usiigaci_phase", share=0.7, other=True),
            Part("bbbc030_dic_cho", share=0.25, other=True),
            Part("cellphe_qpi", share=0.25, other=True),
            Part("yeastvision_phase_yeast", share=0.3, other=True),
            Part("baby_yeast_brightfield", share=0.1, other=True),
            Part("mdck_zo1_membrane", share=0.2, other=True),
            Part("codex_tissue_wholecell", share=0.1, other=True),
            Part("flyem_em_bodies", share=0.15, other=True),
        ),
        inputs=(InputChannel("any"),),
        invert=False,  # the halo around a colony is bright: it must not look like a cell
        specialists=(),
        failures="Simulated colonies taught it, and one image of stained bacteria: not for filaments that bend, "
        "spheres or dense films. It is unsure of one in four of the colonies that it segments well, so look before "
        "you believe the doubt.",
        before=(),
        network={"width": 24, "depth": 3, "batch_norm": True, "dropout": 0.0},
    ),
    replace(
        _NUCLEI_PLAN,
        name="tissue",
        title="Nuclei in H&E",
        description="Nuclei in tissue sections stained with haematoxylin and eosin, in colour.",
        parts=(Part("dsb2018_stage1", "he_", 1.0), Part("cellbindb_demo", "HE", 0.25)),
        inputs=tuple(InputChannel(name) for name in ("red", "green", "blue")),
        failures="Few sections taught it: pale and crowded nuclei are missed. Not for fluorescence or whole cells.",
        before=(*_FIRST_NUCLEI, *_NUCLEI),
    ),
    Plan(
        "membranes",
        "Neurites in electron microscopy",
        "Neurites between their membranes in electron micrographs.",
        "neurite",
        (
            Part("flyem_em_bodies", share=1.5),
            Part("dsb2018_stage1", share=0.2, other=True),
            Part("usiigaci_phase", share=0.1, other=True),
            Part("bbbc030_dic_cho", share=0.05, other=True),
            Part("cellphe_qpi", share=0.05, other=True),
            Part("yeastvision_phase_yeast", share=0.05, other=True),
            Part("mdck_zo1_membrane", share=0.1, other=True),
            Part("codex_tissue_wholecell", share=0.05, other=True),
            Part("corneal_endothelium_specular", share=0.1, other=True),
        ),
        20.0,
        (InputChannel("any"),),
        regions=True,
        network={"width": 12, "depth": 3, "batch_norm": True, "dropout": 0.0},
        failures="One tissue and one microscope taught it; thin and slanted membranes are lost.",
    ),
    replace(
        _NUCLEI_PLAN,
        name="fast",
        title="Nuclei, quick",
        description="Nuclei in fluorescence for clicks and slow computers: a smaller network.",
        before=(),
        network={"width": 12, "depth": 3, "batch_norm": True, "dropout": 0.0},
    ),
    _fcn("fcn32s", 32),
    _fcn("fcn16s", 16),
    _fcn("fcn8s", 8),
)
PLANS = {plan.name: plan for plan in _PLANS}


def training_images(data: Path, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield (data set, image) of everything that taught a model."""
    for part in (*plan.parts, *plan.before):
        if part.folder == SIMULATED:
            yield from ((SIMULATED, f"rods{number}") for number in SIMULATED_IMAGES["train"])
        else:
            yield from ((part.folder, name) for name in names_of(data, part.folder, "train", part.start))


def manifest_rows(data: Path) -> list[dict[str, str]]:
    """List every training image with its licence, and the models that it trains."""
    models: dict[tuple[str, str], list[str]] = {}
    for plan in PLANS.values():
        for image in dict.fromkeys(training_images(data, plan)):
            models.setdefault(image, []).append(plan.name)
    return [
        {"data_set": folder, "image": name, "licence": DATA_SETS[folder].licence, "models": " ".join(trained)}
        for (folder, name), trained in sorted(models.items())
    ]


def write_manifest(data: Path) -> None:
    """Write the manifest again."""
    rows = manifest_rows(data)
    with MANIFEST.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def data_sources(model: str) -> tuple[DataSource, ...]:
    """Say what a model is trained on, from the manifest."""
    with MANIFEST.open() as file:
        counts = Counter(row["data_set"] for row in csv.DictReader(file) if model in row["models"].split())
    return tuple(
        DataSource(DATA_SETS[folder].title, DATA_SETS[folder].licence, count, DATA_SETS[folder].notice)
        for folder, count in counts.items()
    )


def licence_of(sources: tuple[DataSource, ...]) -> str:
    """Say what the weights may be used for, and which notices go with them."""
    notices = "; ".join(f"{each.name} ({each.licence}: {each.notice})" for each in sources)
    return f"BSD-3-Clause, commercial use included, with the notices of the images trained on: {notices}."
