"""Segment a stack from three sides, to objects: better than linking its planes where they are close to each other."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import napari.viewer
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.provenance.linked import LinkRecord
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.session.linking import StackSpace
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.session.volumes import VolumeRequest, VolumeResult, relabel_volume_job, segment_volume_job
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.pages.click.aim import z_axis_of
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.pages.segment.run_estimate import progress_text
from napari_utile.widgets.viewer.layers import plain_viewer, space_of
from napari_utile.widgets.viewer.lengths import step_lengths
from napari_utile.widgets.viewer.linked_layers import LinkedStack, keep_linked, linked_stack_of
from napari_utile.widgets.viewer.own_pictures import (
    METADATA_KEY,
    add_own,
    glow,
    image_of,
    mark_own,
    other_pixels,
)
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.viewer.stack_space import named_along
from napari_utile.widgets.worker import LatestJob, OneJob, run_job


class _Made(NamedTuple):
    """Objects, and the pixels of the image that they were made from: a user may give the image other ones."""

    stack: LinkedStack
    result: VolumeResult
    pixels: Any

    def outdated(self) -> str:
        """Say that the image has got other pixels since, if it has, else nothing."""
        image = image_of(self.stack.layer)
        return other_pixels(image) if image is not None and image.data is not self.pixels else ""


class ThreeViews(OneJob, QObject):
    """Runs a segmentation of a stack as a volume, and follows the sliders afterwards.

    Attributes
    ----------
    progress : Signal(int, int, str)
        How much is done, of how much, in words.
    ended : Signal(str, bool)
        What is to be said, and whether it is a problem.
    """

    progress = Signal(int, int, str)
    ended = Signal(str, bool)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        form: SegmentForm,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._session, self._form = plain_viewer(viewer), session, form
        self._sliding = LatestJob(owner=self)
        self._results: weakref.WeakKeyDictionary[Any, tuple[VolumeResult, Any]]
        self._results = weakref.WeakKeyDictionary()  # by their layer, which they must not hold
        form.edited.volume = lambda: None if self._chosen is None else self._chosen.stack

    def takes(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> bool:
        """Say whether planes are to be looked at from three sides.

        Raises
        ------
        UtileError
            If they are no stack along z.
        """
        if self._form.linking.views is None:
            return False
        if len(planes) < 2:
            raise UtileError("Three views look at a stack: choose all planes, or a range of them.")
        if planes[0][1].inside is not None:
            raise UtileError(
                "Three views segment boxes: choose the whole image, what is in view, or a rectangle."
            )
        axis = _z_axis(planes[0][0])
        places = [source.place.result for source, _ in planes]
        if axis is None or len({tuple(_others(place, axis).items()) for place in places}) > 1:
            raise UtileError("Three views look at one stack along z: choose one time point.")
        return True

    def request_of(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> VolumeRequest:
        """Capture what is to be done with planes that are looked at from three sides."""
        views = self._form.linking.views
        assert views is not None
        steps, views = _steps(planes[0][0], views)
        return VolumeRequest([request for _, request in planes], views, steps)

    def start(self, planes: Sequence[tuple[Source, SegmentRequest]]) -> None:
        """Segment planes as a volume."""
        request = self.request_of(planes)
        self.job = run_job(
            segment_volume_job(self._session, request),
            on_progress=self._show_progress,
            on_done=lambda result: self._show(planes[0][0], result, dict(request.steps or {})),
            on_error=lambda error: self.ended.emit(sentence_of(error), True),
            on_cancelled=lambda: self.ended.emit("Cancelled.", False),
            owner=self,
        )

    def drop(self) -> None:
        """Stop, and say nothing any more."""
        self._sliding.drop()
        super().drop()

    def adjust(self, instances: InstanceParams) -> bool:
        """Find the objects of the chosen cells again; return False where they are not from three views of the image."""
        known = self._chosen
        if known is None:
            return False
        if outdated := known.outdated():
            self.ended.emit(outdated, True)
            return True
        beside = not known.stack.seems_as_made()
        self._sliding.run(
            relabel_volume_job(known.result, instances),
            on_done=lambda result: self._take(known._replace(result=result), beside),
            on_error=lambda error: self.ended.emit(sentence_of(error), True),
        )
        return True

    @property
    def made(self) -> tuple[SegmentParams, str] | None:
        """How the chosen objects were made, and the model that was asked; None where sliders do not go to any."""
        if self._chosen is None:
            return None
        result = self._chosen.result
        return result.segmented.params, result.request.first.params.model

    @property
    def _chosen(self) -> _Made | None:
        """The objects that sliders go to: the chosen ones, of the chosen image."""
        stack = linked_stack_of(self._session.cells)
        if stack is None or image_of(stack.layer) is not self._session.image.layer:
            return None
        known = self._results.get(stack.layer)
        return None if known is None else _Made(stack, *known)

    def _show_progress(self, step: Progress) -> None:
        self.progress.emit(step.done, step.total, progress_text(step))

    def _take(self, made: _Made, wanted: bool) -> None:
        """Show the objects that were found again: beside those that were edited, which is `wanted` or asked about."""
        if made.outdated():  # while it was computed
            return
        stack, result, pixels = made
        mine = stack.layer
        shown = replace(result.shown, labels=result.shown.labels.reshape(mine.data.shape))
        if stack.is_as_made():
            stack.replace(shown, stack.record.params)
            self._results[mine] = result, pixels
        elif mine in self._viewer.layers:
            space = space_of(mine, range(mine.ndim))
            cells = Labels(shown.labels, name=mine.name, opacity=mine.opacity, **space)
            self._add(cells, stack.space, replace(result, shown=shown), image_of(mine), pixels)
            if wanted:
                self._form.edited.show_only(cells)
            else:
                self._form.edited.choose_between(mine, cells)

    def _add(self, cells: Labels, space: StackSpace, result: VolumeResult, image: Any, pixels: Any) -> None:
        cells.metadata = {METADATA_KEY: {"role": "instances", "recipe": result.recipe.to_json()}}
        mark_own(cells, "instances", image)
        self._viewer.add_layer(cells)
        keep_linked(self._viewer, cells, space, LinkRecord(LinkParams("z"), 0, {}), result.shown)
        self._results[cells] = result, pixels

    def _show(self, source: Source, result: VolumeResult, steps: dict[str, tuple[float, str | None]]) -> None:
        layer, place, axis = source.layer, source.place.result, _z_axis(source)
        if layer in self._viewer.layers and axis is not None:
            space = space_of(layer, source.place.result_axes, place.point(result.segmented.region.start))
            apart = tuple(_others(place, axis))
            probability = np.expand_dims(result.segmented.foreground, apart)
            picture = glow(probability, name=f"{source.plane.name} probability", visible=False, **space)
            add_own(self._viewer, picture, "probability")
            shown = replace(result.shown, labels=np.expand_dims(result.shown.labels, apart))
            cells = Labels(
                shown.labels, name=f"{source.plane.name} objects", opacity=0.5, **named_along("Z", space)
            )
            letters = "".join(letter_of(layer.axis_labels[each]) or "Z" for each in place.sliders)
            of_stack = StackSpace(letters, source.plane.pixel_size, source.plane.unit, steps)
            self._add(cells, of_stack, replace(result, shown=shown), layer, source.data)
            self._session.choose_made(cells, layer)
        self.ended.emit(f"Three views: {result.shown.summary}.", False)


def _others(place: PlaneIndex, axis: int) -> dict[int, int]:
    """Return where a plane lies on the sliders but for one."""
    return {each: step for each, step in zip(place.sliders, place.steps, strict=True) if each != axis}


def _z_axis(source: Source) -> int | None:
    """Return the axis of a result that goes through the planes."""
    axis = z_axis_of(source.layer, source.place)
    return None if axis is None else source.place.result_axes.index(axis)


def _steps(source: Source, views: VolumeParams) -> tuple[dict[str, tuple[float, str | None]], VolumeParams]:
    """Say how far apart planes are: in the layer's units, or in pixels where those have no size."""
    layer, axis = source.layer, _z_axis(source)
    assert axis is not None
    of_layer = source.place.result_axes[axis]
    lengths, row = step_lengths(layer, source.place.axes), source.place.axes[0]
    (apart, unit), (across, other) = ((lengths[each], str(layer.units[each])) for each in (of_layer, row))
    if source.plane.pixel_size is not None and unit != "pixel":
        return {"Z": (apart, unit)}, views
    if views.plane_distance is None and unit == other and not np.isclose(apart, across):
        views = replace(views, plane_distance=apart / across)
    return {}, views
