"""What each score means, in one plain sentence and one formula; docks, reports and docs are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One score as people read it.

    Attributes
    ----------
    label
        Short name.
    group
        ``Cells``, ``Errors``, ``Boundaries`` or ``Pixels``.
    explanation
        One plain sentence.
    formula
        How it is computed.
    source
        Where it comes from.
    higher_is_better
        None for plain counts.
    decimals
        Digits after the point.
    """

    label: str
    group: str
    explanation: str
    formula: str
    source: str
    higher_is_better: bool | None = True
    decimals: int = 3

    def text(self, value: float) -> str:
        """Write a value of this score; an undefined one as a dash."""
        return "–" if value != value else f"{value:.{self.decimals}f}"


_DSB = "Caicedo et al., Nature Methods 16:1247 (2019)"
_ISBI = "Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015)"
_FCN = "Long, Shelhamer, Darrell, CVPR (2015)"
_UNDEFINED = "Undefined (–) without a reference cell."

GLOSSARY: dict[str, Score] = {
    "seg": Score(
        "SEG",
        "Cells",
        "How well the reference cells are covered, on average; a cell not covered by more than half counts 0.",
        "mean over reference cells R of |R ∩ S| / |R ∪ S|, S the prediction with |R ∩ S| > |R| / 2. "
        + _UNDEFINED,
        "Cell Tracking Challenge; Maška et al., Bioinformatics 30:1609 (2014)",
    ),
    "ap50": Score(
        "AP at IoU 0.5",
        "Cells",
        "Of all cells, predicted or real, the share that is right when half an overlap is enough.",
        "TP / (TP + FP + FN), a pair matches at IoU ≥ 0.5",
        _DSB,
    ),
    "ap75": Score(
        "AP at IoU 0.75",
        "Cells",
        "The same when outlines must fit well.",
        "TP / (TP + FP + FN), a pair matches at IoU ≥ 0.75",
        _DSB,
    ),
    "mean_ap": Score(
        "Mean AP",
        "Cells",
        "Average precision, averaged from lenient to strict.",
        "mean of AP over IoU 0.50, 0.55 … 0.95",
        _DSB,
    ),
    "f1": Score(
        "F1",
        "Cells",
        "Balance of finding all cells and inventing none.",
        "2 TP / (2 TP + FP + FN)",
        _DSB,
    ),
    "precision": Score(
        "Precision", "Cells", "Share of the predicted cells that are real.", "TP / (TP + FP)", _DSB
    ),
    "recall": Score("Recall", "Cells", "Share of the real cells that were found.", "TP / (TP + FN)", _DSB),
    "mean_iou": Score(
        "Mean matched IoU",
        "Cells",
        "How well the outlines of the cells that were found fit.",
        "mean IoU of the matched pairs",
        _DSB,
    ),
    "pq": Score(
        "Panoptic quality",
        "Cells",
        "Finding cells and outlining them well, in one number.",
        "sum of matched IoU / (TP + FP/2 + FN/2), pairs with IoU > 0.5",
        "Kirillov et al., CVPR (2019)",
    ),
    "aji": Score(
        "Aggregated Jaccard",
        "Cells",
        "Overlap summed over all cells; large cells weigh more.",
        "sum of intersections / (sum of unions + area of predictions never chosen)",
        "Kumar et al., IEEE TMI 36:1550 (2017)",
    ),
    "truth_cells": Score("Reference cells", "Errors", "Cells in the reference.", "count", "", None, 0),
    "predicted_cells": Score("Predicted cells", "Errors", "Cells in the prediction.", "count", "", None, 0),
    "missed": Score(
        "Missed",
        "Errors",
        "Reference cells without a match that no split or merge explains.",
        "count at IoU 0.5",
        "",
        False,
        0,
    ),
    "false": Score(
        "False",
        "Errors",
        "Predicted cells without a match that no split or merge explains.",
        "count at IoU 0.5",
        "",
        False,
        0,
    ),
    "splits": Score(
        "Split",
        "Errors",
        "Reference cells that were cut into pieces.",
        "reference cells that hold more than half of two or more predictions",
        "",
        False,
        0,
    ),
    "merges": Score(
        "Merged",
        "Errors",
        "Predictions that swallow several cells.",
        "predictions that hold more than half of two or more reference cells",
        "",
        False,
        0,
    ),
    "pixel_error": Score(
        "Pixel error",
        "Boundaries",
        "Share of pixels on the wrong side of cell or background.",
        "pixels that are foreground in only one of the two / all pixels",
        _ISBI,
        False,
        4,
    ),
    "rand_error": Score(
        "Rand error",
        "Boundaries",
        "How often two pixels of cells are wrongly put together or apart.",
        "1 − 2 Σ p_ij² / (Σ s_i² + Σ t_j²) over pairs of different pixels of the reference's foreground",
        _ISBI,
        False,
        4,
    ),
    "warping_error": Score(
        "Warping error",
        "Boundaries",
        "Share of pixels in errors of topology: splits, merges, holes, whole cells; shifted outlines are free.",
        "pixels that differ after the reference was warped by simple points within 5 px / all pixels",
        "Jain et al., CVPR (2010)",
        False,
        5,
    ),
    "v_rand": Score(
        "V-Rand",
        "Boundaries",
        "Agreement of the partition into cells, whatever the width of borders.",
        "Σ p_ij² / (Σ s_i² / 2 + Σ t_j² / 2) over the reference's foreground, predicted borders thinned",
        _ISBI,
    ),
    "v_info": Score(
        "V-Info",
        "Boundaries",
        "The same, measured by information.",
        "2 I(S; T) / (H(S) + H(T)) over the reference's foreground, predicted borders thinned",
        _ISBI,
    ),
    "pixel_accuracy": Score(
        "Pixel accuracy", "Pixels", "Share of pixels that are right.", "Σ n_ii / Σ t_i", _FCN
    ),
    "mean_accuracy": Score(
        "Mean accuracy", "Pixels", "The same, averaged over cell and background.", "mean of n_ii / t_i", _FCN
    ),
    "mean_iu": Score(
        "Mean IU",
        "Pixels",
        "Overlap of cell and of background, averaged.",
        "mean of n_ii / (t_i + Σ n_ji − n_ii)",
        _FCN,
    ),
    "frequency_weighted_iu": Score(
        "Frequency-weighted IU",
        "Pixels",
        "The same, weighted by how frequent each class is.",
        "Σ t_i IU_i / Σ t_i",
        _FCN,
    ),
}
"""Name of the score -> what it means, in the order in which people read them."""
