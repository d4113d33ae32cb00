"""Training steps per second against the loop most people write: same network, tile, batch and loss.

    python benchmarks/training.py

The plain loop is PyTorch as in its tutorials: float32, contiguous tensors, ready-made batches (it is not charged for
augmentation and weights), log-softmax and weighted cross-entropy, AdamW. Ours makes its samples again for each step.
Also: what share of a step is spent on making samples, the weight map included. Ratios within one run.
"""

import numpy as np
import torch
from timing import in_turns, options, seconds
from torch import nn
from torch.nn import functional

from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.training.recipes import DEFAULT, Budget
from napari_utile.engine.training.run import TrainingRun
from napari_utile.engine.training.samples import TrainingPlane, training_plane


def discs(side: int, seed: int) -> TrainingPlane:
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.int32)
    y, x = np.mgrid[:40, :40] - 20
    disc = y**2 + x**2 < 12**2
    for index in range(1, 120):
        top, left = rng.integers(0, side - 40, 2)
        labels[top : top + 40, left : left + 40][disc] = index
    image = (labels > 0) + rng.normal(0, 0.2, labels.shape)
    return training_plane(f"discs {seed}", image.astype(np.float32)[None], labels)


def plain_step(network: nn.Module, optimizer: torch.optim.Optimizer, image, target, weight) -> None:
    network.train()
    optimizer.zero_grad()
    logits = network(image)
    loss = functional.nll_loss(functional.log_softmax(logits, dim=1), target, reduction="none")
    loss = (loss * weight).sum() / weight.sum()
    loss.backward()
    optimizer.step()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    if args.quick:
        args.repeats = min(args.repeats, 2)

    config = UNetConfig(width=args.width, depth=args.depth, batch_norm=True, dropout=0.0)
    planes = [discs(512, seed) for seed in range(3)]
    compute = choose_compute("auto")
    torch.manual_seed(0)
    run = TrainingRun(UNet(config), planes, (), DEFAULT, Budget(steps=10_000), 0, compute)
    batch = run.sampler.batch(0, DEFAULT.batch, run.progress.size)
    plain = UNet(config).to(compute.device)
    optimizer = torch.optim.AdamW(plain.parameters(), DEFAULT.rate)
    data = (batch.image.contiguous(), batch.target.long(), batch.weight)

    steps = run.steps()
    turns = {
        "plain loop": lambda: plain_step(plain, optimizer, *data),
        "napari-utile": lambda: next(steps),
        "making its samples": lambda: run.sampler.batch(1, DEFAULT.batch, run.progress.size),
    }
    slow, fast, sampling = in_turns(turns, args.repeats).values()
    steps.close()
    weight_map = seconds(lambda: training_plane("again", planes[0].image, planes[0].objects))
    print(
        f"U-Net width {args.width}, depth {args.depth}: {DEFAULT.batch} tiles of {run.progress.size} pixels a step,"
    )
    print(f"{torch.get_num_threads()} threads, {compute.device}, {compute.precision}")
    print(f"plain loop                 {slow:.3f} s a step")
    print(f"napari-utile               {fast:.3f} s a step: {slow / fast:.2f} times as many steps")
    print(f"making its samples         {sampling:.3f} s a step: {sampling / fast:.0%} of it")
    print(f"weight map of 512 x 512    {weight_map:.3f} s, once an image")


if __name__ == "__main__":
    main()
