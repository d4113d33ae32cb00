"""Offers to bring back edits that were not saved when napari ended."""

import time

import napari.viewer
from napari.utils.notifications import show_warning

from napari_utile.session.kept_edits import KeptEdits, kept_job, remove
from napari_utile.widgets.deleting import may_delete
from napari_utile.widgets.failures import sentence_of
from napari_utile.widgets.parts.offer import Offer
from napari_utile.widgets.viewer.edits import edits_of
from napari_utile.widgets.worker import run_job


class UnsavedEdits(Offer):
    """One sentence on each, *Restore* and *Discard*."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(
            ("Restore", "Open them as a layer of their own.", self.restore),
            ("Discard", "Delete them for good, after asking.", self.discard),
        )
        self._edits = edits_of(viewer)
        self._left: list[KeptEdits] = []
        run_job(kept_job(), on_done=self._show, owner=self)

    def restore(self) -> None:
        """Open the edits that are offered."""
        self._edits.restore(self._left.pop(0), on_error=self._failed)
        self._show(self._left)

    def discard(self) -> None:
        """Delete the edits that are offered."""
        kept = self._left[0]
        if may_delete(self, f"your edits of “{kept.name}”"):
            remove(kept.folder)
            self._show([each for each in self._left if each is not kept])

    def _show(self, left: list[KeptEdits] | tuple[KeptEdits, ...]) -> None:
        self._left = [*left]
        self.offer(_sentence(self._left[0]) if self._left else "")

    def _failed(self, error: Exception) -> None:
        show_warning(sentence_of(error))


def _sentence(kept: KeptEdits) -> str:
    when = time.strftime("%d %B, %H:%M", time.localtime(kept.changed))
    return f"Your edits of “{kept.name}” were not saved when napari ended ({when})."
