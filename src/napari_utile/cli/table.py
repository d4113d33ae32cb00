"""Tables of numbers as text, JSON and CSV."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_utile.engine.files.atomic import atomic_path


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows of text in columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def write_json(path: Path, content: Any) -> None:
    """Write JSON; undefined numbers (NaN) become null."""
    with atomic_path(path) as temporary:
        text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
