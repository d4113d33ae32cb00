"""What fine-tuning learns from; known without torch, so that a request is quick to make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.weights.annotation import DENSE, Annotation


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """An image and its labels: `annotation` says where they are complete, `classes` the name of each label's class.

    Cells whose label is missing in `classes` are cells of any class.
    """

    plane: ImagePlane
    labels: NDArray[Any]
    annotation: Annotation = DENSE
    classes: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.shape(self.labels) != self.plane.shape:
            raise UtileError(
                f"{self.plane.name} has {self.plane.shape[0]} x {self.plane.shape[1]} pixels, its labels "
                f"{' x '.join(map(str, np.shape(self.labels)))}."
            )

    @property
    def doubt(self) -> str:
        """A sentence where no pixel has the label that is to mark background; else empty."""
        background = self.annotation.background
        if self.annotation.kind != "sparse" or background is None or (self.labels == background).any():
            return ""
        return f"{self.plane.name}: no pixel has the label {background} that marks background."


def class_names(images: Sequence[AnnotatedImage]) -> tuple[str, ...]:
    """List the classes that cells of images are of, by name."""
    return tuple(sorted({name for image in images for name in image.classes.values() if name}))
