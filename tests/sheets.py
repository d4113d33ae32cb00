"""Tables as tests read them."""

import csv
from pathlib import Path


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a CSV file, a dictionary a row."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
