"""The decision at the end of a training: what it brought, keep or discard, and the way back after *Keep*."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import napari.viewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget

from napari_utile.engine.errors import UtileError
from napari_utile.session.fine_tuning import FineTuneResult
from napari_utile.session.keeping_models import Kept, free_title, keep_job, next_version, take_back_job
from napari_utile.session.state import Session
from napari_utile.session.training_verdict import choices_of, verdict_of
from napari_utile.widgets.pages.train.comparison_layers import show_comparisons
from napari_utile.widgets.parts.arrange import column, row
from napari_utile.widgets.parts.button import as_it_is, push_button
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.parts.words import Words
from napari_utile.widgets.viewer.layers import take_away
from napari_utile.widgets.worker import run_job


class Decision(QWidget):
    """Hidden until there is something to decide.

    Parameters
    ----------
    status : StatusLine
        Where it says what happened.

    Attributes
    ----------
    ended : Signal
        Emitted when the model was kept or discarded.
    name : QLineEdit
        Title of the new model.
    """

    ended = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, session: Session, status: StatusLine) -> None:
        super().__init__()
        self._viewer, self._session, self._status = viewer, session, status
        self.made: FineTuneResult | None = None
        self._source: Any = None
        self._lineage = self._model_before = self._stay = ""
        self._kept: Kept | None = None
        self._compared: list[Any] = []
        self.verdict = Words()
        self.name = QLineEdit("my-model")
        self.name.setAccessibleName("Name of the new model")
        self.name.setToolTip(
            "Name under which the model appears in every list: any letters, spaces and accents too."
        )
        self.compare = push_button(
            "Compare before and after", "Show held-out tiles beside the image: truth, before and after."
        )
        self.keep, self.discard = QPushButton("Keep"), QPushButton("Discard")
        self.take_back = push_button("Take back", "Undo Keep: the previous model comes back.")
        self._open = QWidget()
        named = row(QLabel("Name"), (self.name, 1))
        column(self.verdict, self.compare, named, self.keep, self.discard, on=self._open)
        column(self._open, self.take_back, on=self)
        self.keep.clicked.connect(lambda _: self.keep_model())
        self.discard.clicked.connect(lambda _: self.discard_model())
        self.compare.clicked.connect(lambda _: self.show_comparisons())
        self.take_back.clicked.connect(lambda _: self.undo_keep())
        self.name.textChanged.connect(lambda _: self._name_buttons())
        self.hide()

    @property
    def pending(self) -> bool:
        """Whether a model waits for the decision."""
        return self.made is not None

    def check_decided(self) -> None:
        """Raise one sentence while a model waits: it may have taken hours, and another training must not replace it.

        Raises
        ------
        ValueError
        """
        if self.pending:
            raise ValueError(
                f"A new model waits for your decision: press {self.keep.text()} or {self.discard.text()} first."
            )

    def ask(self, result: FineTuneResult, source: Any, lineage: str, title: str = "") -> None:
        """Say whether the model became better, and let the user decide.

        Parameters
        ----------
        source : Image layer or None
            Beside which held-out tiles are shown.
        lineage : str
            Name of the user's model that this one may replace as its next version; empty for none.
        title : str
            What it is called if nothing else is said: `lineage`'s, or one that is taken if it is free.
        """
        self.made, self._source, self._lineage = result, source, lineage
        base = result.tuned.base
        started_from = self._session.model in (base.card.name, str(base.path))
        self._stay = "" if started_from else self._title_in_use()
        self.verdict.setText(verdict_of(result, self._stay))
        self.name.setText(self._suggested(title))
        self._name_buttons()
        self.compare.setVisible(bool(result.comparisons) and source is not None)
        self._open.show()
        self.take_back.hide()
        self.show()

    def _suggested(self, title: str) -> str:
        with suppress(UtileError):
            if title and next_version(title, self._lineage) > 1:
                return title
        base = "my-model" if self.made is None else self.made.tuned.base.card.name
        return free_title(base, title)

    def _name_buttons(self) -> None:
        if self.made is None:
            return
        try:
            version = next_version(self.name.text().strip(), self._lineage)
        except UtileError:  # it is said when the button is pressed
            version = 1
        keep, discard = choices_of(self.made, version, self._stay)
        self.keep.setText(as_it_is(keep))
        self.discard.setText(as_it_is(discard))

    def keep_model(self) -> None:
        """Save the model to the user's library; all pages use it from now on."""
        if self.made is None:
            return
        self.keep.setEnabled(False)
        job = keep_job(self.made, self.name.text().strip(), self._lineage)
        run_job(job, on_done=self._was_kept, on_error=self._not_kept, owner=self)

    def _not_kept(self, error: Exception) -> None:
        self.keep.setEnabled(True)
        self._status.failed(error)

    def _was_kept(self, kept: Kept) -> None:
        self.keep.setEnabled(True)
        self._model_before, self._kept = self._session.model, kept
        self._changed(kept.path.stem)
        self._forget()
        self.take_back.show()
        self._open.hide()
        self.show()
        version = f", version {kept.version}" if kept.version > 1 else ""
        self._status.say(f"Kept as {kept.title}{version}; every page uses it now.", "good")

    def undo_keep(self) -> None:
        """Take the last *Keep* back."""
        if self._kept is None:
            return
        kept, self._kept = self._kept, None

        def failed(error: Exception) -> None:
            self._kept = kept
            self._not_kept(error)

        def done(path: Path) -> None:
            used = self._session.model in (path.stem, str(path))  # else another one was chosen since
            self._changed(self._model_before if used and kept.version == 1 else self._session.model)
            self.hide()
            if used and kept.version > 1:
                back = "the previous version is used again"
            else:
                back = f"“{self._title_in_use()}” is used {'again' if used else 'as before'}"
            self._status.say(f"Taken back: {back}; the model is in the library's trash.", "good")

        run_job(take_back_job(kept), on_done=done, on_error=failed, owner=self)

    def _title_in_use(self) -> str:
        listed = self._session.listed(self._session.model)
        return Path(self._session.model).name if listed is None else listed.title

    def discard_model(self) -> None:
        """Forget the model and take its layers away."""
        if self.made is not None:
            self._forget()
            self._status.say("Discarded.")

    def _changed(self, model: str) -> None:
        self._session.model = model
        self._session.events.models_changed.emit()

    def _forget(self) -> None:
        self.made = None
        self.hide()
        self.hide_comparisons()
        self.ended.emit()

    def hide_comparisons(self) -> None:
        """Take the held-out tiles away."""
        if take_away(self._viewer, *self._compared):
            self._viewer.reset_view()
        self._compared = []

    def show_comparisons(self) -> None:
        """Show held-out tiles beside the image."""
        if self.made is None:
            return
        if self._source not in self._viewer.layers:
            self._status.problem("The image beside which held-out tiles are shown is closed.")
            return
        if not any(layer in self._viewer.layers for layer in self._compared):
            self._compared = show_comparisons(self._viewer, self.made, self._source)
        self._viewer.reset_view()
