"""How fast ONNX Runtime is beside torch on this computer."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_utile.engine.exchange.extra import exchange_module
from napari_utile.engine.inference.exact import exact_float32
from napari_utile.engine.networks.onnx_graph import open_graph

LAYERS, WIDTH, SIDE, RUNS = 4, 32, 196, 3


def onnx_against_torch() -> float:
    """Return how many times as fast ONNX Runtime runs a few convolutions as torch does, on the CPU in float32.

    Raises
    ------
    UtileError
        If the extra ``exchange`` is not installed.
    """
    weights = np.random.default_rng(0).normal(0, 0.06, (LAYERS, WIDTH, WIDTH, 3, 3)).astype(np.float32)
    image = np.random.default_rng(1).random((1, WIDTH, SIDE, SIDE), dtype=np.float32)
    session = open_graph(_graph(weights))
    filters = [torch.from_numpy(each).contiguous(memory_format=torch.channels_last) for each in weights]
    seen = torch.from_numpy(image).contiguous(memory_format=torch.channels_last)

    def network() -> Tensor:
        x = seen
        for each in filters:
            x = nn.functional.conv2d(x, each).relu_()
        return x

    with torch.inference_mode(), exact_float32():
        return _seconds(network) / _seconds(lambda: session.run(None, {"x": image}))


def _graph(weights: Any) -> bytes:
    """Write convolutions, each with a ReLU after it, as ONNX."""
    helper, numpy_helper = exchange_module("onnx.helper"), exchange_module("onnx.numpy_helper")
    nodes, name = [], "x"
    for index in range(len(weights)):
        nodes.append(helper.make_node("Conv", [name, f"w{index}"], [f"c{index}"]))
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        name = f"r{index}"
    given, found = (
        helper.make_tensor_value_info(each, 1, ["n", WIDTH, "h", "w"]) for each in ("x", name)
    )  # 1: float32
    initializers = [numpy_helper.from_array(each, f"w{index}") for index, each in enumerate(weights)]
    graph = helper.make_graph(nodes, "graph", [given], [found], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    written: bytes = model.SerializeToString()
    return written


def _seconds(run: Callable[[], object]) -> float:
    """Return the shortest of a few runs, after one that sets things up."""
    run()
    shortest = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest
