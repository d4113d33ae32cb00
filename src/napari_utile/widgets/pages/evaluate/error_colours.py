"""How kinds of cells look: one colour and one word for layers, tables, plots and reports."""

from napari_utile.engine.metrics.cell_kinds import CellKind

KIND_COLOURS: dict[CellKind, str] = {
    CellKind.MATCHED: "#4daf4a",
    CellKind.MISSED: "#e41a1c",
    CellKind.FALSE: "#ff9f1c",
    CellKind.SPLIT: "#3fa7ff",
    CellKind.MERGED: "#c77dff",
}

KIND_WORDS: dict[CellKind, str] = {
    CellKind.MATCHED: "matched",
    CellKind.MISSED: "missed",
    CellKind.FALSE: "false",
    CellKind.SPLIT: "split",
    CellKind.MERGED: "merged",
}

KIND_HELP: dict[CellKind, str] = {
    CellKind.MATCHED: "Found: prediction and reference overlap by an IoU of at least 0.5.",
    CellKind.MISSED: "In the reference only.",
    CellKind.FALSE: "In the prediction only.",
    CellKind.SPLIT: "One cell of the reference holds two or more predicted ones.",
    CellKind.MERGED: "One predicted cell holds two or more of the reference.",
}
