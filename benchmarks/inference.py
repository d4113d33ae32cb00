"""Tiled inference against MONAI's sliding window and against the bare network: ratios within one run.

Same network (U-Net, width 32, depth 4), same weights, same 2048 x 2048 image, same machine. MONAI needs a network
whose output has the size of its input: it gets the same convolutions with zero padding, as its users have them. The
bare network is run on one tile after the other without reading, mirroring or storing anything.
"""

import copy
import functools
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from timing import best_of, in_turns, options, seconds
from torch import nn

from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import Compute, choose_compute, has_amx
from napari_utile.engine.inference.predict import predict_tiles
from napari_utile.engine.inference.tiling import plan_tiles
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.networks.unet import UNet, UNetConfig


def make_model(width: int = 32, depth: int = 4) -> Model:
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=width, depth=depth)).eval().requires_grad_(False)
    card = ModelCard("bench", "unet", {"width": width, "depth": depth})
    return Model(card, network, fingerprint_of(card, network))


class ZeroPadded(nn.Module):
    """The same network with zero padding: what the sliding window of MONAI can run."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.padding = (1, 1)
        self.network.crops = (0,) * len(network.crops)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image)


def ours(model: Model, plane: np.ndarray, compute: Compute) -> None:
    plan = plan_tiles(plane.shape[1:], model.network, compute.tile_budget)
    for _ in predict_tiles(model, plane, plan, compute):
        pass


def monai(network: nn.Module, plane: np.ndarray, channels_last: bool, bfloat16: bool) -> None:
    image = torch.from_numpy(plane)[None]
    if channels_last:
        image = image.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        sliding_window_inference(image, 512, 1, network, overlap=0.25, mode="gaussian")


def bare(model: Model, output: int, compute: Compute) -> Callable[[], None]:
    """Return one run of the network on a tile in memory."""
    size = model.network.geometry.input_size(output)
    image = torch.rand(1, 1, size, size, dtype=compute.dtype).contiguous(memory_format=torch.channels_last)
    network = warm_network(model, compute)

    def run() -> None:
        with torch.inference_mode():
            network(image)

    return run


def compare(side: int, rounds: int) -> None:
    model = make_model()
    plane = np.random.default_rng(0).random((1, side, side), np.float32)
    float32, auto = choose_compute("cpu", "float32"), choose_compute("cpu", "auto")
    padded = ZeroPadded(model.network).eval()
    padded_last = copy.deepcopy(padded).to(memory_format=torch.channels_last)
    output = best_tile(model, auto)
    tile = bare(model, output, auto)
    runs: dict[str, Callable[[], object]] = {
        "U-Tile float32": functools.partial(ours, model, plane, float32),
        "bare network, one tile": tile,
        "MONAI float32": functools.partial(monai, padded, plane, False, False),
        "MONAI float32 channels_last": functools.partial(monai, padded_last, plane, True, False),
    }
    try:
        choose_compute("cpu", "bfloat16")
        runs["MONAI bfloat16 channels_last"] = functools.partial(monai, padded_last, plane, True, True)
    except UtileError as error:  # torch emulates it, fifteen times slower
        print(f"no bfloat16 for MONAI: {error}")
    if auto.precision != "float32":
        runs["U-Tile auto"] = functools.partial(ours, model, plane, auto)
    print(f"{side} x {side}, {torch.get_num_threads()} threads, {instructions()}, auto is {auto.precision}")
    times = in_turns(runs, rounds)
    times.setdefault("U-Tile auto", times["U-Tile float32"])
    best = min(times[name] for name in times if name.startswith("MONAI"))
    print(f"medians of {rounds}")
    for name, value in times.items():
        print(f"  {name:30} {value:6.2f} s")
    print(f"  float32: {times['MONAI float32'] / times['U-Tile float32']:.2f} x MONAI's float32")
    print(f"  auto:    {times['MONAI float32'] / times['U-Tile auto']:.2f} x MONAI's float32")
    print(f"  auto:    {best / times['U-Tile auto']:.2f} x MONAI at its best")
    share = side**2 / times["U-Tile auto"] * times["bare network, one tile"] / output**2
    print(f"  {share:.0%} of the rate of the bare network on its best tile ({output} pixels a side)")


def best_tile(model: Model, compute: Compute) -> int:
    """Return the output side at which the bare network is quickest."""
    rates = {}
    for wanted in (196, 260, 388, 516, 772):
        run = bare(model, wanted, compute)
        run()
        rates[wanted] = wanted**2 / best_of(max(2, 600 // wanted), run)
        print(f"  bare network, tile of {wanted}: {rates[wanted] / 1e6:.2f} Mpixel a second")
    return max(rates, key=lambda side: rates[side])


def instructions() -> str:
    """Name the instructions that convolutions use."""
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA")
    found = "AMX" if has_amx() else torch.backends.cpu.get_cpu_capability()
    return f"{found}, limited to {asked}" if asked else found


def peak_memory() -> int:
    """Return the most memory this process has held (bytes); getrusage would count its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def grow(side: int) -> None:
    """Segment one image of `side` pixels in this process; print seconds, peak memory, and input and output.

    The fastest of as many runs as take about as long as one of 16 Mpixel.
    """
    model = make_model(width=8, depth=3)
    plane = np.random.default_rng(0).random((1, side, side), np.float32)
    compute = choose_compute("cpu", "float32")
    ours(model, plane[:, :1000, :1000], compute)
    spent = min(
        seconds(functools.partial(ours, model, plane, compute)) for _ in range(max(1, 16_000_000 // side**2))
    )
    peak = peak_memory()
    print(spent, peak, plane.nbytes * 3)  # the output holds two classes


def growth(sides: Sequence[int]) -> None:
    print("  pixels      seconds per megapixel   peak memory beyond input and output")
    for side in sides:
        words = subprocess.run(
            [sys.executable, __file__, "--grow", str(side)], check=True, capture_output=True, text=True
        ).stdout.split()
        spent, peak, unavoidable = (float(word) for word in words)
        print(f"  {side}^2 {spent / side**2 * 1e6:15.3f} {(peak - unavoidable) / 2**20:15.0f} MB")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--grow", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.grow:
        grow(arguments.grow)
    else:
        compare(*((1024, 1) if arguments.quick else (2048, arguments.rounds)))
        growth((1000, 2000) if arguments.quick else (1000, 2000, 4000, 8000))
