"""A network as other programs run it: mirrored input, outputs of the input's size, activations inside.

Other programs give tiles whose output is as large as their input, and cut off the halo that a package declares. So
the network's input is mirrored outward by its halo here. A tile of a program that keeps to the declared halo lies on
the network's grid, and what is left of it is what U-Tile computes.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from textwrap import indent
from typing import Any

import torch
from torch import Tensor, nn

from napari_utile.engine.models.outputs import Output
from napari_utile.engine.networks.extra import exchange_module
from napari_utile.engine.networks.geometry import Geometry
from napari_utile.engine.networks.network import Network
from napari_utile.engine.networks.traced import one_trace, traced

OPSET = 18
"""Of the ONNX file: the oldest that torch writes, so that most readers know it."""


def declared_halo(geometry: Geometry) -> int:
    """Return the halo that other programs are to cut off (pixels): whole grid cells, so that tiles lie on the grid."""
    return _cells(max(geometry.halo, *geometry.support), geometry.grid) * geometry.grid


def smallest_input(geometry: Geometry) -> int:
    """Return the smallest input of an exported network (pixels); larger ones differ by multiples of the grid."""
    mirrored = geometry.halo + _beyond(geometry)
    return _cells(max(mirrored + 1, 2 * declared_halo(geometry) + 1), geometry.grid) * geometry.grid


class Exported(nn.Module):
    """A network with mirrored input: (N, C, Y, X) in, all its outputs (N, K, Y, X) out, after their activations.

    Parameters
    ----------
    network : Network
    outputs : sequence of Output
        What its channels are, in their order.
    """

    def __init__(self, network: Network, outputs: Sequence[Output]) -> None:
        super().__init__()
        self.network = network
        self.outputs = tuple(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Return the values of all outputs; Y and X are multiples of the network's grid."""
        halo, beyond = self.network.geometry.halo, _beyond(self.network.geometry)
        edges = (halo, halo + beyond, halo, halo + beyond)
        raw = self.network(nn.functional.pad(image, edges, mode="reflect"))
        if beyond:
            raw = raw[..., :-beyond, :-beyond]
        values, start = [], 0
        for output in self.outputs:
            part = raw[:, start : start + output.channels]
            values.append(part.softmax(dim=1) if output.activation == "softmax" else part.clamp(0, 1))
            start += output.channels
        return torch.cat(values, dim=1)


def onnx_bytes(exported: Exported, channels: int) -> bytes:
    """Return an exported network as an ONNX file for inputs of any size that fits its grid."""
    exchange_module("onnxscript")
    grid = exported.network.geometry.grid
    first = smallest_input(exported.network.geometry)
    # Two sizes that differ from each other and from the smallest, so that none is taken for a constant.
    image = torch.zeros(2, channels, first + grid, first + 2 * grid)
    least, most = first // grid, 1 << 16
    rows, columns = (grid * torch.export.Dim(name, min=least, max=most) for name in ("y", "x"))
    with one_trace, _quiet():
        program: Any = torch.onnx.export(
            exported.eval(),
            (image,),
            dynamo=True,
            dynamic_shapes={"image": {0: torch.export.Dim("batch"), 2: rows, 3: columns}},
            input_names=["image"],
            output_names=["outputs"],
            opset_version=OPSET,
            verbose=False,
        )
    written: bytes = program.model_proto.SerializeToString()
    return written


def source_of(exported: Exported) -> tuple[str, dict[str, Tensor]]:
    """Return an exported network as Python that needs torch alone, and its weights by the names used there.

    The class is called ``Network``. It is traced, so any network of this package can be written down.
    """
    network = traced(exported)
    lines = [
        '"""A network exported by U-Tile: mirrored input, outputs of the input\'s size. It needs torch alone."""',
        "",
        "import torch",
        "from torch import nn",
        "",
        "",
        "class Network(nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
    ]
    weights: dict[str, Tensor] = {}
    for node in network.graph.nodes:
        if node.op == "call_module":
            layer, name = network.get_submodule(str(node.target)), flat_name(str(node.target))
            weights |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
            lines.append(f"        self.{name} = nn.{_layer(layer)}")
            network.add_submodule(name, layer)
            node.target = name  # by which the code calls it
    network.recompile()
    return "\n".join([*lines, "", indent(network.code.strip(), "    "), ""]), weights


def flat_name(name: str) -> str:
    """Return a module's name as an attribute: ``network.down.0.1`` is ``down_0_1``."""
    return name.removeprefix("network.").replace(".", "_")


def _layer(module: nn.Module) -> str:
    """Write how a layer is made, in words that older versions of torch know too."""
    if isinstance(module, nn.BatchNorm2d):
        return f"BatchNorm2d({module.num_features}, eps={module.eps})"
    return str(module)


def _beyond(geometry: Geometry) -> int:
    """Return by how many pixels outputs of legal size exceed multiples of the grid."""
    return geometry.smallest % geometry.grid


def _cells(pixels: int, grid: int) -> int:
    return -(-pixels // grid)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch tells its own developers, deprecations among it, from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
