"""Trained models that are kept as versions of one of the user's, and taken back."""

import torch

from napari_utile.engine.models.library import load_model
from napari_utile.engine.models.own_models import kept_versions, revert_model
from napari_utile.engine.steps import Run
from napari_utile.engine.training.fine_tune import FineTuned, new_model
from napari_utile.session.fine_tuning import FineTuneResult
from napari_utile.session.keeping_models import Kept, keep_job, next_version, take_back_job


def kept(lineage: str = "mine") -> Kept:
    """Keep a model with weights of its own."""
    model = new_model("mine", width=2, depth=1)
    tuned = FineTuned(model, model, None, None, (), None)
    return Run(keep_job(FineTuneResult(tuned, (), 1.0), "mine", lineage)).result


def weights() -> str:
    return load_model("mine").fingerprint


def numbers() -> list[str]:
    return [path.stem for path in kept_versions(load_model("mine").path)]


def test_versions_keep_their_numbers_where_an_earlier_one_is_used_again() -> None:
    torch.manual_seed(0)
    prints = []
    for number in (1, 2, 3):
        assert kept("" if number == 1 else "mine").version == number
        prints.append(weights())
    revert_model("mine", 1)
    assert (weights(), load_model("mine").card.version, numbers()) == (prints[0], "1", ["2"])
    assert next_version("mine", "mine") == 3
    last = kept()
    assert (last.version, load_model("mine").card.version, numbers()) == (3, "3", ["1", "2"])
    assert Run(take_back_job(last)).result.stem == "mine"
    assert (weights(), numbers()) == (prints[0], ["2"]), "not the highest, but the one before"
