"""The one way in which a measured table comes to a layer: what people added to its rows stays."""

import weakref
from collections.abc import Mapping
from typing import Any

import napari.layers
import napari.viewer

from napari_utile.session.cell_classes import CLASS
from napari_utile.session.own_columns import KeptColumns, renumbered
from napari_utile.session.plane_rows import placed
from napari_utile.widgets.viewer.layers import slider_name

_kept: weakref.WeakKeyDictionary[Any, KeptColumns] = weakref.WeakKeyDictionary()
"""Of each layer that was measured."""


def set_measured(
    layer: napari.layers.Labels, table: Mapping[str, Any], ids: Mapping[int, int] | None = None
) -> None:
    """Give a layer a table that was measured, or lost rows; classes and other columns that people added stay.

    Parameters
    ----------
    ids : mapping of int to int, optional
        What its cells are called now, where they were numbered anew: see `same_cells`.
    """
    old = dict(layer.features.items())
    planes = [slider_name(layer, axis) for axis in range(layer.ndim)]
    kept = _kept.setdefault(layer, KeptColumns())
    before = placed(old if ids is None else renumbered(old, ids), table, planes)
    layer.features = kept.into(table, before, planes)


def rename_class(viewer: napari.viewer.Viewer, old: str, new: str) -> None:
    """Give the cells of a class its new name in all layers, also those that are gone and may come back."""
    for layer in viewer.layers:
        if isinstance(layer, napari.layers.Labels):
            table = layer.features
            renamed = _kept.setdefault(layer, KeptColumns()).renamed(dict(table.items()), old, new)
            if CLASS in table and (table[CLASS] == old).any():
                layer.features = renamed
