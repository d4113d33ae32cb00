"""`utile segment` on plates and folders: results by well, one table of all, conditions, parts, a quality sheet."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr

from napari_utile.cli import main
from napari_utile.cli.fields import Done, FieldTables
from napari_utile.cli.inputs import Input, Shard
from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.files.conditions import load_conditions
from napari_utile.engine.files.images import write_labels
from napari_utile.engine.files.plane_file import planes_of
from napari_utile.engine.files.plates import canonical_well, results_of_plates, well_in_name
from napari_utile.engine.files.pyramid import read_pyramid
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.reports.quality import ImageQuality, flags_of, worst_first
from napari_utile.engine.store.into_image import LabelBlocks, blocks_of_planes, write_into_image
from napari_utile.engine.windows import Window
from sheets import rows_of

WORDS = ["--diameter", "none", "--minimum-size", "2", "--split", "0", "--quiet"]


@pytest.fixture
def model(bright_nuclei):
    return bright_nuclei


def spots(count, shape=(30, 60)):
    plane = np.zeros(shape, np.uint8)
    for number in range(count):
        plane[5:12, 3 + 9 * number : 9 + 9 * number] = 200
    return plane


def make_plate(path, wells):
    """Write a plate of OME-Zarr: well -> its fields, arrays (Y, X); None for one whose image is missing."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": well} for well in wells], "version": "0.4"}
    for well, fields in wells.items():
        group = root.create_group(well)
        group.attrs["well"] = {"images": [{"path": str(number)} for number in range(len(fields))]}
        for number, pixels in enumerate(fields):
            if pixels is None:
                continue
            image = group.create_group(str(number))
            axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
            scale = [{"type": "scale", "scale": [0.5, 0.5]}]
            datasets = [{"path": "0", "coordinateTransformations": scale}]
            image.attrs["multiscales"] = [{"axes": axes, "datasets": datasets, "version": "0.4"}]
            image.create_array("0", data=pixels)
    return path


def test_a_plate_is_segmented_field_by_field_with_one_table_of_cells_and_one_of_fields(
    model, tmp_path, capsys
):
    plate = make_plate(
        tmp_path / "drugs.zarr", {"A/1": [spots(2), spots(3)], "B/12": [spots(1)], "C/3": [None, spots(4)]}
    )
    (tmp_path / "map.csv").write_text("well;drug\nA01;none\nb12;taxol\n")
    out = tmp_path / "out"
    words = ["--measurements", "--conditions", str(tmp_path / "map.csv")]
    assert main(["segment", str(plate), "-o", str(out), *WORDS, *words]) == 1
    said = capsys.readouterr()
    assert "drugs A/1/1: 3 cells" in said.out
    assert "drugs C/3/0: " in said.err  # the missing one is named, and the others are done
    assert "1 of 5 images failed" in said.err
    labels = tifffile.imread(out / "drugs" / "C" / "3" / "1_labels.tif")
    assert labels.max() == 4
    fields = rows_of(out / "fields.csv")
    assert [(row["well"], row["field"], row["cells"]) for row in fields] == [
        ("A1", "0", "2"), ("A1", "1", "3"), ("B12", "0", "1"), ("C3", "0", ""), ("C3", "1", "4")]  # fmt: skip
    assert [row["drug"] for row in fields] == ["none", "none", "taxol", "", ""]
    assert [bool(row["failed"]) for row in fields] == [False, False, False, True, False]
    cells = rows_of(out / "cells.csv")
    assert len(cells) == 10
    assert {(row["plate"], row["well"], row["drug"]) for row in cells} == {
        ("drugs", "A1", "none"), ("drugs", "B12", "taxol"), ("drugs", "C3", "")}  # fmt: skip
    assert float(cells[0]["area_um2"]) == int(cells[0]["area_px"]) / 4
    recipe = out / "drugs" / "A" / "1" / "1_recipe.json"
    assert json.loads(recipe.read_text())["source"].endswith("drugs.zarr/A/1/1")
    assert main(["replay", str(recipe), "--quiet"]) == 0
    page = (out / "quality.html").read_text()
    assert page.index("drugs C/3/0") < page.index("drugs A/1/0")  # the worst first
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page


def test_a_field_that_was_clicked_has_no_row_of_its_labels_before(model, tmp_path):
    plate = make_plate(tmp_path / "drugs.zarr", {"A/1": [spots(2), spots(3)]})
    out = tmp_path / "out"
    assert main(["segment", str(plate), "-o", str(out), *WORDS, "--measurements"]) == 0
    (tmp_path / "m.csv").write_text("index,axis-0,axis-1,kind,cell,order\n0,8,5,cell,1,0\n")
    words = ["--points", str(tmp_path / "m.csv"), "-o", str(out / "drugs" / "A" / "1" / "0_labels.tif")]
    assert main(["click", str(plate / "A" / "1" / "0"), *words, "--diameter", "none"]) == 0
    assert [row["labels"] for row in rows_of(out / "fields.csv")] == ["drugs/A/1/1_labels.tif"]
    assert len(rows_of(out / "cells.csv")) == 3


