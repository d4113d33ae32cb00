"""The user's own models: changed by name, never lost."""

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import write_image
from napari_utile.engine.models import own_models
from napari_utile.engine.models.card import ModelCard, read_card
from napari_utile.engine.models.catalogue import find_model, list_models, user_model_folder
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.models.trash import restore_model, thrown_models
from napari_utile.engine.networks.unet import UNet, UNetConfig

CONFIG = {"width": 2, "depth": 1, "dropout": 0.0}


def save(path: Path, seed: int = 0, **card: object) -> Model:
    torch.manual_seed(seed)
    return save_model(ModelCard(path.stem, "unet", CONFIG, **card), UNet(UNetConfig(**CONFIG)), path)


@pytest.fixture
def mine() -> Path:
    path = user_model_folder() / "mine.safetensors"
    save(path, title="My cells")
    return path


def names() -> set[str]:
    return {each.name for each in list_models() if not each.bundled}


@pytest.mark.parametrize("title", ["Мои клетки", "细胞 20x", "κύτταρα"])
def test_titles_in_any_alphabet_name_a_model(mine: Path, title: str) -> None:
    own_models.rename_model("mine", title)
    own_models.duplicate_model(title, f"{title} 2")
    assert {each.title for each in list_models() if not each.bundled} == {title, f"{title} 2"}
    assert all(find_model(name).is_file() for name in names())


@pytest.mark.parametrize("letter", ["细", "𠀀"], ids=["3 bytes", "4 bytes"])
def test_a_model_with_a_long_name_is_changed_deleted_and_restored(mine: Path, letter: str) -> None:
    path = own_models.rename_model("mine", letter * 80)
    assert len(path.stem.encode()) <= 200
    own_models.keep_version(path)
    own_models.revert_model(path.stem)
    own_models.delete_model(path.stem)
    assert restore_model(path.stem).stem == path.stem


def test_a_file_with_a_long_name_that_was_put_into_the_library_is_deleted(mine: Path) -> None:
    mine.rename(mine.with_name(f"{'细' * 80}.safetensors"))
    own_models.delete_model("My cells")
    assert names() == set()
    restore_model("My cells")
    assert read_card(find_model("My cells")).title == "My cells"


