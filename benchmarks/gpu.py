"""A graphics card: the 31 M-parameter U-Net in Mpixel/s, as a share of the card's own matrix rate, and its memory.

    python benchmarks/gpu.py [--side 8192]

1. The matrix rate: products of two bfloat16 matrices, in TFLOP/s.
2. The network of the U-Net paper (width 64, depth 4) over an image: Mpixel/s, TFLOP/s as a share of the matrix rate,
   and the most memory held.
3. Transfers: the same tiles with everything on the card, as a share of the time with reading, sending and fetching.
   100 % is a transfer that costs nothing, as it happens during computing.
4. A training step of that network: samples, TFLOP/s, memory.

Without a card the same is done small on the CPU, which shows that it runs and nothing else.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from timing import options

from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.predict import predict_tiles
from napari_utile.engine.inference.tiling import plan_tiles
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.engine.training.recipes import Budget, TrainingRecipe
from napari_utile.engine.training.run import TrainingRun
from napari_utile.engine.training.samples import training_plane


def seconds(device: str, function: Callable[[], object], repeats: int) -> float:
    """Return the mean time of a call, the device awaited; one call goes before."""
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def matrix_rate(compute: Compute, side: int) -> float:
    """Return FLOP/s of the product of two square matrices."""
    a, b = (torch.randn(side, side, device=compute.device, dtype=compute.dtype) for _ in range(2))
    return 2 * side**3 / seconds(compute.device, lambda: a @ b, 10)


def peak(compute: Compute) -> str:
    """Say how much memory was held at most."""
    return (
        f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if compute.device == "cuda" else "not measured"
    )


def inference(model: Model, compute: Compute, side: int, rate: float) -> None:
    """Run the network over an image, and over the same tiles without transfers."""
    image = np.random.default_rng(0).random((1, side, side), np.float32)
    plan = plan_tiles((side, side), model.network, compute.tile_budget)

    def whole() -> None:
        for _ in predict_tiles(model, image, plan, compute):
            pass

    if compute.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    taken = seconds(compute.device, whole, 2)
    print(
        f"U-Net of {sum(each.numel() for each in model.network.parameters()) / 1e6:.0f} M parameters, {side} x {side}, "
        f"{len(plan.tiles)} tiles: {side**2 / taken / 1e6:.1f} Mpixel/s, {plan.gflop / taken / 1e3:.1f} TFLOP/s, "
        f"{1e9 * plan.gflop / taken / rate:.0%} of the matrix rate; memory {peak(compute)}",
        flush=True,
    )
    network = warm_network(model, compute)
    tile = torch.rand(1, 1, *plan.tiles[0].outer.shape, device=compute.device, dtype=compute.dtype)
    tile = tile.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        one = seconds(compute.device, lambda: network(tile), 5)
    print(f"transfers: computing alone is {one * len(plan.tiles) / taken:.0%} of the whole time", flush=True)


def training(compute: Compute, width: int, depth: int, tile: int, batch: int, rate: float) -> None:
    """Train the network for some steps."""
    rng = np.random.default_rng(0)
    labels = np.kron(np.arange(1, 257).reshape(16, 16), np.ones((40, 40), np.int32))
    labels[::40] = labels[:, ::40] = 0
    plane = training_plane("grid", rng.random((1, *labels.shape), np.float32), labels)
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=width, depth=depth, batch_norm=True, dropout=0.0))
    recipe = TrainingRecipe(tile=tile, batch=batch)
    if compute.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [
        step.seconds
        for step in TrainingRun(
            network, [plane], recipe=recipe, budget=Budget(steps=12), compute=compute
        ).steps()
    ]
    taken = float(np.median(np.diff(times)[-6:]))
    output = network.geometry.output_at_least(tile)
    flops = 3 * batch * network.flops((output, output))
    print(
        f"training, {batch} x {output} px: {batch / taken:.1f} samples/s, {flops / taken / 1e12:.2f} TFLOP/s, "
        f"{flops / taken / rate:.0%} of the matrix rate; memory {peak(compute)}",
        flush=True,
    )


def main() -> None:
    """Measure."""
    parser = options(__doc__)
    parser.add_argument("--side", type=int, default=8192, help="of the image, in pixels")
    args = parser.parse_args()
    compute = choose_compute()
    card = compute.device == "cuda"
    if not card:
        print("there is no graphics card: small, on the CPU, to see that it runs")
    width, depth = (64, 4) if card else (4, 2)
    side = args.side if card and not args.quick else 2048 if card else 256
    name = torch.cuda.get_device_name() if card else compute.device
    rate = matrix_rate(compute, 8192 if card else 512)
    print(f"{name}, {compute.precision}: {rate / 1e12:.2f} TFLOP/s in matrix products", flush=True)
    torch.manual_seed(0)
    config = {"width": width, "depth": depth}
    network = UNet(UNetConfig(**config)).eval().requires_grad_(False)
    made = ModelCard("bench", "unet", config)
    inference(Model(made, network, fingerprint_of(made, network)), compute, side, rate)
    training(compute, width, depth, 292 if card else 36, 16 if card else 2, rate)


if __name__ == "__main__":
    main()
