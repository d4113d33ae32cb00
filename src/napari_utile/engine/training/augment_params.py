"""The parameters of augmentation; known without torch, so that forms and options are quick to make."""

from dataclasses import dataclass
from typing import Annotated

from napari_utile.engine.parameters import Bounds, check_bounds


@dataclass(frozen=True)
class AugmentParams:
    """How strongly training samples are varied; all zero (scale 1) gives the images as they are."""

    rotation: Annotated[
        float, Bounds(0, 180, step=5, unit="°", label="Rotation", help="Largest rotation to either side.")
    ] = 180.0
    flip: Annotated[bool, Bounds(label="Flips", help="Mirror half of the samples.")] = True
    scale: Annotated[
        float,
        Bounds(1, 4, step=0.05, label="Scale", help="Samples are enlarged or shrunk by up to this factor."),
    ] = 1.25
    shift: Annotated[
        float,
        Bounds(
            0, 1000, unit="px", label="Shift", help="Largest random shift of a sample, beyond where it fell."
        ),
    ] = 10.0
    elastic: Annotated[
        float,
        Bounds(
            0, 100, unit="px", label="Elastic deformation", help="Standard deviation of the displacements."
        ),
    ] = 10.0
    contrast: Annotated[
        float, Bounds(0, 1, step=0.05, label="Contrast", help="Largest relative change of the contrast.")
    ] = 0.3
    brightness: Annotated[
        float,
        Bounds(0, 1, step=0.05, label="Brightness", help="Largest shift, as a share of the image's range."),
    ] = 0.1
    gamma: Annotated[
        float,
        Bounds(
            1,
            4,
            step=0.1,
            label="Gamma",
            help="Grey values are raised to a power up to this, or down to 1/this.",
        ),
    ] = 1.3
    noise: Annotated[
        float, Bounds(0, 1, step=0.01, label="Noise", help="Largest standard deviation of added noise.")
    ] = 0.05
    blur: Annotated[
        float,
        Bounds(0, 20, step=0.1, unit="px", label="Blur", help="Largest blur, of three in ten samples."),
    ] = 0.0
    gradient: Annotated[
        float,
        Bounds(
            0, 1, step=0.05, label="Uneven light", help="Largest slope of the light, of three in ten samples."
        ),
    ] = 0.0
    invert: Annotated[
        float,
        Bounds(0, 1, step=0.05, label="Invert", help="Share of samples whose grey values are inverted."),
    ] = 0.0
    colour: Annotated[
        float, Bounds(0, 1, step=0.05, label="Colour", help="Largest relative change of a channel by itself.")
    ] = 0.0

    def __post_init__(self) -> None:
        check_bounds(self)


NO_AUGMENTATION = AugmentParams(
    rotation=0, flip=False, scale=1, shift=0, elastic=0, contrast=0, brightness=0, gamma=1, noise=0
)
