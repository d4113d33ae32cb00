"""Named classes of cells in training: a network with as many classes, and what it is to learn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.models.outputs import ModelClass, class_output
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.parameters import to_json

MOST_CLASSES = 32


def with_classes(model: Model, names: Sequence[str]) -> Model:
    """Give a model's network these classes of objects; it sees the same objects as before, until it is trained.

    A class that the model has keeps its weights. Where the model knows several, those that are not named stay; a
    single one, such as "cell", becomes all of the named ones.

    Parameters
    ----------
    model : Model
    names : sequence of str
        None: the model as it is.

    Raises
    ------
    UtileError
        If there are too many, or the network's family cannot be given further ones.
    """
    card = model.card
    present = [card.classes[index].name for index in card.foreground]
    kept = present if len(present) > 1 else [name for name in present if name in names]
    wanted = [*kept, *(name for name in names if name not in kept)]
    if not names or wanted == present:
        return model
    if len(wanted) > MOST_CLASSES:
        raise UtileError(f"There are {len(wanted)} classes of cells; at most {MOST_CLASSES} can be learnt.")
    head = getattr(model.network, "head", None)
    if not isinstance(head, nn.Conv2d) or head.bias is None:
        raise UtileError(
            f"{card.name} cannot be given other classes: start from a U-Net, or train from scratch."
        )
    rows = [*card.background]
    shares = [0.0] * len(rows)
    for name in wanted:
        if name in present:
            rows.append(card.foreground[present.index(name)])
            shares.append(0.0)
        else:  # a part of what was the object, so that all of them together are as likely as it was
            rows.append(card.foreground[0])
            shares.append(-math.log(max(1, len(wanted) - len(kept))))
    others = range(len(card.classes), card.output_channels)
    rows += others
    shares += [0.0] * len(others)
    classes = (
        *(card.classes[index] for index in card.background),
        *(ModelClass(name, "foreground") for name in wanted),
    )
    network = build_network(card.family, {**card.config, "classes": len(rows)})
    weights: dict[str, Any] = {key: value.clone() for key, value in model.network.state_dict().items()}
    weights["head.weight"] = weights["head.weight"][rows].clone()
    weights["head.bias"] = weights["head.bias"][rows] + torch.tensor(shares)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    outputs = (class_output(len(classes)), *card.outputs[1:])
    changed = replace(card, classes=classes, outputs=outputs, config=to_json(network.config))
    return Model(changed, network, fingerprint_of(changed, network), model.path)


def class_targets(
    labels: NDArray[np.int32], classes: Mapping[int, str], known: Sequence[str]
) -> NDArray[np.uint8]:
    """Say what each pixel's cell is of: 0 background, 1 a cell of any class, 2 + k a cell of the class ``known[k]``.

    Parameters
    ----------
    labels : (Y, X) int array
        Cells.
    classes : mapping of int to str
        The class of each cell, where it is known.
    known : sequence of str
        The classes of objects of the model; a single one is every cell.
    """
    targets = (labels > 0).astype(np.uint8)
    if len(known) > 1:
        places = {name: np.uint8(2 + place) for place, name in enumerate(known)}
        ids = np.unique(labels)
        table = np.array(
            [places.get(classes.get(int(label), ""), np.uint8(label > 0)) for label in ids], np.uint8
        )
        targets = table[np.searchsorted(ids, labels)]
    return targets
