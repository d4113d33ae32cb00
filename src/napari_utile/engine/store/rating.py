"""Whether the model of a finished store looks right for its image, by blocks of what the store holds."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.cells.uncertainty import confidence_of
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, overall
from napari_utile.engine.inference.field import scale_factors
from napari_utile.engine.models.card import read_card
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.layout import CELLS
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.sources import planes_of
from napari_utile.engine.store.work import MODEL
from napari_utile.engine.windows import Window


def fit_of_store(place: Path, size: CellSize | None = None) -> Fit:
    """Rate the cells of a finished store, in some of its planes and blocks of them.

    Parameters
    ----------
    place : Path
    size : CellSize, optional
        What was measured of the image before.
    """
    plan = load_plan(place)
    with reading(f"The model of {place.name}"):
        [path] = (place / HOME).glob(f"{MODEL}.*")
    card = read_card(path)
    expected = card.object_diameter
    if expected is not None:
        expected /= max(scale_factors(planes_of(plan)[0], card, plan.params.known_diameter))
    fits = []
    with reading(f"The result of {place.name}"):
        labels, likely = (zarr.open_array(place / group / "0", mode="r") for group in (CELLS, ""))
        for number in spread(len(plan.planes)):
            index = plan.index(number)
            score, cells = confidence_of(_plane(labels, index), _plane(likely, index, 255), expected)
            if score is not None and size is not None:
                score -= size.unsteadiness
            fits.append(Fit(card.name, score, card.confidence, cells, whole=True))
    return overall(fits)


class _Plane:
    """A plane of an array on disk, of which windows are read."""

    def __init__(self, array: Any, index: tuple[int, ...], one: int) -> None:
        self._array, self._index, self._one = array, index, one
        self.shape = Window.whole(array.shape[-2:]).shape
        self.size = Window.whole(self.shape).size

    def __getitem__(self, window: Window) -> NDArray[Any]:
        block = np.asarray(self._array[(*self._index, *window)])
        return block if self._one == 1 else block / np.float32(self._one)


def _plane(array: Any, index: tuple[int, ...], one: int = 1) -> Any:
    """Give a plane of an array on disk, whose values are shares of `one`, as what is indexed by windows."""
    return _Plane(array, index, one)
