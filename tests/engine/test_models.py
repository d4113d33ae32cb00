"""Model files: what is saved is what is loaded, and nothing else is accepted."""

import dataclasses
import json
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.card import CARD_KEY, ModelCard, read_card
from napari_utile.engine.models.catalogue import find_model, list_models, user_model_folder
from napari_utile.engine.models.library import fingerprint_of, load_model, save_model
from napari_utile.engine.models.outputs import ModelClass
from napari_utile.engine.networks.unet import UNet, UNetConfig

CONFIG = UNetConfig(width=2, depth=1)


def card(**changes):
    return ModelCard(**{"name": "tiny", "family": "unet", "config": dataclasses.asdict(CONFIG), **changes})


@pytest.fixture
def saved(tmp_path):
    return save_model(card(), UNet(CONFIG), tmp_path / "tiny.safetensors")


def test_a_saved_model_is_loaded_with_the_same_card_and_output(tmp_path):
    network = UNet(CONFIG).eval()
    full = card(
        title="Tiny", classes=(ModelClass("background", "background"), ModelClass("nucleus", "foreground")),
        object_diameter=24.5, instances={"threshold": 0.4}, training={"seed": 3}, metrics={"ap50": 0.8}, licence="BSD",
    )  # fmt: skip
    save_model(full, network, str(tmp_path / "tiny.safetensors"))
    loaded = load_model(tmp_path / "tiny.safetensors")
    assert loaded.card == full
    image = torch.rand(1, 1, 20, 20)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(image), network(image), rtol=0, atol=0)
    assert not any(p.requires_grad for p in loaded.network.parameters())


def test_half_precision_halves_the_file(tmp_path):
    config = UNetConfig(width=8, depth=2)
    network, described = UNet(config), card(config=dataclasses.asdict(config))
    save_model(described, network, tmp_path / "full.safetensors")
    save_model(described, network, tmp_path / "half.safetensors", torch.float16)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.55 * sizes[1]
    assert load_model(tmp_path / "half.safetensors").network.head.weight.dtype == torch.float32


def test_equal_weights_have_equal_fingerprints_and_others_do_not(tmp_path, saved):
    copied = tmp_path / "copy.safetensors"
    copied.write_bytes(saved.path.read_bytes())
    assert load_model(copied).fingerprint == saved.fingerprint
    other = save_model(card(), UNet(CONFIG), tmp_path / "other.safetensors")
    assert other.fingerprint != saved.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 0.5},
        {"object_diameter": 33.0},
        {"pixel_size": 0.4},
        {"classes": (ModelClass("cell", "foreground"), ModelClass("rest", "background"))},
    ],
)
def test_the_same_weights_used_otherwise_have_another_fingerprint(saved, change):
    other = dataclasses.replace(saved.card, **change)
    assert fingerprint_of(other, saved.network) != saved.fingerprint
    renamed = dataclasses.replace(saved.card, title="Other words", description="for the same")
    assert fingerprint_of(renamed, saved.network) == saved.fingerprint


def refused(path, words):
    with pytest.raises(UtileError, match=words) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_missing_truncated_and_foreign_files_are_refused_in_one_sentence(tmp_path, saved):
    refused(tmp_path / "none.safetensors", "no model or file")
    content = saved.path.read_bytes()
    broken = tmp_path / "broken.safetensors"
    for cut in (0, 5, 8, 100, len(content) - 1):
        broken.write_bytes(content[:cut])
        refused(broken, "not a readable model file")
    broken.write_bytes(b"\x80\x04\x95 this could be a pickle" * 10)
    refused(broken, "not a readable model file")
    save_file({"x": torch.zeros(3)}, broken)
    refused(broken, "without a U-Tile card")


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    lying = tmp_path / "lying.safetensors"
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    lying.write_bytes(struct.pack("<Q", len(header)) + header)
    refused(lying, "not a readable model file")
    lying.write_bytes(struct.pack("<Q", 1 << 60) + header)
    refused(lying, "not a readable model file")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "format 99"),
        ({"surprise": 1}, "unknown entries: surprise"),
        ({"classes": [{"name": "x", "role": "boss"}]}, "role"),
        ({"classes": "none"}, "classes must be a list"),
        ({"config": {"widht": 3}}, "no parameter widht"),
        ({"config": {"width": 9_999}}, "width must be at most"),
        ({"family": "resnet"}, "family 'resnet'"),
        ({"name": "../evil"}, "name"),
        ({"normalization": {"low": 90}}, "low must be at most 50"),
        ({"object_diameter": -3}, "object_diameter"),
    ],
)
def test_cards_that_make_no_sense_are_refused(tmp_path, changes, words):
    values = {**json.loads(card().to_header()[CARD_KEY]), **changes}
    path = tmp_path / "odd.safetensors"
    save_file(UNet(CONFIG).state_dict(), path, metadata={CARD_KEY: json.dumps(values)})
    refused(path, words)


def test_weights_that_do_not_fit_the_card_are_refused_before_memory_is_taken(tmp_path):
    huge = card(config={**dataclasses.asdict(CONFIG), "width": 256, "depth": 6})  # hundreds of GB of weights
    path = tmp_path / "huge.safetensors"
    save_file(UNet(CONFIG).state_dict(), path, metadata=huge.to_header())
    refused(path, "do not fit its card")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = UNet(CONFIG)
    network.head.bias.data[0] = float("nan")
    with pytest.raises(UtileError, match="not finite"):
        save_model(card(), network, tmp_path / "nan.safetensors")


def test_models_are_found_by_name_and_the_users_go_before_bundled_ones(tmp_path, monkeypatch):
    bundled, own = tmp_path / "bundled", user_model_folder()
    monkeypatch.setattr("napari_utile.engine.models.catalogue.BUNDLED_FOLDER", bundled)
    save_model(card(), UNet(CONFIG), bundled / "tiny.safetensors")
    assert find_model("tiny") == bundled / "tiny.safetensors"
    save_model(card(), UNet(CONFIG), own / "mine.safetensors")
    assert find_model("tiny") == own / "mine.safetensors"
    (own / "broken.safetensors").write_bytes(b"broken")
    listed = list_models()
    assert [(each.name, each.bundled, each.problem is None) for each in listed] == [
        ("tiny", True, True), ("broken", False, False), ("tiny", False, True),
    ]  # fmt: skip
    with pytest.raises(UtileError, match="no model named 'absent'; there is tiny"):
        find_model("absent")


def test_a_card_is_read_without_the_weights(saved):
    assert read_card(saved.path) == saved.card


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_model_may_be_read_by_those_who_may_read_other_files(tmp_path, saved):
    (tmp_path / "other").write_text("x")
    assert saved.path.stat().st_mode == (tmp_path / "other").stat().st_mode
