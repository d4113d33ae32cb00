"""Labels of a result that another command replaces: nothing beside them says what is no longer true."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_utile.cli
from napari_utile.cli import main
from napari_utile.engine.models.card import ModelClass
from napari_utile.engine.models.catalogue import user_model_folder
from sheets import rows_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")
WORDS = ["--model", "nuclei", "--diameter", "none"]
CENTRES = ((8, 8), (8, 30), (22, 50))


def discs(*centres):
    y, x = np.mgrid[:30, :60]
    return (200 * np.any([np.hypot(y - row, x - column) < 5 for row, column in centres], axis=0)).astype(
        np.uint8
    )


def markers(path, *positions):
    axes = ",".join(f"axis-{axis}" for axis in range(len(positions[0])))
    rows = [
        f"{number},{','.join(map(str, each))},cell,{number + 1},0" for number, each in enumerate(positions)
    ]
    path.write_text("\n".join([f"index,{axes},kind,cell,order", *rows, ""]))
    return str(path)


def test_what_was_clicked_is_not_measured_on_the_plane_of_the_labels_before(tmp_path, capsys):
    stack = np.stack([discs(CENTRES[1]), discs(CENTRES[0]), discs(*CENTRES)])
    tifffile.imwrite(tmp_path / "z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    image, labels = str(tmp_path / "z.tif"), str(tmp_path / "out" / "z_labels.tif")
    points = markers(tmp_path / "m.csv", CENTRES[0])
    assert main(["segment", image, "-o", str(tmp_path / "out"), "--z", "2", "--quiet", *WORDS]) == 0
    assert main(["click", image, "--points", points, "-o", labels, "--z", "1", *WORDS]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["z_labels.tif"]
    assert main(["measure", labels, image, "-o", str(tmp_path / "cells.csv")]) == 1
    assert "they do not pair" in capsys.readouterr().err, "nothing says which plane it is"


def test_labels_that_were_clicked_have_no_row_of_those_before(tmp_path):
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", discs(*CENTRES))
    image, other = str(tmp_path / "a.tif"), str(tmp_path / "b.tif")
    out = tmp_path / "out"
    words = ["-o", str(out), "--measurements", "--quiet", *WORDS]
    assert main(["segment", image, other, *words]) == 0
    assert len(rows_of(out / "cells.csv")) == 6
    points, labels = markers(tmp_path / "m.csv", CENTRES[0]), str(out / "a_labels.tif")
    assert main(["click", image, "--points", points, "-o", labels, *WORDS]) == 0
    assert tifffile.imread(labels).max() == 1
    for name in ("fields.csv", "cells.csv"):
        assert {row["image"] for row in rows_of(out / name)} == {"b.tif"}
    assert not {path.name for path in out.iterdir()} & {"a_recipe.json", "a_cells.csv"}


def test_markers_beside_a_result_are_not_removed_with_it(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", discs(*CENTRES))
    image = str(tmp_path / "a.tif")
    assert main(["segment", image, "-o", str(tmp_path), "--measurements", "--quiet", *WORDS]) == 0
    points = markers(tmp_path / "a_cells.csv", CENTRES[0])
    assert main(["click", image, "--points", points, "-o", str(tmp_path / "a_labels.tif"), *WORDS]) == 1
    assert "it is what is read here" in capsys.readouterr().err
    assert "axis-0" in (tmp_path / "a_cells.csv").read_text()


def test_no_recipe_of_other_labels_is_taken_for_that_of_clicks(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", discs(*CENTRES))
    image, points = str(tmp_path / "a.tif"), markers(tmp_path / "m.csv", CENTRES[0])
    assert main(["segment", image, "-o", str(tmp_path), "--quiet", *WORDS]) == 0
    assert main(["click", image, "--points", points, "-o", str(tmp_path / "a_labels.tiff"), *WORDS]) == 1
    assert "a_recipe.json is of other labels; choose another name." in capsys.readouterr().err


PAINTED = np.full((30, 60), 7, np.uint16)


def paint(path):
    tifffile.imwrite(path, PAINTED)


def write_notes(path):
    path.write_text("mine\n1\n")


def recolour(path):
    labels = tifffile.imread(path)
    labels[:3, :3] = 99
    tifffile.imwrite(path, labels)


def seeds_in(folder):
    folder.mkdir(exist_ok=True)
    for name in "ab":
        tifffile.imwrite(folder / f"{name}.tif", (discs(CENTRES[0]) > 0).astype(np.uint16))
    return str(folder)


@pytest.mark.parametrize("seeds", [False, True], ids=["model", "seeds"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a_labels.tif", paint),
        ("a_labels.tif", recolour),
        ("a_cells.csv", write_notes),
        ("a_recipe.json", write_notes),
    ],
    ids=["painted", "corrected", "table", "recipe"],
)
def test_a_batch_replaces_nothing_that_somebody_made_or_changed(tmp_path, capsys, name, change, seeds):
    images, out = tmp_path / "images", tmp_path / "out"
    for folder in (images, out):
        folder.mkdir()
    for each in "ab":
        tifffile.imwrite(images / f"{each}.tif", discs(*CENTRES))
    words = ["segment", str(images), "-o", str(out), "--measurements", "--quiet"]
    words += ["--seeds", seeds_in(tmp_path / "seeds")] if seeds else WORDS
    if change is recolour:
        assert main(words) == 0
    change(out / name)
    before = {path: path.read_bytes() for path in out.glob("a_*")}
    capsys.readouterr()
    assert main(words) == 1
    assert f"a.tif: {name} is not as a recipe beside it says" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.glob("a_*")} == before
    assert (out / "b_labels.tif").is_file(), "the others are done"
    assert main([*words, "--overwrite"]) == 0
    assert (out / name).read_bytes() != before[out / name]
    assert main(words) == 0, "what utile made is replaced unasked"


@pytest.mark.parametrize("seeds", [False, True], ids=["model", "seeds"])
def test_results_of_another_image_of_the_same_name_stay(tmp_path, capsys, seeds):
    out, words = (
        tmp_path / "out",
        ["--quiet", *(["--seeds", seeds_in(tmp_path / "seeds")] if seeds else WORDS)],
    )
    frames = {"pa": np.stack([discs(*CENTRES)] * 2), "pb": np.stack([discs(*CENTRES), discs(*CENTRES[:2])])}
    if seeds:
        for path in (tmp_path / "seeds").iterdir():
            tifffile.imwrite(path, np.stack([tifffile.imread(path)] * 2), metadata={"axes": "TYX"})
    for folder, images in frames.items():
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", images, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "pb" / "b.tif", frames["pb"], metadata={"axes": "TYX"})
    into = ["-o", str(out), *words]
    assert main(["segment", str(tmp_path / "pa"), *into]) == 0
    before = {path: path.read_bytes() for path in out.glob("a_*")}
    capsys.readouterr()
    assert main(["segment", str(tmp_path / "pb"), *into]) == 1
    made_of = f"a_labels.tif was made of {tmp_path / 'pa' / 'a.tif'}: choose another folder"
    assert f"a.tif: {made_of}, or use --overwrite." in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.glob("a_*")} == before
    assert (out / "b_labels.tif").is_file(), "the others are done"
    assert main(["segment", str(tmp_path / "pb"), *into, "--overwrite"]) == 0
    assert str(tmp_path / "pb" / "a.tif") in (out / "a_recipe.json").read_text()


def test_an_image_that_was_moved_or_changed_is_segmented_again(tmp_path):
    image, moved = tmp_path / "a.tif", tmp_path / "other" / "a.ome.tif"
    moved.parent.mkdir()
    words = ["-o", str(tmp_path / "out"), "--quiet", *WORDS]
    tifffile.imwrite(image, discs(*CENTRES))
    assert main(["segment", str(image), *words]) == 0
    image.rename(moved)
    assert main(["segment", str(moved), *words]) == 0, "the same pixels"
    tifffile.imwrite(moved, discs(*CENTRES[:2]))
    assert main(["segment", str(moved), *words]) == 0, "the same file"
    assert tifffile.imread(tmp_path / "out" / "a_labels.tif").max() == 2


def test_classes_that_somebody_painted_are_not_replaced(tmp_path, capsys, make_bright_model):
    """Whether there will be classes is known with the model."""
    classes = (ModelClass("round", "foreground"), ModelClass("flat", "foreground"))
    make_bright_model(user_model_folder() / "two.safetensors", classes=classes)
    tifffile.imwrite(tmp_path / "a.tif", discs(*CENTRES))
    paint(tmp_path / "a_classes.tif")
    words = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path), "--model", "two", "--quiet"]
    assert main(words) == 1
    assert "a_classes.tif is not as a recipe" in capsys.readouterr().err
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a_classes.tif"), PAINTED)


def test_commands_write_labels_in_one_place():
    modules = Path(napari_utile.cli.__file__).parent.glob("*.py")
    assert [path.name for path in modules if "write_labels" in path.read_text("utf-8")] == ["results.py"]


@pytest.fixture
def interrupted_at(monkeypatch):
    """Let commands be interrupted when they say that an image of this name is done."""

    def interrupt(name):
        def said(text, file=None):
            if text.startswith(name):
                raise KeyboardInterrupt
            (file or sys.stdout).write(f"{text}\n")

        monkeypatch.setattr("builtins.print", said)

    return interrupt


@pytest.mark.parametrize("options", [[], ["--shard", "1/1"]])
def test_an_interrupted_batch_leaves_rows_of_the_labels_that_are_there(tmp_path, interrupted_at, options):
    images = [str(tmp_path / f"{name}.tif") for name in "abc"]
    out = tmp_path / "out"
    words = ["-o", str(out), "--measurements", "--quiet", *WORDS]

    def told():
        counts = [(row["image"], int(row["cells"])) for row in rows_of(out / "fields.csv")]
        assert [row["image"] for row in rows_of(out / "cells.csv")] == [
            name for name, count in counts for _ in range(count)
        ]
        return dict(counts)

    for path in images:
        tifffile.imwrite(path, discs(*CENTRES))
    assert main(["segment", *images, *words]) == 0
    assert told() == {"a.tif": 3, "b.tif": 3, "c.tif": 3}
    for path in images:
        tifffile.imwrite(path, discs(*CENTRES[:2]))
    interrupted_at("b.tif")
    assert main(["segment", *images, *words, *options]) == 130
    assert tifffile.imread(out / "b_labels.tif").max() == 2
    assert told() == {"a.tif": 2, "c.tif": 3}
    assert main(["segment", images[2], *words]) == 0
    assert told() == {"a.tif": 2, "c.tif": 2}


def test_labels_that_grew_until_an_interrupt_have_no_row_of_those_before(tmp_path, interrupted_at):
    images, out, seeds = (tmp_path / name for name in ("images", "out", "seeds"))
    images.mkdir()
    seeds.mkdir()
    for name in "abc":
        tifffile.imwrite(images / f"{name}.tif", discs(*CENTRES))
        tifffile.imwrite(seeds / f"{name}.tif", (discs(CENTRES[0]) > 0).astype(np.uint16))
    assert main(["segment", str(images), "-o", str(out), "--quiet", *WORDS]) == 0
    interrupted_at("b.tif")
    assert main(["segment", str(images), "-o", str(out), "--seeds", str(seeds), "--quiet"]) == 130
    assert [row["image"] for row in rows_of(out / "fields.csv")] == ["c.tif"]
