"""What the store of some planes is made of: their file where it holds the pixels that are shown, else the layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.pixels import seen_of
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.locate import Located, index_in, index_of, letters_in, sliders_of
from napari_utile.session.results import SegmentRequest, locate_request


@dataclass(frozen=True)
class StackedAxis:
    """An axis along which planes differ.

    Attributes
    ----------
    letter : str
        T or Z.
    axis : int
        Its number in the layer.
    count : int
        Planes along it.
    """

    letter: str
    axis: int
    count: int


@dataclass(frozen=True, eq=False)
class StoreSource:
    """What a store is made of.

    Attributes
    ----------
    planes : tuple of ImagePlane
        With the pixel size of the layer.
    indices : tuple of dict
        Where each lies, as `plan_store` wants it.
    name : str
        The file; the name of the layer where it is none.
    channels : tuple of int or None
        The chosen ones of the planes.
    steps : dict of str to (float, str or None)
        How far planes are apart along each stacked axis, by the layer, else by its file.
    located : Located or None
        Where in the file the first plane lies; None where the layer is not its file.
    """

    planes: tuple[ImagePlane, ...]
    indices: tuple[dict[str, int], ...]
    name: str
    stacked: tuple[StackedAxis, ...]
    channels: tuple[int, ...] | None
    steps: dict[str, tuple[float, str | None]]
    located: Located | None = None

    @property
    def selection(self) -> Selection:
        """Which pixels of the file."""
        return self.located.all_planes().selection if self.located else Selection()


def stacked_axes(
    requests: Sequence[SegmentRequest], letters: dict[str, int] | None = None
) -> tuple[StackedAxis, ...]:
    """Name the axes along which planes differ, in the order of the layer.

    Parameters
    ----------
    requests : sequence of SegmentRequest
        They have all but the plane in common.
    letters : dict of str to int, optional
        What the axes of the layer are called; by its own labels by default.

    Raises
    ------
    UtileError
        If a store cannot be stacked along them.
    """
    found = []
    for letter, number in (letters or sliders_of(requests[0].axes)).items():
        count = len({request.axes[number].entry for request in requests})
        if count > 1:
            found.append(StackedAxis(letter, number, count))
    if wrong := [each.letter for each in found if each.letter not in ("T", "Z")]:
        raise UtileError(
            f"Large images are stacked along time and depth, not along {wrong[0]}: choose one plane, or name the axes."
        )
    return tuple(found)


def source_of(requests: Sequence[SegmentRequest]) -> StoreSource:
    """Say what the store of some planes is made of; reads a part of the file and of the layer.

    A file is read as the command line reads it, so that any process can open it by the plan.
    """
    return _in_file(requests) or layer_source(requests)


def layer_source(requests: Sequence[SegmentRequest]) -> StoreSource:
    """Take the planes of the layer, whatever its file holds."""
    return StoreSource(
        tuple(each.plane for each in requests),
        tuple(index_of(each.axes) for each in requests),
        requests[0].plane.name,
        stacked_axes(requests),
        requests[0].params.channels,
        _steps(requests, stacked_axes(requests)),
    )


def _steps(
    requests: Sequence[SegmentRequest], stacked: Sequence[StackedAxis]
) -> dict[str, tuple[float, str | None]]:
    """Return how far planes are apart, as far as the layer says it."""
    axes = requests[0].axes
    return {each.letter: step for each in stacked if (step := axes[each.axis].step)}


def _in_file(requests: Sequence[SegmentRequest]) -> StoreSource | None:
    """Find the planes in their file; None where there is none, or it holds other pixels."""
    request = requests[0]
    located = locate_request(request)
    if located is None:
        return None
    selection = located.all_planes().selection
    image = SelectedPlanes(open_selected(request.path, selection), selection)
    letters = letters_in(image.image, request.axes)
    ours = stacked_axes(requests)
    theirs = () if letters is None else stacked_axes(requests, letters)
    if len(ours) > 1 and ours != theirs:  # layers are shown by their own labels
        return None
    indices = [index_in(image.image, each.axes) or {} for each in requests]
    channel = located.index.get("C")
    planes, seen = [], []
    for each, index in zip(requests, indices, strict=True):
        index.pop("C", None)
        plane = image.plane(index)
        planes.append(
            replace(plane, name=each.plane.name, pixel_size=each.plane.pixel_size, unit=each.plane.unit)
        )
        seen.append(plane if channel is None else plane.with_channels([channel]))
    if seen_of(seen) != seen_of([each.plane for each in requests]):
        return None
    return StoreSource(
        tuple(planes),
        tuple(indices),
        str(Path(request.path)),
        theirs,
        located.channels(request.params.channels),
        {**image.image.steps, **_steps(requests, theirs)},
        located,
    )
