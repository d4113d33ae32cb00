"""How much of a model is kept when it is trained further."""

import copy

import numpy as np
import pytest
import torch

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.models.library import Model
from napari_utile.engine.training import keeping
from napari_utile.engine.training.fine_tune import new_model
from napari_utile.engine.training.keeping import keep_some, mean_of
from napari_utile.engine.training.learned import Scores
from napari_utile.engine.training.samples import training_plane

CPU = choose_compute("cpu", "float32")


def small(seed: int) -> Model:
    torch.manual_seed(seed)
    return new_model("small", width=2, depth=1, batch_norm=True, dropout=0.0)


def planes(count: int) -> list:
    labels = np.zeros((40, 40), np.int32)
    labels[5:12, 5:12] = 1
    image = (labels > 0).astype(np.float32)[None]
    return [training_plane(f"plane {number}", image, labels) for number in range(count)]


def test_the_mean_lies_between_both_and_changes_neither() -> None:
    before, after = small(0).network, small(1)
    after.network.head.bias.fill_(3.0)
    old, new = (copy.deepcopy(each.state_dict()) for each in (before, after.network))
    made = mean_of(before, after, 0.25)
    assert made.fingerprint != after.fingerprint  # its predictions are its own
    for name, value in made.network.state_dict().items():
        wanted = 0.25 * old[name] + 0.75 * new[name] if value.is_floating_point() else new[name]
        torch.testing.assert_close(value, wanted)
        assert torch.equal(before.state_dict()[name], old[name])
        assert torch.equal(after.network.state_dict()[name], new[name])
    same = mean_of(before, after, 0.0).network.state_dict()
    assert all(torch.equal(same[name], value) for name, value in new.items())


HELD_OUT, TAUGHT = planes(1), planes(2)
NONE, ALL = (0.0, 0.0), (1.0, 1.0)


@pytest.mark.parametrize(
    ("images", "held_out", "taught", "kept"),
    [  # cells, then precision and overlap of what was there before, of the mean, of what was trained
        (1, (100, (0.50, 0.7), (0.50, 0.7), (0.50, 0.7)), None, True),
        (1, (100, (0.25, 0.2), (0.50, 0.7), (0.50, 0.7)), None, True),
        (1, (100, (0.24, 0.7), (0.50, 0.7), (0.50, 0.7)), None, False),  # it did not know them
        (1, (100, (0.50, 0.7), (0.491, 0.7), (0.50, 0.7)), None, True),  # less than a cell
        (1, (100, (0.50, 0.7), (0.48, 0.7), (0.50, 0.7)), None, False),  # the way was long
        (1, (10, (0.50, 0.7), (0.60, 0.7), (0.69, 0.7)), None, True),
        (
            1,
            (20, (0.50, 0.7), (0.60, 0.71), (0.60, 0.80)),
            None,
            True,
        ),  # outlines of one image need not suit others
        (1, (20, (0.50, 0.7), (0.60, 0.69), (0.60, 0.80)), None, False),
        (10, (20, (0.50, 0.7), (0.60, 0.788), (0.60, 0.80)), None, False),  # those of ten do
        (10, (20, (0.50, 0.7), (0.60, 0.792), (0.60, 0.80)), None, True),
        (1, (9, NONE, NONE, ALL), (50, (0.9, 0.7), (0.81, 0.7), (0.90, 0.7)), True),  # few are held out
        (1, (9, ALL, ALL, NONE), (50, (0.9, 0.7), (0.79, 0.7), (0.90, 0.7)), False),
        (1, (0, NONE, NONE, NONE), (5, (0.8, 0.7), (0.61, 0.7), (1.00, 0.7)), True),  # two of five cells
    ],
)
def test_the_mean_is_kept_where_it_costs_nothing(images, held_out, taught, kept, monkeypatch) -> None:
    before, after = small(0), small(1)

    mean, old = mean_of(before.network, after, 0.4).fingerprint, before.fingerprint

    def scored(model: Model, judged: list, _: InstanceParams) -> Scores:
        cells, *reached = held_out if judged is HELD_OUT else taught
        return Scores(*reached[[old, mean, after.fingerprint].index(model.fingerprint)], cells)

    monkeypatch.setattr(keeping, "predictions", lambda model, *_: model)
    monkeypatch.setattr(keeping, "score", scored)
    given = {"held_out": HELD_OUT, "taught": TAUGHT, "images": images, "instances": InstanceParams()}
    model, share = keep_some(before, after, 0.4, compute=CPU, **given)
    assert (share, model.fingerprint) == ((0.4, mean) if kept else (0.0, after.fingerprint))


def test_nothing_is_kept_unasked() -> None:
    before, after = small(0), small(1)
    given = {
        "held_out": HELD_OUT,
        "taught": TAUGHT,
        "images": 1,
        "instances": InstanceParams(),
        "compute": CPU,
    }
    assert keep_some(before, after, 0.0, **given) == (after, 0.0)
