"""The mean of two states of one training."""

from dataclasses import replace

import pytest
import torch

from average_models import average_models
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.library import load_model
from napari_utile.engine.training.fine_tune import new_model


def test_weights_lie_between_and_the_card_says_of_what(tmp_path) -> None:
    torch.manual_seed(0)
    one, other = (new_model(name, width=4, depth=1, batch_norm=True, distances=True) for name in "ab")
    other = replace(other, card=replace(other.card, training={"steps": 7}))
    average_models(one, other, 0.25, tmp_path / "mean.safetensors")
    made = load_model(tmp_path / "mean.safetensors")
    first, second = one.network.state_dict(), other.network.state_dict()
    for name, each in made.network.state_dict().items():
        wanted = 0.75 * first[name] + 0.25 * second[name]
        torch.testing.assert_close(each.float(), wanted.float(), rtol=2e-3, atol=1e-3)
    told = made.card.training["averaged with"]
    assert (told["fingerprint"], told["share"], told["training"]) == (other.fingerprint, 0.25, {"steps": 7})


def test_models_that_differ_have_no_mean(tmp_path) -> None:
    one, other = new_model("a", width=4, depth=1), new_model("b", width=8, depth=1)
    with pytest.raises(UtileError, match="a and b differ in config"):
        average_models(one, other, 0.5, tmp_path / "mean.safetensors")
    assert not (tmp_path / "mean.safetensors").exists()