def test_a_title_is_one_line(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_models.rename_model("mine", " Two\nlines\u2028of  cells ")
    assert main(["models", "list"]) == 0
    assert "yours    Two lines of cells\n" in capsys.readouterr().out
    assert find_model("Two\nlines of cells") == find_model("Two lines of cells")


@pytest.mark.parametrize("kept", [True, False])
def test_a_model_does_not_take_the_versions_that_another_one_left(mine: Path, kept: bool) -> None:
    if kept:
        own_models.keep_version(mine)
    left = user_model_folder() / "versions" / "gone"
    left.mkdir(parents=True)
    (left / "1.safetensors").write_bytes(mine.read_bytes())
    before = {path: path.read_bytes() for path in user_model_folder().rglob("*.safetensors")}
    with pytest.raises(
        UtileError, match=r"gone holds versions of a model that is gone: move this folder away"
    ):
        own_models.rename_model("mine", "gone")
    assert {path: path.read_bytes() for path in user_model_folder().rglob("*.safetensors")} == before


@given(
    st.text(min_size=1, max_size=300)
    | st.sampled_from(["20x/0.8 NA", "a/b:c u", "~ 2", "~/x", "x.safetensors"])
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_title_that_is_taken_is_found_renamed_deleted_and_restored(mine: Path, title: str) -> None:
    try:
        own_models.duplicate_model("mine", title)
    except UtileError:  # no letter or digit in it, or it is "mine"
        assume(False)
    own_models.rename_model(title, f"{title} 2")
    own_models.delete_model(f"{title} 2")
    assert read_card(restore_model(f"{title} 2")).title == " ".join(f"{title} 2".split())
    own_models.delete_model(f"{title} 2")
    assert names() == {"mine"}


def test_recipes_and_stores_have_the_name_of_a_model_that_was_asked_for_by_its_title(mine, tmp_path) -> None:
    own_models.rename_model("mine", "20X/0.8 na")
    name = find_model("20X/0.8 na").stem
    write_image(tmp_path / "a.tif", np.kron(np.eye(4, dtype=np.uint8) * 200, np.ones((9, 9), np.uint8)))
    words = ["segment", str(tmp_path / "a.tif"), "--diameter", "none", "--quiet", "--model"]
    out, store = tmp_path / "out", tmp_path / "a.zarr"
    for place in (out, store):
        assert main([*words, "20X/0.8 na", "-o", str(place)]) == 0
    own_models.rename_model(name, "20X 0.8 (na)")
    for recipe in (out / "a_recipe.json", store / "recipe.json"):
        assert f"--model {name} " in json.loads(recipe.read_text())["command"]
        assert main(["replay", str(recipe)]) == 0
    recorded = str(out / "a_recipe.json")
    assert main([*words[:-1], "-o", str(tmp_path / "again"), "--settings", recorded]) == 0
    for asked in (name, "20X 0.8 (na)"):
        assert main([*words, asked, "-o", str(store), "--resume"]) == 0


@pytest.mark.parametrize("title", ["MINE!", "mine", "Mine", "(mine)"])
def test_capitals_and_signs_of_a_title_are_corrected(mine: Path, title: str) -> None:
    before = load_model("mine").fingerprint
    save(mine, seed=1, title="My cells")
    renamed = own_models.rename_model("My cells", title)
    assert [path.stem for path in user_model_folder().glob("*.safetensors")] == [renamed.stem]
    assert (renamed.stem.lower(), read_card(find_model(title)).title) == ("mine", title)
    own_models.revert_model(title)
    assert load_model(renamed.stem).fingerprint == before


def test_a_title_of_two_models_is_asked_back(mine: Path) -> None:
    save(user_model_folder() / "other.safetensors", title="My cells")
    with pytest.raises(UtileError, match="Several models have the title 'My cells': ask for mine and other"):
        find_model("My cells")


def test_a_file_is_imported_with_its_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = save(tmp_path / "a.safetensors", title="Of a friend")
    assert main(["models", "import", str(tmp_path / "a.safetensors"), "--name", "Dr. Müller's cells"]) == 0
    assert "Dr.-Mullers-cells" in capsys.readouterr().out
    again = load_model("Dr.-Mullers-cells")
    assert again.fingerprint == made.fingerprint
    assert again.card.title == "Dr. Müller's cells"
    assert find_model("Dr. Müller's cells") == again.path
    assert (tmp_path / "a.safetensors").exists()


def test_no_bundled_model_is_replaced_by_one_that_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "phase"):
        save(tmp_path / f"{name}.safetensors")
    for words in (["a.safetensors", "--name", "Phase"], ["phase.safetensors"]):
        assert main(["models", "import", str(tmp_path / words[0]), *words[1:]]) == 1
        assert "hase already: choose another name" in capsys.readouterr().err
    assert names() == set()


def test_names_are_changed_and_copied(mine: Path) -> None:
    before = load_model("mine")
    own_models.duplicate_model("mine", "second")
    for change in (own_models.duplicate_model, own_models.rename_model):
        with pytest.raises(UtileError, match="named Nuclei already"):
            change("mine", "Nuclei")  # it would be used wherever the bundled one is named
    own_models.rename_model("mine", "third")
    assert names() == {"second", "third"}
    assert {load_model(name).fingerprint for name in ("second", "third")} == {before.fingerprint}
    assert read_card(find_model("third")).name == "third"


def test_a_bundled_model_is_copied_but_not_renamed_or_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    bundled = next(each.name for each in list_models() if each.bundled)
    for words in (["rename", bundled, "x"], ["delete", bundled], ["revert", bundled]):
        assert main(["models", *words]) == 1
        assert "is not one of your models" in capsys.readouterr().err
    assert main(["models", "duplicate", bundled, "x"]) == 0
    assert load_model("x").fingerprint == load_model(bundled).fingerprint


def test_what_is_deleted_lies_in_the_trash(mine: Path) -> None:
    content = mine.read_bytes()
    kept = own_models.delete_model("mine")
    assert names() == set()
    assert kept.read_bytes() == content
    assert kept.parent == user_model_folder() / "trash"
    save(mine)
    assert own_models.delete_model("mine") != kept, "two of one name at one second"


def test_what_is_replaced_is_kept_and_taken_back(mine: Path) -> None:
    first = load_model("mine").fingerprint
    second = save(mine, seed=1).fingerprint
    third = save(mine, seed=2).fingerprint
    assert len({first, second, third}) == 3
    assert [path.name for path in own_models.kept_versions(mine)] == ["1.safetensors", "2.safetensors"]
    own_models.revert_model("mine")
    assert load_model("mine").fingerprint == second
    own_models.rename_model("mine", "other")
    own_models.revert_model("other")
    assert load_model("other").fingerprint == first
    with pytest.raises(UtileError, match="no earlier version"):
        own_models.revert_model("other")


def test_any_version_is_taken_back_and_the_others_stay(mine: Path) -> None:
    prints = [load_model("mine").fingerprint, *(save(mine, seed=seed).fingerprint for seed in (1, 2))]
    assert main(["models", "revert", "mine", "--version", "1"]) == 0
    assert load_model("mine").fingerprint == prints[0]
    assert [path.name for path in own_models.kept_versions(mine)] == ["2.safetensors"]
    assert load_model(thrown_models()[0].path).fingerprint == prints[2]
    with pytest.raises(UtileError, match="no version 7"):
        own_models.revert_model("mine", 7)


def test_what_was_deleted_comes_back_with_its_versions(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = load_model("mine").fingerprint, save(mine, seed=1).fingerprint
    own_models.delete_model("mine")
    assert names() == set()
    assert [each.name for each in thrown_models()] == ["mine"]
    assert main(["models", "restore", "mine"]) == 0
    assert load_model("mine").fingerprint == second
    assert [load_model(path).fingerprint for path in own_models.kept_versions(mine)] == [first]
    assert thrown_models() == []
    assert main(["models", "restore", "mine"]) == 1
    assert "no model 'mine' in the trash; there is none" in capsys.readouterr().err


def test_what_comes_back_takes_no_name_that_is_in_use(mine: Path) -> None:
    first = load_model("mine").fingerprint
    own_models.delete_model("mine")
    second = save(mine, seed=1).fingerprint
    assert restore_model(thrown_models()[0].path).stem == "mine-2"
    assert (load_model("mine").fingerprint, load_model("mine-2").fingerprint) == (second, first)
    (user_model_folder() / "trash" / "broken-20260101-000000.safetensors").write_bytes(b"nothing")
    assert thrown_models() == []


def test_models_elsewhere_have_no_versions(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors")
    save(tmp_path / "a.safetensors", seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("name", ["mine", "MINE", "../mine", "", "///", "…"])
def test_names_that_are_taken_or_none_are_refused(mine: Path, name: str) -> None:
    with pytest.raises(UtileError):
        own_models.duplicate_model("mine", name)
    assert names() == {"mine"}


@pytest.mark.parametrize("name", ["m/i/n/e", "../../x", "C:\\x", ".hidden", "a\nb"])
def test_no_name_leads_out_of_the_folder(mine: Path, name: str) -> None:
    made = own_models.duplicate_model("mine", name)
    assert made.parent == user_model_folder()
    assert not made.name.startswith(".")
    assert names() == {"mine", made.stem}


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"\xff" * 16])
def test_what_is_no_model_is_not_imported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(UtileError):
        own_models.import_model(tmp_path / "bad.safetensors")
    assert names() == set()


def test_two_programs_wait_for_each_other(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_models, "LOCK_SECONDS", 0.1)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(user_model_folder() / ".lock"):
            held.set()
            let_go.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(UtileError, match="Another program"):
            own_models.delete_model("mine")
    finally:
        let_go.set()
        other.join()
    assert names() == {"mine"}


def test_the_card_is_otherwise_the_same(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", object_diameter=17.0, licence="CC0")
    old = read_card(tmp_path / "a.safetensors")
    new = read_card(own_models.import_model(tmp_path / "a.safetensors", "b"))
    assert dataclasses.replace(new, name="a") == old
