"""The tables of a batch tell what lies in the folder, whatever was done to it since, and by whom."""

import csv
import os
import shutil

import numpy as np
import pytest
import tifffile
import zarr

from napari_utile.cli import main

pytestmark = pytest.mark.usefixtures("bright_nuclei")
WORDS = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--quiet", "--measurements"]


def spots(count):
    plane = np.zeros((30, 60), np.uint8)
    for number in range(count):
        plane[5:12, 3 + 9 * number : 9 + 9 * number] = 200
    return plane


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Folder:
    """Images, and a folder of what is made of them."""

    def __init__(self, path):
        self.images, self.out = path / "images", path / "out"
        self.images.mkdir()

    def draw(self, **counts):
        for name, count in counts.items():
            tifffile.imwrite(self.images / f"{name}.tif", spots(count))

    def segment(self, *names, options=()):
        """Segment some of the images; all of them without names."""
        given = [str(self.images / f"{name}.tif") for name in names] or [str(self.images)]
        return main(["segment", *given, "-o", str(self.out), *WORDS, *options])

    def shards(self, of, *numbers):
        """Segment parts of the images; all parts without numbers."""
        statuses = [self.segment(options=("--shard", f"{each}/{of}")) for each in numbers or range(1, of + 1)]
        return statuses[0] if len(statuses) == 1 else statuses

    def tables(self):
        return {path.name for pattern in ("*.csv", "*.html") for path in self.out.glob(pattern)} - {
            path.name for path in self.out.glob("?_cells.csv")
        }

    def told(self, ending=""):
        """Give the cells that the table of fields has, "failed" where there are none; that of cells has as many."""
        counts = {row["image"]: int(row["cells"] or -1) for row in rows(self.out / f"fields{ending}.csv")}
        cells = self.out / f"cells{ending}.csv"
        listed = [row["image"] for row in rows(cells)] if cells.exists() else []
        assert {name: listed.count(name) for name in {*listed}} == {
            name: count for name, count in counts.items() if count > 0
        }
        return {name: "failed" if count < 0 else count for name, count in counts.items()}

    def sheet(self, ending=""):
        return (self.out / f"quality{ending}.html").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_names_that_are_not_utf_8_stay_in_the_tables(folder):
    folder.draw(a=1, b=2)
    try:
        os.rename(folder.images / "b.tif", folder.images / os.fsdecode(b"caf\xe9.tif"))
    except OSError:
        pytest.skip("this disk has names in UTF-8 only")
    assert folder.segment() == 0
    told = folder.told()
    assert sorted(told.values()) == [1, 2]
    assert folder.segment("a") == 0
    assert folder.told() == told
    assert folder.sheet().count("data:image/png;base64,") == 2


def drop(path):
    """Write other labels at a place, as a call does that is killed before it writes the tables."""
    tifffile.imwrite(path, np.eye(30, 60, dtype=np.uint16))


def test_no_row_tells_of_labels_that_another_program_replaced(folder, capsys):
    folder.draw(a=1, b=2, c=3)
    assert folder.segment() == 0
    drop(folder.out / "a_labels.tif")
    # Moved to its place, with the time that it had before the tables were written.
    drop(folder.out / "moved")
    os.utime(folder.out / "moved", (1e9, 1e9))
    os.replace(folder.out / "moved", folder.out / "b_labels.tif")
    capsys.readouterr()
    assert folder.segment("c") == 0
    assert folder.told() == {"c.tif": 3}
    assert "1 image segmented" in folder.sheet()
    said = (
        f"left out of the tables in {folder.out}, as other labels lie there now: a_labels.tif, b_labels.tif\n"
    )
    assert capsys.readouterr().err == said
    assert folder.segment("a", options=("--overwrite",)) == 0
    assert folder.told() == {"c.tif": 3, "a.tif": 1}
    assert capsys.readouterr().err == "", "what was left out is not said again"


def test_rows_stay_where_labels_were_only_copied(folder):
    folder.draw(a=1, b=2)
    assert folder.segment() == 0
    copy = folder.out / "a_labels.tif.copy"
    copy.write_bytes((folder.out / "a_labels.tif").read_bytes())
    os.replace(copy, folder.out / "a_labels.tif")
    assert folder.segment("b") == 0
    assert folder.told() == {"a.tif": 1, "b.tif": 2}


