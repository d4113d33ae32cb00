"""CSV tables, as spreadsheet programs leave them."""

from pathlib import Path

import numpy as np
import pytest

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import Table, read_columns

ROWS = [{"name": "a; b", "size, px": "1"}, {"name": "c", "size, px": "2.5"}]


@pytest.mark.parametrize(
    "text",
    [
        'name,"size, px"\na; b,1\nc,2.5\n',
        '\ufeffname;size, px\r\n"a; b";1\r\nc;2.5\r\n',
        "name\tsize, px\na; b\t1\nc\t2.5",
        'name,"size, px"\na; b,1,\nc,2.5\n',
        ',name ,"size, px",,\n0,a; b,1,left,\n1,c,2.5,,\n,,,,\n\n',
        '\n,,\nname,"size, px"\n \na; b,1\nc,2.5\n',
    ],
    ids=["ours", "Excel", "tabs", "comma at the end", "pandas, empty columns and rows", "rows above"],
)
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    table = Table(path)
    assert table.columns == ["name", "size, px"]
    assert list(table) == ROWS
    columns = read_columns(path)
    assert columns["name"].tolist() == ["a; b", "c"]
    np.testing.assert_array_equal(columns["size, px"], [1, 2.5])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3,4,5\n", r"^Row 3 of t.csv has 3 values, its header 2\.$"),
        (b"a,b\n1\n", "Row 2 of t.csv has 1 value, its header 2"),
        ("Größe\n1\n".encode("cp1252"), "t.csv is not a table in UTF-8: save it as “CSV UTF-8”"),
        (b"a\n" + b"1" * 200_000, r"t.csv is not a table \(CSV\): field larger"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UtileError, match=said):
        list(Table(tmp_path / "t.csv"))
    with pytest.raises(UtileError, match=r"Cannot read .*nowhere\.csv: No such file"):
        Table(tmp_path / "nowhere.csv")


def test_nothing_is_a_table_without_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    table = Table(tmp_path / "t.csv")
    assert (table.columns, list(table)) == ([], [])


def test_classes_that_are_called_by_numbers_are_words(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("index,class\n1,08\n2,\n")
    columns = read_columns(tmp_path / "t.csv")
    assert columns["class"].tolist() == ["08", ""]
    assert columns["index"].tolist() == [1, 2]
