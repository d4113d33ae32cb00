"""The documentation inside napari, without the network: a chapter for each page of the dock, and what they link to."""

import posixpath
import re
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QUrl
from qtpy.QtGui import QDesktopServices, QTextDocument
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
"""For each page of the dock, its chapter; builds copy all pages of the documentation into the package."""

_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)(?:\n\n\*(?:(?!\n\n).)*\*(?=\n))?", re.DOTALL)
"""A picture, and the caption in italics below it."""

_CODE_OR_LINK = re.compile(r"```.*?```|`[^`\n]*`|\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)\)", re.DOTALL)


def chapter_text(name: str) -> str:
    """Read a page as Markdown, without its pictures; links to pages that are not in the package become plain words.

    Parameters
    ----------
    name : str
        The path below `docs`, such as ``"tutorials/nuclei.md"``. Links to other pages are written with their
        paths below `docs`, too, as in ``page:tutorials/nuclei.md``.

    Raises
    ------
    FileNotFoundError
        If it is not in the package.
    """

    def led(found: re.Match[str]) -> str:
        words, target = found["words"], found["target"]
        if target is None or target.startswith(("https://", "http://")):
            return found[0]
        path, _, heading = target.partition("#")
        other = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        there = other.endswith(".md") and not other.startswith("../") and (_folder() / other).is_file()
        return f"[{words}](page:{other}{'#' * bool(heading)}{heading})" if there else words

    return _CODE_OR_LINK.sub(led, _PICTURE.sub("", (_folder() / name).read_text(encoding="utf-8")))


def _folder() -> Path:
    inside = Path(napari_utile.__file__).resolve().parent
    installed, repository = inside / "docs", inside.parents[1] / "docs"
    return installed if installed.is_dir() else repository


class HelpTab(QTextBrowser):
    """Shows pages of the documentation; links to other pages open here, others in the browser. Alt+Left goes back."""

    def __init__(self, viewer: object = None) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.setAccessibleName("Help")
        self.anchorClicked.connect(self._follow)
        self.sourceChanged.connect(self._go_to_heading)

    def show_chapter(self, name: str) -> None:
        """Show a page from its beginning, such as one of `CHAPTERS`."""
        self._follow(QUrl(f"page:{name}"))

    def loadResource(self, kind: int, name: QUrl) -> Any:
        """Read the pages of the documentation, and nothing else."""
        return chapter_text(name.path()) if name.scheme() == "page" else None

    def _follow(self, link: QUrl) -> None:
        if link.scheme() == "page":
            self.setSource(link, QTextDocument.ResourceType.MarkdownResource)
        elif link.scheme() in ("http", "https"):
            QDesktopServices.openUrl(link)

    def _go_to_heading(self, link: QUrl) -> None:
        """Scroll to the heading that a link names as the site does: words in lower case, joined by hyphens."""
        cursor = self.textCursor()
        cursor.movePosition(cursor.MoveOperation.Start)
        while link.hasFragment():
            words = re.sub(r"[^\w\s-]", "", cursor.block().text().lower())
            if cursor.blockFormat().headingLevel() and re.sub(r"[\s-]+", "-", words) == link.fragment():
                self.moveCursor(cursor.MoveOperation.End)  # from below, the heading becomes the first line
                self.setTextCursor(cursor)
                return
            if not cursor.movePosition(cursor.MoveOperation.NextBlock):
                return

    def changeEvent(self, event: QEvent | None) -> None:
        """End when napari's X has taken this out of its frame."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()
