"""A paragraph for the methods section of a paper: what was used, with which settings, and how much was edited."""

from typing import Any

import numpy as np

from napari_utile import __version__
from napari_utile.engine.words import percent, three_digits
from napari_utile.session.results import SegmentResult

_CITATIONS = (
    "U-Net: Ronneberger, Fischer and Brox, MICCAI 2015, LNCS 9351:234-241. "
    "napari: doi.org/10.5281/zenodo.3555620."
)


def methods_text(result: SegmentResult, labels: np.ndarray[Any, Any] | None = None) -> str:
    """Describe how a result was made.

    Parameters
    ----------
    labels : (Y, X) int array, optional
        What became of its cells in the layer, to say how many were edited by hand.
    """
    made = result.segmentation
    params, card = made.params, made.model.card
    instances = params.instances
    assert instances is not None
    title = card.title or card.name
    size = (
        "used as it was"
        if params.known_diameter is None
        else f"rescaled so that cells of {three_digits(params.known_diameter)} px have the size the model was "
        "trained on"
    )
    steps = f" Before that it was preprocessed ({params.preprocess})." if params.preprocess else ""
    edited = "" if labels is None else f" {edited_share(made.labels, labels)}"
    return (
        f"Cells were segmented with napari-utile {__version__} (U-Tile) and its model “{title}” "
        f"(version {card.version}, fingerprint {made.model.fingerprint[:12]}). The image was {size}.{steps} "
        f"Instances were made with threshold {instances.threshold:g}, smallest size {instances.minimum_size:g} px² "
        f"and split {instances.split:g}; {result.count} cells were found.{edited} "
        f"The recipe that is kept with the result reproduces it (utile replay). {_CITATIONS}"
    )


def edited_share(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> str:
    """Say how many of the cells were changed, removed or added by hand.

    Examples
    --------
    >>> edited_share(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 3, 2]]))
    '1 of 3 cells (33 %) was edited by hand.'
    """
    differs = before != after
    touched = np.union1d(np.unique(before[differs]), np.unique(after[differs]))
    everything = np.union1d(np.unique(before), np.unique(after))
    count, total = int((touched > 0).sum()), int((everything > 0).sum())
    if count == 0:
        return "None was edited by hand."
    was = "was" if count == 1 else "were"
    return f"{count} of {total} cells ({percent(count / total)}) {was} edited by hand."