@pytest.mark.parametrize("table", [False, True], ids=["no table before", "a table before"])
def test_a_batch_writes_no_row_of_labels_that_another_call_replaced_meanwhile(
    folder, monkeypatch, capsys, table
):
    folder.draw(a=1, b=2)
    if table:
        assert folder.segment() == 0
    started = []

    def said(text, file=None):
        if str(text).startswith("b.tif") and not started:
            started.append(text)
            folder.draw(a=4)
            assert folder.segment("a") == 0
        print_(text, file=file)

    print_ = print
    monkeypatch.setattr("builtins.print", said)
    assert folder.segment() == 0
    assert started
    assert folder.told() == ({"a.tif": 4, "b.tif": 2} if table else {"b.tif": 2})
    left_out = "as other labels lie there now: a_labels.tif" in capsys.readouterr().err
    assert left_out == (not table)
    assert folder.segment("b") == 0
    assert folder.told() == ({"a.tif": 4, "b.tif": 2} if table else {"b.tif": 2})


def test_tables_of_an_earlier_version_keep_their_rows_and_are_tied_to_the_labels(folder):
    folder.draw(a=1, b=2, c=3)
    assert folder.segment() == 0
    table = folder.out / "fields.csv"
    before = rows(table)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, [name for name in before[0] if name != "labels_hash"], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(before)
    os.utime(table, (1e9, 1e9))
    assert folder.segment("b") == 0
    assert rows(table) == before
    drop(folder.out / "a_labels.tif")
    assert folder.segment("b") == 0
    assert folder.told() == {"b.tif": 2, "c.tif": 3}


def test_parts_are_joined_whole_where_a_copy_did_not_keep_the_times(folder):
    folder.draw(a=1, b=2, c=3, d=4)
    assert folder.shards(2, 1) == 0
    for path in folder.out.glob("*_labels.tif"):
        os.utime(path, (4e9, 4e9))
    assert folder.shards(2, 2) == 0
    assert folder.told() == {"a.tif": 1, "b.tif": 2, "c.tif": 3, "d.tif": 4}
    assert folder.told("_1of2") == {"a.tif": 1, "c.tif": 3}


def test_a_result_stays_in_the_tables_where_other_images_of_its_file_are_done(folder):
    with tifffile.TiffWriter(folder.images / "f.ome.tif") as file:
        for count in (1, 2):
            file.write(spots(count), metadata={"axes": "YX", "Name": f"Pos{count}"})
    folder.draw(g=3)
    assert folder.segment() == 0
    before = folder.told()
    assert len(before) == 2
    assert folder.segment(options=("--series", "all")) == 0
    assert before.items() <= folder.told().items()
    assert len([*folder.out.glob("*_labels.tif")]) == len(folder.told())


def test_images_of_all_parts_are_compared_with_each_other(folder):
    folder.draw(a=6, b=6, c=1, d=6, e=6, f=6)
    assert folder.shards(3) == [0, 0, 0]
    parts, sheet = {row["image"]: row["flags"] for row in rows(folder.out / "fields.csv")}, folder.sheet()
    assert parts["c.tif"].startswith("far fewer cells than the others")
    folder.out = folder.out.with_name("whole")
    assert folder.segment() == 0
    assert {row["image"]: row["flags"] for row in rows(folder.out / "fields.csv")} == parts
    assert folder.sheet() == sheet


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_joined_tables_are_those_of_one_call_whichever_part_ends_first(folder, order):
    folder.draw(y=2, z=3)
    earlier = folder.images.rename(folder.images.with_name("earlier"))
    folder.images.mkdir()
    folder.draw(b=1, d=2, e=3, x=4)
    with tifffile.TiffWriter(folder.images / "c.ome.tif") as file:
        for count in (5, 4, 1, 2):
            file.write(spots(count), metadata={"axes": "YX", "Name": f"Pos{9 - count}"})
    (folder.images / "d.tif").write_bytes(b"nothing")
    found = {}
    for name in ("parts", "whole"):
        folder.out = folder.out.with_name(name)
        assert main(["segment", str(earlier), "-o", str(folder.out), *WORDS]) == 0
        options = ("--series", "all")
        if name == "whole":
            assert folder.segment(options=options) == 1
        else:
            done = [folder.segment(options=(*options, "--shard", f"{number}/3")) for number in order]
            assert sorted(done) == [0, 0, 1]
        found[name] = {
            each: (folder.out / each).read_bytes() for each in ("fields.csv", "cells.csv", "quality.html")
        }
    assert found["parts"] == found["whole"]


