"""Which files are images, which are results of them, and which belong together."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.label_files import pair_files
from napari_utile.engine.files.names import LABEL_ENDINGS, beginning_and_name, name_and_ending, results_apart


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return paths


def kept(paths: list[Path]) -> list[str]:
    return [path.name for path in results_apart(paths).images]


# Results


@pytest.mark.parametrize(
    "ending", [*LABEL_ENDINGS, "_probability", "_mask", "_truth", "_flows", "_cp_outlines"]
)
@pytest.mark.parametrize("image", ["a.tif", "A.OME.TIF", "a b.png"])
def test_what_tools_make_of_an_image_is_no_image(tmp_path: Path, ending: str, image: str) -> None:
    stem = image.split(".")[0]
    make(tmp_path, image, f"{stem}{ending}.tif", f"{stem}{ending.upper()}.png")
    assert kept(find_images([tmp_path])) == [image]
    assert kept(find_images([str(tmp_path / "*")])) == [image]
    assert kept(find_images(sorted(tmp_path.iterdir()))) == [image], "as a shell expands a pattern"


def test_what_no_image_is_there_for_is_an_image(tmp_path: Path) -> None:
    make(tmp_path, "b.tif", "c_labels.tif", "x_mask.png", "mask_7.tif", "_labels.tif")
    assert results_apart(find_images([tmp_path])).results == ()


def test_a_single_file_is_what_the_user_means(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "a_labels.tif")
    assert kept(find_images([tmp_path / "a_labels.tif"])) == ["a_labels.tif"]


def test_results_with_their_recipe_are_known_in_folders_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "b.tif", "out/a_labels.tif", "out/a_recipe.json", "out/c_labels.tif")
    assert kept(find_images([str(tmp_path / "**" / "*.tif")])) == ["a.tif", "b.tif", "c_labels.tif"]


def test_labels_that_no_recipe_made_are_known_by_their_table(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.tif",
        "out/a_labels.tif",
        "out/a_cells.csv",
        "out/b_mask.tif",
        "out/b_cells.csv",
        "out/c_labels.tif",
    )
    assert kept(find_images([str(tmp_path / "**" / "*.tif")])) == ["a.tif", "b_mask.tif", "c_labels.tif"]


def test_labels_in_folders_of_their_own_are_known_by_their_images(tmp_path: Path) -> None:
    make(
        tmp_path, "a.tif", "out/A_labels.tif", "out/b_labels.tif", "masks/a_cp_masks.png", "other/a_mask.tif"
    )
    assert kept(find_images([str(tmp_path / "**")])) == ["a.tif", "a_mask.tif", "b_labels.tif"]
    assert kept(find_images([tmp_path, tmp_path / "out"])) == ["a.tif", "b_labels.tif"]


def test_files_of_the_cell_tracking_challenge(tmp_path: Path) -> None:
    make(tmp_path, "01/t000.tif", "01/t001.tif", "01_RES/mask000.tif", "01_GT/SEG/man_seg001.tif",
         "01_GT/TRA/man_track000.tif", "02/mask000.tif")  # fmt: skip
    found = results_apart(find_images([str(tmp_path / "**" / "*.tif")]))
    assert [path.relative_to(tmp_path).as_posix() for path in found.images] == [
        "01/t000.tif",
        "01/t001.tif",
        "02/mask000.tif",
    ]
    assert len(found.results) == 3


@pytest.mark.parametrize(
    ("image", "label"), [("img_1.tif", "mask_1.tif"), ("1.tif", "labels1.png"), ("image-a.tif", "seg-a.tif")]
)
def test_beginnings_name_labels_too(tmp_path: Path, image: str, label: str) -> None:
    make(tmp_path, image, label)
    assert kept(find_images([tmp_path])) == [image]


def test_words_that_only_begin_alike_are_left_alone() -> None:
    for name in ("masking", "labelled", "segment", "imaging", "t1", "mask_", "img"):
        assert beginning_and_name(name) == ("", name)


@given(st.text("abc_labels.mask01", min_size=1, max_size=20))
def test_names_are_divided_without_loss(stem: str) -> None:
    name, ending = name_and_ending(Path(f"{stem}x.tif"))
    assert f"{name}{ending}" == f"{stem}x"
    assert name


# Pairs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("mask000.tif mask001.tif", "man_seg000.tif man_seg001.tif"),
        ("mask000.tif mask001.tif", "t000.tif t001.tif"),
        ("mask_0.tif mask_1.tif", "img_0.tif img_1.tif"),
        ("Cell0_Labels.tif Cell1_Labels.tif", "cell0.TIF cell1.TIF"),
        ("a_cp_masks.png b_seg.png", "a_truth.tif b.tif"),
        ("label1.tif label2.tif", "1.tif 2.tif"),
    ],
)
def test_names_of_other_tools_are_paired(tmp_path: Path, ours: str, theirs: str) -> None:
    first = make(tmp_path / "first", *ours.split())
    second = make(tmp_path / "second", *theirs.split())
    pairing = pair_files(tmp_path / "first", tmp_path / "second")
    assert [(pair.first, pair.second) for pair in pairing.pairs] == list(zip(first, second, strict=True))
    assert not pairing.first_alone
    assert not pairing.second_alone


def test_the_very_name_goes_before_looser_ones(tmp_path: Path) -> None:
    make(tmp_path, "l/img_1.tif", "l/mask_1.tif", "i/img_1.tif", "i/2.tif")
    pairing = pair_files(tmp_path / "l", tmp_path / "i", "prediction", "image")
    assert [(pair.first.name, pair.second.name) for pair in pairing.pairs] == [("mask_1.tif", "img_1.tif")]
    make(tmp_path, "l/2.tif")
    (tmp_path / "l/mask_1.tif").unlink()
    pairing = pair_files(tmp_path / "l", tmp_path / "i", "prediction", "image")
    assert [pair.first.name for pair in pairing.pairs] == ["2.tif", "img_1.tif"]


def test_names_that_would_fit_twice_are_not_paired(tmp_path: Path) -> None:
    make(tmp_path, "l/mask_1.tif", "l/seg_1.tif", "l/a.tif", "i/img_1.tif", "i/a.tif")
    pairing = pair_files(tmp_path / "l", tmp_path / "i")
    assert [pair.name for pair in pairing.pairs] == ["a"]
    assert {path.name for path in pairing.first_alone} == {"mask_1.tif", "seg_1.tif"}


@pytest.mark.parametrize(
    ("first", "second"),
    [("first", "second"), ("first/*", "second"), ("first/*.tif", "second/*.tif"), ("first/a.tif", "second")],
)
def test_only_two_named_files_are_paired_whatever_they_are_called(
    tmp_path: Path, first: str, second: str
) -> None:
    for name in ("first/a.tif", "second/b_labels.tif"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    pairing = pair_files(tmp_path / first, tmp_path / second)
    assert not pairing.pairs
    assert [path.name for path in (*pairing.first_alone, *pairing.second_alone)] == ["a.tif", "b_labels.tif"]
    pairing = pair_files(tmp_path / "first" / "a.tif", tmp_path / "second" / "b_labels.tif")
    assert [(pair.first.name, pair.second.name) for pair in pairing.pairs] == [("a.tif", "b_labels.tif")]


def test_files_of_equal_names_are_told_apart_and_none_need_be_lost(tmp_path: Path) -> None:
    for name in ("mon/in/img1.tif", "tue/in/img1.tif", "labels/img1.tif"):
        make(tmp_path, name)
    with pytest.raises(UtileError) as told:
        pair_files(tmp_path / "labels", tmp_path / "*" / "in" / "*", "prediction", "image")
    said = str(told.value).replace(os.sep, "/")
    assert said.startswith("mon/in/img1.tif and tue/in/img1.tif are both images called img1: ")
    assert "give one folder at a time" in said


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (("img1.png", "img1.tif"), "*.png"),
        (("img1.ome.tif", "img1.tif"), "*.ome.tif"),
        (("img1_labels.tif", "img1_pred.tif"), "*_labels.tif"),
    ],
)
def test_of_files_alike_in_one_folder_a_pattern_says_which(tmp_path: Path, names, pattern: str) -> None:
    one, other = make(tmp_path, *names)
    with pytest.raises(UtileError) as told:
        pair_files(tmp_path, one)
    assert str(told.value).startswith(f"{one.name} and {other.name} are both labels of img1: ")
    assert f"by a pattern, such as '{pattern}'" in str(told.value)
    assert find_images([tmp_path / pattern]) == [one]


def test_a_folder_whose_images_lie_below_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UtileError, match=r"no image in the folder .*\(looked for \.tif"):
        find_images([tmp_path])
    for name in ("a/notes.txt", ".hidden/x.tif", "b/in/img1.tif", "c/img2.tif"):
        make(tmp_path, name)
    with pytest.raises(UtileError) as told:
        find_images([tmp_path])
    said, below = str(told.value), tmp_path / "b" / "in"
    assert said.startswith(
        f"There is no image in the folder {tmp_path} itself, but below it, such as in {below}: "
    )
    assert len(find_images([tmp_path / "**"])) == 2, "as the sentence says"
    assert f"{tmp_path / '**'}" in said


def test_images_and_labels_told_apart_by_beginnings_in_one_folder(tmp_path: Path) -> None:
    make(tmp_path, "img_0.tif", "mask_0.tif", "img_1.tif", "mask_1.tif")
    pairing = pair_files(tmp_path, tmp_path, "prediction", "image")
    assert [(pair.first.name, pair.second.name) for pair in pairing.pairs] == [
        ("mask_0.tif", "img_0.tif"),
        ("mask_1.tif", "img_1.tif"),
    ]


# Patterns


@pytest.mark.parametrize("folder", ["exp [3] 10%", "a[b", "x*y", "[0-9]", "ü (1)"])
def test_folders_with_the_letters_of_patterns(tmp_path: Path, folder: str) -> None:
    a, b = make(tmp_path / folder, "a.tif", "a[1].tif")
    assert find_images([tmp_path / folder]) == [a, b]
    assert find_images([str(tmp_path / folder / "*.tif")]) == [a, b]
    assert find_images([str(tmp_path / folder / "a[1].tif")]) == [b]
    assert find_images([str(tmp_path / "*" / "a[1].tif")]) == [b]
    assert find_images([str(tmp_path / "**" / "a.tif")]) == [a]


def test_links_that_form_a_loop_end_and_each_file_is_found_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.tif", "a/b/y.tif", "elsewhere/z.tif")
    for place, goal in {"a/b/up": "a", "a/b/self": "a/b", "0link": "a", "a/far": "elsewhere"}.items():
        os.symlink(tmp_path / goal, tmp_path / place, target_is_directory=True)
    found = find_images([str(tmp_path / "**" / "*.tif")])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/b/y.tif",
        "a/x.tif",
        "elsewhere/z.tif",
    ]
    assert len(find_images([tmp_path / "a", tmp_path / "0link", f"{tmp_path}/a/../a/x.tif"])) == 1
    assert [p.name for p in find_images([str(tmp_path / "a" / "**" / "*.tif")])] == [
        "y.tif",
        "z.tif",
        "x.tif",
    ]


@pytest.mark.parametrize("length", [200, 300, 5000])
def test_names_longer_than_a_disk_allows_are_one_sentence(tmp_path: Path, length: int) -> None:
    for item in ("b" * length + "*.tif", "b" * length + ".tif", f"{'c' * length}/*.tif"):
        with pytest.raises(UtileError) as caught:
            find_images([str(tmp_path / item)])
        assert "\n" not in str(caught.value)


def test_a_path_through_a_file_says_so(tmp_path: Path) -> None:
    (path,) = make(tmp_path, "a.tif")
    with pytest.raises(UtileError, match="part of this path is a file"):
        find_images([path / "x.tif"])


def test_hidden_files_and_folders_are_not_meant_by_patterns(tmp_path: Path) -> None:
    a, hidden, _ = make(tmp_path, "a.tif", ".b.tif", ".c/d.tif")
    assert find_images([str(tmp_path / "**" / "*.tif")]) == [a]
    assert find_images([hidden]) == [hidden]
