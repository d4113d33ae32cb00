"""Training sets: what is put in comes out; an image painted further takes its own place; broken files are named."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.sets import (
    add_images,
    delete_set,
    find_set,
    list_sets,
    make_set,
    read_painted,
    remove_image,
    replaced_in_words,
)
from napari_utile.engine.weights.annotation import Annotation


def painted(value: int = 7, name: str = "cells", **more: object) -> AnnotatedImage:
    pixels = np.full((1, 4, 6), value, np.uint16)
    pixels[0, 0, 0] = 1
    labels = np.zeros((4, 6), np.int32)
    labels[1:3, 1:3] = 5
    plane = ImagePlane(pixels, name, pixel_size=(0.5, 0.5), unit="µm")
    return AnnotatedImage(plane, labels, **more)


@given(
    dtype=st.sampled_from(["u1", "<u2", ">u2", "f4", ">f8", "i4", "?"]),
    channels=st.integers(1, 3),
    annotation=st.sampled_from(
        [
            Annotation(),
            Annotation("sparse", 5, rim=3),
            Annotation("boxes", boxes=[(0, 0, 3, 4)]),
            Annotation("sparse", background_mask=np.eye(4, 6, dtype=bool)),
        ]
    ),
)
def test_what_is_put_into_a_set_comes_out_of_it(dtype: str, channels: int, annotation: Annotation) -> None:
    pixels = np.arange(channels * 24).reshape(channels, 4, 6).astype(dtype)
    labels = np.array(painted().labels)
    given_image = AnnotatedImage(ImagePlane(pixels, "ü x"), labels, annotation, {5: "big"})
    add_images("Law", [given_image])
    (read,) = (each for each in find_set("Law").read() if each.plane.data.dtype == pixels.dtype.newbyteorder("<")
               and each.plane.data.shape == pixels.shape)  # fmt: skip
    assert np.array_equal(read.plane.data, pixels)
    assert np.array_equal(read.labels, labels)
    assert read.plane.name == "ü x"
    assert read.classes == {5: "big"}
    for found, wanted in zip(read.annotation.split(labels), annotation.split(labels), strict=True):
        assert np.array_equal(found, wanted)


def test_an_image_that_is_painted_further_takes_the_place_of_what_it_was() -> None:
    add_images("Mine", [painted(7), painted(8, "others")])
    more = painted(7)
    more.labels[0, 5] = 9
    chosen, _ = add_images("Mine", [more])
    assert [(each.name, each.cells) for each in chosen.images] == [("others", 1), ("cells", 2)]
    assert chosen.images[0].added
    assert not (user_model_folder() / "trash").exists(), "nothing that was painted is lost"


@pytest.mark.parametrize("how", ["cell", "class"])
def test_a_painting_that_another_one_replaces_is_named_and_lies_in_the_trash(how: str) -> None:
    first = painted(7, classes={5: "big"})
    first.labels[0, 5] = 9
    add_images("Mine", [first])
    second = painted(7, classes={5: "big" if how == "cell" else "small"})
    if how == "class":
        second.labels[0, 5] = 9
    chosen, replaced = add_images("Mine", [second])
    assert [(each.name, each.cells) for each in replaced] == [("cells", 2)]
    assert "replaces 2 cells (big) painted before on cells" in replaced_in_words(replaced)
    assert np.array_equal(read_painted(replaced[0].path).labels, first.labels)
    assert replaced[0].path.parent == user_model_folder() / "trash"
    assert len(chosen.images) == 1
    assert np.array_equal(chosen.read()[0].labels, second.labels)
    add_images("Mine", [first])
    _, again = add_images("Mine", [second])  # within the same second
    assert again[0].path != replaced[0].path


def test_classes_that_a_painting_without_any_replaces_are_named() -> None:
    add_images("Mine", [painted(7, classes={5: "big"})])
    _, replaced = add_images("Mine", [painted(7)])
    said = "It replaces 1 cell (big) painted before on cells, which went to the library's trash."
    assert replaced_in_words(replaced) == said


def test_background_that_is_painted_otherwise_replaces_no_cell() -> None:
    background = Annotation("sparse", background=9)
    first, second = painted(annotation=background), painted(annotation=background)
    first.labels[0, 2:] = 9
    assert add_images("Mine", [first])[1] == ()
    assert add_images("Mine", [second])[1] == ()
    second.labels[1, 1] = 9
    assert len(add_images("Mine", [second])[1]) == 1


def test_a_damaged_painting_goes_to_the_trash_as_it_is() -> None:
    chosen, _ = add_images("Mine", [painted()])
    chosen.files[0].write_bytes(b"damaged")
    chosen, replaced = add_images("Mine", [painted()])
    assert replaced[0].path.read_bytes() == b"damaged"
    said = "It replaces a painting on cells that cannot be read, which went to the library's trash."
    assert replaced_in_words(replaced) == said
    assert chosen.images[0].cells == 1


def test_titles_hold_spaces_and_accents_and_a_set_is_found_by_either_name() -> None:
    add_images("Müllers Zellen, 40x", [painted()])
    (only,) = list_sets()
    assert (only.title, only.name) == ("Müllers Zellen, 40x", "Mullers-Zellen-40x")
    assert find_set("Mullers-Zellen-40x").title == find_set("Müllers Zellen, 40x").title == only.title
    assert make_set(only.title).folder == only.folder
    with pytest.raises(UtileError, match="already"):
        make_set("Mullers Zellen 40x!")


def test_what_is_taken_out_lies_in_the_trash() -> None:
    chosen, _ = add_images("Mine", [painted(7), painted(8)])
    thrown = remove_image(chosen.images[0].path)
    assert thrown.parent == user_model_folder() / "trash"
    assert len(chosen.images) == 1
    assert delete_set("Mine").is_dir()
    assert list_sets() == []
    with pytest.raises(UtileError, match="there is none"):
        find_set("Mine")


def test_nothing_outside_of_the_sets_is_thrown_away(tmp_path: Path) -> None:
    other = tmp_path / "precious.safetensors"
    other.write_bytes(b"x")
    with pytest.raises(UtileError, match="not in a training set"):
        remove_image(other)
    assert other.exists()


def test_an_empty_set_says_so() -> None:
    with pytest.raises(UtileError, match="is empty"):
        make_set("Mine").read()


def header_of(path: Path) -> tuple[dict, dict]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["utile-painted"]), load_file(path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"shape": [10**12, 4]},
        {"shape": [4, 5]},
        {"annotation": {"kind": "everything"}},
        {"annotation": {"kind": "boxes", "boxes": [["a", 0, 1, 1]]}},
        {"annotation": {"kind": "sparse", "background": -1}},
        {"classes": {"x": "y"}},
        {"classes": {"5": 3}},
        {"sha256": "0" * 64},
        {"name": None},
        {"pixel_size": [0, 1]},
    ],
)
def test_a_hostile_description_is_refused_in_a_sentence(change: dict) -> None:
    chosen, _ = add_images("Mine", [painted()])
    (path,) = chosen.files
    header, tensors = header_of(path)
    save_file(tensors, path, metadata={"utile-painted": json.dumps({**header, **change})})
    with pytest.raises(UtileError, match="damaged"):
        read_painted(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, (1 << 60).to_bytes(8, "little") + b"{}"])
def test_a_broken_file_is_listed_with_its_problem(content: bytes) -> None:
    chosen, _ = add_images("Mine", [painted()])
    chosen.files[0].write_bytes(content)
    assert "damaged" in chosen.images[0].problem
    with pytest.raises(UtileError, match="damaged"):
        chosen.read()


def test_pixels_that_were_changed_are_noticed() -> None:
    chosen, _ = add_images("Mine", [painted()])
    (path,) = chosen.files
    header, tensors = header_of(path)
    save_file(
        {**tensors, "image": tensors["image"] + 1}, path, metadata={"utile-painted": json.dumps(header)}
    )
    with pytest.raises(UtileError, match="not those that were added"):
        read_painted(path)


def test_a_file_that_is_being_written_is_no_image_yet() -> None:
    add_images("Written", [painted()])
    (file,) = find_set("Written").files
    file.with_name(f".{file.name}").write_bytes(b"half")
    assert find_set("Written").files == [file]