def test_parts_and_whole_batches_into_one_folder_leave_no_tables_of_what_is_gone(folder):
    every = {"fields.csv", "cells.csv", "quality.html"}
    folder.draw(a=1, b=2)
    assert folder.segment() == 0
    folder.draw(a=3, b=4)
    assert folder.shards(2) == [0, 0]
    assert folder.told() == {"a.tif": 3, "b.tif": 4}
    assert "3 cells" in folder.sheet()
    folder.draw(a=5, b=6)
    assert folder.segment() == 0
    assert folder.told() == {"a.tif": 5, "b.tif": 6}
    assert folder.tables() == every
    folder.draw(b=1)
    assert folder.shards(2, 2) == 0
    assert folder.told() == {"a.tif": 5, "b.tif": 1}, "nobody does the other part again"
    assert folder.segment("a") == 0
    assert folder.told() == {"a.tif": 5, "b.tif": 1}

    folder.out = folder.out.with_name("other")
    assert folder.shards(3, 1) == 0
    assert folder.segment() == 0
    assert folder.tables() == every, "the other parts were never done"


def test_an_image_that_is_done_between_the_parts_joins_their_tables(folder):
    folder.draw(a=1, b=2)
    assert folder.shards(2, 1) == 0
    folder.draw(a=3)
    assert folder.segment("a") == 0
    assert folder.told() == {"a.tif": 3}
    assert folder.shards(2, 2) == 0
    assert folder.told() == {"a.tif": 3, "b.tif": 2}


def test_parts_without_results_are_parts(folder):
    folder.draw(a=1, b=2)
    (folder.images / "b.tif").write_bytes(b"nothing")
    assert folder.shards(3) == [0, 1, 0]
    assert folder.told() == {"a.tif": 1, "b.tif": "failed"}
    assert folder.told("_3of3") == {}
    assert not (folder.out / "quality_3of3.html").exists()


def test_a_part_that_is_done_again_keeps_what_fails_now(folder):
    folder.draw(a=1, b=2, c=3)
    assert folder.shards(2, 1) == 0
    (folder.images / "c.tif").write_bytes(b"nothing")
    assert folder.shards(2, 1) == 1
    assert folder.told("_1of2") == {"a.tif": 1, "c.tif": 3}
    assert folder.sheet("_1of2").count("data:image/png;base64,") == 2
    assert folder.shards(2, 2) == 0
    assert folder.told() == {"a.tif": 1, "b.tif": 2, "c.tif": 3}
    assert folder.sheet().count("data:image/png;base64,") == 3


@pytest.mark.parametrize("name", ["cells.csv", "quality.html"])
def test_an_image_is_not_replaced_where_the_tables_that_tell_of_it_cannot_be(folder, capsys, name):
    folder.draw(a=1, b=2)
    assert folder.segment() == 0
    (folder.out / name).unlink()
    (folder.out / name).mkdir()
    before = (folder.out / "a_labels.tif").read_bytes()
    folder.draw(a=3)
    assert folder.segment("a") == 1
    assert f"Cannot write {folder.out / name}: it is a folder." in capsys.readouterr().err
    assert (folder.out / "a_labels.tif").read_bytes() == before
    (folder.out / name).rmdir()
    assert folder.segment("a") == 0
    assert folder.told() == {"a.tif": 3, "b.tif": 2}


def test_tables_that_could_not_be_written_tell_nothing_false_later(folder, monkeypatch, capsys):
    folder.draw(a=1, b=2, c=3)
    assert folder.segment() == 0
    folder.draw(a=4, b=5)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("csv.DictWriter.writeheader", full)
        assert folder.segment("a", "b") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert folder.segment("c") == 0
    assert folder.told() == {"c.tif": 3}


