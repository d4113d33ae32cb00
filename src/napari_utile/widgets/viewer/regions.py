"""Parts of a layer's plane: what is in view, what a shape encloses; and moving the camera to a place."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import napari.layers
import napari.viewer
import numpy as np
from skimage.draw import polygon2mask

from napari_utile.engine.windows import Window
from napari_utile.widgets.viewer.layers import Place
from napari_utile.widgets.viewer.lengths import shorter_side

# So many times as wide as what is looked at is the view.
_VIEW = 3
# Pixels of a canvas that nobody sees.
_CANVAS = 600


def region_in_view(layer: napari.layers.Layer, place: Place) -> Window:
    """Find the part of a layer's plane that is on the canvas.

    Parameters
    ----------
    layer : Image or Labels layer
        Multiscale layers count at full resolution.
    place : Place
        Its plane.

    Returns
    -------
    Window
        Rows and columns, in pixels of the plane.

    Raises
    ------
    ValueError
        If nothing of the layer is in view.
    """
    corners = np.asarray(layer.corner_pixels, dtype=float)[:, list(place.axes)]
    if not corners.any():  # not drawn yet
        return _window((0, 0), place.plane_shape, place, "")
    factors = np.ones(2)
    if getattr(layer, "multiscale", False):
        factors = np.asarray(layer.downsample_factors, dtype=float)[layer.data_level][list(place.axes)]
    # Corner pixels are the indices of the first and the last pixel of the level on screen.
    last = np.ceil((corners[1] + 1) * factors)
    return _window(corners[0] * factors, last, place, f"{layer.name} is not in view.")


def region_of_shapes(shapes: napari.layers.Shapes, layer: napari.layers.Layer, place: Place) -> Window:
    """Find the smallest window of a layer's plane that holds the drawn shapes.

    The selected shapes count, or all of them where none is selected.

    Parameters
    ----------
    shapes : Shapes layer
        Rectangles, ellipses and polygons in any space.
    layer : Image or Labels layer
        The layer whose pixels are meant.
    place : Place
        Its plane.

    Returns
    -------
    Window
        Rows and columns, in pixels of the plane.

    Raises
    ------
    ValueError
        If there is no shape, or none on the layer.
    """
    outlines = _outlines(shapes, layer, place, _chosen(shapes))
    if not outlines:
        raise ValueError(f"{shapes.name} holds no shape yet; draw one on the image first.")
    points = np.concatenate(outlines)
    low, high = points.min(axis=0), points.max(axis=0)
    # Pixel i covers i - 0.5 to i + 0.5.
    return _window(
        np.floor(low + 0.5),
        np.ceil(high + 0.5),
        place,
        f"The shapes of {shapes.name} lie outside {layer.name}.",
    )


def boxes_of_shapes(shapes: napari.layers.Shapes, layer: napari.layers.Layer, place: Place) -> list[Window]:
    """Return the window of each shape that lies on a plane of a layer, selected or not.

    napari selects the shape that was drawn last; the others were drawn to count as well.

    Raises
    ------
    ValueError
        If no shape lies on it.
    """
    boxes = []
    for outline in _outlines(shapes, layer, place, range(len(shapes.data))):
        low, high = np.floor(outline.min(axis=0) + 0.5), np.ceil(outline.max(axis=0) + 0.5)
        with suppress(ValueError):
            boxes.append(_window(low, high, place, "outside"))
    if not boxes:
        raise ValueError(
            f"{shapes.name} has no box on {layer.name} yet; draw one where all cells are painted."
        )
    return boxes


def inside_shapes(
    shapes: napari.layers.Shapes,
    layer: napari.layers.Layer,
    place: Place,
    window: Window,
    *,
    every: bool = False,
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Say which pixels of a window have their centre inside a drawn shape.

    The selected shapes count, or all of them where none is selected or `every` one is asked for.

    Returns
    -------
    (h, w) bool array
        True inside.
    """
    inside = np.zeros(window.shape, dtype=bool)
    chosen = range(len(shapes.data)) if every else _chosen(shapes)
    for outline in _outlines(shapes, layer, place, chosen):
        inside |= polygon2mask(window.shape, outline - window.start)
    return inside


