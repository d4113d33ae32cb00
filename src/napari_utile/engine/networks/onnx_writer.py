"""A network of this package as ONNX Runtime computes it: the same convolutions, written as a graph."""

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn

from napari_utile.engine.errors import UtileError
from napari_utile.engine.networks.extra import exchange_module
from napari_utile.engine.networks.network import Network
from napari_utile.engine.networks.onnx_graph import OnnxNetwork, open_graph, run_graph
from napari_utile.engine.networks.traced import traced

OPSET = 17
FLOAT = 1  # ONNX's number for float32


class InOnnxRuntime(Network):
    """A network that ONNX Runtime computes, on the CPU in float32.

    Parameters
    ----------
    network : Network
        Its batch normalisations are folded into the convolutions.

    Raises
    ------
    UtileError
        If the extra ``exchange`` is not installed, or the network has a layer that is not known here.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.family, self.config, self.geometry = network.family, network.config, network.geometry
        self._costs = network.flops, network.largest_features
        self._session = open_graph(graph_of(network))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, K, Y, X) of an image."""
        return run_graph(self._session, image)

    def flops(self, output: tuple[int, int]) -> int:
        """Return the floating point operations for one tile, as torch would need them."""
        return self._costs[0](output)

    def largest_features(self, output: tuple[int, int]) -> int:
        """Return how many numbers torch would hold at once."""
        return self._costs[1](output)


def in_onnx_runtime(network: Network) -> Network:
    """Return a folded network as ONNX Runtime computes it; one that was imported as ONNX stays as it is."""
    return network if isinstance(network, OnnxNetwork) else InOnnxRuntime(network)


def graph_of(network: Network) -> bytes:
    """Write a folded network as ONNX: (N, C, Y, X) in, logits out, sizes left open.

    Raises
    ------
    UtileError
        As for `InOnnxRuntime`.
    """
    helper, numpy_helper = exchange_module("onnx.helper"), exchange_module("onnx.numpy_helper")
    graph_module = traced(network)
    layers = dict(graph_module.named_modules())
    nodes: list[Any] = []
    constants: list[Any] = []
    names: dict[Any, str] = {}

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(torch.as_tensor(value).cpu().numpy(), name))
        return name

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def written(step: fx.Node) -> str:
        layer = layers[str(step.target)] if step.op == "call_module" else step.target
        first: Any = step.args[0]
        if isinstance(layer, (nn.Dropout, nn.Identity)):
            return names[first]
        if isinstance(layer, nn.ReLU):
            return add("Relu", [names[first]])
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and isinstance(layer.padding, tuple):
            weights = [constant(f"{step.name}.{key}", value) for key, value in layer.state_dict().items()]
            return add(
                "Conv" if isinstance(layer, nn.Conv2d) else "ConvTranspose",
                [names[first], *weights],
                strides=layer.stride,
                pads=layer.padding * 2,
                dilations=layer.dilation,
                group=layer.groups,
            )
        if layer is nn.functional.max_pool2d and len(step.args) == 2:
            return add("MaxPool", [names[first]], kernel_shape=[step.args[1]] * 2, strides=[step.args[1]] * 2)
        if layer is torch.cat:
            return add("Concat", [names[each] for each in first], axis=step.kwargs["dim"])
        if layer is operator.add:
            return add("Add", [names[each] for each in step.args])
        if layer is operator.getitem:  # [..., c:-c, c:-c]
            index: Any = step.args[1]
            y, x = index[-2:]
            ends = torch.iinfo(torch.int64).max
            bounds = {"from": [y.start, x.start], "to": [y.stop or ends, x.stop or ends], "axes": [2, 3]}
            return add("Slice", [names[first], *(constant(f"{step.name}.{k}", v) for k, v in bounds.items())])
        kind = getattr(layer, "__name__", type(layer).__name__)
        raise UtileError(f"ONNX Runtime is not offered for networks with {kind}; choose another device.")

    for step in graph_module.graph.nodes:
        if step.op == "placeholder":
            names[step] = "image"
        elif step.op != "output":
            names[step] = last = written(step)
    values = (helper.make_tensor_value_info(name, FLOAT, ["n", "c", "y", "x"]) for name in ("image", last))
    given, found = values
    graph = helper.make_graph(nodes, "network", [given], [found], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    result: bytes = model.SerializeToString()
    return result