def test_parts_of_a_batch_do_each_image_once_and_the_last_joins_the_tables(model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        tifffile.imwrite(tmp_path / "in" / f"B0{number}_s1.tif", spots(number + 1))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    (tmp_path / "map.csv").write_text('pattern,"dose, nM"\nb00*,1\n*,5\n')
    words = [*WORDS, "--measurements", "--conditions", str(tmp_path / "map.csv")]
    assert main(["segment", str(tmp_path / "in"), "-o", str(whole), *words]) == 0
    for part in ("2/2", "1/2"):
        assert not (parts / "fields.csv").exists()
        assert main(["segment", str(tmp_path / "in"), "-o", str(parts), *words, "--shard", part]) == 0
    for name in ("fields.csv", "cells.csv"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    assert [row["dose, nM"] for row in rows_of(whole / "fields.csv")] == ["1", "5", "5", "5", "5"]
    assert [row["well"] for row in rows_of(whole / "fields.csv")] == ["B0", "B1", "B2", "B3", "B4"]
    for name in (f"B0{number}_s1_labels.tif" for number in range(5)):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_one_image_alone_has_no_tables_of_a_batch(model, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", spots(2))
    assert main(["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), *WORDS]) == 0
    assert not {"fields.csv", "quality.html"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_tables_of_a_batch_describe_the_folder_whatever_was_done_again(model, tmp_path):
    for number in range(1, 4):
        tifffile.imwrite(tmp_path / f"f{number}.tif", spots(number))
    (tmp_path / "f2.tif").write_bytes(b"II*\x00 nothing")
    (tmp_path / "map.csv").write_text("pattern,dose\nf3*,7\n*,0\n")
    out = tmp_path / "out"

    def run(*names, options=("--measurements",)):
        return main(
            ["segment", *(str(tmp_path / f"{name}.tif") for name in names), "-o", str(out), *WORDS, *options]
        )

    def told():
        fields = {row["image"]: row["cells"] for row in rows_of(out / "fields.csv")}
        path = out / "cells.csv"
        return fields, [row["image"] for row in rows_of(path)] if path.exists() else None

    conditions = ("--measurements", "--conditions", str(tmp_path / "map.csv"))
    assert run("f1", "f2", "f3", options=conditions) == 1
    assert told() == ({"f1.tif": "1", "f2.tif": "", "f3.tif": "3"}, ["f1.tif", *["f3.tif"] * 3])
    tifffile.imwrite(tmp_path / "f2.tif", spots(2))
    assert run("f2") == 0, "the one that failed"
    assert told() == (
        {"f1.tif": "1", "f2.tif": "2", "f3.tif": "3"}, ["f1.tif", *["f2.tif"] * 2, *["f3.tif"] * 3])  # fmt: skip
    assert [(row["dose"], row["failed"]) for row in rows_of(out / "fields.csv")] == [
        ("0", ""),
        ("0", ""),
        ("7", ""),
    ]
    assert rows_of(out / "cells.csv")[-1]["dose"] == "7"
    page = (out / "quality.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "3 images segmented with nuclei" in page

    (out / "f3_labels.tif").unlink()
    tifffile.imwrite(tmp_path / "f1.tif", spots(4))
    tifffile.imwrite(tmp_path / "f0.tif", spots(5))
    assert run("f0", "f1", options=()) == 0
    assert told() == ({"f1.tif": "4", "f2.tif": "2", "f0.tif": "5"}, ["f2.tif"] * 2)
    assert run("f2", options=()) == 0
    assert told() == ({"f1.tif": "4", "f2.tif": "2", "f0.tif": "5"}, None)
    (out / "cells.csv").write_text("of a user")
    assert run("f1", "f2", options=()) == 0
    assert (out / "cells.csv").read_text() == "of a user"


@pytest.mark.parametrize("shard", [[], ["--shard", "1/2"]])
@pytest.mark.parametrize("name", ["cells.csv", "quality.html"])
def test_a_table_or_a_page_of_a_user_stops_a_batch_before_the_work(model, tmp_path, capsys, name, shard):
    images = [str(tmp_path / f"f{number}.tif") for number in (1, 2)]
    for number, path in enumerate(images):
        tifffile.imwrite(path, spots(number + 1))
    mine = tmp_path / name
    mine.write_text("patient,note\n7,mine\n")
    words = ["-o", str(tmp_path), *WORDS, "--measurements"]
    assert main(["segment", *images, *words, *shard]) == 1
    assert f"{name} is not " in capsys.readouterr().err
    assert not (tmp_path / "f1_labels.tif").exists()
    assert main(["segment", images[0], *words]) == 0, "a single image has no such tables"
    assert capsys.readouterr().err == ""
    assert mine.read_text() == "patient,note\n7,mine\n"
    mine.unlink()
    for _ in range(2):
        assert main(["segment", *images, *words, *shard]) == 0


def test_parts_done_again_keep_what_else_is_in_the_folder(model, tmp_path):
    for number in range(1, 5):
        tifffile.imwrite(tmp_path / f"f{number}.tif", spots(number))
    out, words = tmp_path / "out", [*WORDS, "--measurements"]
    images = [str(tmp_path / f"f{number}.tif") for number in range(1, 5)]
    assert main(["segment", *images[:2], "-o", str(out), *words]) == 0
    for part in ("1/2", "2/2"):
        assert main(["segment", *images[1:], "-o", str(out), *words, "--shard", part]) == 0
    assert sorted(row["image"] for row in rows_of(out / "fields.csv")) == [
        f"f{number}.tif" for number in range(1, 5)
    ]
    assert len(rows_of(out / "cells.csv")) == 10
    for part in ("1/2", "2/2"):
        assert main(["segment", *images, "-o", str(out), *WORDS, "--shard", part]) == 0
    assert sorted(row["cells"] for row in rows_of(out / "fields.csv")) == ["1", "2", "3", "4"]
    assert not list(out.glob("cells*.csv"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"labels,failed,flags,cells,sharpness,saturated\na_labels.tif,,,many,1,0\n",
            "fields.csv is not a table of",
        ),
        (
            b"labels,failed,flags,cells,sharpness,saturated\na_labels.tif,,,inf,1,0\n",
            "fields.csv is not a table of",
        ),
        (
            b"image,labels,failed\na.tif,a_labels.tif,\n",
            "fields.csv is not a table of fields (it has no column cells): move it away.",
        ),
        (b"image,dose\na.tif,\xb5\n", "fields.csv is not a table in UTF-8"),
        (
            b"labels,failed,flags,cells,sharpness,saturated\na_labels.tif,,3,1\n",
            "Row 2 of fields.csv has 4 values",
        ),
    ],
)
def test_a_damaged_table_of_fields_stops_a_batch_before_the_work_and_no_single_image(
    model, tmp_path, capsys, content, said
):
    images = [str(tmp_path / f"f{number}.tif") for number in (1, 2)]
    for number, path in enumerate(images):
        tifffile.imwrite(path, spots(number + 1))
    table = tmp_path / "fields.csv"
    table.write_bytes(content)
    assert main(["segment", *images, "-o", str(tmp_path), *WORDS]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "f1_labels.tif").exists()
    assert main(["segment", images[0], "-o", str(tmp_path), *WORDS]) == 0
    told = capsys.readouterr().err
    assert told.startswith(f"The tables in {tmp_path} stay as they are: ")
    assert said in told
    assert (tmp_path / "f1_labels.tif").exists()
    assert table.read_bytes() == content


def test_an_image_that_fails_when_it_is_done_again_keeps_its_result_in_the_tables(model, tmp_path, capsys):
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"f{number}.tif", spots(number))
    images, out = [str(tmp_path / f"f{number}.tif") for number in (1, 2)], tmp_path / "out"
    words = ["segment", *images, "-o", str(out), *WORDS, "--measurements"]
    assert main(words) == 0
    before = [(out / name).read_text() for name in ("fields.csv", "cells.csv", "quality.html")]
    (tmp_path / "f2.tif").write_bytes(b"II*\x00 nothing")
    assert main(words) == 1
    assert "1 of 2 images failed" in capsys.readouterr().err
    assert [(out / name).read_text() for name in ("fields.csv", "cells.csv", "quality.html")] == before


def test_tables_of_parts_replace_no_row_of_what_was_done_after_them(model, tmp_path):
    for number in range(1, 5):
        tifffile.imwrite(tmp_path / f"f{number}.tif", spots(number))
    (tmp_path / "f3.tif").write_bytes(b"II*\x00 nothing")
    images = [str(tmp_path / f"f{number}.tif") for number in range(1, 5)]
    out = tmp_path / "out"

    def run(*given):
        return main(["segment", *given, "-o", str(out), *WORDS])

    def cells():
        return {row["image"]: row["cells"] for row in rows_of(out / "fields.csv")}

    assert run(*images, "--shard", "1/2") == 1
    tifffile.imwrite(tmp_path / "f1.tif", spots(5))
    assert run(images[0]) == 0, "before the last part is done"
    assert run(*images, "--shard", "2/2") == 0
    assert cells() == {"f1.tif": "5", "f2.tif": "2", "f3.tif": "", "f4.tif": "4"}
    tifffile.imwrite(tmp_path / "f3.tif", spots(3))
    tifffile.imwrite(tmp_path / "f1.tif", spots(6))
    assert run(images[2]) == run(images[0]) == 0
    done = {"f1.tif": "6", "f2.tif": "2", "f3.tif": "3", "f4.tif": "4"}
    assert cells() == done
    assert run(*images, "--shard", "2/2") == 0
    assert cells() == done
    tifffile.imwrite(tmp_path / "f3.tif", spots(1))
    assert run(*images, "--shard", "1/2") == 0
    assert cells() == {**done, "f3.tif": "1"}


def segmented_again(tmp_path, change, name="f1_cells.csv"):
    """Segment two images, change a table, and segment the second again; give what the tables say before and then."""
    images = [str(tmp_path / f"f{number}.tif") for number in (1, 2)]
    for number, path in enumerate(images):
        tifffile.imwrite(path, spots(number + 1))
    words = ["-o", str(tmp_path), *WORDS, "--measurements"]
    assert main(["segment", *images, *words]) == 0
    before = {name: rows_of(tmp_path / name) for name in ("fields.csv", "cells.csv")}
    text = change((tmp_path / name).read_text(encoding="utf-8"))
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["segment", images[1], *words]) == 0
    return before, {name: rows_of(tmp_path / name) for name in before}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("\n1,", "\n1,,", 1), "Row 2 of f1_cells.csv has"),
        (
            lambda text: text.replace("index", "Größe", 1).encode("cp1252"),
            "f1_cells.csv is not a table in UTF-8",
        ),
        (lambda text: text.replace(",", ";").replace(".", ","), "could not convert string to float"),
        (lambda text: "index,dose\n1,7\n", "it has no column centroid_y"),
    ],
    ids=["shifted", "cp1252", "numbers with commas", "another"],
)
def test_one_table_that_cannot_be_read_costs_no_other(model, tmp_path, capsys, change, said):
    before, after = segmented_again(tmp_path, change)
    assert after == {**before, "cells.csv": before["cells.csv"][1:]}
    told = capsys.readouterr().err
    assert told.startswith(f"{tmp_path / 'f1_cells.csv'} is not in the table of all cells: ")
    assert said in told


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("f1_cells.csv", lambda text: text.replace(",", ";")),
        ("f1_cells.csv", lambda text: text.rstrip() + ",\n"),
        ("fields.csv", lambda text: "\n".join(f";{line};" for line in text.replace(",", ";").splitlines())),
        ("fields.csv", lambda text: text.replace(",1,1,", ",1.0,1.0,")),
    ],
    ids=["semicolons", "a comma more", "empty columns", "whole numbers as pandas writes them"],
)
def test_tables_that_another_program_saved_are_read(model, tmp_path, capsys, name, change):
    before, after = segmented_again(tmp_path, change, name)
    for row in (row for tables in (before, after) for row in tables["fields.csv"]):
        row["planes"], row["cells"] = float(row["planes"]), float(row["cells"])
    assert after == before
    assert capsys.readouterr().err == ""


