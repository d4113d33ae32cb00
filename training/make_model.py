"""Make a bundled model's file of a training checkpoint: the weights in float16, and the card.

python training/make_model.py nuclei CHECKPOINT -o src/napari_utile/models/nuclei.safetensors

CHECKPOINT is a PyTorch file ``{"state": state_dict, "args": {...}}`` with plain values, which is all that is read
(`torch.load(weights_only=True)`); what `train_model.py` writes is a model file already. Settings are chosen, and
scores measured, by `score_model.py`.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bundled.models import PLANS
from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.library import Model, save_model
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.provenance.recipe import versions


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a PyTorch checkpoint: its weights, and what is known of the run."""
    found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or "state" not in found:
        raise UtileError(f'{path.name} has no weights under "state".')
    about = dict(found.get("args", {}))
    for key in ("step", "spent"):
        if key in found:
            about[key] = found[key]
    return found["state"], about


def make_model(name: str, checkpoint: Path, output: Path, **card: Any) -> Model:
    """Write the model file of a checkpoint and return the model."""
    plan = PLANS[name]
    weights, about = read_checkpoint(checkpoint)
    config = plan.config | {key: about[key] for key in set(plan.network) & set(about)}
    if about.get("D0", plan.diameter) != plan.diameter:
        raise UtileError(
            f"{checkpoint.name} was trained at {about['D0']} px, {name} is for {plan.diameter} px."
        )
    network = build_network(plan.family, config)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UtileError(
            f"The weights in {checkpoint.name} do not fit a {plan.family} of {config}."
        ) from error
    training = {
        "made by": "a forerunner of training/train_model.py: the same images, targets and loss",
        "run": {key: value for key, value in about.items() if key not in ("out", "step", "spent")},
        "steps": about.get("step"),
        "minutes": round(about["spent"] / 60, 1) if "spent" in about else None,
        "versions": versions(),
    }
    return save_model(plan.card(config=config, training=training, **card), network, output, torch.float16)


def main() -> None:
    """Make one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(PLANS))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--instances", type=json.loads, default={}, help='as JSON: {"threshold": 0.5}')
    parser.add_argument("--relief", choices=("probability", "distances"))
    parser.add_argument("--confidence", type=float, help="below it an image does not look right")
    args = parser.parse_args()
    card: dict[str, Any] = {"instances": args.instances}
    if args.relief:
        card["relief"] = args.relief
    if args.confidence is not None:
        card["confidence"] = args.confidence
    made = make_model(args.name, args.checkpoint, args.output, **card)
    print(
        json.dumps(
            {"file": str(args.output), "bytes": args.output.stat().st_size, **asdict(made.card)["config"]}
        )
    )


if __name__ == "__main__":
    main()
