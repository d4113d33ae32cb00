"""Where the page Segment works, how it links planes and grows nuclei; a dock that is opened again means the same."""

from dataclasses import dataclass, field, replace
from typing import Any

from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.volumes.params import VolumeParams


@dataclass(frozen=True)
class ChosenPlanes:
    """The planes that are meant.

    Attributes
    ----------
    kind : {"this", "all", "range"}
    first, last : int
        Of the range, counted from 1.
    count : int
        How many planes the range is of; a stack of another length starts with all of its own.
    """

    kind: str = "this"
    first: int = 1
    last: int = 1
    count: int = 0


@dataclass(frozen=True)
class ChosenLinking:
    """Whether and how planes are linked.

    Attributes
    ----------
    kind : {"none", "z", "views", "t"}
        Where an image has no such axis, its planes are not linked; the next one that has it is.
    params : LinkParams
        But for ``link``.
    views : VolumeParams
        But for ``three_views``.
    """

    kind: str = "none"
    params: LinkParams = field(default_factory=LinkParams)
    views: VolumeParams = field(default_factory=VolumeParams)

    @classmethod
    def of(cls, params: LinkParams, views: VolumeParams) -> "ChosenLinking":
        """Give what complete parameters say."""
        kind = "views" if views.three_views else params.link
        return cls(kind, replace(params, link="none"), replace(views, three_views=False))


@dataclass(frozen=True, eq=False)
class ChosenRegion:
    """Which part of a plane is meant.

    Attributes
    ----------
    kind : {"whole", "view", "shapes", "labels"}
    layer : Layer, optional
        The shapes or labels that say where.
    """

    kind: str = "whole"
    layer: Any = None


@dataclass(frozen=True, eq=False)
class ChosenGrowing:
    """What cells grow from, in what, and how far.

    Attributes
    ----------
    layer : Layer, optional
        The nuclei.
    in_model : bool
        Whether they grow in what the model sees.
    distance : float, optional
        Pixels; by default half the diameter of the nuclei, or as far as the model sees cells.
    """

    layer: Any = None
    in_model: bool = False
    distance: float | None = None