def test_tables_that_excel_saved_as_utf_8_are_read(model, tmp_path):
    images = [str(tmp_path / f"f{number}.tif") for number in (1, 2)]
    for number, path in enumerate(images):
        tifffile.imwrite(path, spots(number + 1))
    words = ["-o", str(tmp_path), *WORDS, "--measurements"]
    assert main(["segment", *images, *words]) == 0
    names = ("fields.csv", "f2_cells.csv")
    before = {name: rows_of(tmp_path / name) for name in ("fields.csv", "cells.csv")}
    for name in names:
        (tmp_path / name).write_text((tmp_path / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert main(["segment", images[0], *words]) == 0
    assert {name: rows_of(tmp_path / name) for name in before} == before


def test_labels_that_grew_from_seeds_have_no_row_of_those_before(model, tmp_path):
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"f{number}.tif", spots(number))
    (tmp_path / "seeds").mkdir()
    images = [str(tmp_path / f"f{number}.tif") for number in (1, 2)]
    out, seeds = tmp_path / "out", ["--seeds", str(tmp_path / "seeds"), "--quiet"]
    assert main(["segment", *images, "-o", str(out), *WORDS, "--measurements"]) == 0
    for number in (1, 2):
        tifffile.imwrite(tmp_path / "seeds" / f"f{number}_labels.tif", (spots(1) > 0).astype(np.uint16))
        assert main(["segment", images[number - 1], "-o", str(out), *seeds]) == 0
        if number == 1:
            for name in ("fields.csv", "cells.csv"):
                assert {row["image"] for row in rows_of(out / name)} == {"f2.tif"}
            assert "f1.tif" not in (out / "quality.html").read_text()
    assert not {"fields.csv", "cells.csv", "quality.html"} & {path.name for path in out.iterdir()}


def test_calls_that_end_at_once_all_have_their_rows_in_the_tables(tmp_path):
    names = [f"f{number}" for number in range(12)]
    row = {
        "cells": 1,
        "confidence": "",
        "sharpness": 1.0,
        "saturated": 0.0,
        "model": "nuclei",
        "failed": "",
        "flags": "",
    }

    def write(name):
        (tmp_path / f"{name}_labels.tif").touch()
        tables = FieldTables(tmp_path, None, None, frozenset())
        image = Input(tmp_path / f"{name}.tif", Selection())
        tables.add(image, f"{name}.tif", str(tmp_path / name), Done(row, b""))
        tables.write()

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(write, names))
    assert sorted(row["image"] for row in rows_of(tmp_path / "fields.csv")) == sorted(
        f"{name}.tif" for name in names
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "fields.csv", "quality.html", *(f"{name}_labels.tif" for name in names)}  # fmt: skip


