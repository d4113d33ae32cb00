"""Link the planes of the chosen Labels layer: objects through z, or tracks through time with their divisions."""

from typing import TYPE_CHECKING, Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.linking.params import LinkParams
from napari_utile.session.linking import LinkedLayers, link_layers
from napari_utile.widgets.viewer.layers import pixel_size_of, plain_viewer, space_of
from napari_utile.widgets.worker import JobHandle, as_job, run_job, sentence_of

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["link_active_labels_t", "link_active_labels_z"]


def link_active_labels_z(viewer: "napari.viewer.Viewer") -> "JobHandle | None":
    """Make objects of the sections in the active Labels layer, in a new layer with a table of volumes."""
    return _link(viewer, "z")


def link_active_labels_t(viewer: "napari.viewer.Viewer") -> "JobHandle | None":
    """Make tracks of the cells in the active Labels layer, in a new layer with their table, and a Tracks layer."""
    return _link(viewer, "t")


def _link(viewer: "napari.viewer.Viewer", axis: str) -> "JobHandle | None":
    from napari.utils.notifications import show_info, show_warning

    viewer = plain_viewer(viewer)
    layer = viewer.layers.selection.active
    if getattr(layer, "_type_string", "") != "labels":
        show_warning("Choose a labels layer first: there are no cells to link.")
        return None
    assert layer is not None
    try:
        letters = _letters(layer, axis)
        size, unit = pixel_size_of(layer, (layer.ndim - 2, layer.ndim - 1))
    except (UtileError, ValueError) as error:
        show_warning(sentence_of(error))
        return None
    steps = {
        letter: (float(layer.scale[place]), str(layer.units[place])) for place, letter in enumerate(letters)
    }
    steps = {letter: step for letter, step in steps.items() if step[1] != "pixel"}
    name, space = layer.name, space_of(layer, range(layer.ndim))

    def show(made: LinkedLayers) -> None:
        what = "objects" if axis == "z" else "tracks"
        viewer.add_labels(made.labels, name=f"{name} {what}", features=made.features, **space)
        if len(made.tracks):
            viewer.add_tracks(made.tracks, graph=made.graph, name=f"{name} paths", **space)
        show_info(f"{name}: {made.summary}.")

    return run_job(
        as_job(link_layers, layer.data, letters, LinkParams(axis), size, unit, steps),
        on_done=show,
        on_error=lambda error: show_warning(sentence_of(error)),
    )


def _letters(layer: Any, axis: str) -> str:
    """Say what the axes before the plane are: by their names, else time before depth.

    Raises
    ------
    UtileError
        If there are too few or too many.
    """
    outer = layer.ndim - 2
    if getattr(layer, "multiscale", False) or outer not in (1, 2):
        raise UtileError(f"{layer.name} is not a stack of labels: there is nothing to link.")
    names = [str(label).lower()[:1] for label in layer.axis_labels[:outer]]
    if outer == 1:
        if names[0] in "tz" and names[0] != axis:
            raise UtileError(
                f"{layer.name} has no axis {axis.upper()}, its planes lie along {names[0].upper()}."
            )
        return axis.upper()
    return "ZT" if names == ["z", "t"] else "TZ"
