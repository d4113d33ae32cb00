"""What bundled models are made of: every image has a licence that lets anybody use the weights."""

import pytest
import torch

from bundled.data_sets import DATA_SETS, MANIFEST
from bundled.models import PLANS, data_sources, manifest_rows
from make_model import make_model
from napari_utile.engine.errors import UtileError
from napari_utile.engine.fitting.ranking import NOT_KNOWN
from napari_utile.engine.models.catalogue import candidates, list_models
from napari_utile.engine.models.library import load_model
from napari_utile.engine.networks.families import build_network
from sheets import rows_of

FREE = {"CC0-1.0", "MIT", "BSD-3-Clause", "CC-BY-3.0", "CC-BY-3.0-US"}
"""Licences that allow commercial use; what they ask for is a notice."""


def test_every_training_image_has_a_licence_that_allows_commercial_use() -> None:
    for row in rows_of(MANIFEST):
        assert row["licence"] in FREE, row
        assert row["licence"] == DATA_SETS[row["data_set"]].licence, row
        assert set(row["models"].split()) <= set(PLANS), row


def test_no_data_set_is_non_commercial_or_unknown() -> None:
    for each in DATA_SETS.values():
        assert each.licence in FREE, each
        assert each.notice, each
        assert not any(word in each.licence.lower() for word in ("nc", "non-commercial", "unknown")), each
    assert {"isbi2012_em_noncommercial", "trpl_phase_ecoli"}.isdisjoint(DATA_SETS)


@pytest.mark.shared_data
def test_the_manifest_lists_exactly_what_the_models_are_trained_on(shared_data) -> None:
    assert rows_of(MANIFEST) == manifest_rows(shared_data)


@pytest.mark.parametrize("name", sorted(PLANS))
def test_every_card_names_its_images_licences_and_notices(name: str) -> None:
    card = PLANS[name].card()
    assert card.data == data_sources(name)
    for source in card.data:
        assert source.images > 0
        assert source.notice in card.licence
        assert source.licence in card.licence
    assert "commercial use included" in card.licence


def test_every_model_in_the_package_was_taught_by_free_images_and_the_docs_carry_their_notices() -> None:
    page = (MANIFEST.parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    for listed in list_models():
        assert listed.card is not None
        assert listed.card.data, listed.name
        for source in listed.card.data:
            assert source.licence in FREE, (listed.name, source)
            assert source.notice in listed.card.licence
            (row,) = [
                line for line in page.splitlines() if line.startswith(f"| {source.name} | {source.licence} |")
            ]
            assert f"| {source.notice} |" in row
            assert f"`{listed.name}`" in row


def test_what_no_model_knows_is_said_in_the_readme_and_in_the_known_issues() -> None:
    top = MANIFEST.parents[2]
    for name in ("README.md", "docs/known_issues.md"):
        assert NOT_KNOWN in " ".join((top / name).read_text(encoding="utf-8").split()), name


def test_what_is_in_the_package_is_described_here() -> None:
    for listed in list_models():
        if listed.bundled:
            assert listed.name in PLANS


def checkpoint(path, name: str = "cells", **args: object):
    """A checkpoint as a training leaves it, of a small network."""
    config = PLANS[name].config | {"width": 4, "depth": 1}
    torch.manual_seed(0)
    state = build_network("unet", config).state_dict()
    about = {"kind": name, "width": 4, "depth": 1, "D0": PLANS[name].diameter, "seed": 3, **args}
    torch.save({"state": state, "args": about, "step": 7, "spent": 90.0, "history": [(7, 1.0)]}, path)
    return state


def test_a_checkpoint_becomes_a_model_file_in_half_precision(tmp_path) -> None:
    state = checkpoint(tmp_path / "cells.pt")
    made = make_model(
        "cells", tmp_path / "cells.pt", tmp_path / "cells.safetensors", instances={"threshold": 0.4}
    )
    loaded = load_model(tmp_path / "cells.safetensors")
    assert loaded.fingerprint == made.fingerprint
    card = loaded.card
    assert (card.relief, card.object_diameter, card.instances) == ("distances", 30.0, {"threshold": 0.4})
    assert [each.name for each in card.outputs] == ["classes", "B", "C"]
    assert [each.optional for each in card.inputs] == [False, True]
    assert card.training["steps"] == 7
    assert card.training["minutes"] == 1.5
    assert card.training["run"]["seed"] == 3
    assert card.training["versions"]["torch"] == torch.__version__
    weight = state["head.weight"]
    torch.testing.assert_close(loaded.network.head.weight, weight.half().float(), rtol=0, atol=0)


def test_a_checkpoint_of_another_model_is_refused(tmp_path) -> None:
    checkpoint(tmp_path / "a.pt", D0=12)
    with pytest.raises(UtileError, match=r"trained at 12 px, cells is for 30"):
        make_model("cells", tmp_path / "a.pt", tmp_path / "a.safetensors")
    checkpoint(tmp_path / "b.pt", D0=20)
    with pytest.raises(UtileError, match="do not fit a fcn8s"):
        make_model("fcn8s", tmp_path / "b.pt", tmp_path / "a.safetensors")
    torch.save({"weights": 3}, tmp_path / "c.pt")
    with pytest.raises(UtileError, match="no weights"):
        make_model("cells", tmp_path / "c.pt", tmp_path / "a.safetensors")


def test_the_networks_for_teaching_are_small_trained_alike_and_never_suggested() -> None:
    shipped = {each.name: each for each in list_models() if each.bundled}
    teaching = {name: each for name, each in shipped.items() if each.card and each.card.teaching}
    assert set(teaching) == {"fcn32s", "fcn16s", "fcn8s"}
    assert sum(each.path.stat().st_size for each in teaching.values()) <= 2e6
    assert sum(each.path.stat().st_size for each in shipped.values()) <= 24e6
    assert teaching.keys().isdisjoint(candidates())
    alike = [
        (each.card.training["recipe"], each.card.training["steps"], each.card.training["seed"])
        for each in teaching.values()
    ]
    assert alike[0] == alike[1] == alike[2]
    for each in shipped.values():
        assert each.card.metrics, f"{each.name} has no scores"


def test_specialists_are_bundled_have_a_threshold_and_leave_images_to_nobody() -> None:
    cards = {each.name: each.card for each in list_models() if each.card is not None}
    named = [name for card in cards.values() for name in card.specialists]
    assert named
    for name in named:
        assert cards[name].confidence is not None
        assert not cards[name].specialists