@pytest.mark.parametrize("text", ["0/2", "3/2", "a", "1/", "1/0"])
def test_a_part_that_is_none_is_a_wrong_call(tmp_path, capsys, text):
    with pytest.raises(SystemExit) as end:
        main(["segment", "a.tif", "-o", str(tmp_path), "--shard", text])
    assert end.value.code == 2
    assert "not a part such as 1/8" in capsys.readouterr().err


def test_parts_hold_each_image_once():
    inputs = [Input(path, Selection()) for path in map(str, range(7))]
    parts = [Shard(number, 3).part(inputs) for number in (1, 2, 3)]
    assert sorted(each.path for part in parts for each in part) == sorted(each.path for each in inputs)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("drug,dose\na,b\n", "one column named well or pattern"),
        ("well\nA1\n", "one column named well or pattern"),
        ("well,drug\ncells,b\n", "not a well such as A1"),
        ("well,drug\nA1\n", "Row 2 of map.csv has 1 value"),
        ("", "it has none"),
        ("pattern,Image\n*,9\n", "a condition named Image"),
        (b"pattern,dose\n*,\xb5M\n", "save it as “CSV UTF-8”"),
    ],
)
def test_conditions_that_cannot_be_used_are_one_sentence(tmp_path, content, said):
    (tmp_path / "map.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UtileError, match=said):
        load_conditions(tmp_path / "map.csv")


def test_wells_are_known_however_they_are_written_and_not_in_other_numbers():
    assert [canonical_well(text) for text in ("A1", "a01", "H-12", "P/24", "AF48")] == [
        "A1", "A1", "H12", "P24", "AF48"]  # fmt: skip
    assert well_in_name("exp 3_B02_f1_t2") == "B2"
    assert well_in_name("cells_t2") is None
    assert well_in_name("A01_B01") is None


def test_flags_compare_an_image_with_the_others_of_its_batch():
    usual = [ImageQuality(f"{number}", 50 + number, 0.8, True, 1.0) for number in range(8)]
    odd = [
        ImageQuality("few", 3, 0.8, True, 1.0),
        ImageQuality("blurred", 50, 0.5, False, 0.05),
        ImageQuality("bright", 50, 0.8, True, 1.0, saturated=0.02),
        ImageQuality("lost", failed="It is damaged."),
        ImageQuality("empty", 0, None, None, 1.0),
    ]
    flags = flags_of([*usual, *odd])
    assert not any(flags[:8])
    assert flags[8] == ("far fewer cells than the others",)
    assert flags[9] == ("the model is not sure of its cells", "out of focus, unlike the others")
    assert flags[10] == ("saturated: 2.0% of the pixels",)
    assert flags[11] == ("failed: It is damaged.",)
    assert flags[12] == ("no cells",)
    order = [[*usual, *odd][place].name for place in worst_first([*usual, *odd], flags)]
    assert order[:2] == ["lost", "blurred"]
    assert set(order[2:5]) == {"few", "bright", "empty"}
    assert not any(flags_of(usual[:4]))


def test_fields_of_all_sizes_are_segmented_and_wells_without_fields_are_named(model, tmp_path, capsys):
    plate = make_plate(
        tmp_path / "odd.zarr", {"A/1": [spots(2), spots(3, (90, 45))], "B/2": [spots(1, (12, 12))]}
    )
    root = zarr.open_group(plate, mode="r+")
    root.create_group("C/3")  # the microscope made its folder and was stopped
    root.create_group("C/4").attrs["well"] = {"images": []}
    listed = ["A/1", "B/2", "C/3", "C/4", "H/12"]
    root.attrs["plate"] = {"wells": [{"path": well} for well in listed], "version": "0.4"}
    assert main(["segment", str(plate), "-o", str(tmp_path / "out"), *WORDS]) == 1
    said = capsys.readouterr()
    assert "odd A/1/1: 3 cells" in said.out
    assert "odd B/2/0: 1 cell," in said.out
    assert "odd C/3: 3 is a zarr folder without OME-Zarr image metadata" in said.err
    assert "odd C/4: 4 is a well that lists no images." in said.err
    assert "odd H/12: There is no file" in said.err
    assert "3 of 6 images failed." in said.err
    assert len(list((tmp_path / "out").rglob("*_labels.tif"))) == 3


def test_only_a_command_that_takes_all_images_of_a_well_says_so(model, tmp_path, capsys):
    well = str(make_plate(tmp_path / "plate.zarr", {"A/1": [spots(1), spots(2)]}) / "A" / "1")
    hint = "--series all takes all of them."
    write_labels(tmp_path / "1_labels.tif", spots(1).astype(np.int32))
    seeded = ["segment", well, "--seeds", str(tmp_path / "1_labels.tif"), "-o", str(tmp_path / "out")]
    measured, exported = (["measure", well, "-o", "cells.csv"], ["export", well, "-o", "a.zip"])
    for words in (measured, exported, ["verify", well], seeded):
        assert main(words) == 1
        said = capsys.readouterr().err
        assert "is a well of 2 images: choose one of the image folders inside it, such as 1/0." in said
        assert "--series" not in said
    words = ["segment", well, "-o", str(tmp_path / "out"), *WORDS]
    for options in ([], ["--format", "ome-zarr"]):
        assert main([*words, *options]) == 1
        assert f"such as 1/0. {hint}" in capsys.readouterr().err
    assert main([*words, "--series", "all"]) == 0


@pytest.mark.parametrize("options", [[], ["--format", "ome-zarr"]])
def test_cells_are_written_into_the_plate_on_wish_where_its_readers_find_them(
    model, tmp_path, capsys, options
):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(3), spots(2)], "B/2": [spots(1)]})
    words = ["segment", str(plate), "-o", str(tmp_path / "out"), *WORDS, *options]
    assert main([*words, "--into-image"]) == 0
    found = []
    for field in ("A/1/0", "A/1/1", "B/2/0"):
        image = read_pyramid(plate / field)
        [cells] = image.labels
        assert (cells.axes, cells.scale, cells.units) == ("YX", (0.5, 0.5), ("µm", "µm"))
        found.append(int(np.asarray(cells.levels[0]).max()))
    assert found == [3, 2, 1]
    assert json.loads((plate / "A/1/0/labels/.zattrs").read_text()) == {"labels": ["cells"]}
    # They are nobody's but ours to replace, and only when that is asked for.
    again = [*words, "--into-image", *(["--resume"] if options else [])]
    assert main(again) == 1
    assert "has labels called cells already: replace them with --overwrite" in capsys.readouterr().err
    assert main([*words, "--into-image", "--overwrite", "--minimum-size", "2000"]) == 0
    assert not np.asarray(read_pyramid(plate / "A/1/0").labels[0].levels[0]).any()
    theirs = zarr.open_group(plate / "A/1/0/labels/cells", mode="r+")
    del theirs.attrs["napari-utile"]
    assert main([*words, "--into-image", "--overwrite"]) == 1
    assert "rename or remove them first" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--format", "ome-zarr"]], ids=["files", "store"])
