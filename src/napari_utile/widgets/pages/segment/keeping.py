"""What is taken away from a result: its table, saved files, and a paragraph on how it was made."""

from pathlib import Path
from typing import Any

import napari.viewer
import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_utile.engine.files.result_files import LABELS
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.provenance.recipe import Recipe, recipe_from_json
from napari_utile.engine.volumes.params import VolumeParams
from napari_utile.engine.words import counted
from napari_utile.session.cell_filter import numeric_columns
from napari_utile.session.methods import Found, edited_share, methods_of_views, methods_text
from napari_utile.session.plane_index import PlaneIndex
from napari_utile.session.results import (
    SegmentRequest,
    SegmentResult,
    command_of,
    locate_request,
    what_the_command_lacks,
)
from napari_utile.session.state import Session
from napari_utile.session.store_command import store_command_job
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to, sentence_of
from napari_utile.widgets.files.results import results_of, save_results
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.pages.segment.measure_layer import measure_active_labels
from napari_utile.widgets.preferences import results_folder
from napari_utile.widgets.tabs import open_plots, show_table
from napari_utile.widgets.viewer.cell_tables import rows_of
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.viewer.layers import Place, place_of
from napari_utile.widgets.viewer.linked_layers import LinkedStack, linked_stack_of
from napari_utile.widgets.viewer.own_pictures import CELLS, image_of, recipe_in
from napari_utile.widgets.viewer.result_layers import is_of_planes, own_layer, slider_columns
from napari_utile.widgets.viewer.source import Source, on_screen
from napari_utile.widgets.worker import run_job


class Keeping:
    """Shows and saves what was measured of the cells, and describes how they were made.

    Parameters
    ----------
    form : SegmentForm
        Its buttons are answered.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, session: Session, form: SegmentForm, page: QWidget
    ) -> None:
        self._viewer, self._session, self._status, self._page = viewer, session, form.status, page
        self._form = form
        form.show_table.clicked.connect(lambda _: self.show_table())
        form.save.clicked.connect(lambda _: self.save())
        form.methods.clicked.connect(lambda _: self.copy_methods())
        form.show_plots.clicked.connect(lambda _: open_plots(viewer))
        self._connections, self._cells_events = Connections(page), Connections(page)
        self._connections.connect(session.events.cells, self._cells_changed)
        self._cells_changed()

    def _cells_changed(self, _: object = None) -> None:
        self._cells_events.disconnect_all()
        if self._session.cells is not None:
            self._cells_events.connect(self._session.cells.events.features, self._offer_plots)
        self._offer_plots()

    def _offer_plots(self, _: object = None) -> None:
        """Offer plots where the chosen cells, which they show, have a table."""
        table = {} if self._session.cells is None else self._session.cells.features
        self._form.show_plots.setEnabled(len(table) > 0 and bool(numeric_columns(table)))

    def save(self, path: str = "") -> None:
        """Save the chosen cells, their table and their recipe beside each other."""
        layer, image = self._session.cells, self._session.image.layer
        if layer is None:
            self._status.problem("There are no cells to save: press Segment first.")
            return
        with failures_to(self._show_error):
            results = results_of(self._viewer, layer, image)
            known = getattr(getattr(image, "source", None), "path", None)
            beside = results_folder() or (Path(known).parent if known else Path.home())
            start = str(beside / f"{results.name}{LABELS}")
            kinds = "TIFF (*.tif *.tiff)"
            path = path or QFileDialog.getSaveFileName(self._page, "Save results", start, kinds)[0]
            if path:
                edits = edits_of(self._viewer)
                count = edits.count(layer)

                def saved(written: list[Path]) -> None:
                    edits.saved(layer, count)
                    self._saved(written)

                self._status.say("Saving…")
                # Without an owner: what is being written is finished, also where the dock is closed.
                run_job(save_results(results, Path(path)), on_done=saved, on_error=self._show_error)

    def _saved(self, written: list[Path]) -> None:
        names = ", ".join(each.name for each in written)
        self._say(f"Saved {names} in {written[0].parent}.", "good")

    def show_table(self) -> None:
        """Open napari's table of the cells of the image: those that are chosen, edited or not, measured if need be."""
        cells, image = self._session.cells, self._session.image.layer
        layer = cells if image_of(cells) is image else own_layer(self._viewer, CELLS, image) or cells
        if layer is not None:
            self._viewer.layers.selection.active = layer
            if linked_stack_of(layer) is None and not layer.multiscale:
                with failures_to(self._show_error):
                    if not _is_measured(layer, place_of(layer, self._viewer).plane):
                        measure_active_labels(self._viewer)
                        return
        show_table(self._viewer)

    def copy_command(self, source: Source, request: SegmentRequest, views: VolumeParams | None) -> None:
        """Copy the command line that segments the chosen planes in the same way, from three sides with `views`."""
        result = self._session.result_of(source.layer, source.place.key)
        located = result.located if result is not None else locate_request(request)
        form, linking = self._form, None
        if not form.planes.one:
            linking = form.linking.chosen if form.linking.wanted else None
            axis = "Z" if views else form.linking.wanted.upper()
            located = None if located is None else located.along(axis, form.planes.entries)
        command = command_of(request, request.params, card_of(request.params.model), located, views, linking)
        some = len(form.planes.places(source.place)) < len(source.place.every)
        self._status.copied(command, what_the_command_lacks(request, located, some_planes=some))

    def copy_store_command(self, requests: list[SegmentRequest]) -> None:
        """Copy the command line that segments planes into their store, or finishes it; files are read for it."""
        store, linking = self._form.store, self._form.linking.chosen_for(len(requests))
        run_job(
            store_command_job(requests, store.place_of(requests), linking),
            on_done=lambda made: self._status.copied(*made),
            on_error=self._show_error,
            owner=self._page,
        )

    def copy_methods(self) -> None:
        """Copy a paragraph for a paper on the result on screen, and on all planes that were segmented like it."""
        shown, cells = on_screen(self._viewer, self._session), self._session.cells
        if shown is not None and (recipe := recipe_of_views(cells, shown[0])) is not None:
            stack = linked_stack_of(cells)
            assert stack is not None
            text = methods_of_views(recipe, card_of(recipe.params.model), stack.record.total, _edited(stack))
            self._status.copied(text, what="The paragraph")
            return
        if shown is None or (result := self._session.result_of(shown[0], shown[1].key)) is None:
            self._status.problem("There is no result on screen: press Segment first.")
            return
        self._status.copied(methods_text(self._found(*shown, result)), what="The paragraph")

    def _found(self, source: Any, place: Place, result: SegmentResult) -> Found:
        """Gather what was found in a plane, and in those that were segmented with the same settings."""
        results_of, cells = self._session.result_of, self._session.cells
        of_planes = [(each, results_of(source, each.key)) for each in place.every]
        params = result.segmentation.params
        alike = [(each, made) for each, made in of_planes if made and made.segmentation.params == params]
        planes = len(of_planes)
        stack = linked_stack_of(cells)
        if cells is not None and stack is not None and image_of(cells) is source:
            axis = "through z" if stack.axis == "Z" else "over time"
            what = counted(stack.record.total, "object" if stack.axis == "Z" else "track")
            return Found([made for _, made in alike], planes, _edited(stack), f"{what} {axis}")
        if not is_of_planes(cells, source, place):
            return Found([made for _, made in alike], planes)
        kept = [(made, _cells_in(cells, each, made)) for each, made in alike]
        pairs = [(made.segmentation.labels, after) for made, after in kept if after is not None]
        edited = edited_share(pairs) if len(pairs) == len(kept) else ""
        return Found([made for made, _ in kept], planes, edited)

    def _show_error(self, error: Exception) -> None:
        self._say(sentence_of(error), "problem")

    def _say(self, text: str, kind: str) -> None:
        try:
            self._status.say(text, kind)
        except RuntimeError:  # the dock was closed meanwhile
            show_info(text)