def test_an_image_that_failed_is_told_of_as_long_as_it_is_there(folder):
    folder.draw(a=1, b=2)
    for name in "xy":
        (folder.images / f"{name}.tif").write_bytes(b"nothing")
    plate = folder.images / "plate.zarr"
    group = zarr.open_group(plate, mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "A/1"}], "version": "0.4"}
    group.create_group("A/1").attrs["well"] = {"images": [{"path": "0"}]}
    assert folder.segment() == 1
    failed = {row["failed_file"]: row["failed"] for row in rows(folder.out / "fields.csv") if row["failed"]}
    assert {*failed} == {str(plate), *(str(folder.images / f"{name}.tif") for name in "xy")}
    assert "<h1>2 images segmented with nuclei, 3 images failed</h1>" in folder.sheet()
    (folder.images / "x.tif").unlink()
    assert folder.segment("a") == 0
    assert [row["failed_file"] for row in rows(folder.out / "fields.csv")] == [
        "", "", str(plate), str(folder.images / "y.tif")]  # fmt: skip
    assert "<h1>2 images segmented with nuclei, 2 images failed</h1>" in folder.sheet()
    (folder.images / "y.tif").unlink()
    shutil.rmtree(plate)
    assert folder.segment("a") == 0
    assert folder.told() == {"a.tif": 1, "b.tif": 2}
    assert "<h1>2 images segmented with nuclei</h1>" in folder.sheet()


def test_a_part_does_not_replace_what_it_reads_by_the_tables_of_all(folder, capsys):
    folder.draw(a=1, b=2)
    folder.out.mkdir()
    conditions = folder.out / "cells.csv"
    conditions.write_text("pattern,dose\n*,7\n")
    for number in (1, 2):
        assert folder.segment(options=("--shard", f"{number}/2", "--conditions", str(conditions))) == 1
        assert "cells.csv: it is what is read here" in capsys.readouterr().err
    assert conditions.read_text() == "pattern,dose\n*,7\n"


def test_the_columns_of_planes_have_one_name_in_every_table(folder):
    """Tables of before named them T and Z, and had no column label."""
    for name in "ab":
        film = np.stack([spots(2), spots(3)])
        tifffile.imwrite(folder.images / f"{name}.tif", film, imagej=True, metadata={"axes": "TYX"})
    seeds = folder.images.parent / "seeds"
    seeds.mkdir()
    ids = np.stack([spots(1), spots(1)]) // 200
    tifffile.imwrite(seeds / "a.tif", ids, imagej=True, metadata={"axes": "TYX"})
    grown = ["segment", str(folder.images / "a.tif"), "--seeds", str(seeds), "-o", str(seeds), "--quiet"]
    assert main([*grown, "--measurements"]) == 0
    assert folder.segment() == 0
    cells, measured = folder.out / "a_cells.csv", folder.out.parent / "measured.csv"
    assert main(["measure", str(folder.out / "a_labels.tif"), "-o", str(measured)]) == 0
    tables = [rows(path) for path in (seeds / "a_cells.csv", cells, measured)]
    assert [[row["t"] for row in table] for table in tables[1:]] == [["0", "0", "1", "1", "1"]] * 2
    assert not any({"T", "Z"} & {*row} for table in tables for row in table)
    before = [{name: value for name, value in row.items() if name != "label"} for row in rows(cells)]
    lines = [[{"t": "T"}.get(name, name) for name in before[0]], *(row.values() for row in before)]
    cells.write_text("".join(f"{','.join(line)}\n" for line in lines), "utf-8")
    folder.segment("b")
    joined = rows(folder.out / "cells.csv")
    assert [row["t"] for row in joined] == ["0", "0", "1", "1", "1"] * 2
    assert (
        [row["label"] for row in joined] == [row["index"] for row in joined] == ["1", "2", "1", "2", "3"] * 2
    )


@pytest.mark.parametrize("options", [(), ("--format", "ome-zarr")], ids=["files", "stores"])
def test_measured_cells_name_their_image_as_the_tables_of_the_folder_do(folder, tmp_path, options):
    folder.draw(a=2, b=1)
    assert folder.segment(options=options) == 0
    listed = [("a.tif", "1"), ("a.tif", "2"), ("b.tif", "1")]
    if not options:  # stores have tables of their own
        assert [(row["image"], row["label"]) for row in rows(folder.out / "cells.csv")] == listed
    for given in ([str(folder.out)], [str(folder.out), str(folder.images)]):
        assert main(["measure", *given, "-o", str(tmp_path / "m.csv")]) == 0
        assert [(row["image"], row["label"]) for row in rows(tmp_path / "m.csv")] == listed


def test_labels_whose_image_nobody_names_are_called_by_their_file(folder, tmp_path):
    folder.draw(a=1)
    assert folder.segment() == 0
    (folder.out / "a_recipe.json").write_text("{}")
    assert main(["measure", str(folder.out / "a_labels.tif"), "-o", str(tmp_path / "m.csv")]) == 0
    assert [row["image"] for row in rows(tmp_path / "m.csv")] == ["a_labels.tif"]