@pytest.mark.parametrize("axes", ["xy", "yxz", "zxy", "yxc", "xtyz"])
def test_labels_have_the_axes_of_their_image_in_whatever_order_these_are(model, tmp_path, axes, options):
    sizes = {"y": 30, "x": 60, "z": 3, "c": 1, "t": 2}
    pixels = np.zeros([sizes[axis] for axis in axes], np.uint8)
    planes = np.moveaxis(pixels, [axes.index("y"), axes.index("x")], [-2, -1])
    for number, index in enumerate(np.ndindex(planes.shape[:-2])):
        planes[index] = spots(1 + number)
    path = tmp_path / "turned.zarr"
    root = zarr.create_group(path, zarr_format=3)
    root.create_array("0", data=pixels)
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    scale = [{"type": "scale", "scale": [1.0 + number for number in range(len(axes))]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": named, "datasets": datasets}]}
    part = ["--region", "2:30,1:60", "--into-image"]
    assert main(["segment", str(path), "-o", str(tmp_path / "out"), *WORDS, *options, *part]) == 0
    [cells] = read_pyramid(path).labels
    kept = axes.replace("c", "")
    assert cells.axes == kept.upper()
    labels = np.asarray(cells.levels[0])
    wanted = {**sizes, "y": 28, "x": 59}
    assert labels.shape == tuple(wanted[axis] for axis in kept)
    begins = {"y": 2, "x": 1}
    assert cells.translation == tuple(begins.get(axis, 0) * (1.0 + axes.index(axis)) for axis in kept)
    where = {axis: slice(begins.get(axis, 0), None) for axis in axes} | {"c": 0}
    np.testing.assert_array_equal(labels > 0, pixels[tuple(where[axis] for axis in axes)] > 0)


def test_coarser_labels_of_an_image_whose_columns_come_first_show_every_second_pixel(tmp_path):
    root = zarr.open_group(tmp_path / "wide.zarr", mode="w", zarr_format=2)
    root.create_array("0", data=np.zeros((1101, 30, 2), np.uint8))
    axes = [{"name": name, "type": "space"} for name in "xyz"]
    root.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}], "version": "0.4"}]
    labels = np.arange(2 * 30 * 1101, dtype=np.int32).reshape(2, 30, 1101)
    write_into_image(
        tmp_path / "wide.zarr", blocks_of_planes(planes_of(labels, "ZYX"), [{}], None, Selection())
    )
    [cells] = read_pyramid(tmp_path / "wide.zarr").labels
    for number, level in enumerate(cells.levels):
        every = slice(None, None, 2**number)
        np.testing.assert_array_equal(np.asarray(level), labels[:, every, every].transpose(2, 1, 0))
    assert len(cells.levels) == 3


