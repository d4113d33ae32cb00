"""An evaluation on one page: scores, precision over IoU, pictures and the worst errors, as one file."""

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.metrics.bootstrap import Difference
from napari_utile.engine.metrics.cells import IOU_THRESHOLDS
from napari_utile.engine.metrics.glossary import GLOSSARY

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1000px; color: #222; padding: 0
1em; } table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: 2px 12px 2px 0; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.group th { padding-top: 1em; border-bottom: 2px solid #888; }
small { color: #666; } figure { margin: 1em 0; } img { max-width: 100%; }
.chip { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
@page { size: A4; margin: 15mm; }
@media print {
  body { font-size: 9pt; margin: 0; padding: 0; max-width: none; print-color-adjust: exact; }
  tr, figure { break-inside: avoid; } h1, h2, tr.group { break-after: avoid; } figure img { max-height: 200mm; }
}
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """One plane to show.

    Attributes
    ----------
    caption
        What it is.
    image
        (Y, X) grey values or (Y, X, 3) colours behind the cells, or None.
    kinds
        (Y, X) integer array, painted in the colour of its value.
    """

    caption: str
    image: NDArray[Any] | None
    kinds: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """What a report says.

    Attributes
    ----------
    title, subtitle
        Plain text.
    names
        Of the predictions.
    scores
        Mean scores of each prediction by name.
    differences
        For each prediction but the first: score -> difference from the first, and what was resampled.
    kinds
        Value in the pictures -> (word, colour, how many cells).
    errors
        Rows of the table of errors, the first of which is its header.
    pictures
        At least none.
    footer
        How it was made.
    """

    title: str
    subtitle: str
    names: Sequence[str]
    scores: Sequence[dict[str, float]]
    differences: Sequence[dict[str, tuple[Difference, str]]]
    kinds: dict[int, tuple[str, str, int]]
    errors: Sequence[Sequence[str]] = ()
    pictures: Sequence[Picture] = ()
    footer: str = field(default="")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page as HTML; it needs no other file, and a browser prints it on A4."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")

    def html(self) -> str:
        """Return the page."""
        parts = [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(self.title)}</h1><p>{html.escape(self.subtitle)}</p>",
            self._kinds(),
            *(self._picture(picture) for picture in self.pictures),
            "<h2>Scores</h2>",
            self._scores(),
            "<h2>Average precision over IoU</h2>",
            f"<figure><img alt='average precision over IoU' src='{self._curves()}'></figure>",
            self._errors(),
            f"<p><small>{html.escape(self.footer)}</small></p></body></html>",
        ]
        return "\n".join(part for part in parts if part)

    def _kinds(self) -> str:
        return (
            "<p>"
            + "".join(
                f"<span class='chip' style='background:{colour}'></span>{count} {word}"
                for word, colour, count in self.kinds.values()
            )
            + "</p>"
        )

    def _scores(self) -> str:
        header = "<tr><th>Score</th>" + "".join(
            f"<th>{html.escape(name)}</th>" + ("<th>difference from the first</th>" if which else "")
            for which, name in enumerate(self.names)
        )
        rows = [header + "<th></th></tr>"]
        columns = 2 * len(self.names) + 1
        group = ""
        for key, score in GLOSSARY.items():
            if score.group != group:
                group = score.group
                rows.append(f"<tr class='group'><th colspan='{columns}'>{group}</th></tr>")
            cells = [f"<td>{html.escape(score.label)}</td>"]
            for which, one in enumerate(self.scores):
                cells.append(f"<td class='number'>{score.text(one[key])}</td>")
                if which:
                    change = one[key] - self.scores[0][key]
                    cells.append(f"<td class='number'>{self._change(key, which, change)}</td>")
            cells.append(f"<td><small>{html.escape(score.explanation)}</small></td>")
            rows.append(f"<tr>{''.join(cells)}</tr>")
        return f"<table>{''.join(rows)}</table>"

    def _change(self, key: str, which: int, change: float) -> str:
        difference, over = self.differences[which - 1][key]
        digits = GLOSSARY[key].decimals
        if change != change:
            return "–"
        text = f"{change:+.{digits}f}"
        if difference.low != difference.low:
            return text
        interval = f"95 % interval {difference.low:+.{digits}f} to {difference.high:+.{digits}f}"
        strong = f"<b>{text}</b>" if difference.is_clear else text
        return f"{strong}<br><small>{interval}, {difference.pairs} {over}</small>"

    def _errors(self) -> str:
        if len(self.errors) < 2:
            return "<h2>Errors</h2><p>None.</p>"
        header, *rows = self.errors
        lines = ["<tr>" + "".join(f"<th>{html.escape(text)}</th>" for text in header) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows]
        return f"<h2>Worst errors</h2><table>{''.join(lines)}</table>"

    def _picture(self, picture: Picture) -> str:
        """Show the image, and beside it the same with its cells tinted by kind."""
        from matplotlib.colors import to_rgb
        from matplotlib.figure import Figure

        from napari_utile.engine.reports.figure import as_colours

        height, width = picture.kinds.shape
        dark = np.full((height, width, 3), 0.1)
        image = dark if picture.image is None else as_colours(picture.image)
        tinted = image.copy()
        for kind, (_, colour, _) in self.kinds.items():
            inside = picture.kinds == kind
            tinted[inside] = 0.55 * tinted[inside] + 0.45 * np.array(to_rgb(colour))
        figure = Figure(figsize=(10, 5 * height / max(width, 1) + 0.2), layout="constrained")
        for axes, pixels in zip(figure.subplots(1, 2), (image, tinted), strict=True):
            axes.imshow(pixels, interpolation="nearest")
            axes.set_axis_off()
        caption = html.escape(picture.caption)
        return f"<figure><img alt='{caption}' src='{_embedded(figure)}'><figcaption>{caption}</figcaption></figure>"

    def _curves(self) -> str:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        for name, scores in zip(self.names, self.scores, strict=True):
            values = [scores[f"ap{round(100 * threshold)}"] for threshold in IOU_THRESHOLDS]
            axes.plot(IOU_THRESHOLDS, values, marker="o", markersize=3, label=name)
        axes.set(xlabel="IoU", ylabel="average precision", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        return _embedded(figure)


def _embedded(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
