"""Where and how precisely to compute, and how much memory a job may take."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from napari_utile.engine.compute_params import DEVICES, PRECISIONS
from napari_utile.engine.errors import UtileError, warn
from napari_utile.engine.inference.device_check import difference_from_cpu, dtype_of
from napari_utile.engine.inference.tiling import TileBudget
from napari_utile.engine.late import torch
from napari_utile.engine.networks.extra import exchange_module

CPU_FETCH_GFLOP_PER_MB = 0.1
"""Measured: pages come at about 2.6 GB/s while convolutions run at about 260 GFLOP/s (`benchmarks/inference.py`)."""


@dataclass(frozen=True)
class Compute:
    """A device, a precision and a memory budget; what `choose_compute` decided.

    Attributes
    ----------
    device : {"cuda", "mps", "cpu", "onnx"}
    precision : {"float32", "bfloat16"}
    memory_bytes : int
        What the network's features of one tile may take.
    most_gflop : float
        The arithmetic of one tile, at most: a bound on how long a cancel waits.
    fetch_gflop_per_mb : float
        The arithmetic done in the time in which a fresh megabyte of memory is fetched, see `plan_tiles`.
    """

    device: str
    precision: str
    memory_bytes: int
    most_gflop: float
    fetch_gflop_per_mb: float = 0.0

    @property
    def torch_device(self) -> str:
        """Where torch keeps what goes in: ONNX Runtime reads it on the CPU."""
        return "cpu" if self.device == "onnx" else self.device

    @property
    def dtype(self) -> "torch.dtype":
        """The torch type of this precision."""
        return dtype_of(self.precision)

    @property
    def tile_budget(self) -> TileBudget:
        """What one tile may cost here."""
        number_bytes = 2 if self.precision == "bfloat16" else 4
        return TileBudget(self.memory_bytes, number_bytes, self.most_gflop, self.fetch_gflop_per_mb)

    @property
    def key(self) -> tuple[str, str]:
        """What results depend on: device and precision."""
        return self.device, self.precision


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose the device and the precision, and measure the memory at hand.

    A device other than the CPU is compared with the CPU on first use, see `check_device`. Where it cannot compute, or
    computes something else, ``auto`` takes the next one and warns; a device asked for by name is used, with a warning.

    Parameters
    ----------
    device : {"auto", "cuda", "mps", "cpu", "onnx"}
        ``onnx`` is ONNX Runtime on the CPU. ``auto`` never takes it, as how fast it is hangs on what else runs.
    precision : {"auto", "float32", "bfloat16"}
        ``auto`` is bfloat16 on CPUs with AMX tiles and on CUDA devices from Ampere on. AVX512-BF16 without AMX ran
        convolutions at half the speed of float32 when measured, so it does not count.

    Raises
    ------
    UtileError
        If this computer has no such device, or it cannot compute in this precision.
    ValueError
        If the names are unknown.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}; got {device!r}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; got {precision!r}.")
    if device == "onnx":
        exchange_module("onnxruntime")
    there = available_devices()
    if device != "auto" and device not in there:
        raise UtileError(
            f"This computer has no usable {device} device; choose one of {', '.join(there)}, or auto."
        )
    problems: list[str] = []
    doubtful: Compute | None = None
    wanted = tuple(each for each in there if each != "onnx") if device == "auto" else (device,)
    for candidate in _candidates(wanted, precision):
        try:
            problem = difference_from_cpu(*candidate)
        except UtileError as error:
            problems.append(str(error))
            continue
        if problem is None:
            if problems:
                warn(f"{problems[0]} {_words(*candidate)} is used instead.")
            return _budgeted(*candidate)
        problems.append(problem)
        doubtful = doubtful or _budgeted(*candidate)
    if doubtful is None:
        raise UtileError(problems[0])
    warn(f"{problems[0]} Check the result, or choose cpu.")
    return doubtful


def training_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose where a network is trained: as `choose_compute`, but also in bfloat16 on CPUs with AVX512-BF16.

    There a step of `cells` takes 0.57 of its time in float32, while predicting is slower.

    Parameters
    ----------
    device, precision : str
        As for `choose_compute`.

    Raises
    ------
    UtileError
        As for `choose_compute`, and for ONNX Runtime.
    """
    if device == "onnx":
        raise UtileError("ONNX Runtime cannot train a network; choose cpu, or auto.")
    compute = choose_compute(device, precision)
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if precision != "auto" or compute.device != "cpu" or not (probe and probe()):
        return compute
    try:
        usable = difference_from_cpu("cpu", "bfloat16") is None
    except UtileError:
        return compute
    return replace(compute, precision="bfloat16") if usable else compute


def _candidates(devices: Sequence[str], precision: str) -> Iterator[tuple[str, str]]:
    """Yield devices with precisions, the fastest first."""
    for device in devices:
        if precision != "auto":
            yield device, precision
            continue
        if fast_bfloat16(device):
            yield device, "bfloat16"
        yield device, "float32"


def _words(device: str, precision: str) -> str:
    return f"{'The CPU' if device == 'cpu' else f'The device {device}'} in {precision}"


def _budgeted(device: str, precision: str) -> Compute:
    budget = _memory_budget(device)
    if device in ("cpu", "onnx"):
        return Compute(device, precision, budget, 500.0, CPU_FETCH_GFLOP_PER_MB)
    return Compute(device, precision, budget, 20_000.0)


def available_devices() -> tuple[str, ...]:
    """Return the devices of this computer, the fastest first, and ``onnx`` where ONNX Runtime is installed."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    runtime = find_spec("onnx") and find_spec("onnxruntime")
    return (*found, "cpu", *(("onnx",) if runtime else ()))


def fast_bfloat16(device: str) -> bool:
    """Say whether a device computes in bfloat16 faster than in float32."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    return device == "cpu" and has_amx()


def has_amx() -> bool:
    """Say whether the CPU multiplies bfloat16 matrices in hardware tiles (Intel AMX)."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


def _memory_budget(device: str) -> int:
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        return int(0.7 * free)
    import psutil

    available = psutil.virtual_memory().available
    if device == "mps":
        return int(0.4 * available)
    # More buys a CPU nothing: the halo is a small part of the tile by then.
    return min(int(0.4 * available), 768 << 20)


def release_memory(device: str) -> None:
    """Give memory that no tensor uses any more back to the device; a CPU's is given back by the heap itself."""
    if device == "cpu":
        return
    gc.collect()  # tensors in reference cycles, such as those of a traceback
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