def test_nothing_is_left_in_an_image_where_its_labels_could_not_be_written(tmp_path):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(1)]})
    image = plate / "A/1/0"
    before = sorted(image.rglob("*"))

    def lost():
        yield (), Window.whole((30, 60)), np.ones((30, 60), np.int32)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write_into_image(image, LabelBlocks("YX", (30, 60), {}, Selection(), lost))
    assert sorted(image.rglob("*")) == before


def test_labels_of_a_part_of_a_stack_lie_where_they_are_in_its_image(model, tmp_path, capsys):
    path = tmp_path / "stack.ome.zarr"
    root = zarr.create_group(path, zarr_format=3)
    stack = np.stack([spots(count) for count in (1, 2, 3)])
    root.create_array("0", data=stack[None, None])
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": name, "type": kinds.get(name, "space")} for name in "tczyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 2.0, 0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    part = ["--z", "1:3", "--region", "0:20,10:60", "--into-image"]
    assert main(["segment", str(path), "-o", str(tmp_path / "out"), *WORDS, *part]) == 0
    [cells] = read_pyramid(path).labels
    labels = tifffile.imread(tmp_path / "out" / "stack_labels.tif")
    assert cells.axes == "TZYX"
    assert cells.translation == (0.0, 2.0, 0.0, 5.0)
    np.testing.assert_array_equal(np.asarray(cells.levels[0])[0], labels)
    yaozarrs.validate_zarr_store(str(path / "labels" / "cells"))
    store = tmp_path / "part.ome.zarr"
    assert main(["segment", str(path), "-o", str(store), *WORDS, *part, "--overwrite"]) == 0
    for each in (read_pyramid(store), read_pyramid(store / "labels/cells")):
        assert (each.axes, each.scale, each.translation) == ("ZYX", (2.0, 0.5, 0.5), (2.0, 0.0, 5.0))
    assert read_pyramid(path).labels[0].translation == (0.0, 2.0, 0.0, 5.0)
    one = ["--z", "2", "--into-image", "--overwrite"]
    assert main(["segment", str(path), "-o", str(tmp_path / "out"), *WORDS, *one]) == 0
    assert read_pyramid(path).labels[0].translation == (0.0, 4.0, 0.0, 0.0)
    tifffile.imwrite(tmp_path / "plain.tif", spots(1))
    assert main(["segment", str(tmp_path / "plain.tif"), "-o", str(tmp_path / "out"), "--into-image"]) == 1
    assert "plain.tif is not an OME-Zarr image" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--format", "ome-zarr"]], ids=["files", "stores"])
