"""What a device can do, and whether it computes what the CPU does: found out once, before it is used.

Graphics cards and their drivers have been seen to give different results from the CPU without a word. So a small U-Net
of fixed weights runs over a fixed picture on the device and, in float32 and layer by layer, on the CPU.
"""

import math
import platform
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.json_file import read_json, write_json
from napari_utile.engine.inference.exact import exact_float32
from napari_utile.engine.inference.fused import fused, joins
from napari_utile.engine.late import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_utile.engine.networks.network import Network
    from napari_utile.engine.networks.unet import UNet

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""The largest difference of a probability that rounding explains. bfloat16 was measured at 0.03."""

_OUTPUT = 132  # pixels a side
RUNS = 3
"""Of which the shortest counts."""
_lock = threading.Lock()
found_here: dict[str, "DeviceCheck"] = {}


@dataclass(frozen=True)
class DeviceCheck:
    """What a device made of the fixed picture.

    Attributes
    ----------
    difference : float
        The largest difference of a probability from the CPU's in float32.
    tolerance : float
        What rounding explains.
    gflops : float
        Speed on this small picture (10^9 floating point operations a second).
    """

    difference: float
    tolerance: float
    gflops: float

    @property
    def agrees(self) -> bool:
        """Whether the device computes what the CPU does, but for rounding; never where it gives no numbers."""
        return self.difference <= self.tolerance


def dtype_of(precision: str) -> "torch.dtype":
    """Return the torch type of a precision."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def difference_from_cpu(device: str, precision: str) -> str | None:
    """Say in a sentence by how much a device's results differ from the CPU's, None where rounding explains it.

    The CPU is not compared with itself, only asked for the instructions, so that this is quick.

    Raises
    ------
    UtileError
        If the device cannot compute so at all.
    """
    if device == "cpu":
        _require_instructions(precision)
        return None
    check = check_device(device, precision)
    if check.agrees:
        return None
    return (
        f"On this computer, {device} in {precision} gives different results from the CPU "
        f"(a probability differs by {check.difference:.2g})."
    )


def _require_instructions(precision: str) -> None:
    """Refuse bfloat16 where torch would only emulate it, more than ten times slower than float32."""
    if precision == "bfloat16" and joins(torch.float32) and not joins(torch.bfloat16):
        raise UtileError("This computer's CPU has no instructions for bfloat16; choose float32, or auto.")


def check_device(device: str, precision: str, *, anew: bool = False) -> DeviceCheck:
    """Compare a device with the CPU: once for each device, driver and version of torch, or again if asked to.

    What was found is kept in the user's cache folder.

    Raises
    ------
    UtileError
        If the device cannot compute so at all.
    """
    with _lock:
        if device == "cpu":  # not kept: a variable of the environment can take its instructions away
            _require_instructions(precision)
            return measure_device(device, precision)
        key = " / ".join((*_names(device), precision))
        if not found_here:
            found_here.update(_read())
        if anew or key not in found_here:
            try:
                found_here[key] = measure_device(device, precision)
            except (RuntimeError, TypeError, MemoryError) as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
                raise UtileError(
                    f"The device {device} of this computer cannot compute in {precision} ({reason}); "
                    "choose another device or precision, or auto."
                ) from error
            _keep(found_here)
        return found_here[key]


def measure_device(device: str, precision: str) -> DeviceCheck:
    """Run the fixed picture on a device and on the CPU, and compare."""
    with exact_float32():
        expected = _probabilities(_network(), _picture())
        network = fused(_network(), device, dtype_of(precision))
        where = "cpu" if device == "onnx" else device
        image = _picture().to(device=where, dtype=dtype_of(precision))
        image = image.contiguous(memory_format=torch.channels_last)
        _probabilities(network, image)  # the first run also sets the device up
        seconds = math.inf
        for _ in range(RUNS):
            start = time.perf_counter()
            found = _probabilities(network, image)
            seconds = min(seconds, time.perf_counter() - start)
    difference = float(np.abs(found - expected).max())  # NaN where a device gives NaN
    return DeviceCheck(difference, TOLERANCE[precision], network.flops((_OUTPUT, _OUTPUT)) / 1e9 / seconds)


def _probabilities(network: "Network", image: "Tensor") -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = network(image)[0].float().softmax(dim=0).cpu().numpy()
    return found


def _network() -> "UNet":
    """Make the fixed network, of the bundled models' kind; NumPy's random numbers are the same everywhere."""
    from napari_utile.engine.networks.unet import UNet, UNetConfig

    with torch.device("meta"):
        network = UNet(UNetConfig(width=24, depth=3, dropout=0))
    rng = np.random.default_rng(0)
    weights = {}
    for name, value in network.state_dict().items():
        inputs = value.shape[0] if name.startswith("up.") else value[0].numel()
        spread = 0.1 if value.ndim == 1 else (2 / inputs) ** 0.5
        weights[name] = torch.from_numpy(rng.normal(0, spread, value.shape).astype(np.float32))
    network.load_state_dict(weights, assign=True)
    network.eval().requires_grad_(False)
    return network


def _picture() -> "Tensor":
    """Make the fixed picture (1, 1, Y, X): bright discs of several sizes, with noise."""
    side = _network().geometry.input_size(_OUTPUT)
    y, x = np.mgrid[:side, :side]
    rng = np.random.default_rng(1)
    picture = rng.normal(0, 0.1, (side, side))
    for row, column, radius in zip(*rng.uniform(0, side, (2, 30)), rng.uniform(3, 20, 30), strict=True):
        picture += (y - row) ** 2 + (x - column) ** 2 < radius**2
    return torch.from_numpy(picture.astype(np.float32))[None, None]


def _names(device: str) -> tuple[str, ...]:
    """Name the device, its driver and torch: what the outcome depends on."""
    if device == "cuda":
        driver = Path("/proc/driver/nvidia/version")
        version = driver.read_text().splitlines()[0] if driver.exists() else platform.version()
        return torch.cuda.get_device_name(), version, torch.__version__
    if device == "onnx":
        return device, platform.machine(), metadata.version("onnxruntime"), metadata.version("onnx")
    return f"{device} {platform.machine()}", platform.mac_ver()[0] or platform.version(), torch.__version__


def checks_file() -> Path:
    """Return where outcomes are kept."""
    import platformdirs

    return platformdirs.user_cache_path("napari-utile", appauthor=False) / "devices.json"


def _read() -> dict[str, DeviceCheck]:
    """Read what was found before; a file that is missing or damaged holds nothing."""
    try:
        values: Mapping[str, Any] = read_json(checks_file(), "holds no checks")
        return {
            key: DeviceCheck(**{name: float(n) for name, n in each.items()}) for key, each in values.items()
        }
    except (UtileError, ValueError, TypeError, AttributeError):
        return {}


def _keep(checks: Mapping[str, DeviceCheck]) -> None:
    """Keep outcomes for the next start, where the folder can be written."""
    path = checks_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {key: asdict(each) for key, each in checks.items()})
    except (OSError, UtileError):
        return