def recipe_of_views(cells: Any, image: Any) -> Recipe | None:
    """Return the recipe of objects that were found in three views of an image; None for other cells."""
    recipe = recipe_in(cells.metadata) if linked_stack_of(cells) and image_of(cells) is image else None
    return recipe_from_json(recipe, cells.name) if recipe and recipe.get("volume") else None


def _edited(stack: LinkedStack) -> str:
    untouched = not stack.record.by_hand and stack.is_as_made()
    return edited_share([]) if untouched else "Some were edited by hand."


def _cells_in(layer: Any, place: Place, result: SegmentResult) -> np.ndarray[Any, Any] | None:
    """Read what became of a result's cells in its layer, with the numbers that they had."""
    before = result.segmentation.labels
    if layer is None or tuple(layer.data.shape) != place.result_shape or place.channel_axis:
        return None
    after = np.asarray(layer.data[place.result.window(result.segmentation.region)]).astype(np.int64)
    both = (before > 0) & (after > 0)
    shift = after[both] - before[both]  # planes of a stack go on counting where the one before ended
    if shift.size:
        values, counts = np.unique(shift, return_counts=True)
        after = np.where(after > 0, np.maximum(after - values[counts.argmax()], 1), 0)
    return after


def _is_measured(layer: Any, plane: PlaneIndex) -> bool:
    """Say whether a number of a cell on a plane is known: those that were given a class have a row without."""
    rows = rows_of(layer, plane)
    names = {*numeric_columns(rows)} - {*slider_columns(layer, plane)}
    return any(np.isfinite(rows[name]).any() for name in names)
