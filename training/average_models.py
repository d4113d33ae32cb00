"""Average the weights of two states of one training, whose mean is often better than either.

    python training/average_models.py LAST EARLIER --share 0.5 -o cells.safetensors

Both must come from the same start: then the weights between them are good, too (Izmailov et al., UAI 2018; Wortsman et
al., ICML 2022). The card is that of the first; settings are chosen, and scores measured, by `score_model.py`.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.networks.families import build_network


def average_models(one: Model, other: Model, share: float, output: Path) -> Model:
    """Write and return the model whose weights are those of `one` and, as far as `share` goes, those of `other`."""
    alike = ("family", "config", "classes", "outputs", "inputs", "object_diameter")
    for name in alike:
        if getattr(one.card, name) != getattr(other.card, name):
            raise UtileError(f"{one.card.name} and {other.card.name} differ in {name}: they have no mean.")
    weights, others = one.network.state_dict(), other.network.state_dict()
    network = build_network(one.card.family, one.card.config)
    network.load_state_dict(
        {
            name: torch.lerp(each, others[name], share) if each.is_floating_point() else each
            for name, each in weights.items()
        }
    )
    part = {"fingerprint": other.fingerprint, "share": share, "training": other.card.training}
    card = replace(one.card, training={**one.card.training, "averaged with": part})
    return save_model(card, network, output, torch.float16)


def main() -> None:
    """Average two models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("one")
    parser.add_argument("other")
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    made = average_models(load_model(args.one), load_model(args.other), args.share, args.output)
    print(json.dumps({"file": str(args.output), "fingerprint": made.fingerprint}))


if __name__ == "__main__":
    main()
