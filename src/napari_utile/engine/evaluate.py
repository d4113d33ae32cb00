"""Labels against their reference, from files and arrays: their planes are paired by the names of their axes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_utile.engine.arrays import PATHS
from napari_utile.engine.errors import warn
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.label_planes import (
    paired_labels,
    pairing_in_words,
    place_in_words,
    refuse_other_pixels,
)
from napari_utile.engine.files.label_reading import label_image, read_labels, refuse_empty
from napari_utile.engine.metrics import evaluation
from napari_utile.engine.metrics.evaluation import Evaluation, mean_scores
from napari_utile.engine.parameters import Bounds, Parameter, checked_value
from napari_utile.engine.planes.arrays import as_label_array


@dataclass(frozen=True, eq=False)
class StackEvaluation:
    """The scores of a stack whose planes, or volumes, are scored one by one.

    Attributes
    ----------
    name : str
        Of the image.
    planes : mapping of str to Evaluation
        By place, such as ``"t0 z3"``.
    """

    name: str
    planes: Mapping[str, Evaluation]

    @property
    def scores(self) -> dict[str, float]:
        """The mean of each score over the planes where it is defined."""
        return mean_scores([plane.scores for plane in self.planes.values()])


def evaluate(
    prediction: Any,
    truth: Any,
    ignore: Any = None,
    iou: float = 0.5,
    max_displacement: int | None = 5,
    name: str = "",
    *,
    axes: str | None = None,
    volume: bool | None = None,
) -> Evaluation | StackEvaluation:
    """Score a label image against its reference.

    Parameters
    ----------
    prediction, truth : path, ImageFile or array-like
        Label images, 0 = background: files, what `read_image` gave, or arrays of numpy, dask, zarr, xarray, torch.
        Their planes belong together by the names of their axes, else by their order, which is said.
    ignore : path or array-like, optional
        Pixels above 0 are ignored.
    iou : float
        Threshold at which a cell counts as found, for F1, precision, recall and mean matched IoU.
    max_displacement : int or None
        How far, in pixels, the warping error lets a boundary move.
    name : str
        Of the image, for tables.
    axes : str, optional
        A letter an axis of `prediction`, `truth` and `ignore`, for example ``"TYX"``, whatever they say.
    volume : bool, optional
        Whether the cells of a z stack are volumes, of which warping and border thinning look at one plane at a time.
        By default those of arrays are, also where their axes have no names, and those of files are not, as in
        `utile evaluate`.

    Returns
    -------
    Evaluation, or StackEvaluation of several planes
        ``evaluate(...).scores["seg"]``.

    Raises
    ------
    ValueError
        If shapes differ, labels are not whole numbers of at least 0, or `iou` is not in (0, 1].
    UtileError
        If a file cannot be read, or the two do not pair.

    Examples
    --------
    >>> truth = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    >>> evaluate(truth, truth).scores["ap50"]
    1.0
    """
    volume = checked_value(Parameter("volume", bool, True, None, Bounds()), volume)
    given = [prediction, truth, *([] if ignore is None else [ignore])]
    from_files = _from_files(*given)
    arrays = [] if from_files else [as_label_array(each) for each in given]
    if not from_files and not axes and volume is not False and not any(names for _, names in arrays):
        for (array, _), what in zip(
            arrays, ("the prediction", "the reference", "the ignored pixels"), strict=False
        ):
            refuse_empty(array, what)
        found, wanted, *rest = (np.asarray(array) for array, _ in arrays)
        return evaluation.evaluate(found, wanted, rest[0] if rest else None, iou, max_displacement, name)
    planes = {
        place: evaluation.evaluate(found, wanted, ignored, iou, max_displacement, name)
        for place, found, wanted, ignored in _paired(prediction, truth, ignore, axes, volume)
    }
    return planes[""] if list(planes) == [""] else StackEvaluation(name, planes)


def _paired(
    prediction: Any, truth: Any, ignore: Any, axes: str | None, volume: bool | None
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield of each plane or volume of the reference where it lies, its prediction, itself and what is ignored."""
    wanted = read_labels(truth, axes, "the reference")
    found = read_labels(prediction, axes, "the prediction")
    if said := pairing_in_words(wanted, found):
        warn(said)
    if volume is None:
        volume = "Z" in wanted.axes and not _from_files(prediction, truth, ignore)
    hidden = None
    if ignore is not None:
        hidden = paired_labels(wanted, label_image(ignore, axes, "the ignored pixels"), volume)
    for index, reference, predicted in paired_labels(wanted, found, volume):
        ignored = None if hidden is None else next(hidden)[2] > 0
        refuse_other_pixels(found.path.name, predicted.shape, wanted.path.name, reference.shape)
        yield place_in_words(index), predicted, reference, ignored


def _from_files(*given: Any) -> bool:
    return any(isinstance(each, (*PATHS, ImageFile)) for each in given)
