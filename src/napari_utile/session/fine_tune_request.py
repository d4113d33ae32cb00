"""A fine-tuning as it was asked for: all that it depends on, captured."""

from dataclasses import dataclass

from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams


@dataclass(frozen=True, eq=False)
class FineTuneRequest:
    """A fine-tuning as it was when the user pressed the button.

    Attributes
    ----------
    images : tuple of AnnotatedImage
        Copies: painting continues meanwhile. With a training set they are put into it first; they may then be none.
    base : str
        Name or path of the model to start from.
    family : str
        Instead of a base, the family of a network with random weights; empty to start from the base.
    training_set : str
        Title of the set to train on; empty to train on `images` alone.
    """

    images: tuple[AnnotatedImage, ...]
    base: str
    family: str
    params: FineTuneParams
    training_set: str = ""
