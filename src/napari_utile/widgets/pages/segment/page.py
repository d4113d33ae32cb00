"""The Segment page: press Run, get probabilities, a mask and cell instances."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import napari.viewer

from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit
from napari_utile.engine.models.library import Model
from napari_utile.engine.segment_params import MEASURED
from napari_utile.session.cell_size import sized_by_now
from napari_utile.session.jobs import estimate_job
from napari_utile.session.results import SegmentRequest, SegmentResult, specs_of
from napari_utile.session.store_jobs import needs_store
from napari_utile.session.volumes import estimate_volume_job
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.failures import failures_to
from napari_utile.widgets.pages.segment.adjusting import Adjusting
from napari_utile.widgets.pages.segment.asked import Asked
from napari_utile.widgets.pages.segment.diameter_tool import DiameterTool
from napari_utile.widgets.pages.segment.form import SegmentForm
from napari_utile.widgets.pages.segment.growing import Growing
from napari_utile.widgets.pages.segment.instance_values import InstanceValues
from napari_utile.widgets.pages.segment.keeping import Keeping, recipe_of_views
from napari_utile.widgets.pages.segment.made_planes import MadePlanes
from napari_utile.widgets.pages.segment.pictures import Pictures
from napari_utile.widgets.pages.segment.plane_run import PlaneRun
from napari_utile.widgets.pages.segment.run_estimate import Question, RunEstimate
from napari_utile.widgets.pages.segment.settings import Settings
from napari_utile.widgets.pages.segment.three_views import ThreeViews
from napari_utile.widgets.pages.segment.verdict import before_it_is_believed, doubt
from napari_utile.widgets.parts.plane_picker import plane_in_words
from napari_utile.widgets.viewer.cell_tables import rows_of
from napari_utile.widgets.viewer.layers import plain_viewer, session_of
from napari_utile.widgets.viewer.linked_layers import linked_stack_of
from napari_utile.widgets.viewer.own_pictures import CELLS, image_of, outdated_cells
from napari_utile.widgets.viewer.regions import region_in_view
from napari_utile.widgets.viewer.result_layers import edited_layer, is_of_planes, own_layer, show_layers
from napari_utile.widgets.viewer.source import Source, is_on_screen, on_screen, read_source
from napari_utile.widgets.workbench.closing import guard_window
from napari_utile.widgets.workbench.page import Page


class SegmentPage(Page):
    """Segment the cells of the chosen image.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose layers are segmented.
    """

    doing = "U-Tile segments"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = plain_viewer(viewer)
        self._session = session_of(viewer)
        self._running_on: list[Source] = []
        self._fits: list[Fit] = []  # of the planes that are done
        self._made = MadePlanes()
        self.form = form = SegmentForm(self._viewer, self._session)
        plain, session, failed = self._viewer, self._session, form.status.failed
        self._values = InstanceValues(form, self._session)
        self._estimate = RunEstimate(form.estimate, self._question, self.model_known, self)
        self._diameter_tool = DiameterTool(self._viewer, form.diameter, form.status, self)
        self.views = ThreeViews(plain, session, form, self)
        self.planes_run = PlaneRun(plain, session, self)
        self._runs = self.views, form.store, self.planes_run  # the first that takes the planes
        self._pictures = Pictures(plain, session, form, self.request, failed, self)
        self._adjusting = Adjusting(
            plain, session, form.edited, self._values, self.views, failed, self._adjusted, self
        )
        self.show_form(form, form.status)
        self.main_button = form.run_bar.run_button
        self.settings = Settings(plain, session, form, self._values, self)
        self.growing = Growing(plain, session, form.grow, lambda: self._chosen_planes(linked=False))
        self.keeping = Keeping(plain, session, form, self)
        self._connect()
        form.seams.ask(self.request)
        guard_window(self._viewer, self)
        form.show_devices(self._session.devices)
        self._asked = Asked(self._session, form, self._values, self._choice_changed, self)
        self._image_changed()

    def _connect(self) -> None:
        form, session = self.form, self._session
        form.run_bar.run.connect(self.run)
        form.run_bar.cancel.connect(self.cancel)
        for part in (form.planes, form.linking, form.region, form.diameter, form.seen, form.compute):
            part.changed.connect(self._choice_changed)
        form.region.moved.connect(self._estimate.follow)
        form.store.run_on.editingFinished.connect(self._estimate.follow)
        for run in self._runs:
            run.progress.connect(form.run_bar.set_progress)
            run.progress.connect(lambda done, total, _: self.activity.update(done, total))
            run.ended.connect(self._run_ended)
        self.planes_run.found.connect(self._show_result)
        self.planes_run.done.connect(self._link_planes)
        form.suggestions.asked.connect(self._suggest_models)
        form.instances.changed.connect(self._adjust)
        form.more_instances.changed.connect(self._adjust)
        form.measure_diameter.clicked.connect(lambda _: self._diameter_tool.start(self._session.image.layer))
        form.copy_command.clicked.connect(self.copy_command)
        form.fit.clicked.connect(lambda _: None if self.running else self.settings.fit())
        form.train.clicked.connect(lambda _: setattr(self._session, "page", "train"))
        form.load_menu.aboutToShow.connect(lambda: self.settings.fill_menu())
        form.keep.clicked.connect(lambda _: self._keep_settings())
        self.settings.used.connect(self._choice_changed)
        self._connections, self._image_events = Connections(self), Connections(self)
        self._connections.connect(session.events.image, self._image_changed)
        self._connections.connect(session.events.model, self._about_another)
        self._connections.connect(session.events.models_changed, self._choice_changed)
        self._connections.connect(session.events.devices, form.show_devices)
        self._connections.connect(session.events.values_offered, self._follow_values)
        self._connections.connect(session.events.measured, self._show_summary)
        self._connections.connect(session.events.cells, form.show_cells)
        self._connections.connect(session.events.cells, self._show_summary)
        form.show_cells(session.cells)
        form.edited.new_wanted.connect(self._adjusting.answered)
        self._connections.connect(self._viewer.layers.events.removed, self._layer_removed)
        dims = self._viewer.dims.events
        for emitter in (dims.current_step, dims.order, dims.ndisplay):
            self._connections.connect(emitter, self._plane_changed)
        self._connections.connect(session.events.closed, self.form.store.drop)
        self._connections.connect(session.events.closed, self._drop_jobs)

    # What is to be done, captured now.

    def request(self) -> tuple[Source, SegmentRequest]:
        """Capture what Run would do now.

        Raises
        ------
        ValueError, UtileError
            In one sentence, if something is missing.
        """
        return self.settings.captured()

    def _chosen_planes(self, linked: bool = True) -> list[tuple[Source, SegmentRequest]]:
        if linked:
            self.form.linking.check()
        places = self.form.planes.places(read_source(self._viewer, self._session).place)
        return [self.settings.captured(each) for each in places]

    def _question(self) -> Question | None:
        """Say what is to be estimated: one of the planes, or a volume of all."""
        if self._session.image.layer is None or self.running:
            return None
        self.form.linking.check()
        source, request = self.request()
        count = len(self.form.planes.places(source.place))
        large, name = needs_store(request, count), request.params.model
        views = count > 1 and self.form.linking.views is not None
        planes = self._chosen_planes() if large or views else []
        requests = [each for _, each in planes] if large and not views else []
        self.form.store.follow(requests)
        if self._current_result() is None:
            self._show_summary()
        self.form.suggestions.follow(request.measured_on, request.params)
        if views and self.views.takes(planes):
            what = "Three views of"
            job: Any = estimate_volume_job(self._session, self.views.request_of(planes))
        elif requests:
            what, job = "Together,", self.form.store.estimate(requests)
        else:
            what, job = "Each of", estimate_job(self._session, request)
        alone = f"This {self.form.planes.word}, which is not linked," if self.form.linking.wanted else "This"
        said = alone if count == 1 else f"{what} the {count} planes"
        return Question(name, job, said, request.plane)

    # Running.

    def run(self) -> None:
        """Segment the chosen planes; results appear tile by tile, and plane by plane."""
        if self.running or self.settings.running:
            return
        with failures_to(self.form.status.failed):
            self._start(self._chosen_planes())

    def _start(self, planes: list[tuple[Source, SegmentRequest]]) -> None:
        run = next(each for each in self._runs if each.takes(planes))
        self._estimate.drop()
        self._adjusting.drop()  # its answer would come after the new one
        self._running_on, self._fits, self._made = [source for source, _ in planes], [], MadePlanes()
        self.form.run_bar.set_busy("preparing…")
        self.form.status.say("")
        run.start(planes)

    def cancel(self) -> None:
        """Stop after the tile that is being computed and leave the layers as they were."""
        if self.settings.running:
            self.settings.cancel()
        elif self.running:
            self.form.run_bar.set_cancelling()
            for run in self._runs:
                run.cancel()

    @property
    def running(self) -> bool:
        """Whether a segmentation is under way."""
        return any(run.running for run in self._runs)

    @property
    def adjusting(self) -> bool:
        """Whether cells are being made again after a slider was moved."""
        return self._adjusting.running

    def _run_ended(self, text: str, is_problem: bool) -> None:
        old = [outdated_cells(self._viewer, each.layer) for each in self._running_on if not each.is_current]
        self.activity.end(f"{text.rstrip('.')}: open U-Tile, page Segment.")
        self._end_job()
        self.reveal(self.form.summary)
        if said := " ".join(filter(None, [text, *old[:1]])):
            self.form.status.say(said, "problem" if is_problem or any(old) else "info")

    def _link_planes(self, count: int) -> None:
        if count > 1 and self.form.linking.wanted:
            with failures_to(self.form.status.failed):
                doubt = self.form.status.text() if self.form.status.kind == "problem" else ""
                self.form.linking.start(doubt, self._made.together(self._viewer))

    def _show_result(self, source: Source, result: SegmentResult) -> None:
        if source.layer not in self._viewer.layers:
            return
        self._show_suggestion(result.request.params.model, result.segmentation.model)
        self.form.suggestions.doubt("")
        if source.is_current:
            self._session.remember(source.layer, source.place.key, result)
        size = result.segmentation.params.known_diameter
        if size is not None and result.request.params.diameter in MEASURED:
            self.form.diameter.show_measured(size)
        edited = edited_layer(self._viewer, CELLS, source.layer, source.place)
        first = own_layer(self._viewer, CELLS, source.layer, source.place) is None
        layers = show_layers(self._viewer, specs_of(result), source.layer, source.place)
        if first:
            self._viewer.layers.selection.active = layers[-1]
        if edited is not None:
            self.form.edited.choose_between(edited, layers[-1])
        self._made.add(source.place.result, layers[-1])
        self._session.choose_made(layers[-1], source.layer)
        self._show_summary()
        if is_on_screen(source, self._viewer, self._session):
            self._values.show_result(result.segmentation.params, result.request.params.model)
            self._pictures.follow_result(source, result)
        self._fits.append(result.fit)
        self.form.status.say(*before_it_is_believed(result, self._fits, self._session.image))

    def rest(self, covered: bool) -> None:
        """Pick no cells, and take no drag for a diameter, while the page is out of sight."""
        if covered:
            self._diameter_tool.stop()
            self.form.linking.pick.setChecked(False)

    def _end_job(self) -> None:
        self._running_on = []
        self.form.run_bar.set_idle()
        self._show_summary()
        self._estimate.follow()  # what was said may be of choices before

    def _layer_removed(self, event: Any) -> None:
        if any(event.value is source.layer for source in self._running_on):
            self.cancel()

    @property
    def asks(self) -> str:
        """A store is being filled."""
        return self.form.store.asks

    def let_go(self) -> None:
        """End all jobs, and take away what they show; a run into a store is asked about."""
        running = self.running and not self.asks
        self._drop_jobs()
        self._diameter_tool.stop()
        if running:
            self._end_job()

    def _drop_jobs(self) -> None:
        form = self.form
        own = self._estimate, self.planes_run, self.views, self._adjusting, self._pictures, self.growing
        for part in (self.settings, *own, form.linking, form.seams, form.suggestions):
            part.drop()

    # Following the sliders.

    def _adjust(self) -> None:
        self._values.moved()
        self._follow_values()

    def _follow_values(self) -> None:
        self._asked.tell()
        if not self.running:
            self._adjusting.follow()

    def _adjusted(self, source: Source, result: SegmentResult) -> None:
        self._show_summary()
        self._pictures.follow_result(source, result)

    def _keep_settings(self) -> None:
        with failures_to(self.form.status.failed):
            self.settings.save(self.request()[1].params)

    def _suggest_models(self) -> None:
        with failures_to(self.form.status.failed):
            source, request = self.request()
            view = None
            with suppress(ValueError):  # nothing of it is in view
                view = region_in_view(source.layer, source.place)
            self.form.suggestions.suggest_for(request.measured_on, request.params, request.plane, view)

    def _image_changed(self, _: object = None) -> None:
        self._image_events.disconnect_all()
        if self._session.image.layer is not None:
            self._image_events.connect(self._session.image.layer.events.data, self._pixels_replaced)
        self.form.show_image(self._session.image)
        self._pixels_changed()

    def _pixels_replaced(self, event: Any) -> None:
        self._pixels_changed()
        if outdated := outdated_cells(self._viewer, event.source):
            self.form.status.problem(outdated)

    def _pixels_changed(self) -> None:
        self._diameter_tool.stop()
        self._about_another()

    def _about_another(self, _: object = None) -> None:
        """Say nothing that was measured with another image or model."""
        self._estimate.forget()
        self.form.diameter.show_measured(None)
        self._plane_changed()

    def _plane_changed(self, _: object = None) -> None:
        shown = on_screen(self._viewer, self._session)
        layer, place = shown or (None, None)
        self.form.show_place(layer, place, self._viewer.dims.ndisplay == 3)
        self._adjusting.show_how_made()
        self._choice_changed()

    def _choice_changed(self, _: object = None) -> None:
        self._asked.tell()
        self.form.run_bar.run_button.setEnabled(self._session.image.layer is not None)
        self._show_summary()
        self._estimate.follow()
        self._pictures.follow_choice()

    def _show_summary(self, _: object = None) -> None:
        """Say how many cells there are on screen: those of their layer, with what was edited."""
        shown, result = on_screen(self._viewer, self._session), self._current_result()
        self.form.edited.follow(*(shown or (None, None)))
        cells = self._session.cells
        stack = linked_stack_of(cells)
        table = None if stack is None else stack.table
        if stack and table and shown is not None and image_of(cells) is shown[0]:
            self.form.show_linked(table, stack.axis)
            of_views = recipe_of_views(cells, shown[0]) is not None
            self.form.methods.setEnabled(of_views or result is not None)
            return
        if result is None or shown is None:
            self.form.show_result(None)
            return
        rows = rows_of(cells, shown[1].result) if is_of_planes(cells, *shown) else result.features
        self.form.show_result(rows, result, plane_in_words(*shown))

    def _current_result(self) -> SegmentResult | None:
        """Return the result of the plane that is on screen, if there is one."""
        shown = on_screen(self._viewer, self._session)
        return None if shown is None else self._session.result_of(shown[0], shown[1].key)

    def model_known(self, name: str, model: Model, size: CellSize | None = None) -> None:
        """Show what a model that was loaded suggests, if it is still the chosen one."""
        if size is not None:
            self.form.diameter.show_measured(size.diameter)
        if name == self._session.model:
            result = self._current_result()  # of one that is there the status line speaks
            self.form.suggestions.doubt(doubt(size, model, self._session.image) if result is None else "")
        self._show_suggestion(name, model)

    def _show_suggestion(self, name: str, model: Model) -> None:
        with failures_to():  # where the image has gone, its size does not matter
            self._values.show_suggestion(name, model, self._sized(self.request()[1]).params.known_diameter)

    def _sized(self, request: SegmentRequest) -> SegmentRequest:
        """Put the size that was measured, if it is known by now, in place of the wish to measure it."""
        return replace(request, params=sized_by_now(self._session, request))

    def copy_command(self) -> None:
        """Copy the command line that does the same to the clipboard."""
        with failures_to(self.form.status.failed):
            planes = [(source, self._sized(each)) for source, each in self._chosen_planes()]
            views = self.views.request_of(planes).with_distance if self.views.takes(planes) else None
            if views is None and self.form.store.takes(planes):
                self.keeping.copy_store_command([each for _, each in planes])
                return
            source, request = self.request()
            self.keeping.copy_command(source, self._sized(request), views)
