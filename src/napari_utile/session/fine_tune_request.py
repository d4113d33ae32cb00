"""A fine-tuning as it was asked for: all that it depends on, captured."""

from dataclasses import dataclass

from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.session.plane_index import PlaneIndex


@dataclass(frozen=True)
class PlaneRead:
    """Which pixels of an image layer were read.

    Attributes
    ----------
    index : PlaneIndex
        Where the plane lies in the layer; the axis of colours left out.
    channels : tuple of int, optional
        Which channels of it, None where all were read.
    """

    index: PlaneIndex
    channels: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class PaintedPlane:
    """A painted plane of a layer: what is learnt from, and where it was read."""

    image: AnnotatedImage
    read: PlaneRead


@dataclass(frozen=True, eq=False)
class FineTuneRequest:
    """A fine-tuning as it was when the user pressed the button.

    Attributes
    ----------
    painted : tuple of PaintedPlane
        Copies: painting continues meanwhile. With a training set they are put into it first; they may then be none.
    base : str
        Name or path of the model to start from.
    family : str
        Instead of a base, the family of a network with random weights; empty to start from the base.
    training_set : str
        Title of the set to train on; empty to train on `painted` alone.
    """

    painted: tuple[PaintedPlane, ...]
    base: str
    family: str
    params: FineTuneParams
    training_set: str = ""

    @property
    def images(self) -> tuple[AnnotatedImage, ...]:
        """What is painted."""
        return tuple(each.image for each in self.painted)