def go_to(viewer: napari.viewer.Viewer, layer: napari.layers.Layer, position: Sequence[float]) -> None:
    """Move the camera, and the sliders of nD viewers, to a position in a layer; the zoom stays.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer to move.
    layer : napari layer
        The layer to which the position refers.
    position : sequence of float
        Data coordinates in pixels, for every axis of the layer or its last ones (the others stay).
    """
    given = np.asarray(position, dtype=float)
    current = np.asarray(layer.world_to_data(viewer.dims.point), dtype=float)
    if len(given) < layer.ndim:
        given = np.concatenate([current[: layer.ndim - len(given)], given])
    world = np.asarray(layer.data_to_world(given), dtype=float)
    missing = viewer.dims.ndim - layer.ndim
    for axis, value in enumerate(world):
        if axis + missing not in viewer.dims.displayed:
            viewer.dims.set_point(axis + missing, value)
    camera = camera_of(viewer)
    center = list(camera.center)
    shown = [axis - missing for axis in viewer.dims.displayed]
    for slot, axis in zip(range(3 - len(shown), 3), shown, strict=True):
        if axis >= 0:
            center[slot] = float(world[axis])
    camera.center = tuple(center)


def look_closer(viewer: napari.viewer.Viewer, layer: napari.layers.Layer, size: float) -> None:
    """Zoom in until so many pixels of a layer take about a third of the view; never out.

    Parameters
    ----------
    layer : napari layer
    size : float
        Pixels.
    """
    camera, window = camera_of(viewer), getattr(viewer, "window", None)
    side = min(window._qt_viewer.canvas.size) if window is not None else _CANVAS
    camera.zoom = max(camera.zoom, side / (_VIEW * size * shorter_side(layer)))


def camera_of(viewer: napari.viewer.Viewer) -> Any:
    """Return the viewer's camera, which napari 0.9 moved into its scene."""
    scene = getattr(viewer, "scene", None)
    return scene.camera if scene is not None else viewer.camera


def _chosen(shapes: napari.layers.Shapes) -> Sequence[int]:
    """Return the numbers of the selected shapes, of all where none is selected."""
    return sorted(shapes.selected_data) or range(len(shapes.data))


def _outlines(
    shapes: napari.layers.Shapes, layer: napari.layers.Layer, place: Place, chosen: Sequence[int]
) -> list[np.ndarray[Any, Any]]:
    """Return the outline of each chosen shape as (N, 2) points, in pixels of the plane."""
    outlines = []
    for which in chosen:
        vertices = np.asarray(shapes.data[which], dtype=float)
        if str(shapes.shape_type[which]) == "ellipse":
            vertices = _ellipse_outline(vertices)
        world = np.array([shapes.data_to_world(vertex) for vertex in vertices])
        spare = layer.ndim - world.shape[1]
        if spare > 0:
            world = np.pad(world, ((0, 0), (spare, 0)))
        data = np.array([layer.world_to_data(point) for point in world])
        outlines.append(data[:, list(place.axes)])
    return outlines


def _ellipse_outline(corners: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return points on the ellipse inscribed in a (possibly turned) box of four corners."""
    center = corners.mean(axis=0)
    half_a, half_b = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, np.newaxis]
    return np.asarray(center + np.cos(angle) * half_a + np.sin(angle) * half_b)


def _window(low: Any, high: Any, place: Place, complaint: str) -> Window:
    window = Window.span((int(low[0]), int(low[1])), (int(high[0]), int(high[1]))).clipped(place.plane_shape)
    if not window.size:
        raise ValueError(complaint)
    return window
