"""A network in ONNX: the graph lies in the model's file, ONNX Runtime computes it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_utile.engine.errors import UtileError
from napari_utile.engine.networks.extra import exchange_module
from napari_utile.engine.networks.foreign import ForeignConfig, ForeignNetwork


@dataclass(frozen=True)
class OnnxConfig(ForeignConfig):
    """A foreign network whose graph is ONNX.

    Attributes
    ----------
    size : int
        Of the graph (bytes).
    flops_per_pixel, numbers_per_pixel : float
        What one pixel costs: floating point operations, and numbers held.
    """

    size: int = 0
    flops_per_pixel: float = 1e5
    numbers_per_pixel: float = 500.0


class OnnxNetwork(ForeignNetwork):
    """A network that ONNX Runtime computes, on the CPU in float32; it cannot be trained.

    Parameters
    ----------
    config : OnnxConfig
    """

    family = "onnx"
    config: OnnxConfig

    def __init__(self, config: OnnxConfig) -> None:
        super().__init__(config)
        self.graph: Tensor
        self.register_buffer("graph", torch.zeros(config.size, dtype=torch.uint8))
        self._session: Any = None

    def raw(self, image: Tensor) -> Tensor:
        """Run the graph."""
        return run_graph(self._opened(), image)

    def _opened(self) -> Any:
        if self._session is None:
            self._session = open_graph(self.graph.cpu().numpy().tobytes())
        return self._session

    def __deepcopy__(self, memo: dict[int, Any]) -> "OnnxNetwork":
        """Copy the network; the copy opens the graph again."""
        copy = OnnxNetwork(self.config)
        copy.load_state_dict(self.state_dict(), assign=True)
        return copy.eval()

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations for one tile of `output` (Y, X) pixels."""
        return int(self.config.flops_per_pixel * self.input_area(output))

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers are held at once, about."""
        return int(self.config.numbers_per_pixel * self.input_area(output))


def open_graph(graph: bytes) -> Any:
    """Open a graph in ONNX Runtime, on the CPU, with as many threads as torch uses.

    Raises
    ------
    UtileError
        If ONNX Runtime is missing, or it cannot use the graph.
    """
    onnxruntime = exchange_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UtileError(
            f"ONNX Runtime cannot use this network ({' '.join(str(error).split())[:200]})."
        ) from error


def run_graph(session: Any, image: Tensor) -> Tensor:
    """Run a graph over an image (N, C, Y, X) and return its first output in float32.

    Raises
    ------
    MemoryError, UtileError
        If there is not enough memory, or ONNX Runtime fails otherwise.
    """
    values = np.ascontiguousarray(image.detach().float().cpu().numpy())
    try:
        found = session.run(None, {session.get_inputs()[0].name: values})[0]
    except Exception as error:  # ONNX Runtime has no common class of its errors
        raise (
            MemoryError(str(error))
            if "alloc" in str(error).lower()
            else UtileError(f"ONNX Runtime cannot run this network ({' '.join(str(error).split())[:200]}).")
        ) from error
    return torch.from_numpy(np.asarray(found, np.float32)).to(image.device)
