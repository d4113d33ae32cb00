"""Tables in files: CSV, or Parquet where pyarrow is installed."""

import contextlib
import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain, compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.targets import Identity, check_target
from napari_utile.engine.words import counted

TABLE_SUFFIXES = (".csv", ".parquet")
WORDS = ("class",)
"""Columns that hold words: who calls a class 7 means no number."""
_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")
"""A byte of a name that is not UTF-8, as ``backslashreplace`` writes it."""


def check_table(path: str | os.PathLike[str], inputs: frozenset[Identity] = frozenset()) -> None:
    """Check that a table can be written, before its numbers are computed.

    Raises
    ------
    UtileError
        See `check_target`; also where pyarrow is missing for a ``.parquet``.
    """
    check_target(path, inputs, TABLE_SUFFIXES)
    if Path(path).suffix.lower() == ".parquet" and not find_spec("pyarrow"):
        raise UtileError('Parquet tables need pyarrow: pip install "napari-utile[tables]", or write a .csv.')


def write_table(path: str | os.PathLike[str], columns: Mapping[str, Any]) -> None:
    """Write columns of equal length as a table with a header row; the file appears whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.csv`` or ``.parquet``.
    columns : mapping of name to values

    Raises
    ------
    ValueError
        If the columns differ in length.
    UtileError
        If the file cannot be written, see `check_table`.
    """
    check_table(path)
    lists = {name: np.asarray(values).tolist() for name, values in columns.items()}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1:
        raise ValueError(f"the columns of a table must have the same length, got {sorted(lengths)}")
    with atomic_path(path) as temporary:
        if temporary.suffix.lower() == ".parquet":
            _write_parquet(temporary, lists)
        else:
            # Names of files may hold bytes that are not UTF-8; they are shown as \\udcXX.
            with temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                writer = csv.writer(file)
                writer.writerow(lists)
                writer.writerows(zip(*lists.values(), strict=True))


def _write_parquet(path: Path, lists: Mapping[str, list[Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    def storable(values: list[Any]) -> list[Any]:
        """Leave cells empty that a CSV file leaves empty; a column has one type."""
        if not any(isinstance(value, str) for value in values):
            return values
        if all(value == "" or not isinstance(value, str) for value in values):
            return [None if value == "" else value for value in values]
        return [str(value).encode("utf-8", "backslashreplace").decode() for value in values]

    table = pyarrow.table({name: storable(values) for name, values in lists.items()})
    pyarrow.parquet.write_table(table, path)


class Table:
    """A CSV table with a header, read once and row by row, however a spreadsheet program saved it.

    Commas, semicolons or tabs separate it; rows that are empty and columns without a name are left out. Names of files
    are as they were, also where they are not UTF-8.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    columns : list of str
        Their names; none where the file is empty.
    lines : iterator of list of str
        The rows, an entry for each column.

    Raises
    ------
    UtileError
        If it cannot be read, here or at the row that is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.lines = _lines(Path(path))
        self.columns = next(self.lines, [])

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Give each row by the names of the columns."""
        return (dict(zip(self.columns, line, strict=True)) for line in self.lines)


def _lines(path: Path) -> Iterator[list[str]]:
    """Read the header and the rows of a table."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # some begin a table with a mark
            first = next((line for line in file if line.strip(" ,;\t\r\n")), "")
            by = max("\t;,", key=lambda mark: len(next(csv.reader([first], delimiter=mark), ())))
            every = csv.reader(map(with_bytes, chain([first], file)), delimiter=by)
            header = [name.strip() for name in next(every, ())]
            yield [name for name in header if name]
            rows = (row for row in every if any(map(str.strip, row)))
            for number, row in enumerate(rows, start=2):
                if len(row) < len(header) or any(row[len(header) :]):
                    raise UtileError(
                        f"Row {number} of {path.name} has {counted(len(row), 'value')}, its header {len(header)}."
                    )
                yield list(compress(row, header))
    except OSError as error:
        raise UtileError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeError as error:
        raise UtileError(f"{path.name} is not a table in UTF-8: save it as “CSV UTF-8”.") from error
    except csv.Error as error:
        raise UtileError(f"{path.name} is not a table (CSV): {error}.") from error


def with_bytes(text: str) -> str:
    r"""Undo how tables show names of files that hold bytes that are not UTF-8.

    Examples
    --------
    >>> with_bytes(r"m\udcfcller.tif") == "m\udcfcller.tif"
    True
    """
    return _BYTE.sub(lambda found: chr(int(f"dc{found[1]}", 16)), text) if "\\udc" in text else text


def read_columns(path: Path) -> dict[str, NDArray[Any]]:
    """Read a table, numbers as numbers but in the columns `WORDS`; without columns where there is no such file.

    Raises
    ------
    UtileError
        See `Table`.
    """
    if not path.is_file():
        return {}
    table = Table(path)
    rows = list(table.lines)
    columns = zip(*rows, strict=True) if rows else ([] for _ in table.columns)
    return {
        name: np.array(column, object) if name in WORDS else _numbers(column)
        for name, column in zip(table.columns, columns, strict=True)
    }


def _numbers(column: Sequence[str]) -> NDArray[Any]:
    """Read numbers as such, whole ones as whole, and all else as text."""
    kinds: tuple[Any, ...] = np.int64, float
    for kind in kinds:
        with contextlib.suppress(ValueError):
            return np.array(column, kind)
    return np.array(column, object)
