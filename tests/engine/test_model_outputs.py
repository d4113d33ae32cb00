"""What a card says of a network's inputs and outputs, and what a segmentation makes of it."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.activation import activate
from napari_utile.engine.models.card import CARD_KEY, ModelCard, card_from_json, read_card
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.models.outputs import (
    DISTANCES,
    InputChannel,
    ModelClass,
    Output,
    by_name,
    class_output,
)
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment

CONFIG = UNetConfig(width=4, depth=1, classes=4)
WITH_DISTANCES = (class_output(2), *DISTANCES)


def card(config=CONFIG, outputs=WITH_DISTANCES, **changes):
    return ModelCard(
        **{"name": "tiny", "family": "unet", "config": dataclasses.asdict(config), "outputs": outputs}
        | changes
    )


def test_a_card_of_format_1_opens_as_classes_alone_and_its_borders_are_background(tmp_path) -> None:
    config = UNetConfig(width=2, depth=1, classes=3)
    old = {
        "name": "old", "family": "unet", "config": dataclasses.asdict(config), "format": 1, "channels": ["DAPI"],
        "classes": [{"name": "ground", "role": "background"}, {"name": "cell", "role": "foreground"},
                    {"name": "edge", "role": "border"}],
        "instances": {"threshold": 0.4}, "normalization": {"low": 2.0, "high": 99.0},
    }  # fmt: skip
    path = tmp_path / "old.safetensors"
    save_file(UNet(config).state_dict(), path, metadata={CARD_KEY: json.dumps(old)})
    model = load_model(path)
    assert [each.role for each in model.card.classes] == ["background", "foreground", "background"]
    assert model.card.foreground == (1,)
    assert model.card.outputs == (class_output(3),)
    assert model.card.inputs == (InputChannel("DAPI"),)
    assert model.card.relief == "probability"
    result = segment(np.random.default_rng(0).random((30, 40)), model)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert result.probabilities.shape == (3, 30, 40)


def test_the_bundled_model_of_nuclei_tells_them_apart_by_distances() -> None:
    card = load_model("nuclei").card
    assert (card.output_channels, card.relief, card.has_distances) == (4, "distances", True)


def test_a_card_keeps_its_outputs_and_inputs_in_the_file(tmp_path) -> None:
    config = dataclasses.replace(CONFIG, in_channels=2)
    inputs = (InputChannel("membrane"), InputChannel("nuclei", optional=True))
    saved = save_model(
        card(config, inputs=inputs, relief="distances", confidence=0.7),
        UNet(config),
        tmp_path / "a.safetensors",
    )
    read = read_card(tmp_path / "a.safetensors")
    assert read == saved.card
    assert read.inputs == inputs
    assert read.outputs == WITH_DISTANCES
    assert read.has_distances


def test_the_probabilities_sum_to_1_and_distances_have_their_names(distances_model) -> None:
    result = segment(np.random.default_rng(0).random((30, 40)), distances_model)
    assert result.probabilities.shape == (2, 30, 40)
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert set(result.outputs) == {"classes", "B", "C"}
    for name in "BC":
        assert result.outputs[name].shape == (30, 40)
        assert result.outputs[name].min() >= 0
        assert result.outputs[name].max() <= 1
    np.testing.assert_array_equal(result.outputs["classes"], result.probabilities)


def test_outside_of_a_shape_everything_reads_as_background(distances_model) -> None:
    inside = np.zeros((30, 40), bool)
    inside[5:20, 10:30] = True
    image = np.random.default_rng(0).random((30, 40))
    whole, cut = segment(image, distances_model), segment(image, distances_model).only_inside(inside)
    assert (cut.probabilities[0][~inside] == 1).all()
    assert (cut.outputs["B"][~inside] == 0).all()
    assert (cut.outputs["C"][~inside] == 1).all()
    np.testing.assert_array_equal(cut.outputs["C"][inside], whole.outputs["C"][inside])


def test_several_kinds_of_cells_are_foreground_together() -> None:
    kinds = tuple(ModelClass(name, role) for name, role in [
        ("ground", "background"), ("round", "foreground"), ("border", "background"), ("flat", "foreground"),
    ])  # fmt: skip
    torch.manual_seed(1)
    config = dataclasses.replace(CONFIG, classes=4)
    network = UNet(config).eval().requires_grad_(False)
    result = segment(
        np.random.default_rng(1).random((20, 24)), Model(card(config, (), classes=kinds), network, "kinds")
    )
    np.testing.assert_allclose(
        result.foreground, result.probabilities[1] + result.probabilities[3], atol=1e-6
    )


def test_activation_follows_the_description() -> None:
    raw = torch.tensor([1.0, 1.0, -0.5, 1.5]).reshape(4, 1, 1)
    assert activate(raw, WITH_DISTANCES).flatten().tolist() == [0.5, 0.5, 0.0, 1.0]
    named = by_name(WITH_DISTANCES, activate(raw, WITH_DISTANCES).numpy())
    assert named["classes"].shape == (2, 1, 1)
    assert named["C"].shape == (1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outputs": (class_output(3),)}, "3 channels, but 2 classes are named"),
        ({"outputs": (*DISTANCES, class_output(2))}, "first output must be 'classes'"),
        ({"outputs": (class_output(2), DISTANCES[0], DISTANCES[0])}, "same name"),
        ({"outputs": (class_output(2), DISTANCES[0]), "relief": "distances"}, "needs the outputs B and C"),
        ({"relief": "mountains"}, "relief is one of"),
        ({"inputs": (InputChannel("a"), InputChannel("b"))}, r"reads 1 channel\(s\), but inputs names 2"),
        ({"inputs": (InputChannel("a", optional=True),)}, "Optional input channels come after"),
    ],
)
def test_descriptions_that_contradict_themselves_are_refused(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        card(**changes)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"outputs": [{"name": "x", "channels": 1, "activation": "tanh"}]}, "activation of the output 'x'"),
        ({"outputs": [3]}, "outputs must be made of JSON objects"),
        ({"data": [{"name": "x", "licence": "CC0", "size": 3}]}, "no parameter size"),
        ({"classes": [{"name": "x", "role": "border"}]}, "role is one of background, foreground"),
    ],
)
def test_entries_of_a_card_that_are_wrong_are_named(entry, words) -> None:
    values = json.loads(card().to_header()[CARD_KEY]) | entry
    with pytest.raises(ValueError, match=words):
        card_from_json(values)


def test_an_output_has_a_sensible_number_of_channels() -> None:
    with pytest.raises(ValueError, match="1 to 64 channels"):
        Output("x", 0, "clip")


def test_a_network_with_another_number_of_channels_than_its_card_describes_is_refused(tmp_path) -> None:
    with pytest.raises(UtileError, match="describes 2 output channels, the network has 4"):
        save_model(card(outputs=(class_output(2),)), UNet(CONFIG), tmp_path / "x.safetensors")


def test_an_optional_channel_is_0_where_it_is_missing_and_read_where_it_is_chosen(two_inputs_model) -> None:
    stack = np.random.default_rng(5).integers(0, 255, (3, 30, 40), np.uint8)
    alone = segment(stack[1], two_inputs_model)
    np.testing.assert_array_equal(segment(stack, two_inputs_model, channels=[1]).values, alone.values)
    dark = np.stack([stack[1], np.zeros_like(stack[1])])
    np.testing.assert_array_equal(segment(dark, two_inputs_model, channels=[0, 1]).values, alone.values)
    both = segment(stack, two_inputs_model, channels=[1, 2])
    assert not np.array_equal(both.values, alone.values)
    assert segment(stack[:2], two_inputs_model).plane.data.shape == (2, 30, 40)
    np.testing.assert_array_equal(
        segment(stack[1:], two_inputs_model).values, alone.values
    )  # never taken unasked
    with pytest.raises(UtileError, match=r"reads 1 to 2 channels, and 3 channels"):
        segment(stack, two_inputs_model, channels=[0, 1, 2])


def test_a_missing_channel_reads_as_zeros_of_any_window() -> None:
    plane = plane_from_array(np.arange(12, dtype=np.uint16).reshape(3, 4)).for_network(2, None, 1)
    assert plane.data.shape == (2, 3, 4)
    np.testing.assert_array_equal(plane.data[1, 1:3, 0:2], np.zeros((2, 2)))
    np.testing.assert_array_equal(plane.data[:, 1:2, :2], [[[4, 5]], [[0, 0]]])
    np.testing.assert_array_equal(plane.data[0], np.arange(12).reshape(3, 4))