def test_results_of_a_plate_are_measured_and_scored_with_their_fields(model, tmp_path, capsys, options):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(2), spots(3)], "B/12": [spots(1)]})
    out = tmp_path / "out"
    assert main(["segment", str(plate), "-o", str(out), *WORDS, *options]) == 0
    table, scores = tmp_path / "a.csv", tmp_path / "b.csv"
    for labels in (out, out / "plate"):
        for images in ([str(plate)], []):
            assert main(["measure", str(labels), *images, "-o", str(table)]) == 0
            found = [row["image"] for row in rows_of(table)]
            assert found == ["plate/A/1/0"] * 2 + ["plate/A/1/1"] * 3 + ["plate/B/12/0"]
            assert {row.get("intensity_mean") for row in rows_of(table)} == ({"200.0"} if images else {None})
    assert main(["evaluate", str(out / "plate"), str(out), "--csv", str(scores)]) == 0
    assert [row["name"] for row in rows_of(scores)] == ["plate/A/1/0", "plate/A/1/1", "plate/B/12/0", "mean"]
    # Results of other images beside them are measured as well, and the other way round.
    tifffile.imwrite(tmp_path / "a.tif", spots(4))
    assert main(["segment", str(tmp_path / "a.tif"), "-o", str(out), *WORDS, *options]) == 0
    assert main(["measure", str(out), "-o", str(table)]) == 0
    assert [row["image"] for row in rows_of(table)] == ["a.tif"] * 4 + found
    capsys.readouterr()
    # A plate is still one image where a single file is given with it, and other folders hold no images.
    tifffile.imwrite(tmp_path / "one.tif", (spots(1) > 0).astype(np.uint16))
    assert main(["measure", str(tmp_path / "one.tif"), str(plate), "-o", str(table)]) == 1
    assert "plate.zarr is a plate of 3 images: choose one" in capsys.readouterr().err
    (tmp_path / "other" / "deep").mkdir(parents=True)
    assert main(["measure", str(tmp_path / "other"), "-o", str(table)]) == 1
    assert "There is no image in the folder" in capsys.readouterr().err


def test_pixels_that_are_ignored_are_those_of_their_field(model, tmp_path):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(2)], "B/12": [spots(3)]})
    out = tmp_path / "out"
    assert main(["segment", str(plate), "-o", str(out), *WORDS]) == 0
    scores = tmp_path / "b.csv"
    words = ["evaluate", str(out), str(out), "--ignore", str(out), "--csv", str(scores)]
    assert main(words) == 0
    assert {float(row["truth_cells"]) for row in rows_of(scores)} == {0}


