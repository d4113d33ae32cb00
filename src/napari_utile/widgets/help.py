"""The chapters of the documentation that the pages of the dock point to, shown in napari without the network."""

import re
from pathlib import Path

from qtpy.QtCore import QEvent, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QTextBrowser

import napari_utile

CHAPTERS = {
    "segment": "segment.md",
    "click": "click.md",
    "train": "fine_tune.md",
    "weights": "weight_map.md",
    "evaluate": "metrics.md",
    "models": "models.md",
}
"""For each page of the dock, its chapter; builds copy these files into the package."""

_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def chapter_text(name: str) -> str:
    """Read a chapter as Markdown, without its pictures.

    Raises
    ------
    FileNotFoundError
        If it is not in the package.
    """
    inside = Path(napari_utile.__file__).resolve().parent
    places = inside / "docs" / name, inside.parents[1] / "docs" / name  # installed, or in the repository
    path = next((place for place in places if place.is_file()), places[0])
    return _PICTURE.sub("", path.read_text(encoding="utf-8"))


class HelpTab(QTextBrowser):
    """Shows a chapter; links to other chapters open here, others in the browser."""

    def __init__(self, viewer: object = None) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.setAccessibleName("Help")
        self.anchorClicked.connect(self._follow)

    def show_chapter(self, name: str) -> None:
        """Show one of `CHAPTERS`."""
        self.setMarkdown(chapter_text(name))
        self.moveCursor(self.textCursor().MoveOperation.Start)

    def _follow(self, link: QUrl) -> None:
        if link.path() in CHAPTERS.values():
            self.show_chapter(link.path())
        elif link.scheme() in ("http", "https"):
            QDesktopServices.openUrl(link)

    def changeEvent(self, event: QEvent | None) -> None:
        """End when napari's X has taken this out of its frame."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()
