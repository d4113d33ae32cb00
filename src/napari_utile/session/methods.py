"""A paragraph for the methods section of a paper: what was used, with which settings, and how much was edited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_utile import __version__
from napari_utile.engine.inference.field import zoom_of
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.provenance.recipe import Recipe
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.words import counted, percent, rescaled, three_digits
from napari_utile.session.results import SegmentResult

_CITATIONS = (
    "U-Net: Ronneberger, Fischer and Brox, MICCAI 2015, LNCS 9351:234-241. "
    "napari: doi.org/10.5281/zenodo.3555620."
)


@dataclass(frozen=True)
class Found:
    """The cells that a description tells of: of one plane, or of several that were segmented alike.

    Attributes
    ----------
    results : sequence of SegmentResult
        One a plane.
    planes : int
        How many the image has.
    edited : str
        What became of the cells, in a sentence; empty where nobody knows.
    linked : str
        What was made of cells in several planes, such as "45 objects through z".
    """

    results: Sequence[SegmentResult]
    planes: int = 1
    edited: str = ""
    linked: str = ""

    def __str__(self) -> str:
        """Say how many there are, where, and what became of them."""
        cells, seen = sum(each.count for each in self.results), len(self.results)
        where = ""
        if self.planes > 1:
            where = f" in {seen if seen > 1 else 'one'} of {self.planes} planes"
            where = f" in {seen} planes" if seen == self.planes else where
        linked = f" They were linked to {self.linked}." if self.linked else ""
        edited = f" {self.edited}" if self.edited else ""
        return f"{counted(cells, 'cell')} {'was' if cells == 1 else 'were'} found{where}.{linked}{edited}"


def methods_text(found: Found) -> str:
    """Describe how cells were found, by the settings of the first of their planes."""
    made = found.results[0].segmentation
    card = made.model.card
    return _paragraph(made.params, card, made.model.fingerprint, zoom_of(made.plane, card), str(found))


def methods_of_views(recipe: Recipe, card: ModelCard, objects: int, edited: str) -> str:
    """Describe how objects were found in three views of a stack, by their recipe.

    Parameters
    ----------
    card : ModelCard
        Of the model that the recipe names.
    objects : int
    edited : str
        What became of them, in a sentence.
    """
    planes = counted(len(recipe.planes), "plane")
    seen = (
        f"The stack was seen from three sides, its planes and sections across them, and the outputs were averaged; "
        f"{counted(objects, 'object')} {'was' if objects == 1 else 'were'} found in {planes}. {edited}"
    )
    return _paragraph(recipe.params, card, recipe.fingerprint, card.scale, seen)


def _paragraph(params: SegmentParams, card: ModelCard, fingerprint: str, zoom: float, found: str) -> str:
    instances = params.instances
    assert instances is not None
    title = card.title or card.name
    if params.known_diameter is None:
        size = f"{zoomed}, as the model asks" if (zoomed := rescaled(zoom)) else "used as it was"
    else:
        size = (
            f"rescaled so that cells of {three_digits(params.known_diameter)} px have the size the model was "
            "trained on"
        )
    steps = f" Before that it was preprocessed ({params.preprocess})." if params.preprocess else ""
    return (
        f"Cells were segmented with napari-utile {__version__} (U-Tile) and its model “{title}” "
        f"(version {card.version}, fingerprint {fingerprint[:12]}). The image was {size}.{steps} "
        f"Instances were made with threshold {instances.threshold:g}, smallest size {instances.minimum_size:g} px² "
        f"and split {instances.split:g}. {found} "
        f"The recipe that is kept with the result reproduces it (utile replay). {_CITATIONS}"
    )


def edited_share(planes: Iterable[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> str:
    """Say how many of the cells were changed, removed or added by hand.

    Parameters
    ----------
    planes : iterable of pairs of (Y, X) int arrays
        Labels before and after.

    Examples
    --------
    >>> edited_share([(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 3, 2]]))])
    '1 of 3 cells (33 %) was edited by hand.'
    """
    count = total = 0
    for before, after in planes:
        differs = before != after
        touched = np.union1d(before[differs], after[differs])
        count += int((touched > 0).sum())
        total += int((np.union1d(before, after) > 0).sum())
    if count == 0:
        return "None was edited by hand."
    was = "was" if count == 1 else "were"
    return f"{count} of {total} cells ({percent(count / total)}) {was} edited by hand."
