"""What a label image says about each pixel: which are annotated, and so may be learnt from, and which are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.arrays import no_id

ANNOTATIONS = ("dense", "sparse", "boxes")


@dataclass(frozen=True, eq=False)
class Annotation:
    """Where the annotation of a label image is complete.

    Attributes
    ----------
    kind : {"dense", "sparse", "boxes"}
        ``dense``: everywhere, 0 is background. ``sparse``: only where something is painted, 0 is unlabelled.
        ``boxes``: inside `boxes` only; there, 0 is background.
    background : int or None
        With ``sparse``: the label that was painted on background, 1 or more.
    background_mask : (Y, X) bool array or None
        With ``sparse``: background, from a layer of its own.
    rim : int
        With ``sparse``: how far around a painted cell pixels count as background, as somebody stopped painting there.
    boxes : sequence of (y0, x0, y1, x1)
        With ``boxes``: first and last (exclusive) pixel of each.
    """

    kind: str = "dense"
    background: int | None = None
    background_mask: NDArray[np.bool_] | None = None
    boxes: Sequence[tuple[int, int, int, int]] = ()
    rim: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ANNOTATIONS:
            raise ValueError(f"The annotation is one of {', '.join(ANNOTATIONS)}; got {self.kind!r}.")
        if self.kind == "boxes" and not self.boxes:
            raise ValueError("Annotation inside boxes needs at least one box.")
        if self.rim < 0:
            raise ValueError(f"The rim around painted cells is 0 pixels or more; got {self.rim}.")
        if self.background is not None and self.background < 1:
            raise ValueError(f"The label that marks background is 1 or more; got {self.background}.")

    def split(self, labels: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Tell objects from background and from what nobody annotated.

        Parameters
        ----------
        labels : (Y, X) integer array
            As it was painted.

        Returns
        -------
        objects : (Y, X) int32
            Instances; 0 for background and unlabelled pixels. Ids that int32 cannot hold are numbered anew.
        annotated : (Y, X) bool
            Which pixels say something.

        Raises
        ------
        ValueError
            Unless `labels` is a 2-D integer image, none of it negative, and a mask has its shape.
        """
        labels = np.asarray(labels)
        if labels.ndim != 2 or labels.dtype.kind not in "iub":
            raise ValueError(f"Labels are a 2-D integer image; got {labels.dtype} of shape {labels.shape}.")
        if labels.size and labels.min() < 0:
            raise ValueError(f"{no_id('labels', labels.min())}.")
        objects = _as_int32(labels)
        if self.kind == "dense":
            return objects, np.ones(labels.shape, bool)
        if self.kind == "boxes":
            annotated = np.zeros(labels.shape, bool)
            for y0, x0, y1, x1 in self.boxes:
                annotated[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
            return np.where(annotated, objects, 0).astype(np.int32), annotated
        annotated = objects > 0
        if self.background is not None:
            objects[labels == self.background] = 0
        if self.background_mask is not None:
            if self.background_mask.shape != labels.shape:
                raise ValueError(
                    f"The background mask has shape {self.background_mask.shape}, the labels {labels.shape}."
                )
            annotated |= self.background_mask.astype(bool)
        if self.rim:
            annotated |= ndimage.binary_dilation(objects > 0, iterations=self.rim)
        return objects, annotated


def _as_int32(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Copy labels; where int32 cannot hold an id, all are numbered in their order, so that none becomes another."""
    if not labels.size or labels.max() <= np.iinfo(np.int32).max:
        return labels.astype(np.int32)
    ids, numbers = np.unique(labels, return_inverse=True)
    first = 0 if ids[0] == 0 else 1
    return (numbers.reshape(labels.shape) + first).astype(np.int32)


DENSE = Annotation()


def annotation_to_json(annotation: Annotation) -> dict[str, Any]:
    """Return what JSON can hold of an annotation: all but its mask of background."""
    return {
        "kind": annotation.kind,
        "background": annotation.background,
        "boxes": [[int(edge) for edge in box] for box in annotation.boxes],
        "rim": annotation.rim,
    }


def annotation_from_json(
    values: Mapping[str, Any], background_mask: NDArray[np.bool_] | None = None
) -> Annotation:
    """Make an annotation from what `annotation_to_json` gave.

    Raises
    ------
    ValueError
        If something is missing or of the wrong kind.
    """
    background, rim, boxes = values.get("background"), values.get("rim", 0), values.get("boxes", ())
    if not all(each is None or (isinstance(each, int) and 0 <= each < 1 << 31) for each in (background, rim)):
        raise ValueError("background and rim of an annotation are whole numbers")
    if not all(len(box) == 4 and all(isinstance(edge, int) for edge in box) for box in boxes):
        raise ValueError("a box of an annotation has four whole numbers")
    kind = values.get("kind")
    return Annotation(str(kind), background or None, background_mask, [tuple(box) for box in boxes], rim or 0)
