"""How a network computes a block, per runtime."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.inference.activation import activate
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.inference.exact import exact_float32
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.late import torch
from napari_utile.engine.models.library import Model
from napari_utile.engine.windows import Window


class Runner(Protocol):
    """A network that is ready to run."""

    def run(self, image: NDArray[Any], kept: Window) -> NDArray[np.float32]:
        """Compute the outputs of an image.

        Parameters
        ----------
        image : (C, y + 2 halo, x + 2 halo) float array
            Of a size that is legal for the network.
        kept : Window
            The part of the (y, x) output that is wanted.

        Returns
        -------
        (K, h, w) float32 array
            All outputs, as the model's card describes them.

        Raises
        ------
        MemoryError, RuntimeError
            Where there is not enough memory, see `errors.is_out_of_memory`.
        """


class TorchRunner:
    """A network that is warm on its device; where that is ONNX Runtime, torch holds what goes in and comes out."""

    def __init__(self, model: Model, compute: Compute) -> None:
        self._network, self._outputs, self._compute = (
            warm_network(model, compute),
            model.card.outputs,
            compute,
        )

    def run(self, image: NDArray[Any], kept: Window) -> NDArray[np.float32]:
        """Compute the outputs of an image, see `Runner.run`."""
        compute = self._compute
        block = torch.from_numpy(np.ascontiguousarray(image))[None]
        block = block.to(device=compute.torch_device, dtype=compute.dtype)
        with torch.inference_mode(), exact_float32():
            raw = self._network(block.contiguous(memory_format=torch.channels_last))[0]
            values: NDArray[np.float32] = activate(raw[:, *kept].float(), self._outputs).cpu().numpy()
        return values


def runner_of(model: Model, compute: Compute) -> Runner:
    """Return what runs a model on a device."""
    return TorchRunner(model, compute)
