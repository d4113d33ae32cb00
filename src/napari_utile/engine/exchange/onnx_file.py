"""A foreign ONNX graph: what it reads, how far it looks, what a pixel costs."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.description import Description
from napari_utile.engine.exchange.measured import measure_reach
from napari_utile.engine.networks.extra import exchange_module
from napari_utile.engine.networks.foreign import grid_cells
from napari_utile.engine.networks.onnx_graph import OnnxConfig, OnnxNetwork, open_graph
from napari_utile.engine.words import counted

USUAL_GRID = 32
"""Pixels that sizes are multiples of where nobody says: five poolings, more than most networks have."""
LARGEST_GRAPH = (2 << 30) - 1


def onnx_network(graph: bytes, said: Description | None, name: str) -> tuple[OnnxNetwork, list[str]]:
    """Make a network of an ONNX graph, and say what was found out about it.

    Parameters
    ----------
    graph : bytes
    said : Description or None
        What its package says.
    name : str
        Of the file, for what is said.

    Raises
    ------
    UtileError
        If the graph cannot be run, is not one from images to images, or reads images of one size only.
    """
    if len(graph) > LARGEST_GRAPH:
        raise UtileError(f"The network in {name} is too large ({len(graph) >> 20} MB).")
    exchange_module("onnxruntime")
    session = open_graph(graph)
    given, found = session.get_inputs(), session.get_outputs()
    if len(given) != 1 or len(found) != 1:
        raise UtileError(
            f"The network in {name} has {counted(len(given), 'input')} and "
            f"{counted(len(found), 'output')}; it needs one of each."
        )
    shape = given[0].shape
    if len(shape) != 4 or given[0].type != "tensor(float)":
        raise UtileError(
            f"The network in {name} reads {given[0].type} of the shape {shape}, not float images of planes."
        )
    if any(isinstance(size, int) for size in shape[2:]):
        raise UtileError(
            f"The network in {name} reads images of {shape[2]} x {shape[3]} pixels only: ask for one of any size."
        )
    channels = shape[1] if isinstance(shape[1], int) else (said.in_channels if said else None) or 1
    grid = said.step if said and said.step else USUAL_GRID
    smallest = grid_cells(max(said.smallest if said else 0, grid), grid)

    def compute(image: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            outputs = session.run(None, {given[0].name: image})[0]
        except Exception as error:  # ONNX Runtime has no common class of its errors
            reason = " ".join(str(error).split())[:160]
            raise UtileError(f"ONNX Runtime cannot run the network in {name} ({reason}).") from error
        if outputs.ndim != 4 or outputs.shape[2:] != image.shape[2:]:
            raise UtileError(
                f"The network in {name} makes {outputs.shape} of images of {image.shape}: U-Tile needs one output "
                "pixel for each input pixel."
            )
        return np.asarray(outputs, np.float32)

    reach = measure_reach(compute, channels, grid, smallest)
    declared = said.halo if said else 0
    far = max(reach.pixels, declared) if reach.is_local else max(declared, 2 * grid)
    halo = grid_cells(far, grid)
    if reach.is_local:
        notes = [f"It sees {reach.pixels} px around each pixel; tiles are read with a halo of {halo} px."]
    else:
        notes = [f"It sees each tile as a whole; tiles are read with a halo of {halo} px."]
    flops, numbers = costs(graph, channels, smallest)
    count = (
        int(found[0].shape[1])
        if isinstance(found[0].shape[1], int)
        else compute(np.zeros((1, channels, smallest, smallest), np.float32)).shape[1]
    )
    config = OnnxConfig(
        in_channels=channels,
        classes=max(count, 1),
        halo=halo,
        grid=grid,
        gain=(1.0,) * channels,
        offset=(0.0,) * channels,
        size=len(graph),
        flops_per_pixel=flops,
        numbers_per_pixel=numbers,
    )
    network = OnnxNetwork(config)
    network.load_state_dict({"graph": torch.frombuffer(bytearray(graph), dtype=torch.uint8)})
    return network.eval(), notes


def costs(graph: bytes, channels: int, side: int) -> tuple[float, float]:
    """Estimate what a pixel costs: floating point operations, and numbers held at once.

    From the convolutions alone: their weights, and the sizes of what they give for an image of `side` pixels.
    """
    onnx: Any = exchange_module("onnx")
    try:
        model = onnx.load_model_from_string(graph)
        for dimension, size in zip(
            model.graph.input[0].type.tensor_type.shape.dim, (1, channels, side, side), strict=True
        ):
            dimension.dim_value = size
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception as error:  # of protobuf and of onnx
        raise UtileError(
            f"The ONNX file cannot be understood ({' '.join(str(error).split())[:160]})."
        ) from error
    weights = {each.name: int(np.prod(each.dims)) for each in inferred.initializer}
    sizes = {
        each.name: [dimension.dim_value for dimension in each.type.tensor_type.shape.dim]
        for each in (*inferred.value_info, *inferred.output)
    }
    flops, held = 0.0, [float(channels)]
    for node in inferred.node:
        if node.op_type in ("Conv", "ConvTranspose") and len(node.input) > 1:
            made = sizes.get(node.output[0], [])
            pixels = float(made[2] * made[3]) if len(made) == 4 and all(made[1:]) else float(side * side)
            flops += 2 * weights.get(node.input[1], 0) * pixels
            held.append((made[1] if len(made) == 4 else 1) * pixels / side**2)
    return max(flops / side**2, 1.0), 2 * max(held) + sum(held) / 2


def with_external_data(graph: bytes, name: str, data: bytes) -> bytes:
    """Put weights that lie beside a graph into it.

    Raises
    ------
    UtileError
        If they do not fit, or the graph names other files.
    """
    onnx: Any = exchange_module("onnx")
    with TemporaryDirectory(prefix="utile-") as folder:
        (Path(folder) / "graph.onnx").write_bytes(graph)
        (Path(folder) / Path(name).name).write_bytes(data)
        try:
            loaded = onnx.load(str(Path(folder) / "graph.onnx"))
            written: bytes = loaded.SerializeToString()
        except Exception as error:  # of protobuf and of onnx
            raise UtileError(
                f"The weights beside the ONNX file cannot be used ({str(error)[:160]})."
            ) from error
    return written
