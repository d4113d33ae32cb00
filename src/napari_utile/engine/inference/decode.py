"""From the outputs of a network to cells: foreground, relief, landscape, labels."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.cells.instances import InstanceParams, cell_landscape, label_cells
from napari_utile.engine.cells.relief import height_of
from napari_utile.engine.cells.watershed import Landscape
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.outputs import CENTRE_DISTANCE, EDGE_DISTANCE, by_name


def decode_steps(
    values: Float32Array,
    card: ModelCard,
    instances: InstanceParams,
    landscape: Landscape | None = None,
    depth: float = 1.0,
) -> Generator[None, None, tuple[Landscape, NDArray[np.int32]]]:
    """Find the cells; every yield is a point to stop at.

    Parameters
    ----------
    values : (C, Y, X) or (C, Z, Y, X) float32 array
        All outputs of the model.
    card : ModelCard
        Says what they are.
    instances : InstanceParams
        Areas are those of planes, also for a volume.
    landscape : Landscape, optional
        Of the same outputs, threshold and filled holes: it is not searched again.
    depth : float
        From one plane of a volume to the next (pixels).

    Returns
    -------
    landscape : Landscape
        What the labels were cut from.
    labels : (Y, X) or (Z, Y, X) int32 array
    """
    yield
    if values.ndim == 4:
        instances = instances.in_volume(depth)
    if landscape is None:
        height = height_from(values, card, depth)
        yield
        landscape = cell_landscape(foreground_of(values, card), instances, height, depth)
        yield
    return landscape, label_cells(landscape, instances)


def foreground_of(values: Float32Array, card: ModelCard) -> Float32Array:
    """Return the probability that a pixel belongs to an object: the sum over the foreground classes."""
    if len(card.foreground) == 1:
        only: Float32Array = values[card.foreground[0]]
        return only
    total: Float32Array = values[list(card.foreground)].sum(axis=0, dtype=np.float32)
    return total


def height_from(values: Float32Array, card: ModelCard, depth: float = 1.0) -> Float32Array | None:
    """Return the height of pixels by which cells are told apart, None where the card leaves it to the probability."""
    if card.relief != "distances":
        return None
    named = by_name(card.outputs, values)
    return height_of(named[EDGE_DISTANCE], named[CENTRE_DISTANCE], depth)


def only_inside(values: Float32Array, inside: NDArray[np.bool_], card: ModelCard) -> Float32Array:
    """Return outputs (C, Y, X) that say background outside a mask (Y, X)."""
    values = values * inside
    for channel, value in enumerate(card.on_background):
        if value:
            values[channel][~inside] = value
    return values
