"""From the viewer's layers to the planes that are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import napari.viewer
import numpy as np

from napari_utile.engine.windows import Window
from napari_utile.session.evaluation import PlaneLabels
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import Place, labels_on, place_of
from napari_utile.widgets.viewer.pixel_versions import version_of
from napari_utile.widgets.viewer.regions import inside_shapes


@dataclass(frozen=True, eq=False)
class ComparedLayers:
    """The layers that the user chose.

    Attributes
    ----------
    predictions : tuple of Labels layers
    truth : Labels layer
    ignore : Labels or Shapes layer, optional
        Labels above 0, or the inside of the shapes, are not looked at.
    """

    predictions: tuple[Any, ...]
    truth: Any
    ignore: Any = None

    @property
    def ignored_shapes(self) -> Any:
        """The layer of ignored pixels where it holds shapes, else None."""
        return self.ignore if self.ignore is not None and self.ignore._type_string == "shapes" else None

    @property
    def paired(self) -> tuple[Any, ...]:
        """The labels that are compared with the reference pixel by pixel."""
        hidden = self.ignore is not None and self.ignored_shapes is None
        return (*self.predictions, self.ignore) if hidden else self.predictions

    @property
    def doubts(self) -> tuple[str, ...]:
        """What lies elsewhere than the reference, a sentence each."""
        return tuple(
            f"{layer.name} does not lie on {self.truth.name}: they were compared pixel by pixel as if it did."
            for layer in self.paired
            if _lies_elsewhere(layer, self.truth)
        )


def edits_in(viewer: napari.viewer.Viewer, layers: ComparedLayers) -> tuple[int, ...]:
    """Count what may have changed in each layer so far, on any plane: strokes, and refreshes as by an undo."""
    known = (*layers.predictions, layers.truth, layers.ignore)
    return tuple(
        edits_of(viewer).count(layer) + version_of(viewer, layer) for layer in known if layer is not None
    )


class _Planes(Sequence[PlaneLabels]):
    """Planes that are read when they are asked for."""

    def __init__(self, layers: ComparedLayers, places: list[Place], shapes_mask: Any) -> None:
        self._layers, self._places, self._shapes_mask = layers, places, shapes_mask

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: Any) -> Any:
        place, layers = self._places[number], self._layers
        ignore = self._shapes_mask
        if ignore is None and layers.ignore is not None:
            ignore = labels_on(layers.ignore, _fitting(place, layers.ignore)) > 0
        return PlaneLabels(
            place.plane.steps,
            tuple(labels_on(layer, _fitting(place, layer)) for layer in layers.predictions),
            labels_on(layers.truth, place),
            ignore,
        )


def compared_planes(
    viewer: napari.viewer.Viewer, layers: ComparedLayers, every_plane: bool
) -> tuple[list[Place], Sequence[PlaneLabels]]:
    """Find the planes to compare: the current one, or all of a stack.

    Returns
    -------
    list of Place
        In the reference layer.
    sequence of PlaneLabels
        The current plane is read at once, those of a stack when they are asked for.

    Raises
    ------
    ValueError
        In one sentence, where the layers do not fit each other.
    """
    place = place_of(layers.truth, viewer)
    for layer in layers.paired:
        if tuple(layer.data.shape) not in (place.shape, place.plane_shape):
            sizes = " x ".join(map(str, layer.data.shape)), " x ".join(map(str, place.shape))
            raise ValueError(f"{layer.name} is {sizes[0]} pixels, but {layers.truth.name} is {sizes[1]}.")
    mask = None
    if layers.ignored_shapes is not None:
        whole = Window.whole(place.plane_shape)
        mask = inside_shapes(layers.ignored_shapes, layers.truth, place, whole, every=True)
    if not every_plane:
        return [place], [_Planes(layers, [place], mask)[0]]
    return place.every, _Planes(layers, place.every, mask)


def _fitting(place: Place, layer: Any) -> Place:
    """Return the plane of a layer that has all axes of the reference, or only the plane's two."""
    if tuple(layer.data.shape) == place.shape:
        return place
    return Place((slice(None), slice(None)), place.plane_shape, (0, 1))


def _lies_elsewhere(layer: Any, reference: Any) -> bool:
    """Say whether a corner of labels lies more than half a pixel from that of their reference.

    Labels without a pixel size lie at the origin, whatever they were made on; that says nothing beside labels with one.
    """
    sizes = np.diag(np.asarray(layer.data.shape, dtype=float))
    corners = np.vstack([np.zeros(layer.ndim), sizes])
    spare = reference.ndim - layer.ndim
    ours = np.array([reference.data_to_world(np.pad(each, (spare, 0)))[spare:] for each in corners])
    theirs = np.array([layer.data_to_world(each) for each in corners])
    steps = [np.linalg.norm(places[1:] - places[0], axis=1) / sizes.max(axis=1) for places in (ours, theirs)]
    without_size = [np.allclose(places, corners) for places in (ours, theirs)]
    if any(without_size) and not np.allclose(*steps):
        return False
    return bool(np.abs(ours - theirs).max() > steps[0].min() / 2)