@pytest.mark.parametrize("options", [[], ["--format", "ome-zarr"]], ids=["files", "stores"])
def test_results_of_a_part_of_a_plate_are_named_by_their_wells_however_they_are_given(
    model, tmp_path, capsys, options
):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(2), spots(3)], "B/12": [spots(1)]})
    out, table = tmp_path / "out", tmp_path / "a.csv"
    assert main(["segment", str(plate), "-o", str(out), *WORDS, *options]) == 0
    ending = ".ome.zarr" if options else "_labels.tif"
    for given, named in {
        "plate/A/1": ["A/1/0", "A/1/1"],
        "plate/A": ["A/1/0", "A/1/1"],
        f"plate/A/1/0{ending}": ["A/1/0"],
        f"plate/*/*/*{ending}": ["A/1/0", "A/1/1", "B/12/0"],
        f"plate/A/*/*{ending}": ["A/1/0", "A/1/1"],
    }.items():
        for images in ([], [str(plate)]):
            assert main(["measure", str(out / given), *images, "-o", str(table)]) == 0, given
            found = rows_of(table)
            assert [*dict.fromkeys(row["image"] for row in found)] == [f"plate/{name}" for name in named]
            assert {row.get("intensity_mean") for row in found} == ({"200.0"} if images else {None})
        scores = tmp_path / "b.csv"
        assert main(["evaluate", str(out / given), str(out), "--csv", str(scores)]) == (len(named) < 3)
        assert [row["name"] for row in rows_of(scores)] == [*(f"plate/{name}" for name in named), "mean"]
    # Folders that are only called like wells have no place where no plate is meant.
    for folder in ("truth/A/1", "made/A/1"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("a", "b"):
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", (spots(2) > 0).astype(np.uint8))
    with pytest.warns(UtileWarning, match="separate pieces"):
        assert main(["evaluate", str(tmp_path / "made/A/1"), str(tmp_path / "truth/A/1")]) == 0


def test_a_copy_that_lies_in_folders_like_wells_is_said_and_left_out_where_no_plate_is_meant(
    tmp_path, capsys
):
    for folder in ("labels", "labels/backup/B/2", "images"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("a", "b"):
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", spots(1))
    words = ["measure", str(tmp_path / "labels"), str(tmp_path / "images"), "-o", str(tmp_path / "a.csv")]
    assert main(words) == 0
    assert [row["image"] for row in rows_of(tmp_path / "a.csv")] == ["a.tif", "b.tif"]
    assert "ignored: a.tif, b.tif" in capsys.readouterr().err


def test_only_folders_that_may_hold_wells_are_looked_at(tmp_path):
    wanted = [tmp_path / "p/A/1/0.tif", tmp_path / "p/AB/12/0.tif"]
    for path in (*wanted, *(tmp_path / f"{folder}/0.tif" for folder in ("p/A", "p/t0/1", "deep/p/A/1"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert results_of_plates(tmp_path) == results_of_plates(tmp_path / "p") == wanted
    assert results_of_plates(tmp_path / "p/A") == wanted[:1]
    assert results_of_plates(tmp_path / "p/A/1") == results_of_plates(tmp_path / "none") == []


@pytest.mark.parametrize("options", [[], ["--format", "ome-zarr"]], ids=["files", "stores"])
def test_cells_that_grow_from_the_nuclei_of_a_plate_lie_and_are_measured_as_the_nuclei(
    model, tmp_path, capsys, options
):
    plate = make_plate(tmp_path / "plate.zarr", {"A/1": [spots(2), spots(3)], "B/12": [spots(1)]})
    nuclei, cells = tmp_path / "nuclei", tmp_path / "cells"
    assert main(["segment", str(plate), "-o", str(nuclei), *WORDS, *options]) == 0
    words = ["segment", str(plate), "--seeds", str(nuclei), "--seed-distance", "2", "--quiet", *options]
    assert main([*words, "-o", str(cells)]) == 0
    assert (
        "plate_B_12_0" if options else "plate B/12/0"
    ) + ": 1 cell grown from seeds" in capsys.readouterr().out

    ending = ".ome.zarr" if options else "_labels.tif"
    wells = [f"plate/{field}{ending}" for field in ("A/1/0", "A/1/1", "B/12/0")]
    assert sorted(path.relative_to(cells).as_posix() for path in cells.rglob(f"*{ending}")) == wells
    assert main(["measure", str(cells), str(plate), "-o", str(tmp_path / "a.csv")]) == 0
    found = [row["image"] for row in rows_of(tmp_path / "a.csv")]
    assert found == ["plate/A/1/0"] * 2 + ["plate/A/1/1"] * 3 + ["plate/B/12/0"]
    # Nothing lies beside the nuclei in another layout.
    assert main([*words, "-o", str(nuclei)]) == 1
    assert sorted(path.relative_to(nuclei).as_posix() for path in nuclei.rglob(f"*{ending}")) == wells
