"""Grow from: labels of nuclei become whole cells in another channel, in a layer of their own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import napari.layers
import napari.viewer
import numpy as np

from napari_utile.engine.metrics.contingency import as_labels
from napari_utile.session.growing import GrownCells, GrowRequest, grow_job, large_grow_command
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.session.store_jobs import needs_store
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.grow_fields import GrowFields
from napari_utile.widgets.viewer.layers import Place, full_resolution, space_of
from napari_utile.widgets.viewer.own_pictures import METADATA_KEY
from napari_utile.widgets.viewer.result_layers import slider_columns
from napari_utile.widgets.viewer.source import Source
from napari_utile.widgets.viewer.store_layers import store_of


class Growing(BarJob):
    """Grows seeds on the chosen planes and shows the cells.

    Parameters
    ----------
    requests : callable
        Captures the planes that are meant.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        fields: GrowFields,
        requests: Callable[[], list[tuple[Source, SegmentRequest]]],
    ) -> None:
        self._viewer, self._session, self._fields = viewer, session, fields
        self._requests, self.run_bar = requests, fields.run_bar
        self._command = ""
        fields.copy_command.clicked.connect(lambda _: self.copy_command())
        fields.run_bar.run.connect(self.run)
        fields.run_bar.cancel.connect(self.cancel)

    def run(self) -> None:
        """Grow what is chosen."""
        fields = self._fields
        with failures_to(fields.status.failed):
            layer = fields.seeds.layer
            if layer is None:
                raise ValueError("Segment the nuclei first, or paint them: cells grow from them.")
            planes = self._requests()
            in_model, distance = fields.chosen.in_model, fields.chosen.distance
            if any(needs_store(request, len(planes)) for _, request in planes):
                store = store_of(layer)
                path = str(layer.source.path or "") if store is None else str(store)
                every = [request for _, request in planes]
                self._command = large_grow_command(every, path, in_model, distance)
                fields.copy_command.setEnabled(True)
                raise ValueError(
                    "Cells of a large image grow block by block into a store, which only the command line does: "
                    "Copy command gives it."
                )
            requests = [
                GrowRequest(
                    request, seeds_on(layer, source.place), in_model, distance, str(layer.source.path or "")
                )
                for source, request in planes
            ]
            fields.status.say("")
            self.begin(
                grow_job(self._session, requests),
                "growing…",
                on_progress=lambda at: fields.run_bar.set_progress(
                    at[0], at[1], f"{at[0]} of {at[1]} planes"
                ),
                on_done=partial(self._show, layer, [source for source, _ in planes]),
                on_error=fields.status.failed,
            )

    def drop(self) -> None:
        """Stop, and say nothing more."""
        super().drop()
        self._fields.run_bar.set_idle()

    def copy_command(self) -> None:
        """Copy the command line that grows the newest cells again."""
        names = [name for name in ("IMAGE.tif", "SEEDS.tif") if name in self._command]
        layers, files = (
            ("layers", "names of their files") if len(names) > 1 else ("layer", "name of its file")
        )
        hint = f"Save the {layers}, and replace {' and '.join(names)} with the {files}." if names else ""
        self._fields.status.copied(self._command, hint)

    def _show(self, seeds: napari.layers.Labels, sources: Sequence[Source], cells: GrownCells) -> None:
        made = cells.planes
        image, place = sources[0].layer, sources[0].place
        if image not in self._viewer.layers:
            return
        ids = max(int(each.labels.max(initial=0)) for each in made)
        labels = np.zeros(place.result_shape, np.int32 if ids < 2**31 else np.int64)
        for source, each in zip(sources, made, strict=True):
            labels[source.place.result.index] = each.labels
        layer = self._viewer.add_labels(
            labels,
            name=f"{image.name} cells of {seeds.name}",
            metadata={METADATA_KEY: {"recipe": cells.recipe.to_json()}},
            **space_of(image, place.result_axes),
        )
        self._command = cells.recipe.command
        self._fields.copy_command.setEnabled(True)
        tables = []
        for source, each in zip(sources, made, strict=True):
            where, rows = slider_columns(layer, source.place.result), len(each.features["index"])
            tables.append({**each.features, **{name: np.full(rows, step) for name, step in where.items()}})
        layer.features = {name: np.concatenate([each[name] for each in tables]) for name in tables[0]}
        self._session.choose_made(layer, image)
        count = sum(len(each.features["index"]) for each in made)
        self._fields.status.say(f"{count} cells, each with the number of its nucleus.", "good")


def seeds_on(layer: napari.layers.Labels, place: Place) -> np.ndarray[Any, Any]:
    """Take the plane of seeds that lies on a plane of an image.

    Raises
    ------
    ValueError
        In one sentence, where the two have other pixels, or the layer holds something else than ids.
    """
    data = full_resolution(layer)
    shape = tuple(int(size) for size in data.shape)
    if shape == place.plane_shape:
        return as_labels(np.array(data), layer.name)
    if shape != place.result_shape:
        ours, theirs = (" x ".join(map(str, each)) for each in (shape, place.result_shape))
        raise ValueError(
            f"{layer.name} has {ours} pixels, and the image {theirs}: nuclei lie on the image's pixels."
        )
    return as_labels(np.array(data[place.result.index]), layer.name)
