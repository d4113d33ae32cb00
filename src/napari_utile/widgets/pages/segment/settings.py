"""Where settings come from and go to: a few given cells, a recipe, a file, and the request that Run makes of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_utile.engine.fitting.cells import CellFit
from napari_utile.engine.planes.projection import PROJECTIONS
from napari_utile.engine.provenance.settings import Settings as SavedSettings
from napari_utile.engine.provenance.settings import load_settings, save_settings, settings_in, settings_of
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.words import capitalised
from napari_utile.session.chosen import ChosenLinking
from napari_utile.session.jobs import fit_job
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.click.aim import label_plane_on
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.pages.segment.instance_values import InstanceValues
from napari_utile.widgets.parts.bar_job import BarJob
from napari_utile.widgets.parts.button import as_it_is
from napari_utile.widgets.viewer.layers import Place, labels_on, place_of
from napari_utile.widgets.viewer.linked_layers import as_found
from napari_utile.widgets.viewer.own_pictures import is_cells, lasting, recipe_in
from napari_utile.widgets.viewer.projections import origin_of
from napari_utile.widgets.viewer.source import Source, axes_of, read_source

_FILES = "Settings and recipes (*.json)"


class Settings(BarJob, QObject):
    """Fits, loads and saves settings, and shows what was found in the form.

    Parameters
    ----------
    parent : QWidget
        The page.

    Attributes
    ----------
    used : Signal
        Emitted when other settings are used from now on.
    """

    used = Signal()

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        session: Session,
        form: SegmentForm,
        values: InstanceValues,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._fit: CellFit | None = None
        self._viewer, self._session, self._form, self._values = viewer, session, form, values
        self._page, self.run_bar = parent, form.run_bar

    def use(
        self, params: SegmentParams, values: Mapping[str, Any], said: str, *, measured: bool = False
    ) -> None:
        """Use parameters and chosen values from now on: those of a fit, a recipe or a file.

        With `measured`, the size of each image is measured, which is the diameter of this one. What is said begins
        with the model, where it is another one than was chosen.
        """
        if params.model != self._session.model:
            listed = self._session.listed(params.model)
            said = f"The model {listed.title if listed else params.model} is used now. {said}"
        self._session.model = params.model
        self._form.show_params(replace(params, diameter="auto") if measured else params)
        self._values.take(params, values)
        self.used.emit()
        self._form.status.say(said, "good")

    # A fit.

    def fit(self) -> None:
        """Choose model, size and settings by the chosen cells on the plane on screen."""
        if self.running:
            return
        with failures_to(self._form.status.failed):
            source = read_source(self._viewer, self._session)
            layer = self._session.cells
            if layer is None:
                raise ValueError("Paint or click three or more cells first, then fit the settings to them.")
            if as_found(self._viewer, layer, source.layer, source.place):
                raise ValueError(f"{layer.name} is what the model found: correct or paint a few cells first.")
            label_plane_on(layer, source.layer, source.place)  # says where the two do not lie on each other
            cells = labels_on(layer, place_of(layer, self._viewer))
            params = replace(self._form.params(), channels=source.channels)
            self._form.status.say("")
            self.begin(
                fit_job(self._session, source.plane, cells, params),
                "fitting…",
                on_progress=lambda what: self._form.run_bar.bar.setFormat(f"trying {what}…"),
                on_done=self._fitted,
                on_error=self._form.status.failed,
                on_cancelled=lambda: self._form.status.say("Cancelled."),
            )

    def _fitted(self, fit: CellFit) -> None:
        self._fit = fit
        self.use(fit.params, fit.values, f"{capitalised(str(fit))}.", measured=fit.measured)

    def captured(self, place: Place | None = None) -> tuple[Source, SegmentRequest]:
        """Capture, on the GUI thread, all that Run depends on.

        Parameters
        ----------
        place : Place, optional
            A plane; the one on screen by default.

        Raises
        ------
        ValueError, UtileError
            In one sentence, if something is missing.
        """
        source = read_source(self._viewer, self._session, place)
        linking = self._form.linking
        # Planes that are linked are no channels, whatever their axis is called.
        linked = bool(linking.wanted or linking.views)
        stack = replace(source.stack, of_one_image=source.stack.of_one_image or linked)
        region, inside = self._form.region.read(source)
        chosen = self._form.params()
        limits = chosen.limits if stack.of_one_image else "plane"
        params = replace(chosen, limits=limits, model=self._session.model, channels=source.channels)
        path, project = origin_of(source.layer)
        return source, SegmentRequest(
            source.plane,
            params,
            region,
            inside,
            source.data_key,
            path,
            axes_of(source),
            stack,
            project,
            self._fitted_to(params),
            self._values.chosen(),
        )

    def _fitted_to(self, params: SegmentParams) -> str:
        """Say what parameters were fitted to; empty where they were not, or one was changed since."""
        if self._fit is None:
            return ""
        wanted = self._fit.asked
        of_the_fit = (wanted.model, wanted.diameter, wanted.preprocess, self._fit.values)
        now = (params.model, params.diameter, params.preprocess, self._values.chosen())
        return self._fit.fitted if now == of_the_fit else ""

    # Files.

    def fill_menu(self) -> None:
        """Offer a file, and every open result that carries its recipe."""
        menu: Any = self._form.load_menu
        menu.clear()
        menu.addAction("From a file…").triggered.connect(lambda _=False: self.load())
        for layer in reversed(self._viewer.layers):
            recipe = recipe_in(layer.metadata) if layer._type_string == "labels" and is_cells(layer) else None
            if recipe and recipe.get("model"):  # cells that grew in grey values had no settings of a model
                action = menu.addAction(as_it_is(f"From “{layer.name}”"))
                action.triggered.connect(lambda _=False, layer=layer: self.load_of(layer))

    def load_of(self, layer: Any) -> None:
        """Take the settings that a result was made with, from the recipe that its layer carries."""
        with failures_to(self._form.status.failed):
            linking = lasting(layer.metadata).get("linking")  # of planes that were linked since
            recipe = {**recipe_in(layer.metadata), **({"linking": linking} if linking else {})}
            self._take(settings_in(recipe, layer.name), layer.name)

    def load(self, path: str = "") -> None:
        """Take the settings of a file, or of the recipe of any result."""
        path = path or QFileDialog.getOpenFileName(self._page, "Load settings", "", _FILES)[0]
        if not path:
            return
        with failures_to(self._form.status.failed):
            self._take(load_settings(path), Path(path).name)

    def _take(self, settings: SavedSettings, name: str) -> None:
        params = SegmentParams(**settings.segment)
        said = [f"The settings of {name} are used"]
        link = settings.link_params
        if settings.linking or settings.views:
            self._session.linking = ChosenLinking.of(link, settings.volume_params)
            self._form.linking.show_chosen()
        if link.axis and not (self._form.linking.wanted or self._form.linking.views):
            said.append(f"they link planes along {link.axis}, and this image has none there")
        self.use(params, settings.instances, f"{'; '.join([*said, *self._left_out(settings)])}.")

    def _left_out(self, settings: SavedSettings) -> Iterator[str]:
        """Say which pixels the result was made of, where the header of the dock says others or may do so."""
        image = self._session.image
        axis, _, how = settings.project.partition(":")
        if how and (image.layer is None or origin_of(image.layer)[1] != settings.project):
            make = f"“Make one plane: {PROJECTIONS[how]} along {axis.upper()}” at ⋯ beside Image"
            yield f"the result projects {axis.upper()} by {how}: {make} does the same"
        channels = settings.segment.get("channels")
        if channels is not None and channels != image.channels:
            numbers = ", ".join(map(str, channels))
            yield f"the result is of channel{'s' * (len(channels) > 1)} {numbers}: choose the same beside Image"

    def save(self, params: SegmentParams, path: str = "") -> None:
        """Write settings to a file, for other images, here or on the command line."""
        start = str(Path.home() / "settings.json")
        path = path or QFileDialog.getSaveFileName(self._page, "Save settings", start, _FILES)[0]
        if path:
            with failures_to(self._form.status.failed):
                linking = self._form.linking
                settings = settings_of(params, self._fitted_to(params), linking.chosen, linking.views)
                save_settings(replace(settings, instances=self._values.chosen()), path)
                self._form.status.say(
                    f"Saved {Path(path).name}; utile segment --settings takes it, too.", "good"
                )
