"""Results as layer descriptions, which know neither Qt nor napari."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = ["LayerSpec"]


@dataclass(frozen=True)
class LayerSpec:
    """One layer to show.

    Attributes
    ----------
    kind : "image" or "labels"
        The type of layer.
    name : str
        Name to show; layers the user already has keep theirs.
    data : (Y, X) array
        One plane. In a source with more axes it becomes the plane on which the viewer stands.
    role : str
        What the layer is to the plugin, for example ``"instances"``; with the source it identifies the
        layer that a later result replaces.
    options : mapping
        Further layer arguments that are set when the layer is made and left to the user afterwards,
        for example ``colormap``, ``opacity``, ``visible``.
    metadata : mapping
        Kept in the layer's metadata, for example the recipe.
    features : mapping of str to (N,) arrays, optional
        Columns of a Labels layer's feature table. The column ``index`` holds the label of each row.
    """

    kind: Literal["image", "labels"]
    name: str
    data: np.ndarray[Any, Any]
    role: str
    options: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, np.ndarray[Any, Any]] | None = None
